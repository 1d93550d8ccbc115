//! What an algorithm says of an event, and how it can fail to.

use serde::{Deserialize, Serialize};

/// What a node decides of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is not kept.
    Reject,
    /// It is kept, for these output streams: at least one.
    Accept {
        /// One bit for each stream.
        streams: u32,
    },
    /// The algorithm failed; what becomes of the event is configured.
    Unjudged {
        /// One bit for each stream; none if such events are not kept.
        streams: u32,
        /// How it failed.
        failure: Failure,
    },
}

/// How an algorithm failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Failure {
    /// It ended.
    Crash = 1,
    /// It did not answer in time.
    Timeout = 2,
    /// It wanted more memory than it may have.
    Memory = 3,
    /// It answered what makes no sense.
    Nonsense = 4,
}

impl Failure {
    /// Every failure.
    pub const ALL: [Self; 4] = [Self::Crash, Self::Timeout, Self::Memory, Self::Nonsense];
}

impl Verdict {
    /// The output streams in which the event is kept: one bit for each, none when it is not.
    #[must_use]
    pub const fn streams(self) -> u32 {
        match self {
            Self::Reject => 0,
            Self::Accept { streams } | Self::Unjudged { streams, .. } => streams,
        }
    }
}
