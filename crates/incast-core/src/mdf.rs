//! Records of events as LHCb stores them: the Master Data File (EDMS 784588) and its banks (EDMS
//! 565851).
//!
//! A file is records back to back, with nothing in front of them and nothing in between. A record
//! says its size three times, and that is what a reader looks for when bytes are damaged. Everything
//! here works on bytes that are already in memory; files belong to the binary.
//!
//! What is refused or damaged has a name: [`Fault`].

pub mod bank;
pub mod checksum;
pub mod deal;
mod fault;
pub mod flaw;
pub mod generated;
pub mod header;
pub mod index;
pub mod keep;
pub mod odin;
pub mod reader;
pub mod record;
pub mod recover;
pub mod writer;

pub use bank::{Bank, BankId, Banks};
pub use checksum::{Checksum, ChecksumKind};
pub use deal::{deal, join};
pub use fault::{Fault, Faults};
pub use flaw::{Flaw, Marks};
pub use generated::{GeneratedCheck, WrongContent, generated_banks, verify_generated};
pub use header::Header;
pub use index::{Index, IndexEntry, Numbered};
pub use keep::{Kept, keep};
pub use odin::Odin;
pub use reader::{Part, Reader};
pub use record::Record;
pub use recover::{Recovery, recover};
pub use writer::RecordWriter;
