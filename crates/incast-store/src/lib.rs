//! What a sink writes, and how it is read again: event files with their index, recovery after any end,
//! and the catalogue of runs.
//!
//! [`SinkStore`] puts events on disk in groups, [`Writer`] does so in a thread of its own. What a record
//! holds is the core's (`incast_core::mdf`); what is here opens, writes, syncs, cuts and reads files. It knows
//! nothing of sockets and roles, and judges no run.

mod file;
mod lock;
mod name;
mod plan;
mod recover;
mod store;
mod summary;
mod writer;

pub use lock::remove_unused;
pub use name::{FileName, index_path};
pub use plan::{StoreError, StorePlan, Trouble};
pub use recover::Recovered;
pub use store::{Committed, SinkStore, StoreCounts};
pub use summary::{FileSummary, Holds};
pub use writer::{Report, Write, Writer, WriterEnd, WriterPlan, Written};
