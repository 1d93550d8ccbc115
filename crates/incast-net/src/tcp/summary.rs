//! What the kernel knows of a TCP connection, for the record.
//!
//! ```text
//!  struct tcp_info (Linux include/uapi/linux/tcp.h), native order:
//!  0        16          68        100
//!  | ...    | snd_mss   | rtt us  | total_retrans | ...     u32 each
//! ```
//! The struct grows with the kernel and the C library's copy lags behind, so it is read by offset and
//! by the length that came. What lies beyond is unknown, not 0.

use std::os::fd::BorrowedFd;

use incast_core::record::TcpSummary;
use rustix::net::sockopt;

use crate::sys::option::{self, Readable};

/// The state of the connection now; `None` if the kernel does not tell, as for a socket that is not TCP.
pub fn tcp_summary(socket: BorrowedFd<'_>) -> Option<TcpSummary> {
    // 280 bytes on Linux 6.18.
    let mut info = [0; 512];
    let length = option::read(socket, Readable::TcpInfo, &mut info).ok()?;
    let congestion = sockopt::tcp_congestion(socket).ok()?;
    Some(summary(congestion, info.get(..length)?))
}

fn summary(congestion: String, info: &[u8]) -> TcpSummary {
    let word = |at: usize| Some(u64::from(u32::from_ne_bytes(*info.get(at..)?.first_chunk()?)));
    TcpSummary {
        congestion,
        retransmits: word(TOTAL_RETRANS_AT),
        round_trip_us: word(RTT_AT),
        segment_bytes: word(SND_MSS_AT),
    }
}

const SND_MSS_AT: usize = 16;
const RTT_AT: usize = 68;
const TOTAL_RETRANS_AT: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shorter_struct_leaves_unknown_what_it_lacks() {
        let mut info = [0_u8; 104];
        for (at, value) in [(16, 1_448_u32), (68, 250), (100, 3)] {
            info[at..at + 4].copy_from_slice(&value.to_ne_bytes());
        }
        let of = |length| {
            let summary = summary("cubic".to_owned(), &info[..length]);
            (summary.segment_bytes, summary.round_trip_us, summary.retransmits)
        };
        assert_eq!(of(104), (Some(1_448), Some(250), Some(3)));
        assert_eq!(of(103), (Some(1_448), Some(250), None));
        assert_eq!(of(19), (None, None, None));
    }
}
