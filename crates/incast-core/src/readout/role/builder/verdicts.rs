//! From a node's answer to the end of an event: told as rejected or accepted, or held until it is on disk.

use super::{BuilderRole, undecided};
use crate::readout::builder::Built;
use crate::readout::dispatcher::{AnswerKind, Decided, Outcome};
use crate::readout::fragment::Payload;
use crate::readout::ids::{EventNumber, Incarnation, Level, NodeId, Peer};
use crate::readout::message::{Ended, Message};
use crate::readout::role::nonsense::Nonsense;
use crate::readout::role::plan::Protocol;
use crate::readout::verdict::Verdict;
use crate::time::Time;

use super::level::Judged;

/// Whose answer it is, and of what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answered {
    pub(super) node: NodeId,
    pub(super) life: Incarnation,
    pub(super) level: Level,
    pub(super) event: EventNumber,
    pub(super) attempt: u8,
}

/// Pull: what a node has accepted and stores.
#[derive(Clone, Debug)]
pub(super) struct Kept<P> {
    pub(super) node: NodeId,
    pub(super) life: Incarnation,
    /// Then this builder stores it itself: to store twice does no harm, a sink knows each event.
    pub(super) until: Time,
    pub(super) built: Built<P>,
    pub(super) verdicts: Vec<Verdict>,
}

impl<P: Payload + Clone> BuilderRole<P> {
    /// Takes in what a node decided.
    pub(super) fn handle_answer(&mut self, now: Time, of: Answered, verdicts: Vec<Verdict>) {
        let Answered { node, level, event, attempt, .. } = of;
        let is_kept = verdicts.iter().any(|verdict| verdict.streams() != 0);
        let at = &mut self.levels[level as usize];
        let events = at.dispatcher.event(event).map(|built| usize::from(built.event().events));
        let kind = if events.is_some_and(|events| events != verdicts.len()) {
            // The lease takes the event to another node.
            self.counts.nonsense.record(Nonsense::WrongVerdicts);
            None
        } else {
            Some(at.handle_answer(now, of, verdicts))
        };
        if kind == Some(AnswerKind::Unknown) {
            self.counts.nonsense.record(Nonsense::Unknown);
        }
        let waits_for_word = self.plan.run.protocol == Protocol::Pull && self.plan.run.is_stored_at(level);
        if kind != Some(AnswerKind::Taken) && waits_for_word && is_kept {
            let confirm = Message::Confirm { level, event, attempt, is_taken: false };
            self.outbox.push_back((Peer::Node(node), confirm));
        }
    }

    /// Pull: a node has it on disk.
    pub(super) fn handle_kept(&mut self, node: NodeId, life: Incarnation, event: EventNumber) {
        let is_of = |kept: &Kept<P>| (kept.node, kept.life) == (node, life);
        if !self.kept.get(&event).is_some_and(is_of) {
            // Taken over meanwhile, or invented: the sink has the last word.
            return self.counts.nonsense.record(Nonsense::Unknown);
        }
        if let Some(kept) = self.kept.remove(&event) {
            self.counts.kept_by_nodes += 1;
            self.release(&kept.built);
        }
    }

    /// Pull: stores what its nodes will not.
    pub(super) fn take_over(&mut self, now: Time, is_to_be: impl Fn(&Kept<P>) -> bool) {
        let events = self.kept.iter().filter(|(_, kept)| is_to_be(kept)).map(|(event, _)| *event);
        for event in events.collect::<Vec<_>>() {
            if let Some(kept) = self.kept.remove(&event) {
                self.counts.taken_over += 1;
                self.store(now, kept.built, kept.verdicts);
            }
        }
    }

    /// Passes built events on to the nodes; says whether there was one.
    pub(super) fn dispatch(&mut self, level: usize) -> bool {
        let mut is_any = false;
        while let Some(built) = self.levels[level].poll_built(self.now) {
            is_any = true;
            if let Built::Incomplete { event, missing, .. } = &built {
                let (first, events, how) = (event.number, event.events, Ended::Incomplete(missing.clone()));
                self.tell(first, events, &how);
            }
            self.levels[level].dispatch(self.now, built);
        }
        is_any
    }

    /// Tells what was assigned and will never be built.
    pub(super) fn tell_unbuilt(&mut self, level: usize) {
        while let Some((first, events)) = self.levels[level].poll_unbuilt() {
            self.tell(first, events, &Ended::NoRoom);
            self.handle_finished(if level == 0 { Level::First } else { Level::Second });
        }
    }

    /// Follows decisions, as far as there is room for what is to be stored; says whether there was one.
    pub(super) fn decide(&mut self, level: usize) -> bool {
        let mut is_any = false;
        while self.is_ended || !self.held_events.is_full() && !self.held_bytes.is_full() {
            let Some(decided) = self.levels[level].poll_decided() else { break };
            is_any = true;
            self.follow(level, decided);
        }
        is_any
    }

    fn follow(&mut self, level: usize, decided: Decided<P, Judged>) {
        let Decided { built, outcome, .. } = decided;
        let events = built.event().events;
        let (verdicts, by) = match outcome {
            Outcome::Decided { by, decision: Judged { life, attempt, verdicts } } => {
                (verdicts, Some((by, life, attempt)))
            }
            Outcome::Undecided => (undecided(self.plan.undecided_streams, events), None),
        };
        for verdict in &verdicts {
            *match verdict {
                Verdict::Reject => &mut self.counts.rejected,
                Verdict::Accept { .. } => &mut self.counts.accepted,
                Verdict::Unjudged { .. } => &mut self.counts.unjudged,
            } += 1;
        }
        let is_stored = level + 1 == self.levels.len();
        let level = if level == 0 { Level::First } else { Level::Second };
        self.tell_verdicts(&built, &verdicts, is_stored);
        if is_stored && verdicts.iter().any(|verdict| verdict.streams() != 0) {
            self.hold(level, built, verdicts, by);
        } else {
            self.handle_finished(level);
        }
    }

    /// Tells what is rejected, and at the first of two levels what is accepted. What is incomplete at the
    /// last level was told already.
    fn tell_verdicts(&mut self, built: &Built<P>, verdicts: &[Verdict], is_stored: bool) {
        if is_stored && built.missing().is_some() {
            return;
        }
        for (index, verdict) in (0_u64..).zip(verdicts) {
            let event = built.event().number.after(index);
            match (verdict.streams() != 0, is_stored) {
                (false, _) => self.tell(event, 1, &Ended::Rejected),
                (true, false) => self.tell(event, 1, &Ended::Accepted),
                (true, true) => {}
            }
        }
    }

    /// Holds what is to be stored until it is on disk.
    fn hold(
        &mut self,
        level: Level,
        built: Built<P>,
        verdicts: Vec<Verdict>,
        by: Option<(NodeId, Incarnation, u8)>,
    ) {
        let event = built.event().number;
        self.held_events.add(1);
        self.held_bytes.add(built.event().bytes);
        if self.plan.run.protocol == Protocol::Pull
            && !self.is_ended
            && let Some((node, life, attempt)) = by
            && self.nodes.get(&node) == Some(&life)
        {
            let confirm = Message::Confirm { level, event, attempt, is_taken: true };
            self.outbox.push_back((Peer::Node(node), confirm));
            let until = self.now + self.plan.lease;
            self.kept.insert(event, Kept { node, life, until, built, verdicts });
        } else {
            self.store(self.now, built, verdicts);
        }
    }

    fn store(&mut self, now: Time, built: Built<P>, verdicts: Vec<Verdict>) {
        if self.plan.run.sinks.is_empty() {
            // Nobody can: it is said, not kept for ever.
            self.tell(built.event().number, built.event().events, &Ended::NoRoom);
            self.release(&built);
        } else {
            self.storing.handle_event(now, built, verdicts);
        }
    }

    pub(super) fn poll_stored(&mut self) {
        while let Some(stored) = self.storing.poll_stored() {
            self.release(&stored.built);
        }
    }

    fn release(&mut self, built: &Built<P>) {
        self.held_events.sub(1);
        self.held_bytes.sub(built.event().bytes);
        let last = if self.levels.len() == 2 { Level::Second } else { Level::First };
        self.handle_finished(last);
    }

    pub(super) fn tell(&mut self, first: EventNumber, events: u16, how: &Ended) {
        self.ends.push(first, events.into(), how.clone());
    }
}
