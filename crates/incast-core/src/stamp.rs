//! Watching a path with STAMP (RFC 8762): a sender that keeps asking, a reflector that answers, and what the four
//! times of each exchange show.
//!
//! Loss by direction (where the reflector counts), duplicates, order, round trips without the reflector's own time,
//! one-way delays by a clock estimate or by clocks that agree, and their variation. Machines without clock or
//! socket; the layouts are in [`wire::stamp`](crate::wire::stamp).

mod account;
mod delays;
mod faults;
mod outstanding;
mod plan;
pub mod reflector;
pub mod report;
pub mod sender;

pub use account::{Account, Ways};
pub use delays::{Spread, WindowFigures};
pub use faults::SenderFaults;
pub use plan::{GAP_MIN, PACKET_BYTES_MAX, SenderPlan};
pub use report::{Judged, Limits};
