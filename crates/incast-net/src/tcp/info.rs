//! All that the kernel tells of a TCP connection at one moment.
//!
//! `struct tcp_info` (Linux include/uapi/linux/tcp.h), native order, read by offset and by the length that
//! came: the struct grows with the kernel, and what an older one does not have is unknown. `tcp/summary`
//! reads three numbers of it at the end of a flow; this is for a connection that is watched.

use std::os::fd::BorrowedFd;

use incast_core::record::TcpSample;

use crate::sys::option::{self, Readable};

/// The state of the connection now, `at_s` seconds after the owner's start; `None` if the kernel does not tell.
pub fn tcp_sample(socket: BorrowedFd<'_>, at_s: f64) -> Option<TcpSample> {
    // 280 bytes on Linux 6.18.
    let mut info = [0; 512];
    let length = option::read(socket, Readable::TcpInfo, &mut info).ok()?;
    Some(sample(info.get(..length)?, at_s))
}

fn sample(info: &[u8], at_s: f64) -> TcpSample {
    let byte = |at: usize| info.get(at).copied();
    let word = |at: usize| Some(u64::from(u32::from_ne_bytes(*info.get(at..)?.first_chunk()?)));
    let long = |at: usize| Some(u64::from_ne_bytes(*info.get(at..)?.first_chunk()?));
    let half = |at: usize| Some(u64::from(u16::from_ne_bytes(*info.get(at..)?.first_chunk()?)));
    TcpSample {
        at_s,
        congestion_state: byte(1).and_then(state),
        congestion_window_segments: word(80),
        slow_start_threshold_segments: word(76).filter(|segments| *segments < INFINITE_THRESHOLD),
        round_trip_us: word(68),
        round_trip_variation_us: word(72),
        round_trip_min_us: word(148).filter(|us| *us != UNKNOWN_ROUND_TRIP),
        retransmit_timeout_us: word(8),
        retransmits: word(100),
        retransmitted_bytes: long(208),
        lost_segments: word(32),
        unacknowledged_segments: word(24),
        reordering_segments: word(88),
        reorderings: word(220),
        received_out_of_order: word(224),
        duplicates_at_peer: word(216),
        delivery_rate_bytes_per_s: long(160),
        is_application_limited: byte(7).map(|bits| bits & 1 != 0),
        pacing_rate_bytes_per_s: long(104).filter(|rate| *rate != u64::MAX),
        busy_us: long(168),
        limited_by_receiver_us: long(176),
        limited_by_send_buffer_us: long(184),
        send_window_bytes: word(228),
        receive_window_bytes: word(232),
        segments_sent: word(136),
        segments_received: word(140),
        data_segments_sent: word(156),
        data_segments_received: word(152),
        acknowledged_bytes: long(120),
        received_bytes: long(128),
        unsent_bytes: word(144),
        segment_bytes: word(16),
        timeouts: half(240),
    }
}

/// `enum tcp_ca_state`.
fn state(number: u8) -> Option<String> {
    let names = ["open", "disorder", "cwr", "recovery", "loss"];
    names.get(usize::from(number)).map(|name| (*name).to_owned())
}

/// `TCP_INFINITE_SSTHRESH` (include/net/tcp.h).
const INFINITE_THRESHOLD: u64 = 0x7fff_ffff;
/// Before the first measure the minimum is all ones (net/ipv4/tcp.c, `tcp_init_sock`).
const UNKNOWN_ROUND_TRIP: u64 = 0xffff_ffff;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shorter_struct_leaves_unknown_what_it_lacks() {
        let mut info = [0_u8; 280];
        info[1] = 3;
        for (at, value) in [(76, 0x7fff_ffff_u32), (80, 10), (100, 3), (156, 1_400)] {
            info[at..at + 4].copy_from_slice(&value.to_ne_bytes());
        }
        let whole = sample(&info, 1.5);
        assert_eq!(whole.congestion_state.as_deref(), Some("recovery"));
        assert_eq!((whole.congestion_window_segments, whole.slow_start_threshold_segments), (Some(10), None));
        assert_eq!((whole.retransmits, whole.data_segments_sent), (Some(3), Some(1_400)));
        let old = sample(&info[..104], 1.5);
        assert_eq!((old.retransmits, old.data_segments_sent, old.timeouts), (Some(3), None, None));
        assert_eq!(sample(&[], 0.0), TcpSample::default());
    }
}
