//! What the trigger says: to one role, or the same to every source. An assignment for a thousand sources takes
//! the place of one.

use std::collections::VecDeque;

use crate::readout::ids::{Incarnation, Level, Peer, SourceId};
use crate::readout::message::Message;
use crate::readout::trigger::Assigned;

/// What waits to be said, and the sources that hear it.
#[derive(Clone, Debug)]
pub(super) struct Outbox<P> {
    waiting: VecDeque<Said<P>>,
    /// By rising id.
    sources: Vec<Hearer>,
    /// How many sources have heard the first thing that waits, if it is for all of them.
    heard: usize,
}

/// A source that is there.
#[derive(Clone, Copy, Debug)]
struct Hearer {
    source: SourceId,
    life: Incarnation,
    /// Whether it has fragments of each level.
    has: [bool; 2],
}

#[derive(Clone, Debug)]
enum Said<P> {
    ToOne(Peer, Message<P>),
    /// Where the fragments of a packet go: to those that have some.
    ToSources(Level, Assigned),
}

impl<P> Outbox<P> {
    pub(super) const fn new() -> Self {
        Self { waiting: VecDeque::new(), sources: Vec::new(), heard: 0 }
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Says something to one role.
    pub(super) fn push(&mut self, to: Peer, message: Message<P>) {
        self.waiting.push_back(Said::ToOne(to, message));
    }

    /// Says to every source that has fragments of that level where those of a packet go.
    pub(super) fn push_to_sources(&mut self, level: Level, assigned: Assigned) {
        if self.sources.iter().any(|hearer| hearer.has[level as usize]) {
            self.waiting.push_back(Said::ToSources(level, assigned));
            self.pass_over();
        }
    }

    /// The next message.
    #[inline]
    pub(super) fn poll(&mut self) -> Option<(Peer, Message<P>)> {
        if let Some(Said::ToSources(level, assigned)) = self.waiting.front() {
            let message = Message::Assigned { level: *level, assigned: *assigned };
            let hearer = self.sources.get(self.heard).copied();
            self.heard += 1;
            self.pass_over();
            // There is one, or this would not wait.
            return hearer.map(|hearer| (Peer::Source(hearer.source), message));
        }
        let said = self.waiting.pop_front()?;
        self.pass_over();
        match said {
            Said::ToOne(to, message) => Some((to, message)),
            Said::ToSources(..) => unreachable!("it was told above"),
        }
    }

    /// The sources that are there, by rising id.
    pub(super) fn sources(&self) -> impl Iterator<Item = SourceId> + '_ {
        self.sources.iter().map(|hearer| hearer.source)
    }

    /// A source is there; says whether that is news. It hears what waits, but for what others have begun to
    /// hear and it comes before them.
    pub(super) fn handle_source(&mut self, source: SourceId, life: Incarnation, has: [bool; 2]) -> bool {
        match self.sources.binary_search_by_key(&source, |hearer| hearer.source) {
            Ok(place) => std::mem::replace(&mut self.sources[place].life, life) != life,
            Err(place) => {
                self.sources.insert(place, Hearer { source, life, has });
                self.heard += usize::from(place < self.heard);
                self.pass_over();
                true
            }
        }
    }

    /// A source is gone: nothing is said to it.
    pub(super) fn forget_source(&mut self, source: SourceId) {
        if let Ok(place) = self.sources.binary_search_by_key(&source, |hearer| hearer.source) {
            self.sources.remove(place);
            self.heard -= usize::from(place < self.heard);
        }
        self.forget(Peer::Source(source));
    }

    /// A role is gone: nothing is said to it alone.
    pub(super) fn forget(&mut self, peer: Peer) {
        self.waiting.retain(|said| !matches!(said, Said::ToOne(to, _) if *to == peer));
        self.pass_over();
    }

    /// Comes to the next source that hears the first thing that waits, or ends that if there is none.
    #[inline]
    fn pass_over(&mut self) {
        while let Some(Said::ToSources(level, _)) = self.waiting.front() {
            let rest = self.sources.get(self.heard..).unwrap_or(&[]);
            if let Some(more) = rest.iter().position(|hearer| hearer.has[*level as usize]) {
                self.heard += more;
                return;
            }
            self.waiting.pop_front();
            self.heard = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::readout::fragment::Length;
    use crate::readout::ids::{BuilderId, EventNumber, RunNumber};
    use crate::time::Time;

    fn outbox(sources: &[u16]) -> Outbox<Length> {
        let mut outbox = Outbox::new();
        for source in sources {
            assert!(outbox.handle_source(SourceId(*source), Incarnation(1), [true; 2]));
        }
        outbox
    }

    fn assign(outbox: &mut Outbox<Length>, event: u64) {
        let (run, event, destination) = (RunNumber(1), EventNumber(event), BuilderId(0));
        let assigned = Assigned { run, event, events: 1, destination, triggered: Time::ZERO };
        outbox.push(Peer::Builder(destination), Message::Assigned { level: Level::First, assigned });
        outbox.push_to_sources(Level::First, assigned);
    }

    fn next(outbox: &mut Outbox<Length>) -> Option<(Peer, u64)> {
        outbox.poll().map(|(to, message)| match message {
            Message::Assigned { assigned, .. } => (to, assigned.event.0),
            _ => unreachable!("nothing else was said"),
        })
    }

    fn come(outbox: &mut Outbox<Length>, source: u16, life: u64) -> bool {
        outbox.handle_source(SourceId(source), Incarnation(life), [true; 2])
    }

    const BUILDER: Peer = Peer::Builder(BuilderId(0));

    fn source(id: u16) -> Peer {
        Peer::Source(SourceId(id))
    }

    #[test]
    fn the_builder_hears_first_and_then_every_source() {
        let mut outbox = outbox(&[9, 3]);
        assign(&mut outbox, 1);
        assign(&mut outbox, 2);
        let said: Vec<_> = std::iter::from_fn(|| next(&mut outbox)).collect();
        assert_eq!(
            said,
            [(BUILDER, 1), (source(3), 1), (source(9), 1), (BUILDER, 2), (source(3), 2), (source(9), 2)]
        );
        assert!(outbox.is_empty());
    }

    #[test]
    fn nobody_hears_twice_or_not_at_all_when_sources_come_and_go() {
        let mut outbox = outbox(&[3, 5, 9]);
        assign(&mut outbox, 1);
        let heard = [next(&mut outbox), next(&mut outbox)];
        assert_eq!(heard, [Some((BUILDER, 1)), Some((source(3), 1))]);
        outbox.forget_source(SourceId(3));
        assert_eq!(next(&mut outbox), Some((source(5), 1)));
        assert!(come(&mut outbox, 1, 1) && come(&mut outbox, 7, 1));
        assert!(!come(&mut outbox, 7, 1) && come(&mut outbox, 7, 2));
        assert_eq!([next(&mut outbox), next(&mut outbox)], [Some((source(7), 1)), Some((source(9), 1))]);
        assert_eq!(next(&mut outbox), None);
    }

    #[test]
    fn without_sources_nothing_waits_for_them() {
        let mut outbox = outbox(&[3]);
        assign(&mut outbox, 1);
        assign(&mut outbox, 2);
        outbox.forget_source(SourceId(3));
        assert_eq!([next(&mut outbox), next(&mut outbox)], [Some((BUILDER, 1)), Some((BUILDER, 2))]);
        assert!(outbox.is_empty());
        assign(&mut outbox, 3);
        assert_eq!([next(&mut outbox), next(&mut outbox)], [Some((BUILDER, 3)), None]);
    }

    #[test]
    fn only_sources_of_a_level_hear_of_its_packets() {
        let mut outbox = outbox(&[3]);
        outbox.handle_source(SourceId(1), Incarnation(1), [false, true]);
        outbox.handle_source(SourceId(9), Incarnation(1), [false, true]);
        assign(&mut outbox, 1);
        assign(&mut outbox, 2);
        let said: Vec<_> = std::iter::from_fn(|| next(&mut outbox)).collect();
        assert_eq!(said, [(BUILDER, 1), (source(3), 1), (BUILDER, 2), (source(3), 2)]);
        outbox.forget_source(SourceId(3));
        assign(&mut outbox, 3);
        assert_eq!([next(&mut outbox), next(&mut outbox)], [Some((BUILDER, 3)), None]);
        assert!(outbox.is_empty());
    }
}
