//! The head of every probe message, over every transport.
//!
//! ```text
//!  0        8        16
//!  | counter | stream | payload, never looked at ...
//! ```
//! Both are u64 little endian. The counter comes first, so that a program written from the lab
//! sheet (`struct.unpack('Q', message[0:8])`) counts our messages and we count its; the plain
//! protocol has nothing else. The stream id is random, told over the control connection only, and
//! is what lets a datagram in. A message of a probe has its departure behind them (i64 nanoseconds, little
//! endian, of the sender's `CLOCK_MONOTONIC`):
//!
//! ```text
//!  0        8        16          24
//!  | counter | stream | departure | payload, never looked at ...
//! ```

/// Bytes of the counter: all that the plain protocol needs.
pub const COUNTER_BYTES: usize = 8;
/// Bytes of the native head: counter and stream id.
pub const HEAD_BYTES: usize = 16;
/// [`HEAD_BYTES`] as a message size: the smallest native message.
pub const MESSAGE_BYTES_MIN: u32 = 16;

/// The longest greeting: a head, padded as a short frame is.
pub const GREETING_BYTES_MAX: usize = 46;

/// Whether `message` greets: a head whose counter is 0, which no message has. Before the data of a raw
/// transport, and of UDP from the server, it shows that the way is open, and from where.
#[inline]
#[must_use]
pub fn is_greeting(message: &[u8]) -> bool {
    (HEAD_BYTES..=GREETING_BYTES_MAX).contains(&message.len()) && counter(message) == Some(0)
}
/// Bytes of the head of a probe's message: counter, stream id and departure.
pub const PROBE_HEAD_BYTES: usize = 24;
/// [`PROBE_HEAD_BYTES`] as a message size: the smallest message of a probe.
pub const PROBE_MESSAGE_BYTES_MIN: u32 = 24;

/// The counter of a message; `None` if it is too short to have one.
#[inline]
#[must_use]
pub fn counter(message: &[u8]) -> Option<u64> {
    message.first_chunk().map(|head| u64::from_le_bytes(*head))
}

/// The stream id of a native message; `None` if it is too short to have one.
#[inline]
#[must_use]
pub fn stream_id(message: &[u8]) -> Option<u64> {
    message.get(COUNTER_BYTES..)?.first_chunk().map(|id| u64::from_le_bytes(*id))
}

/// When a message of a probe left; `None` if it is too short to say.
#[inline]
#[must_use]
pub fn departure_ns(message: &[u8]) -> Option<i64> {
    message.get(HEAD_BYTES..)?.first_chunk().map(|at| i64::from_le_bytes(*at))
}

/// Writes the departure behind the stream id; `message` must hold at least 24 bytes.
#[inline]
pub fn emit_departure(message: &mut [u8], departure_ns: i64) {
    message[HEAD_BYTES..PROBE_HEAD_BYTES].copy_from_slice(&departure_ns.to_le_bytes());
}

/// Writes the counter at the head of `message`, which must hold at least 8 bytes.
#[inline]
pub fn emit_counter(message: &mut [u8], counter: u64) {
    message[..COUNTER_BYTES].copy_from_slice(&counter.to_le_bytes());
}

/// Writes the stream id behind the counter; `message` must hold at least 16 bytes.
pub fn emit_stream_id(message: &mut [u8], stream: u64) {
    message[COUNTER_BYTES..HEAD_BYTES].copy_from_slice(&stream.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_is_the_lab_sheets_counter_and_then_the_stream() {
        let mut message = [0_u8; 20];
        emit_counter(&mut message, 0x0102_0304_0506_0708);
        emit_stream_id(&mut message, 9);
        // struct.pack('Q', n) on a little-endian machine.
        assert_eq!(message[..8], [8, 7, 6, 5, 4, 3, 2, 1]);
        assert_eq!((counter(&message), stream_id(&message)), (Some(0x0102_0304_0506_0708), Some(9)));
        assert_eq!((counter(&message[..7]), stream_id(&message[..15])), (None, None));
    }

    #[test]
    fn a_departure_is_signed_and_stands_behind_the_stream() {
        let mut message = [0xff_u8; 25];
        emit_departure(&mut message, -2);
        assert_eq!(message[16..24], [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
        assert_eq!((departure_ns(&message), departure_ns(&message[..23])), (Some(-2), None));
    }
}
