//! The sequence tracker: the exact account of one stream's message counters.
//!
//! Every message carries a 64-bit counter that never wraps. The tracker sorts each arrival into one
//! of six kinds and keeps the laws `received = unique + duplicate + stale` and `unique + lost =
//! counters passed`. It also keeps the lengths of the runs of lost messages, and reordering after
//! RFC 4737. Everything is bounded, and what falls beyond a bound is counted by name:
//!
//! ```text
//!  first              next - window_messages           next            next + JUMP_MAX
//!    |  stale: too old to tell  |  duplicate, or late  |  in order, ahead  |  implausible
//! ```
//!
//! It reads no clock: how long a missing message may take is said by the window, in messages.

mod counts;
mod loss_runs;
mod reordering;
mod tracker;
mod window;

pub use counts::Counts;
pub use loss_runs::LossRuns;
pub use reordering::ReorderingReport;
pub use tracker::{Arrival, SequenceTracker};
