//! The two packets of STAMP: what a sender asks, and what a reflector answers.

use super::time::{ErrorEstimate, Stamp};
use super::{Mode, TWAMP_REPLY_BYTES};
use crate::wire::refusal::Refusal;

/// A packet of a session-sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Test {
    /// Counts up from zero.
    pub sequence: u32,
    /// T1: when it was sent.
    pub sent: Stamp,
    /// Of the sender's clock.
    pub error: ErrorEstimate,
    /// Session id (RFC 8972 §3); zero for none.
    pub ssid: u16,
}

/// A packet of a session-reflector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The reflector's own count if it keeps one for the session, else the sender's number again.
    pub sequence: u32,
    /// T3: when it was sent.
    pub sent: Stamp,
    /// Of the reflector's clock.
    pub error: ErrorEstimate,
    /// Session id as the test had it; zero from reflectors that do not know of it.
    pub ssid: u16,
    /// T2: when the test came.
    pub received: Stamp,
    /// The test's number.
    pub sender_sequence: u32,
    /// T1 as the test had it.
    pub sender_sent: Stamp,
    /// Of the sender's clock, as the test had it.
    pub sender_error: ErrorEstimate,
    /// Time to live, or hop limit, of the test as it came; 255 minus it are the hops.
    pub ttl: u8,
}

impl Test {
    /// Reads a test. Its HMAC is not looked at: see [`mac`](super::mac).
    ///
    /// # Errors
    /// When it is too short to be answered by a reply that is no longer.
    pub fn parse(mode: Mode, packet: &[u8]) -> Result<Self, Refusal> {
        require(mode, packet)?;
        let places = mode.places();
        Ok(Self {
            sequence: u32::from_be_bytes(read(packet, 0)?),
            sent: Stamp(u64::from_be_bytes(read(packet, places.time)?)),
            error: ErrorEstimate(u16::from_be_bytes(read(packet, places.error)?)),
            ssid: u16::from_be_bytes(read(packet, places.ssid)?),
        })
    }

    /// Writes a test into `packet`, of at least [`Mode::base_bytes`]; its HMAC is left zero.
    pub fn emit(&self, mode: Mode, packet: &mut [u8]) {
        let places = mode.places();
        packet[..mode.base_bytes()].fill(0);
        write(packet, 0, &self.sequence.to_be_bytes());
        write(packet, places.time, &self.sent.0.to_be_bytes());
        write(packet, places.error, &self.error.0.to_be_bytes());
        write(packet, places.ssid, &self.ssid.to_be_bytes());
    }
}

impl Reply {
    /// Reads a reply. Its HMAC is not looked at.
    ///
    /// # Errors
    /// When it is too short.
    pub fn parse(mode: Mode, packet: &[u8]) -> Result<Self, Refusal> {
        require(mode, packet)?;
        let places = mode.places();
        Ok(Self {
            sequence: u32::from_be_bytes(read(packet, 0)?),
            sent: Stamp(u64::from_be_bytes(read(packet, places.time)?)),
            error: ErrorEstimate(u16::from_be_bytes(read(packet, places.error)?)),
            ssid: u16::from_be_bytes(read(packet, places.ssid)?),
            received: Stamp(u64::from_be_bytes(read(packet, places.received)?)),
            sender_sequence: u32::from_be_bytes(read(packet, places.sender_sequence)?),
            sender_sent: Stamp(u64::from_be_bytes(read(packet, places.sender_time)?)),
            sender_error: ErrorEstimate(u16::from_be_bytes(read(packet, places.sender_error)?)),
            ttl: u8::from_be_bytes(read(packet, places.ttl)?),
        })
    }

    /// Writes a reply over the test in `packet`, which [`Test::parse`] has taken; what lies behind the base stays. The HMAC is
    /// left zero.
    pub fn emit(&self, mode: Mode, packet: &mut [u8]) {
        let places = mode.places();
        // A TWAMP test may end before the base does.
        let base = mode.base_bytes().min(packet.len());
        packet[..base].fill(0);
        write(packet, 0, &self.sequence.to_be_bytes());
        write(packet, places.time, &self.sent.0.to_be_bytes());
        write(packet, places.error, &self.error.0.to_be_bytes());
        write(packet, places.ssid, &self.ssid.to_be_bytes());
        write(packet, places.received, &self.received.0.to_be_bytes());
        write(packet, places.sender_sequence, &self.sender_sequence.to_be_bytes());
        write(packet, places.sender_time, &self.sender_sent.0.to_be_bytes());
        write(packet, places.sender_error, &self.sender_error.0.to_be_bytes());
        write(packet, places.ttl, &self.ttl.to_be_bytes());
    }
}

fn require(mode: Mode, packet: &[u8]) -> Result<(), Refusal> {
    let least = match mode {
        Mode::Open => TWAMP_REPLY_BYTES,
        Mode::Authenticated => mode.base_bytes(),
    };
    if packet.len() < least { Err(Refusal::Truncated) } else { Ok(()) }
}

fn read<const BYTES: usize>(packet: &[u8], at: usize) -> Result<[u8; BYTES], Refusal> {
    packet.get(at..).and_then(|rest| rest.first_chunk()).copied().ok_or(Refusal::Truncated)
}

fn write(packet: &mut [u8], at: usize, bytes: &[u8]) {
    packet[at..at + bytes.len()].copy_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPLY: Reply = Reply {
        sequence: 0x0102_0304,
        sent: Stamp(0x1112_1314_1516_1718),
        error: ErrorEstimate(0x2122),
        ssid: 0x3132,
        received: Stamp(0x4142_4344_4546_4748),
        sender_sequence: 0x5152_5354,
        sender_sent: Stamp(0x6162_6364_6566_6768),
        sender_error: ErrorEstimate(0x7172),
        ttl: 0x81,
    };

    #[test]
    fn an_open_reply_has_its_fields_where_figure_4_of_rfc_8762_has_them() {
        let mut packet = [0xff; 46];
        REPLY.emit(Mode::Open, &mut packet);
        let golden =
            "0102030411121314151617182122313241424344454647485152535461626364656667687172000081000000ffff";
        let written: String = packet.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(written, golden, "and what lies behind is left alone");
        assert_eq!(Reply::parse(Mode::Open, &packet), Ok(REPLY));
    }

    #[test]
    fn an_authenticated_reply_has_its_fields_where_figure_5_of_rfc_8762_has_them() {
        let mut packet = [0xff; 112];
        REPLY.emit(Mode::Authenticated, &mut packet);
        let filled = [(0, 4), (16, 24), (24, 28), (32, 40), (48, 52), (64, 74), (80, 81)];
        for (at, byte) in packet.iter().enumerate() {
            let is_field = filled.iter().any(|(from, to)| (*from..*to).contains(&at));
            assert_eq!(*byte != 0, is_field, "byte {at}");
        }
        assert_eq!(Reply::parse(Mode::Authenticated, &packet), Ok(REPLY));
    }

    #[test]
    fn a_test_reads_back_and_one_that_is_too_short_is_refused() {
        let test = Test { sequence: 7, sent: Stamp(8), error: ErrorEstimate(9), ssid: 10 };
        for (mode, least) in [(Mode::Open, 41), (Mode::Authenticated, 112)] {
            let mut packet = vec![0xff; mode.base_bytes()];
            test.emit(mode, &mut packet);
            assert_eq!(Test::parse(mode, &packet), Ok(test));
            assert_eq!(Test::parse(mode, &packet[..least]), Ok(test));
            for bytes in 0..least {
                assert_eq!(Test::parse(mode, &packet[..bytes]), Err(Refusal::Truncated), "{bytes}");
                assert_eq!(Reply::parse(mode, &packet[..bytes]), Err(Refusal::Truncated), "{bytes}");
            }
        }
    }

    #[test]
    fn the_reply_to_a_twamp_test_is_cut_where_the_test_ended() {
        let mut packet = [0; TWAMP_REPLY_BYTES];
        REPLY.emit(Mode::Open, &mut packet);
        assert_eq!(Reply::parse(Mode::Open, &packet), Ok(REPLY));
    }
}
