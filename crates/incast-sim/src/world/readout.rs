//! A readout in virtual time: the roles of `incast-core` as they are, with a courier between them.
//!
//! ```text
//!  conductor   starts, stops, buries, brings back: run control
//!  actor       a role's place: its machine, whom it knows, what is held back
//!  play        one turn of a role        post   messages to and from the courier
//! ```
//! No rule of a readout is here. What is, the real program does in `incast/src/readout` with processes, sockets
//! and clocks. Roles whose time has come are found by a tree, those to whom something came by a list: nothing
//! looks at all roles.
//!
//! Everything follows from plan, seed and courier: the same gives the same [`digest`](ReadoutWorld::digest).

use std::collections::{BTreeMap, VecDeque};

use incast_core::load::Load;
use incast_core::random::Random;
use incast_core::readout::Peer;
use incast_core::readout::role::RoleCounts;
use incast_core::scenario::{FragmentCarrier, ReadoutPlan, SimPlan};
use incast_core::time::{Span, Time};

use crate::courier::{Courier, HostIndex};

mod actor;
mod algorithm;
mod checks;
mod conductor;
mod disk;
mod lengths;
mod lives;
mod play;
mod post;
mod record;
mod roster;
mod slab;
mod wakes;
mod witness;
mod work;

use actor::Actor;
use conductor::{Conductor, Phase};
use disk::Stored;
use lives::{numbered, queue_bytes_max};
use post::{Letter, Parcel, Wire};
use roster::{Roster, Seat};
use slab::Slab;
use wakes::Wakes;
use witness::Witness;

pub use conductor::Deed;
pub use disk::DiskPlan;
pub use record::ReadoutResult;
pub use witness::Seen;

/// What a readout is made of, beside its plan.
#[derive(Clone, Debug)]
pub struct ReadoutSetup<'a> {
    /// The readout. Its run number and incarnations are given here.
    pub plan: &'a ReadoutPlan,
    /// What lives, and everything that the plan's own seed does not draw, are drawn from.
    pub seed: u64,
    /// Length of the slices of the record.
    pub interval: Span,
    /// The host of each role; of those that are not here, the first.
    pub places: &'a BTreeMap<Peer, HostIndex>,
    /// What the scenario says for the simulator.
    pub sim: &'a SimPlan,
    /// How fast the disks of all sinks are.
    pub disk: DiskPlan,
    /// Whether all laws are checked after every step, and a second account is kept ([`ReadoutWorld::seen`]).
    pub is_watched: bool,
    /// How long roles go on when the account is closed, so that all have told what they counted.
    pub settles: Span,
    /// A word of run control takes up to so much longer than [`SimPlan::direct_delay`], at random.
    pub words_within: Span,
}

impl<'a> ReadoutSetup<'a> {
    /// With slices of a second, usual disks, and words of run control that all take the same time.
    #[must_use]
    pub fn new(
        plan: &'a ReadoutPlan,
        seed: u64,
        places: &'a BTreeMap<Peer, HostIndex>,
        sim: &'a SimPlan,
    ) -> Self {
        let disk = DiskPlan::default();
        Self {
            plan,
            seed,
            interval: Span::from_s(1),
            places,
            sim,
            disk,
            is_watched: false,
            settles: conductor::TELL_EVERY,
            words_within: Span::ZERO,
        }
    }
}

/// A readout under way.
#[derive(Debug)]
pub struct ReadoutWorld<C> {
    plan: ReadoutPlan,
    seed: u64,
    interval: Span,
    disk: DiskPlan,
    now: Time,
    roster: Roster,
    actors: Vec<Actor>,
    wakes: Wakes,
    /// Roles to which something came, in that order.
    touched: Vec<Seat>,
    serving: Vec<Seat>,
    courier: C,
    carrier: FragmentCarrier,
    is_mep: bool,
    /// Header bytes of the datagrams that fragments travel in, if they do.
    fragment_header: Option<u32>,
    letters: Slab<Letter>,
    parcels: Slab<Parcel>,
    /// Words of the trigger on wires of its own: all take the same time.
    timing: VecDeque<Wire>,
    timing_delay: Option<Span>,
    word_delay: Span,
    words_within: Span,
    settles: Span,
    conductor: Conductor,
    /// What is on the disks of sinks that are away.
    disks: BTreeMap<Seat, Stored>,
    /// Whether the trigger goes as fast as it can, and until when it is busy with that.
    is_unlimited: bool,
    trigger_busy: Time,
    random: Random,
    witness: Option<Witness>,
    deaths: u64,
    /// Messages, and pieces of fragments, that the courier was given; and those of which it said what became.
    pieces_sent: u64,
    pieces_over: u64,
    lost_datagrams: u64,
    lost_fragments: u64,
    /// What reached a role that was not there any more.
    to_nobody: u64,
    steps: u64,
    /// At which step all laws were last checked.
    checked: u64,
    digest: u64,
}

impl<C: Courier> ReadoutWorld<C> {
    /// The trigger is the first of all roles.
    const TRIGGER: Seat = Seat(0);

    /// A readout whose roles all are there, and know of each other, at time zero.
    #[must_use]
    pub fn new(setup: &ReadoutSetup<'_>, courier: C) -> Self {
        let plan = numbered(setup.plan.clone());
        let roster = Roster::new(plan.roles().map(|(peer, _, _)| peer));
        let seats = roster.len();
        let host = |peer: Peer| setup.places.get(&peer).copied().unwrap_or_default();
        let actor = |seat| {
            let peer = roster.peer(seat);
            Actor::new(host(peer), seats, queue_bytes_max(&plan, peer))
        };
        let mut world = Self {
            seed: setup.seed,
            interval: setup.interval.max(INTERVAL_MIN),
            disk: setup.disk,
            now: Time::ZERO,
            actors: roster.seats().map(actor).collect(),
            wakes: Wakes::new(seats),
            touched: Vec::new(),
            serving: Vec::new(),
            courier,
            carrier: plan.carrier,
            is_mep: plan.carrier.is_mep(),
            fragment_header: lengths::datagram_header(plan.carrier),
            letters: Slab::new(),
            parcels: Slab::new(),
            timing: VecDeque::new(),
            timing_delay: setup.sim.timing_delay,
            word_delay: setup.sim.direct_delay,
            words_within: setup.words_within,
            settles: setup.settles,
            conductor: Conductor::new(seats),
            disks: BTreeMap::new(),
            is_unlimited: plan.trigger.plan.load == Load::Unlimited,
            trigger_busy: Time::ZERO,
            random: Random::named(setup.seed, "run control"),
            witness: setup.is_watched.then(Witness::default),
            deaths: 0,
            pieces_sent: 0,
            pieces_over: 0,
            lost_datagrams: 0,
            lost_fragments: 0,
            to_nobody: 0,
            steps: 0,
            checked: 0,
            digest: DIGEST_START,
            roster,
            plan,
        };
        world.begin_all();
        world
    }

    /// When something happens next; `None` once the run is over.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Time> {
        if self.is_over() {
            return None;
        }
        let wires = self.timing.front().map(|wire| wire.at);
        let roles = self.wakes.next().map(|(at, _)| at);
        let all = [self.courier.next_timeout(), wires, roles, self.next_of_conductor()];
        all.into_iter().flatten().min().map(|at| at.max(self.now))
    }

    /// Does everything that is due at `now`.
    pub fn handle_timeout(&mut self, now: Time) {
        self.now = self.now.max(now);
        let now = self.now;
        let mut rounds = 0;
        while !self.is_over() {
            while let Some((cargo, fate)) = self.courier.poll(now) {
                self.arrive(cargo, fate);
            }
            while let Some(wire) = self.timing.pop_front_if(|wire| wire.at <= now) {
                self.arrive_by_wire(wire);
            }
            while let Some(entry) = self.conductor.poll(now) {
                self.carry_out(entry);
            }
            while let Some((_, seat)) = self.wakes.next().filter(|(at, _)| *at <= now) {
                self.wakes.set(seat, None);
                self.touch(seat);
            }
            if self.touched.is_empty() {
                break;
            }
            rounds += 1;
            assert!(self.witness.is_none() || rounds < ROUNDS_MAX, "time stands still: {:?}", self.touched);
            self.serve_touched();
            self.conduct();
            self.check();
        }
    }

    /// Runs from here to the end.
    pub fn run(&mut self) {
        while let Some(next) = self.next_timeout() {
            self.handle_timeout(next);
        }
    }

    /// Runs until nothing more is due before `until`, or until the end.
    pub fn run_until(&mut self, until: Time) {
        while let Some(next) = self.next_timeout().filter(|next| *next <= until) {
            self.handle_timeout(next);
        }
    }

    /// Whether the run is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.conductor.phase == Phase::Over
    }

    /// How far it is.
    #[must_use]
    pub const fn now(&self) -> Time {
        self.now
    }

    /// What a role has counted in its present life; `None` when nobody plays it.
    #[must_use]
    pub fn counts_of(&self, peer: Peer) -> Option<RoleCounts> {
        Some(self.actors[self.roster.seat(peer)?.index()].machine.as_ref()?.counts())
    }

    /// What carries messages.
    pub const fn courier(&self) -> &C {
        &self.courier
    }

    /// What carries messages, to be told of what is not the readout's.
    pub const fn courier_mut(&mut self) -> &mut C {
        &mut self.courier
    }

    /// Messages handed over so far.
    #[must_use]
    pub const fn messages(&self) -> u64 {
        self.steps
    }

    /// Of all that was handed over, in its order: equal digests, equal runs.
    #[must_use]
    pub const fn digest(&self) -> u64 {
        self.digest
    }

    fn serve_touched(&mut self) {
        std::mem::swap(&mut self.touched, &mut self.serving);
        let mut serving = std::mem::take(&mut self.serving);
        for seat in serving.drain(..) {
            self.serve(seat);
        }
        self.serving = serving;
    }
}

/// Shortest slice: a scenario asks for no shorter ones.
const INTERVAL_MIN: Span = Span::from_ms(1);
/// Rounds in one moment after which a test takes a run for one that never ends.
const ROUNDS_MAX: u64 = 10_000;
/// FNV-1a, over words.
const DIGEST_START: u64 = 0xcbf2_9ce4_8422_2325;
