//! A readout in virtual time: every role as the machine that it is, and between them links that delay.
//! Links keep order and lose nothing but when a role dies; fragments are lost, repeated and overtake each
//! other. Roles die and return, nodes hang, disks fill. It judges nothing but the laws; tests do.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use incast_core::random::Random;
use incast_core::readout::role::{
    BuilderRole, NodeRole, Order, Role, RoleCounts, SinkRole, SourceRole, TriggerRole, Wanted, Work, Write,
};
use incast_core::readout::{
    Ended, EventAccount, EventNumber, Failure, Fragment, Incarnation, Length, Level, Message, NodeId, Peer,
    SinkId, SourceSet, Verdict,
};
use incast_core::time::{Span, Time};

use crate::plans::{Plans, Weather};

/// A role that is there.
enum Machine {
    Trigger(Box<TriggerRole<Length>>),
    Source(Box<SourceRole<Length>>),
    Builder(Box<BuilderRole<Length>>),
    Node(Box<NodeRole<Length>>),
    Sink(Box<SinkRole<Length>>),
}

/// What is going to happen.
enum Entry {
    Deliver { from: Peer, from_life: Incarnation, to: Peer, to_life: Incarnation, message: Message<Length> },
    Tell { observer: Peer, observer_life: Incarnation, peer: Peer, life: Option<Incarnation> },
    Verdicts { node: NodeId, life: Incarnation, work: Work<Length>, busy: Span, verdicts: Vec<Verdict> },
    OnDisk { sink: SinkId, life: Incarnation, number: u64 },
    Written { sink: SinkId, life: Incarnation, number: u64 },
    DiskFull { sink: SinkId, is_full: bool },
    Dies(Peer),
    Returns(Peer),
    Order(Peer, Order),
}

/// A role's place in the world.
#[derive(Default)]
struct Actor {
    machine: Option<Machine>,
    life: Incarnation,
    /// Of those that died: what they sent arrives only until then.
    cut: Option<(Incarnation, Time)>,
}

/// What a sink has on disk: it survives the sink.
#[derive(Default)]
pub(crate) struct Disk {
    pub(crate) events: BTreeMap<EventNumber, Option<SourceSet>>,
    writing: BTreeMap<u64, Write<Length>>,
}

pub(crate) struct World {
    pub(crate) plans: Plans,
    pub(crate) weather: Weather,
    random: Random,
    pub(crate) now: Time,
    agenda: BTreeMap<(Time, u64), Entry>,
    serial: u64,
    actors: BTreeMap<Peer, Actor>,
    /// When the last message on a link arrives.
    links: BTreeMap<(Peer, Peer), Time>,
    /// When an observer is told the last news of a peer.
    told: BTreeMap<(Peer, Peer), Time>,
    /// In which life an observer knows a peer.
    knows: BTreeMap<(Peer, Peer), Incarnation>,
    pub(crate) disks: BTreeMap<SinkId, Disk>,
    /// Events that ended there in the account.
    pub(crate) rejected: BTreeSet<EventNumber>,
    pub(crate) incomplete: BTreeSet<EventNumber>,
    pub(crate) deaths: u64,
    lives: u64,
    steps: u64,
    pub(crate) is_stopped: bool,
}

impl World {
    pub(crate) fn new(plans: Plans, weather: Weather, random: Random) -> Self {
        let sinks = plans.run.sinks.clone();
        let peers = plans.peers();
        let mut world = Self {
            plans,
            weather,
            random,
            now: Time::ZERO,
            agenda: BTreeMap::new(),
            serial: 0,
            actors: peers.iter().map(|peer| (*peer, Actor::default())).collect(),
            links: BTreeMap::new(),
            told: BTreeMap::new(),
            knows: BTreeMap::new(),
            disks: sinks.into_iter().map(|sink| (sink, Disk::default())).collect(),
            rejected: BTreeSet::new(),
            incomplete: BTreeSet::new(),
            deaths: 0,
            lives: 0,
            steps: 0,
            is_stopped: false,
        };
        for peer in peers {
            world.begin(peer);
        }
        let start = world.now + Span::from_ms(1 + world.random.next_u64() % 100);
        world.at(start, Entry::Order(Peer::Trigger, Order::Start));
        world
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.random.next_u64() % bound.max(1)
    }

    fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn delay(&mut self) -> Span {
        let most = self.weather.delay_us;
        Span::from_us(1 + self.below(1 + most))
    }

    fn at(&mut self, at: Time, entry: Entry) {
        self.serial += 1;
        self.agenda.insert((at, self.serial), entry);
    }

    pub(crate) fn order_at(&mut self, at: Time, peer: Peer, order: Order) {
        self.at(at, Entry::Order(peer, order));
    }

    pub(crate) fn die_at(&mut self, at: Time, peer: Peer) {
        self.at(at, Entry::Dies(peer));
    }

    pub(crate) fn fill_disk_at(&mut self, at: Time, sink: SinkId, until: Time) {
        self.at(at, Entry::DiskFull { sink, is_full: true });
        self.at(until, Entry::DiskFull { sink, is_full: false });
    }

    pub(crate) fn account(&self) -> &EventAccount {
        match &self.actors[&Peer::Trigger].machine {
            Some(Machine::Trigger(trigger)) => trigger.account(),
            _ => unreachable!("the trigger lives"),
        }
    }

    pub(crate) fn counts(&self) -> impl Iterator<Item = RoleCounts> + '_ {
        self.actors.values().filter_map(|actor| actor.machine.as_ref()).map(|machine| machine.get().counts())
    }

    pub(crate) fn is_done(&self, peer: Peer) -> bool {
        self.actors[&peer].machine.as_ref().is_some_and(|machine| machine.get().is_done())
    }

    pub(crate) fn counts_of(&self, peer: Peer) -> Option<RoleCounts> {
        self.actors[&peer].machine.as_ref().map(|machine| machine.get().counts())
    }

    pub(crate) fn peers(&self) -> Vec<Peer> {
        self.actors.keys().copied().collect()
    }

    /// Lets happen what happens until `until`, or until the trigger has nothing left to do.
    pub(crate) fn run_until(&mut self, until: Time) {
        while !self.is_done(Peer::Trigger) && self.step(until) {}
    }

    /// The same, until nothing happens any more.
    pub(crate) fn run_out(&mut self, until: Time) {
        while self.step(until) {}
        self.now = self.now.max(until);
    }

    fn step(&mut self, until: Time) -> bool {
        self.steps += 1;
        assert!(self.steps < 400_000, "it comes to an end");
        let entry = self.agenda.first_key_value().map(|((at, _), _)| *at);
        let timeouts = self
            .actors
            .iter()
            .filter_map(|(peer, actor)| Some((actor.machine.as_ref()?.get().next_timeout()?, *peer)));
        let timeout = timeouts.min();
        let next = [entry, timeout.map(|(at, _)| at)].into_iter().flatten().min();
        let Some(next) = next.filter(|next| *next <= until) else { return false };
        self.now = self.now.max(next);
        match timeout.filter(|(at, _)| entry.is_none_or(|entry| *at <= entry)) {
            Some((_, peer)) => {
                let now = self.now;
                self.with(peer, |role| role.handle_timeout(now));
            }
            None => {
                if let Some((_, entry)) = self.agenda.pop_first() {
                    self.handle(entry);
                }
            }
        }
        self.check_laws();
        true
    }

    fn check_laws(&self) {
        self.account().check_laws_one_by_one();
        if !self.steps.is_multiple_of(256) {
            return;
        }
        for counts in self.counts() {
            counts.check_laws();
            if let RoleCounts::Sink(sink) = counts {
                let bytes = sink.buffer_bytes;
                // An event that is larger than the buffer gets all of it.
                assert!(bytes.most <= bytes.max.max(20_000), "{sink:?}");
            }
        }
    }

    fn handle(&mut self, entry: Entry) {
        let now = self.now;
        match entry {
            Entry::Deliver { from, from_life, to, to_life, message } => {
                let cut = self.actors[&from].cut.filter(|(life, _)| *life == from_life);
                if cut.is_none_or(|(_, until)| now < until) && self.is_life(to, to_life) {
                    self.deliver(from, to, message);
                }
            }
            Entry::Tell { observer, observer_life, peer, life } => {
                if self.is_life(observer, observer_life) {
                    match life {
                        Some(life) => self.knows.insert((observer, peer), life),
                        None => self.knows.remove(&(observer, peer)),
                    };
                    self.with(observer, |role| role.handle_peer(now, peer, life));
                }
            }
            Entry::Verdicts { node, life, work, busy, verdicts } => {
                let peer = Peer::Node(node);
                if self.is_life(peer, life)
                    && let Some(Machine::Node(role)) = self.machine(peer)
                {
                    role.handle_verdicts(now, work.event, work.level, work.attempt, busy, verdicts);
                    self.serve(peer);
                }
            }
            Entry::OnDisk { sink, life, number } if self.is_life(Peer::Sink(sink), life) => {
                self.put_on_disk(sink, number, usize::MAX);
                let delay = self.delay();
                self.at(now + delay, Entry::Written { sink, life, number });
            }
            Entry::Written { sink, life, number } if self.is_life(Peer::Sink(sink), life) => {
                if let Some(Machine::Sink(role)) = self.machine(Peer::Sink(sink)) {
                    role.handle_written(now, number);
                    self.serve(Peer::Sink(sink));
                }
            }
            Entry::OnDisk { .. } | Entry::Written { .. } => {}
            Entry::DiskFull { sink, is_full } => {
                if let Some(Machine::Sink(role)) = self.machine(Peer::Sink(sink)) {
                    role.handle_disk(now, is_full);
                    self.serve(Peer::Sink(sink));
                }
            }
            Entry::Dies(peer) => self.end(peer),
            Entry::Returns(peer) => self.begin(peer),
            Entry::Order(peer, order) => self.with(peer, |role| role.handle_order(now, order)),
        }
    }

    fn machine(&mut self, peer: Peer) -> Option<&mut Machine> {
        self.actors.get_mut(&peer)?.machine.as_mut()
    }

    fn is_life(&self, peer: Peer, life: Incarnation) -> bool {
        let actor = &self.actors[&peer];
        actor.machine.is_some() && actor.life == life
    }

    fn with(&mut self, peer: Peer, call: impl FnOnce(&mut dyn Role<Length>)) {
        if let Some(machine) = self.machine(peer) {
            call(machine.get_mut());
            self.serve(peer);
        }
    }

    /// Hands a message over; of the trigger's, notes what it makes of them.
    fn deliver(&mut self, from: Peer, to: Peer, message: Message<Length>) {
        let now = self.now;
        let mut told = Vec::new();
        if let (Peer::Trigger, Message::Ends(ends)) = (to, &message) {
            for end in ends {
                let events = (0..end.events).map(|index| end.first.after(index.into()));
                let in_flight = events.filter(|event| self.account().is_in_flight(*event));
                told.push((in_flight.collect::<Vec<_>>(), end.how.clone()));
            }
        }
        if let Some(machine) = self.machine(to) {
            machine.get_mut().handle_message(now, from, message);
        }
        let mut noted = BTreeSet::new();
        for (events, how) in told {
            let ended = events.into_iter().filter(|event| !self.account().is_in_flight(*event));
            // The first that one message says of an event is what counts.
            let is_new = |event: &EventNumber| noted.insert(*event);
            let ended: Vec<EventNumber> = ended.filter(is_new).collect();
            match how {
                Ended::Rejected => self.rejected.extend(ended),
                Ended::Incomplete(_) => self.incomplete.extend(ended),
                Ended::Stored | Ended::Accepted | Ended::NoRoom => {}
            }
        }
        self.serve(to);
    }

    /// Does all that a role wants to have done.
    fn serve(&mut self, peer: Peer) {
        let (now, mut messages) = (self.now, Vec::new());
        let mut done = Served::default();
        let Some(machine) = self.machine(peer) else { return };
        machine.poll_owner(now, &mut done);
        while let Some(message) = machine.get_mut().poll_transmit(now) {
            messages.push(message);
        }
        let next = machine.get().next_timeout();
        assert!(next.is_none_or(|next| next > now), "{peer} was served at {now:?} and asks for {next:?}");
        for work in done.work {
            self.decide(peer, work);
        }
        for write in done.writes {
            self.write(peer, write);
        }
        for (to, message) in messages {
            self.send(peer, to, message);
        }
    }

    fn send(&mut self, from: Peer, to: Peer, message: Message<Length>) {
        let to_life = self.actors[&to].life;
        let from_life = self.actors[&from].life;
        if self.actors[&to].machine.is_none() || self.knows.get(&(from, to)) != Some(&to_life) {
            return;
        }
        if matches!(message, Message::Fragment { .. }) {
            let copies = match (self.percent(self.weather.loss), self.percent(self.weather.copy)) {
                (true, _) => 0,
                (false, true) => 2,
                (false, false) => 1,
            };
            for _ in 0..copies {
                let at = self.now + self.delay();
                self.at(at, Entry::Deliver { from, from_life, to, to_life, message: message.clone() });
            }
            return;
        }
        let at = self.now + self.delay();
        let last = self.links.entry((from, to)).or_default();
        *last = at.max(*last);
        let at = *last;
        self.at(at, Entry::Deliver { from, from_life, to, to_life, message });
        if self.percent(self.weather.nonsense) {
            let (from, message) = self.invent();
            let from_life = self.actors[&from].life;
            let at = self.now + self.delay();
            self.at(at, Entry::Deliver { from, from_life, to, to_life, message });
        }
    }

    /// What nobody should say: of a peer that may not, or of what nobody knows.
    fn invent(&mut self) -> (Peer, Message<Length>) {
        // The trigger is believed.
        let peers: Vec<Peer> = self.peers().into_iter().filter(|peer| *peer != Peer::Trigger).collect();
        let index = usize::try_from(self.below(peers.len() as u64)).unwrap();
        let (event, number) = (EventNumber(self.random.next_u64()), 1 << 60 | self.random.next_u64());
        let message = match self.below(6) {
            0 => Message::Stored { ask: number, event },
            1 => Message::Granted { ask: number, lease: number, lifetime: Span::from_ms(1) },
            2 => Message::Kept { event },
            3 => Message::Confirm { level: Level::Second, event, attempt: 1, is_taken: true },
            4 => {
                let (level, verdicts) = (Level::Second, vec![Verdict::Accept { streams: 1 }; 7]);
                Message::Answer { level, event, attempt: 1, busy: Span::ZERO, verdicts }
            }
            _ => Message::Last { next: event },
        };
        (peers[index], message)
    }

    /// Takes an event to the algorithm of a node: it takes a while, and sometimes it hangs.
    fn decide(&mut self, peer: Peer, work: Work<Length>) {
        let Peer::Node(node) = peer else { return };
        let is_hanging = self.percent(self.weather.hang);
        let busy = if is_hanging {
            Span::from_ms(30 + self.below(300))
        } else {
            Span::from_us(1 + self.below(self.weather.busy_us))
        };
        let mut verdicts = Vec::new();
        for index in 0..work.built.event().events {
            let event = work.event.after(index.into());
            let by = if self.weather.is_fickle { self.random.next_u64() } else { 0 };
            verdicts.push(verdict_of(event.0.wrapping_add(by)));
        }
        if self.percent(self.weather.nonsense) {
            verdicts.push(Verdict::Reject);
        }
        let life = self.actors[&peer].life;
        self.at(self.now + busy, Entry::Verdicts { node, life, work, busy, verdicts });
    }

    fn write(&mut self, peer: Peer, write: Write<Length>) {
        let Peer::Sink(sink) = peer else { return };
        let (number, life) = (write.number, self.actors[&peer].life);
        self.disks.get_mut(&sink).unwrap().writing.insert(number, write);
        let delay = Span::from_us(1 + self.below(self.weather.write_us));
        self.at(self.now + delay, Entry::OnDisk { sink, life, number });
    }

    /// Puts the first events of a write on disk: all, unless the sink died over it.
    fn put_on_disk(&mut self, sink: SinkId, number: u64, events_max: usize) {
        let disk = self.disks.get_mut(&sink).unwrap();
        let Some(write) = disk.writing.remove(&number) else { return };
        let first = write.built.event().number;
        for (index, verdict) in (0..).zip(&write.verdicts).take(events_max) {
            if verdict.streams() != 0 {
                let missing = write.built.missing().cloned();
                let before = disk.events.insert(first.after(index), missing);
                assert!(before.is_none(), "event {} is on disk twice", first.after(index));
            }
        }
    }

    /// A role dies.
    fn end(&mut self, peer: Peer) {
        let cut = self.now + self.delay();
        let actor = self.actors.get_mut(&peer).unwrap();
        if actor.machine.take().is_none() {
            return;
        }
        actor.cut = Some((actor.life, cut));
        self.deaths += 1;
        if let Peer::Sink(sink) = peer {
            let writing: Vec<u64> = self.disks[&sink].writing.keys().copied().collect();
            for number in writing {
                let events = usize::try_from(self.below(4)).unwrap();
                self.put_on_disk(sink, number, events);
            }
        }
        self.tell_all(peer, None);
        self.knows.retain(|(observer, _), _| *observer != peer);
        self.told.retain(|(observer, _), _| *observer != peer);
        self.links.retain(|(from, to), _| *from != peer && *to != peer);
        let away = Span::from_ms(1 + self.below(self.weather.away_ms));
        self.at(self.now + away, Entry::Returns(peer));
    }

    /// A role is there, in a new life.
    fn begin(&mut self, peer: Peer) {
        self.lives += 1;
        let life = Incarnation(self.lives);
        let mut machine = match peer {
            Peer::Trigger => Machine::Trigger(Box::new(TriggerRole::new(self.plans.trigger.clone()))),
            Peer::Source(id) => Machine::Source(Box::new(SourceRole::new(self.plans.source(id)))),
            Peer::Builder(id) => Machine::Builder(Box::new(BuilderRole::new(self.plans.builder(id, life)))),
            Peer::Node(id) => Machine::Node(Box::new(NodeRole::new(self.plans.node(id, life)))),
            Peer::Sink(id) => Machine::Sink(Box::new(SinkRole::new(self.plans.sink(id)))),
        };
        if let (Peer::Sink(id), Machine::Sink(sink)) = (peer, &mut machine) {
            for (event, missing) in &self.disks[&id].events {
                sink.handle_known(*event, 1, missing.as_ref());
            }
        }
        let actor = self.actors.get_mut(&peer).unwrap();
        (actor.machine, actor.life) = (Some(machine), life);
        self.tell_all(peer, Some(life));
        let others: Vec<(Peer, Incarnation)> = self
            .actors
            .iter()
            .filter(|(other, actor)| **other != peer && actor.machine.is_some())
            .map(|(other, actor)| (*other, actor.life))
            .collect();
        for (other, other_life) in others {
            self.tell(peer, other, Some(other_life));
        }
        if self.is_stopped && peer != Peer::Trigger {
            self.at(self.now, Entry::Order(peer, Order::Stop));
        }
    }

    /// Run control tells all others, each when it does.
    fn tell_all(&mut self, peer: Peer, life: Option<Incarnation>) {
        for observer in self.peers() {
            if observer != peer && self.actors[&observer].machine.is_some() {
                self.tell(observer, peer, life);
            }
        }
    }

    fn tell(&mut self, observer: Peer, peer: Peer, life: Option<Incarnation>) {
        let at = self.now + self.delay();
        let last = self.told.entry((observer, peer)).or_default();
        *last = at.max(*last);
        let at = *last;
        let observer_life = self.actors[&observer].life;
        self.at(at, Entry::Tell { observer, observer_life, peer, life });
    }
}

/// What a role hands to its owner.
#[derive(Default)]
struct Served {
    work: VecDeque<Work<Length>>,
    writes: VecDeque<Write<Length>>,
}

impl Machine {
    fn get(&self) -> &dyn Role<Length> {
        match self {
            Self::Trigger(role) => role.as_ref(),
            Self::Source(role) => role.as_ref(),
            Self::Builder(role) => role.as_ref(),
            Self::Node(role) => role.as_ref(),
            Self::Sink(role) => role.as_ref(),
        }
    }

    fn get_mut(&mut self) -> &mut dyn Role<Length> {
        match self {
            Self::Trigger(role) => role.as_mut(),
            Self::Source(role) => role.as_mut(),
            Self::Builder(role) => role.as_mut(),
            Self::Node(role) => role.as_mut(),
            Self::Sink(role) => role.as_mut(),
        }
    }

    fn poll_owner(&mut self, now: Time, done: &mut Served) {
        match self {
            Self::Source(role) => {
                while let Some(wanted) = role.poll_wanted(now) {
                    let Wanted { level, run, first, events, destination, sizes } = wanted;
                    let source = role.source();
                    let payload = Length(sizes.iter().sum());
                    let fragment = Fragment { run, event: first, events, source, payload };
                    role.handle_supplied(now, level, fragment, destination);
                }
            }
            Self::Node(role) => done.work.extend(std::iter::from_fn(|| role.poll_work(now))),
            Self::Sink(role) => done.writes.extend(std::iter::from_fn(|| role.poll_write())),
            Self::Trigger(_) | Self::Builder(_) => {}
        }
    }
}

/// Two thirds are kept.
pub(crate) fn verdict_of(event: u64) -> Verdict {
    match event % 7 {
        0 | 1 => Verdict::Reject,
        2 => Verdict::Unjudged { streams: 0, failure: Failure::Timeout },
        3 => Verdict::Unjudged { streams: 2, failure: Failure::Nonsense },
        _ => Verdict::Accept { streams: 1 },
    }
}
