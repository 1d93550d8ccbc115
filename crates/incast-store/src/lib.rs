//! What a sink writes, and how it is read again: event files with their index, recovery after any end,
//! and the catalogue of runs. And the runs of a campaign ([`CampaignStore`]).
//!
//! [`SinkStore`] puts events on disk in groups, [`Writer`] does so in a thread of its own. What a record
//! holds is the core's (`incast_core::mdf`); what is here opens, writes, syncs, cuts and reads files. It knows
//! nothing of sockets and roles, and judges no run.

mod campaign;
mod catalogue;
mod entries;
mod file;
mod lock;
mod name;
mod plan;
mod reader;
mod recover;
mod store;
mod summary;
mod writer;

pub use campaign::{BegunRun, CAMPAIGN, CampaignError, CampaignIdentity, CampaignStore, CampaignTally};
pub use catalogue::{BUSY_MAX, CATALOGUE, Catalogue, CatalogueError, FileEntry, RunEntry, RunId, RunVerdict};
pub use entries::IndexEntries;
pub use lock::remove_unused;
pub use name::{FileName, index_path};
pub use plan::{StoreError, StorePlan, Trouble};
pub use reader::{EventFile, Stretch};
pub use recover::Recovered;
pub use store::{Committed, SinkStore, StoreCounts};
pub use summary::{FileSummary, Holds};
pub use writer::{Report, Write, Writer, WriterEnd, WriterPlan, Written};
