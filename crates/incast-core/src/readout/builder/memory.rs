//! What an open event costs beside its payloads, at the most. A number for people; no bound depends on it.

use super::open::Open;
use super::{BuilderPlan, EventBuilder};
use crate::readout::fragment::Payload;

/// Vectors double: what they hold may be half of what they have.
const GROWTH: usize = 2;
/// A vector of words has room for four at least.
const WORDS_LEAST: usize = 4;
/// Bytes of an entry of the table of open events; a power of two of them, at most half full.
const INDEX_BYTES: usize = 16 * 4;
/// A number in the list of free places.
const FREE_BYTES: usize = 4;

impl<P: Payload> EventBuilder<P> {
    /// Bytes that each open event costs at the most, without its payloads and what those keep in memory.
    #[must_use]
    pub fn event_bytes_max(plan: &BuilderPlan) -> u64 {
        let sources = plan.sources.len() as usize;
        // One allocation for each event, and the allocator's own word and rounding.
        let parts = sources * size_of::<Option<P>>() + 16;
        // The first 64 sources of a set are in its slot.
        let words = sources.div_ceil(64) - 1;
        let more = if words == 0 { 0 } else { (words * GROWTH).max(WORDS_LEAST) * 8 + 16 };
        let slot = (size_of::<Open<P>>() + FREE_BYTES) * GROWTH;
        // Far below 2^64: sources are at most 65 536.
        (parts + more + slot + INDEX_BYTES) as u64
    }
}
