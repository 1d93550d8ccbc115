//! What a long or bad path does to packets: delay, jitter, loss, duplicates, reordering.
//!
//! Pure: told the time and the packets, drawing from a seeded generator. The lab drives it between
//! two interfaces.

use serde::{Deserialize, Serialize};

use crate::time::Span;

/// What happens to packets one way. The other way gets the same, drawn on its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PathPlan {
    /// Every packet is held for so long.
    pub delay: Span,
    /// And for a random time more, uniform from 0 to this; order is kept.
    pub jitter: Span,
    /// Probability of losing a packet, 0 to 1.
    pub loss: f64,
    /// Probability of delivering a packet twice, 0 to 1.
    pub duplicate: f64,
    /// Probability, 0 to 1, of sending a packet on without its delay, so that it overtakes those before it.
    pub reorder: f64,
}
