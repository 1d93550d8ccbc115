//! Doubts about a number, shown beside it: a doubt is a result, never only a log line.
//!
//! Every kind is named once here; its text says what was seen, its advice what would mend it.

use serde::{Deserialize, Serialize};

/// What may be wrong with a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CaveatKind {
    /// The sender could not keep the intended load: the offered load is lower.
    SenderBelowIntendedLoad,
    /// Other work took a good part of this host's CPU while the run lasted.
    HostBusy,
    /// The kernel granted a smaller socket buffer than was asked for.
    BufferSmallerThanAsked,
    /// The kernel refused segmentation offload: one system call carries fewer messages.
    GsoRefused,
    /// The kernel refused receive offload: one system call carries fewer messages.
    GroRefused,
    /// The clock's resolution is coarse beside the times that were measured.
    ClockTooCoarse,
    /// The run was too short for its rates to be trusted.
    RunTooShort,
    /// The senders of this run were not all active at the same time.
    PartialOverlap,
    /// Datagrams died in the receiving host's socket buffer, not in the network.
    ReceiverSocketOverflow,
    /// Messages arrived too late to be told from duplicates: they are counted as stale.
    WindowExceeded,
    /// The messages carry no usable counter: loss and order are unknown.
    NoCounter,
    /// A peer went away before it told its totals: what it sent is unknown.
    PeerVanished,
    /// The run was ended early by a signal.
    Interrupted,
    /// A process of the run died.
    RoleDied,
    /// Runs of a campaign failed, and were tried again.
    RunsFailed,
    /// The network answered that nobody listens where the messages went.
    NobodyListens,
    /// Requests had no answer: their times are in no histogram.
    RequestsUnanswered,
    /// A setting was refused by the kernel and the run went on without it.
    SettingRefused,
    /// A peer sent what the protocol does not allow; it was counted and ignored.
    PeerNonsense,
    /// The account of messages does not close.
    AccountOpen,
    /// The lab was asked for more than this machine can carry: the numbers are the machine's, not the network's.
    LabOverloaded,
    /// The scenario describes a network, and this world did not build it.
    NetworkNotBuilt,
    /// The flows' count of lost messages and the kernel's drop counters do not agree.
    LedgerOpen,
    /// Two stages dropped packets of several kinds: which of them dropped how many messages is a guess.
    StageUncertain,
    /// The lab's own link dropped or delayed beyond what the scenario asked for.
    LinkOverloaded,
    /// The other end is a program that is not incast, and its own account lacks something or differs.
    ForeignAccount,
    /// A counter of the kernel went back, or its device or queue is not the one it was.
    CounterBroken,
    /// A sink could not store for a while, and the run waited.
    StorageStalled,
    /// The clocks of two ends could not be compared, or not as closely as the delays that were measured.
    ClockUncertain,
    /// A clock was stepped while delays were measured.
    ClockStepped,
    /// A peer told stamps that no honest clock can have given.
    StampsImplausible,
    /// Arrivals were told by the reader's clock: batches share a time, and waiting in the kernel counts as delay.
    StampsByReader,
    /// A doubt that this incast does not know by name: a newer one told it.
    #[serde(other)]
    Other,
}

impl CaveatKind {
    /// Whether it voids the numbers: they are those of the machine that carried the run, or the books
    /// are open.
    ///
    /// Of a doubt without a known name only the verdict of the record can tell.
    #[must_use]
    pub const fn taints(self) -> bool {
        matches!(self, Self::LabOverloaded | Self::LinkOverloaded | Self::LedgerOpen)
    }

    /// Whether it says why a run did not come to its end.
    #[must_use]
    pub const fn ends_a_run(self) -> bool {
        matches!(self, Self::PeerVanished | Self::RoleDied | Self::Interrupted | Self::NobodyListens)
    }
}

/// One doubt: what was seen, and what would mend it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Caveat {
    /// Which doubt.
    pub kind: CaveatKind,
    /// What was seen, with its numbers and the flow it concerns.
    pub text: String,
    /// What would mend it.
    pub advice: String,
}

impl Caveat {
    /// A caveat of `kind`.
    #[must_use]
    pub fn new(kind: CaveatKind, text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { kind, text: text.into(), advice: advice.into() }
    }
}

#[cfg(test)]
mod tests {
    use serde::de::IntoDeserializer as _;
    use serde::de::value::{Error, MapDeserializer};

    use super::*;

    /// What a caveat with this kind is read as.
    fn read(kind: &str) -> Result<Caveat, Error> {
        let fields = [("kind", kind), ("text", "it shone"), ("advice", "wait")];
        Caveat::deserialize(MapDeserializer::new(fields.into_iter()))
    }

    #[test]
    fn a_kind_of_a_newer_incast_is_read_and_keeps_its_words() {
        for kind in ["moon_too_bright", "HostBusy", "", "other"] {
            let caveat = read(kind).unwrap();
            assert_eq!(caveat, Caveat::new(CaveatKind::Other, "it shone", "wait"), "{kind}");
            assert!(!caveat.kind.taints(), "the verdict of the record tells that");
        }
        let no_name: Result<CaveatKind, Error> = CaveatKind::deserialize(true.into_deserializer());
        assert!(no_name.is_err(), "a kind is a name");
    }

    #[test]
    fn a_known_kind_keeps_its_name_and_stands_before_those_without() {
        for (name, kind) in
            [("host_busy", CaveatKind::HostBusy), ("link_overloaded", CaveatKind::LinkOverloaded)]
        {
            assert_eq!(read(name).unwrap().kind, kind);
            assert!(kind < CaveatKind::Other);
        }
    }
}
