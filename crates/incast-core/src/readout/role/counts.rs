//! Small accounts that several roles tell.

use serde::{Deserialize, Serialize};

use crate::readout::gauge::Gauge;
use crate::readout::tokens::NodeTokens;

/// How full something is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GaugeCounts {
    /// How much is in it.
    pub filled: u64,
    /// The most that was ever in it.
    pub most: u64,
    /// The bound.
    pub max: u64,
}

impl From<&Gauge> for GaugeCounts {
    fn from(gauge: &Gauge) -> Self {
        Self { filled: gauge.filled(), most: gauge.most(), max: gauge.max() }
    }
}

/// Tokens of the one who issues them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenCounts {
    /// Issued.
    pub issued: u64,
    /// Taken for lost.
    pub expired: u64,
    /// Events, or packets, that came without one.
    pub unsolicited: u64,
}

impl From<&NodeTokens> for TokenCounts {
    fn from(tokens: &NodeTokens) -> Self {
        let (issued, expired, unsolicited) = tokens.counts();
        Self { issued, expired, unsolicited }
    }
}
