//! The conductor of a readout (run control): starts every role, walks them from configured to stopped,
//! notices who dies or falls silent, tells the others, and starts him again.
//!
//! ```text
//!  idle -> configured -> armed -> running <-> paused -> draining -> stopped
//!                                   (anything that cannot be mended -> error)
//! ```

mod faults;
mod hearing;

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, unbounded};
use incast_core::readout::role::RoleCounts;
use incast_core::readout::{Peer, RunNumber};
use incast_core::scenario::ReadoutPlan;

use super::assignment::Told;
use super::catalogue::Entry;
use super::control::{Command, Control};
use super::live::Live;
use super::state::{State, States};
use super::troupe::Troupe;
use super::{assemble, parts};
use crate::measured::{HostWatch, Measured};
use crate::output::note;
use crate::record_dir::RecordDir;
use crate::run::Production;
use crate::run::lines::RoleOrder;
use crate::run::player::Heard;

/// Longest wait for every port, and for every connection.
const READY_MAX: Duration = Duration::from_secs(30);
/// Longest wait for what was given up to be told, and for roles to end.
const END_MAX: Duration = Duration::from_secs(8);
/// How often the partial record is written.
const SAVE_EVERY: Duration = Duration::from_secs(1);

/// A run under way.
pub(super) struct Conductor<'a> {
    production: &'a Production<'a>,
    pub(super) plan: ReadoutPlan,
    pub(super) troupe: Troupe,
    words: Receiver<Heard>,
    pub(super) states: States,
    pub(super) live: Live,
    control: Control,
    parts: parts::Parts,
    /// What is to be done to roles, and is not done yet.
    faults: Vec<faults::Scheduled>,
    running_since: Option<Instant>,
    /// Time spent paused, and since when.
    paused: (Duration, Option<Instant>),
    pub(super) running_s: Option<f64>,
    /// Whether somebody ended the run early.
    pub(super) interrupted: bool,
    /// Why the run could not go on.
    pub(super) failed: Option<String>,
    /// Troubles that roles had, each once.
    pub(super) troubles: Vec<String>,
    pub(super) watch: HostWatch,
    /// Where the run is entered, once it runs.
    pub(super) entry: Option<Entry>,
    dir: &'a RecordDir,
    /// When the record was last written.
    saved: Instant,
}

impl<'a> Conductor<'a> {
    /// Nobody plays yet.
    pub(super) fn new(
        production: &'a Production<'a>,
        plan: &ReadoutPlan,
        dir: &'a RecordDir,
    ) -> anyhow::Result<Self> {
        let mut plan = plan.clone();
        let hosts = &production.scenario.hosts;
        let is_here = |name: &str| hosts.iter().all(|host| host.name != name || host.agent.is_none());
        let run = parts::claim(&plan, is_here, RunNumber(run_number()));
        parts::number(&mut plan, run);
        let (heard, words) = unbounded();
        let roles: Vec<_> = plan
            .roles()
            .map(|(peer, name, host)| (peer, name.to_owned(), host.map(ToOwned::to_owned)))
            .collect();
        let places = production.places.clone();
        let troupe = Troupe::new(production.scenario, roles.into_iter(), (production.key, places, heard))?;
        let faults = faults::schedule(&plan);
        Ok(Self {
            control: Control::open(dir.path())?,
            live: Live::new(production.scenario.interval, plan.duration),
            parts: parts::Parts::new(&plan, dir.path())?,
            states: States::new(),
            running_since: None,
            paused: (Duration::ZERO, None),
            running_s: None,
            interrupted: false,
            failed: None,
            troubles: Vec::new(),
            watch: HostWatch::start(),
            entry: None,
            saved: Instant::now(),
            dir,
            production,
            plan,
            troupe,
            words,
            faults,
        })
    }

    /// From the first process to the last.
    pub(super) fn conduct(&mut self) -> anyhow::Result<()> {
        for index in 0..self.troupe.members.len() {
            self.start(index)?;
        }
        self.until("wait for every role's port", |conductor| {
            conductor.troupe.members.iter().all(|member| member.there.is_some())
        })?;
        self.states.enter(State::Configured);
        for index in 0..self.troupe.members.len() {
            self.introduce(index);
        }
        self.until("wait for every role to reach its peers", |conductor| {
            conductor
                .troupe
                .members
                .iter()
                .all(|member| member.told.as_ref().is_some_and(|told| told.is_armed))
        })?;
        self.states.enter(State::Armed);
        // From here on there are events, and the run is in the catalogue, even if it is killed.
        self.enter();
        self.say_to_all(RoleOrder::Start);
        self.states.enter(State::Running);
        self.running_since = Some(Instant::now());
        self.live.start();
        self.run();
        self.running_s = self.ran().map(|ran| ran.as_secs_f64());
        self.states.enter(State::Draining);
        self.drain();
        self.live.end();
        self.finish();
        self.states.enter(if self.failed.is_some() { State::Error } else { State::Stopped });
        Ok(())
    }

    /// Enters the run in the catalogue.
    fn enter(&mut self) {
        let (name, started) = (&self.production.scenario.name, self.watch.started_unix_ns());
        self.entry = Some(Entry::begin(self.dir.path(), self.plan.run.run, name, started));
    }

    /// While the trigger triggers.
    fn run(&mut self) {
        let mut resumed = Instant::now();
        loop {
            self.attend();
            let ran = self.ran().unwrap_or_default();
            if self.failed.is_some() || self.is_triggered_out() || ran >= self.plan.duration.to_std() {
                return;
            }
            if self.production.stops.count() > 0 {
                self.interrupted = true;
                return;
            }
            for command in self.control.poll(&self.states, &self.live) {
                match command {
                    Command::Pause if self.paused.1.is_none() => {
                        self.paused.1 = Some(Instant::now());
                        self.say_to_all(RoleOrder::Pause);
                        self.states.enter(State::Paused);
                    }
                    Command::Resume if self.paused.1.is_some() => {
                        resumed = Instant::now();
                        self.end_pause(resumed);
                        self.say_to_all(RoleOrder::Resume);
                        self.states.enter(State::Running);
                    }
                    Command::Stop => return self.end_pause(Instant::now().max(resumed)),
                    Command::Pause | Command::Resume | Command::Status => {}
                }
            }
        }
    }

    /// The trigger stops; what is under way is finished, or given up when it takes too long.
    fn drain(&mut self) {
        self.say_to_all(RoleOrder::Drain);
        let drain = self.plan.drain.to_std();
        if !self.wait(drain, Self::is_account_closed) && self.failed.is_none() {
            note(&format!(
                "{} s after the trigger stopped some events have not ended: they are given up",
                drain.as_secs_f64()
            ));
            self.say_to(|peer| peer != Peer::Trigger, RoleOrder::End);
            self.wait(END_MAX, Self::is_account_closed);
        }
        self.say_to(|peer| peer == Peer::Trigger, RoleOrder::End);
        self.wait(Duration::from_secs(2), Self::is_account_closed);
    }

    /// Every role ends.
    fn finish(&mut self) {
        // Nobody is started again, and a role that is stopped goes on to end.
        self.faults.clear();
        for member in &mut self.troupe.members {
            member.returns = None;
            member.hang(false);
            member.say(RoleOrder::Finish);
        }
        let deadline = Instant::now() + END_MAX;
        let is_told = |conductor: &Self| {
            let mut members = conductor.troupe.members.iter();
            members.all(|member| !member.is_alive() || member.told.as_ref().is_some_and(|told| told.is_final))
        };
        while !is_told(self) && Instant::now() < deadline && self.production.stops.count() < 2 {
            self.listen();
        }
        self.say_to_all(RoleOrder::Stop);
        let is_over = |conductor: &Self| conductor.troupe.members.iter().all(|member| !member.is_alive());
        while !is_over(self) && Instant::now() < deadline && self.production.stops.count() < 2 {
            self.listen();
        }
        self.troupe.end_all("did not end when told to, and was ended");
    }

    /// The run cannot begin: nothing of it stays.
    pub(super) fn give_up(&mut self) {
        self.troupe.end_all("ended, since the run could not begin");
        self.parts.remove_unused();
    }

    /// Waits for something that everybody needs before the run can begin.
    fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) -> anyhow::Result<()> {
        let deadline = Instant::now() + READY_MAX;
        while !done(self) {
            self.listen();
            if let Some(member) = self.troupe.members.iter().find(|member| !member.deaths.is_empty()) {
                anyhow::bail!("{what}: {}: {}", member.name, member.deaths.join("; "));
            }
            if self.production.stops.count() > 0 {
                anyhow::bail!("stopped before anything was triggered");
            }
            if Instant::now() > deadline {
                let late: Vec<&str> = self
                    .troupe
                    .members
                    .iter()
                    .filter(|member| member.told.as_ref().is_none_or(|told| !told.is_armed))
                    .map(|member| member.name.as_str())
                    .take(8)
                    .collect();
                anyhow::bail!("{what}: not there after {} s: {}", READY_MAX.as_secs(), late.join(", "));
            }
        }
        Ok(())
    }

    /// Waits for `done`, attending to everything else meanwhile; says whether it came.
    fn wait(&mut self, patience: Duration, done: impl Fn(&Self) -> bool) -> bool {
        let deadline = Instant::now() + patience;
        while !done(self) {
            // A second Ctrl-C, or one that came while draining.
            if Instant::now() > deadline || self.production.stops.count() > 1 || self.failed.is_some() {
                return false;
            }
            self.attend();
            self.control.poll(&self.states, &self.live).clear();
        }
        true
    }

    /// What has to be seen to all the time.
    fn attend(&mut self) {
        self.listen();
        self.carry_out_faults();
        self.note_silence();
        self.start_again();
        self.watch.sample(self.production.scenario.interval);
        self.live.draw(&self.states, &self.troupe);
        self.save();
    }

    /// Writes what is known into the record now and then: whoever is killed leaves that.
    fn save(&mut self) {
        if self.running_since.is_none() || self.saved.elapsed() < SAVE_EVERY {
            return;
        }
        self.saved = Instant::now();
        let partial = Measured {
            world: self.production.world,
            scenario: self.production.summary(),
            started_unix_ns: self.watch.started_unix_ns(),
            host: incast_host::provenance::describe(),
            readout: Some(assemble::readout(self)),
            interrupted: true,
            ..Measured::default()
        };
        // If this cannot be written, the end of the run will say so, with the result.
        let _ = self.dir.write(&partial.record());
    }

    fn start(&mut self, index: usize) -> anyhow::Result<()> {
        let (peer, carrier) = (self.troupe.members[index].peer, self.plan.carrier);
        let parts = &self.parts;
        self.troupe.start(index, carrier, |life| parts.of(peer, life))
    }

    fn start_again(&mut self) {
        let now = Instant::now();
        for index in 0..self.troupe.members.len() {
            let member = &self.troupe.members[index];
            if !member.is_alive() && member.returns.is_some_and(|at| at <= now) {
                self.troupe.members[index].returns = None;
                if let Err(error) = self.start(index) {
                    note(&format!("start {} again: {error:#}", self.troupe.members[index].name));
                }
            }
        }
    }

    fn say_to_all(&mut self, order: RoleOrder) {
        self.say_to(|_| true, order);
    }

    fn say_to(&mut self, whom: impl Fn(Peer) -> bool, order: RoleOrder) {
        self.troupe
            .members
            .iter_mut()
            .filter(|member| whom(member.peer))
            .for_each(|member| member.say(order));
    }

    /// How long the trigger has been running, without pauses.
    fn ran(&self) -> Option<Duration> {
        let pause = self.paused.1.map_or(Duration::ZERO, |since| since.elapsed());
        self.running_since.map(|since| since.elapsed().saturating_sub(self.paused.0 + pause))
    }

    fn end_pause(&mut self, now: Instant) {
        if let Some(since) = self.paused.1.take() {
            self.paused.0 += now.duration_since(since);
        }
    }

    fn trigger(&self) -> Option<&Told> {
        self.troupe.members.iter().find(|member| member.peer == Peer::Trigger)?.told.as_ref()
    }

    fn is_account_closed(&self) -> bool {
        self.trigger().is_some_and(|told| told.is_done)
    }

    fn is_triggered_out(&self) -> bool {
        let most = self.plan.trigger.plan.events_max;
        let triggered = self.trigger().and_then(|told| match &told.counts {
            RoleCounts::Trigger(counts) => Some(counts.events.triggered),
            _ => None,
        });
        most.zip(triggered).is_some_and(|(most, triggered)| triggered >= most)
    }
}

/// Numbers of runs rise from one to the next: seconds since 2020, good until 2156.
fn run_number() -> u32 {
    const FROM_UNIX_S: u64 = 1_577_836_800;
    let now = incast_net::clock::unix_ns() / 1_000_000_000;
    u32::try_from(now.saturating_sub(FROM_UNIX_S)).unwrap_or(u32::MAX).max(1)
}
