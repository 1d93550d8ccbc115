//! The readout: events from their trigger to their place in the account, as pure machines.
//!
//! ```text
//!   Trigger ---- assignment ---> sources ---- Fragment ---> EventBuilder ---- Built ---> Dispatcher
//!      ^                                                         |                       |     ^
//!      +--------------------- throttle, tokens ------------------+-----------------------+   node's answer
//! ```
//! A [`Trigger`] numbers events and says where their fragments go. An [`EventBuilder`] joins the
//! fragments of every source. A [`Dispatcher`] gives each built event to one node, and takes one decision
//! of one node. Who gets what is an [`Assign`] policy, the same ones for builders and for nodes. A
//! [`Sorter`] brings decisions back into event order. [`EventAccount`] and [`CreditAccount`] prove that
//! nothing was lost in silence.
//!
//! Nothing here encodes, sends, waits or reads a clock. What a peer does wrong is counted by kind.

pub mod algorithm;
mod assign;
mod bits;
mod builder;
mod credit_account;
mod dead_time;
mod dispatcher;
mod event_account;
mod event_set;
mod fragment;
mod gauge;
mod ids;
mod mep_requests;
mod message;
mod numbers;
pub mod report;
pub mod role;
mod sorter;
mod sources;
mod tokens;
mod trigger;
mod verdict;

pub use assign::{
    Assign, CALENDAR_SLOTS, Calendar, CalendarRefused, LeastLoaded, LinearShift, MEMBERS_MAX, Policy,
    PolicyCounts, RoundRobin, TokenPlan, Tokens,
};
pub use builder::{
    Arrival, AssignmentCounts, BuilderCounts, BuilderPlan, Built, Cause, Event, EventBuilder, SourceCounts,
    Strangers,
};
pub use credit_account::{CreditAccount, CreditTotals};
pub use dead_time::{DeadTime, DeadTimeTotals};
pub use dispatcher::{
    Answer, AnswerKind, Decided, Decision, Dispatcher, DispatcherCounts, DispatcherPlan, Given, Outcome,
    Refused, WhyRefused,
};
pub use event_account::{EventAccount, EventTotals, Loss, Place};
pub use event_set::EventSet;
pub use fragment::{Fragment, Length, Payload};
pub use gauge::Gauge;
pub use ids::{
    BuilderId, Destination, EventNumber, Incarnation, Level, NodeId, Peer, RunNumber, SinkId, SourceId,
};
pub use mep_requests::{MepRequestCounts, MepRequester, MepRequests};
pub use message::{End, Ended, Message};
pub use sorter::{Sorted, Sorter, SorterCounts, SorterPlan};
pub use sources::SourceSet;
pub use tokens::{NodeTokens, NodeTokensPlan, Token};
pub use trigger::{Assigned, Trigger, TriggerCounts, TriggerPlan};
pub use verdict::{Failure, Verdict};
