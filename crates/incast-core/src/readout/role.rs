//! The roles of a readout as machines: everything that a role does but sending, storing and computing.
//!
//! A driver with sockets, a simulation and the tests drive these same types. Each is told what comes
//! (`handle_*`), is asked for what goes out (`poll_*`) until there is nothing, and says when it wants to be
//! called again. What is over is read from `is_done` and `counts`.
//!
//! A link is expected to keep the order of messages between two roles in one of their lives, and to lose
//! none but when a role dies; fragments may be lost, repeated and overtake each other. What a peer says
//! that it may not say is counted by kind ([`NonsenseCounts`]), and changes nothing.

use serde::{Deserialize, Serialize};

use super::ids::{Incarnation, Peer};
use super::message::Message;
use crate::time::Time;

mod builder;
mod counts;
mod ends;
mod node;
mod nonsense;
mod plan;
mod policy;
mod sink;
mod source;
mod storing;
mod trigger;

pub use builder::{BuilderLevelCounts, BuilderRole, BuilderRoleCounts};
pub use counts::{GaugeCounts, TokenCounts};
pub use node::{NodeRole, NodeRoleCounts, Work};
pub use nonsense::{Nonsense, NonsenseCounts};
pub use plan::{
    BuilderRolePlan, NodeRolePlan, PolicyPlan, Protocol, RunPlan, SinkRolePlan, SizePlan, SourceRolePlan,
    TriggerRolePlan,
};
pub use sink::{SinkRole, SinkRoleCounts, Write};
pub use source::{Sizes, SourceRole, SourceRoleCounts, Wanted};
pub use storing::{Storing, StoringCounts, StoringPlan};
pub use trigger::{TriggerRole, TriggerRoleCounts};

/// What every role can do.
pub trait Role<P> {
    /// Takes in what a peer says.
    fn handle_message(&mut self, now: Time, from: Peer, message: Message<P>);

    /// A peer is there, in this life, or (`None`) it stopped or died. Run control says so, reliably and in
    /// order. Saying the same again changes nothing.
    fn handle_peer(&mut self, now: Time, peer: Peer, life: Option<Incarnation>);

    /// What run control wants.
    fn handle_order(&mut self, now: Time, order: Order);

    /// Does what has become due.
    fn handle_timeout(&mut self, now: Time);

    /// The next message to send. With an unlimited load, a trigger always has one until it is throttled.
    fn poll_transmit(&mut self, now: Time) -> Option<(Peer, Message<P>)>;

    /// When to call `handle_timeout` and the `poll_*` again; `None` when only news can change anything.
    fn next_timeout(&self) -> Option<Time>;

    /// Whether nothing is left to do in this run. News can make it untrue again, until the end.
    fn is_done(&self) -> bool;

    /// Live figures, and at the end the final account.
    fn counts(&self) -> RoleCounts;
}

/// What run control can want of a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// The run begins.
    Start,
    /// No triggers for now.
    Pause,
    /// The pause is over.
    Resume,
    /// No more triggers; what is under way is finished.
    Stop,
    /// Nothing is waited for any longer: what is open is shipped as it is.
    End,
}

/// What a role counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoleCounts {
    /// Of the trigger, with the account of events.
    Trigger(Box<TriggerRoleCounts>),
    /// Of a source.
    Source(Box<SourceRoleCounts>),
    /// Of a builder.
    Builder(Box<BuilderRoleCounts>),
    /// Of a node.
    Node(Box<NodeRoleCounts>),
    /// Of a sink.
    Sink(Box<SinkRoleCounts>),
}

impl RoleCounts {
    /// Asserts what has to hold within the account of one role, whatever its peers do.
    ///
    /// # Panics
    ///
    /// When it does not: our mistake.
    pub fn check_laws(&self) {
        match self {
            Self::Trigger(trigger) => {
                assert_eq!(trigger.events.residual(), 0, "law 2: {}", trigger.events);
                assert_eq!(trigger.credits.residual(), 0, "law 3: {}", trigger.credits);
            }
            Self::Builder(builder) => {
                for level in &builder.levels {
                    assert_eq!(level.credits.residual(), 0, "law 3: {}", level.credits);
                }
                let storing = &builder.storing;
                assert!(storing.stored <= storing.entered, "{storing:?}");
            }
            Self::Source(source) => {
                let not_sent: u64 = source.not_sent.values().sum();
                let known = source.sent + source.dropped + not_sent + source.waiting;
                assert_eq!(
                    source.assigned, known,
                    "assigned = sent + dropped + not sent + waiting: {source:?}"
                );
            }
            Self::Node(node) => {
                let known = node.answered + node.dropped + node.no_room + node.queued + node.working;
                assert_eq!(node.events, known, "events = answered + dropped + waiting: {node:?}");
            }
            Self::Sink(sink) => {
                assert!(sink.stored_incomplete <= sink.stored, "{sink:?}");
            }
        }
    }
}
