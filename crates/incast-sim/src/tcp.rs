//! TCP as a model: one direction of data, acknowledgements come back. Bytes are counted, none exist.
//!
//! ```text
//!  handle_write -> TcpSender -- poll_transmit --> Segment ~~ network ~~> TcpReceiver -> handle_read
//!                      ^                                                     |
//!                      +--- handle_ack <~~ network ~~ Ack <-- poll_ack ------+
//! ```
//! The connection stands when it is made: a handshake, one round trip, is the caller's to wait for. Nobody
//! closes it. Windows, timers and repetitions follow RFC 5681 (congestion control), 6582 (`NewReno`), 6675 and
//! 2018 (SACK), 6298 (timer), 3042 (limited transmit), 9438 (CUBIC), 9406 (`HyStart++`), 2861 (idle), 8985 (RACK,
//! tail loss probe) and BBR's first draft; each file says which. The plan's defaults are those of Linux.
//!
//! Not modelled: explicit congestion notification, F-RTO and undoing (Eifel, DSACK), proportional rate reduction,
//! adaptive reordering, autotuned buffers (the plan states their end), quick acknowledgements at the start, path MTU,
//! keep-alive.
//!
//! After each `handle_*` the caller polls until `None`, and calls `handle_timeout` at `next_timeout`.

mod counts;
mod flight;
mod plan;
mod ranges;
mod receiver;
mod rtt;
mod sender;
mod window;

pub use counts::{ReceiverCounts, SenderCounts};
pub use plan::{Congestion, TcpPlan};
pub use ranges::Block;
pub use receiver::TcpReceiver;
pub use sender::TcpSender;

/// What a sender puts into one packet, or into several in a row where they are merged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Segment {
    /// Bytes of the stream before it.
    pub start: u64,
    /// Bytes of the stream in it; 0 is a probe of a closed window, which the receiver answers.
    pub bytes: u32,
    /// Whether some of it was sent before.
    pub is_retransmission: bool,
}

impl Segment {
    /// Where the stream continues after it.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.start + u64::from(self.bytes)
    }
}

/// What a receiver says of the stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ack {
    /// Everything before it has come.
    pub cumulative: u64,
    /// Bytes that may be under way beyond `cumulative`.
    pub window: u64,
    /// What has come beyond `cumulative`, the newest first; unused ones are empty. RFC 2018: beside the timestamp
    /// option three find room.
    pub sack: [Block; SACK_BLOCKS_MAX],
}

impl Ack {
    /// Blocks in use.
    #[must_use]
    pub fn sack_blocks(&self) -> u32 {
        self.sack.iter().map(|block| u32::from(!block.is_empty())).sum()
    }
}

/// Blocks of an [`Ack`] (RFC 2018 section 3: three fit beside timestamps into 40 bytes of options).
pub const SACK_BLOCKS_MAX: usize = 3;
