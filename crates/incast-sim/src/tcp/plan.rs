//! What a connection is told: sizes, timers, which congestion control. The defaults are those of Linux 6.

use incast_core::time::Span;

use super::Ack;

/// How one connection behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpPlan {
    /// Bytes of the stream in a full packet, from 1.
    pub mss_bytes: u32,
    /// Bytes that [`super::TcpSender::poll_transmit`] puts into one segment at most (segmentation offload): below two
    /// `mss_bytes` it merges nothing.
    pub segment_bytes_max: u32,
    /// Which congestion control.
    pub congestion: Congestion,
    /// First window in units of `mss_bytes` (RFC 6928: 10), from 1.
    pub initial_window_segments: u32,
    /// Least retransmission timeout (Linux 200 ms; RFC 6298 section 2.4: 1 s).
    pub rto_min: Span,
    /// Most that it grows to (Linux: 120 s; RFC 6298 section 2.5: at least 60 s).
    pub rto_max: Span,
    /// Whether the receiver says what came out of order (RFC 2018).
    pub has_sack: bool,
    /// Whether losses are found by time, and a lost tail is probed (RFC 8985); needs `has_sack`.
    pub has_rack: bool,
    /// How long an acknowledgement waits for a second segment (Linux 40 ms); `None`: each segment is acknowledged.
    pub delayed_ack: Option<Span>,
    /// Whether a small segment waits while another small one is under way (Nagle in Minshall's form; Linux unless
    /// `TCP_NODELAY`).
    pub has_nagle: bool,
    /// Whether the window shrinks while nothing is sent (RFC 2861; Linux `tcp_slow_start_after_idle`).
    pub slow_start_after_idle: bool,
    /// Whether slow start ends when round trips get longer (RFC 9406); not for BBR.
    pub hystart: bool,
    /// Bytes that a sender keeps, acknowledged ones excepted.
    pub send_buffer_bytes: u64,
    /// Bytes that a receiver keeps for its application: the largest window.
    pub receive_buffer_bytes: u64,
    /// Bytes of the timestamp option in each packet; 0: there is none, and a retransmitted segment measures no round
    /// trip (Karn).
    pub timestamp_bytes: u32,
}

impl TcpPlan {
    /// Bytes of the TCP header of a data packet.
    #[must_use]
    pub const fn header_bytes(&self) -> u32 {
        HEADER_BYTES + self.timestamp_bytes
    }

    /// Bytes of the TCP header of an acknowledgement: two of padding, two and eight for each block (RFC 2018).
    #[must_use]
    pub fn ack_bytes(&self, ack: &Ack) -> u32 {
        let sack = match ack.sack_blocks() {
            0 => 0,
            blocks => 4 + 8 * blocks,
        };
        self.header_bytes() + sack
    }

    /// The same with no number that a connection could not live with.
    pub(super) fn checked(mut self) -> Self {
        self.mss_bytes = self.mss_bytes.max(1);
        self.segment_bytes_max = self.segment_bytes_max.max(self.mss_bytes);
        self.initial_window_segments = self.initial_window_segments.max(1);
        self.rto_min = self.rto_min.max(Span(1));
        self.rto_max = self.rto_max.max(self.rto_min);
        self.receive_buffer_bytes = self.receive_buffer_bytes.max(1);
        self.send_buffer_bytes = self.send_buffer_bytes.max(1);
        self.has_rack &= self.has_sack;
        self
    }

    pub(super) fn mss(&self) -> u64 {
        u64::from(self.mss_bytes)
    }
}

impl Default for TcpPlan {
    fn default() -> Self {
        Self {
            // 1500 bytes of Ethernet less 20 of IPv4, 20 of TCP and 12 of its timestamps.
            mss_bytes: 1_448,
            segment_bytes_max: 1_448,
            congestion: Congestion::Cubic,
            initial_window_segments: 10,
            rto_min: Span::from_ms(200),
            rto_max: Span::from_s(120),
            has_sack: true,
            has_rack: true,
            delayed_ack: Some(Span::from_ms(40)),
            has_nagle: true,
            slow_start_after_idle: true,
            hystart: true,
            // The ends of `tcp_wmem`, and of `tcp_rmem` of which half is window (`tcp_adv_win_scale` 1).
            send_buffer_bytes: 4_194_304,
            receive_buffer_bytes: 3_145_728,
            timestamp_bytes: 12,
        }
    }
}

/// Which congestion control.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Congestion {
    /// RFC 5681: fast recovery ends with the first new acknowledgement. With SACK the same as `NewReno`.
    Reno,
    /// RFC 6582, or with SACK RFC 6675: what Linux calls reno.
    NewReno,
    /// RFC 9438: the default of Linux.
    #[default]
    Cubic,
    /// BBR, version 1 (draft-cardwell-iccrg-bbr-congestion-control-00).
    Bbr,
}

impl Congestion {
    /// By the name that Linux has for it.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "reno" => Self::NewReno,
            "cubic" => Self::Cubic,
            "bbr" => Self::Bbr,
            _ => return None,
        })
    }
}

/// RFC 9293 section 3.1, without options.
const HEADER_BYTES: u32 = 20;
