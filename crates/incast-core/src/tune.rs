//! The settings of a host that decide what it can send and receive: what was read, what a rate asks of
//! them, how each is judged, and the journal by which every change is undone.
//!
//! Pure: somebody else reads and writes (`incast-host`). A judgement carries its formula with the numbers
//! put in, so that a reader can disagree, and what would mend it as a command that a person can type.

mod asked;
mod interface;
mod journal;
mod judgement;
mod knob;
mod rules;
mod settings;

pub use asked::{Asked, AskedFor};
pub use journal::{JOURNAL_FORMAT, Journal, JournalEntry, JournalError, OpenChange, PutBack, decide};
pub use judgement::{CHECK_SCHEMA, Change, Finding, HostCheck, Judgement};
pub use knob::{
    CoalescingSetting, Knob, KnobError, KnobKind, LINK_KEYS, LinkAttribute, Offload, QueueAttribute, Side,
};
pub use rules::judge;
pub use settings::{
    Channels, Coalescing, HostSettings, IdleState, InterfaceSettings, Irq, Pause, Queue, Rings,
};
