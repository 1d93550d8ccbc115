//! The conductor of a readout (run control): starts every role, walks them from configured to stopped,
//! notices who dies or falls silent, tells the others, and starts him again.
//!
//! ```text
//!  idle -> configured -> armed -> running <-> paused -> draining -> stopped
//!                                   (anything that cannot be mended -> error)
//! ```

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, unbounded};
use incast_core::readout::role::RoleCounts;
use incast_core::readout::{Peer, RunNumber};
use incast_core::scenario::{FaultKind, ReadoutPlan};

use super::assignment::{Told, Whereabouts};
use super::control::{Command, Control};
use super::live::Live;
use super::state::{State, States};
use super::troupe::{Dials, Troupe, talks};
use super::{assemble, parts};
use crate::measured::{HostWatch, Measured};
use crate::output::note;
use crate::record_dir::RecordDir;
use crate::run::Production;
use crate::run::lines::{RoleLine, RoleOrder};
use crate::run::player::{Heard, Word};

/// Longest wait for every port, and for every connection.
const READY_MAX: Duration = Duration::from_secs(30);
/// A role that says nothing for so long is treated as gone; roles speak ten times a second.
pub(super) const SILENCE: Duration = Duration::from_secs(2);
/// One that says nothing for so long is killed.
const SILENCE_MAX: Duration = Duration::from_secs(15);
/// A role that died is started again after so long; a fault on purpose says itself when.
const RETURNS_AFTER: Duration = Duration::from_millis(200);
/// Longest wait for what was given up to be told, and for roles to end.
const END_MAX: Duration = Duration::from_secs(8);
const TICK: Duration = Duration::from_millis(20);
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
    faults: Vec<Scheduled>,
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
    dir: &'a RecordDir,
    /// When the record was last written.
    saved: Instant,
}

/// Something that is done to a role at a time of the run.
struct Scheduled {
    at: Duration,
    peer: Peer,
    what: Deed,
}

#[derive(Clone, Copy)]
enum Deed {
    Kill { returns_after: Option<Duration> },
    Hang(bool),
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
        let faults = schedule(&plan);
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

    fn listen(&mut self) {
        let Ok(heard) = self.words.recv_timeout(TICK) else { return };
        self.handle(heard);
        while let Ok(heard) = self.words.try_recv() {
            self.handle(heard);
        }
    }

    fn handle(&mut self, Heard { role, what }: Heard) {
        let Some(index) = self.troupe.of_number(role) else { return };
        match what {
            Word::Gone(how) => self.handle_gone(index, how),
            Word::Line(line) => {
                self.troupe.members[index].last_heard = Instant::now();
                self.handle_line(index, *line);
            }
        }
    }

    fn handle_line(&mut self, index: usize, line: RoleLine) {
        let member = &mut self.troupe.members[index];
        match line {
            RoleLine::ReadoutListening { address, fragments } => {
                member.there = Some(Whereabouts { peer: member.peer, life: member.life, address, fragments });
                if self.running_since.is_some() {
                    // It has come back: the others are where they were.
                    self.introduce(index);
                    let order = if self.states.now() == State::Draining {
                        RoleOrder::Drain
                    } else {
                        RoleOrder::Start
                    };
                    self.troupe.members[index].say(RoleOrder::Start);
                    self.troupe.members[index].say(order);
                }
            }
            RoleLine::ReadoutTold(told) => self.handle_told(index, *told),
            RoleLine::Ended { cpu, .. } => {
                member.has_ended = true;
                member.cpu = cpu;
            }
            RoleLine::Failed { reason } => member.deaths.push(reason),
            _ => {}
        }
    }

    fn handle_told(&mut self, index: usize, told: Told) {
        if std::mem::take(&mut self.troupe.members[index].is_silent) {
            self.handle_back(index);
        }
        let member = &mut self.troupe.members[index];
        if let Some(trouble) = &told.trouble {
            let trouble = format!("{}: {trouble}", member.name);
            if !self.troubles.contains(&trouble) {
                note(&trouble);
                self.troubles.push(trouble);
            }
        }
        member.told = Some(told);
        self.live.handle_told(&self.troupe);
    }

    /// A role speaks again that others did without. It has to know that they did: what it had has been given
    /// to others, and what it promised is void.
    fn handle_back(&mut self, index: usize) {
        let (me, life) = (self.troupe.members[index].peer, self.troupe.members[index].life);
        self.say_to(|other| talks(other, me).is_some(), RoleOrder::Back(me, life));
        let others = self.troupe.members.iter().filter(|other| !other.is_silent && other.is_alive());
        let others =
            others.map(|other| (other.peer, other.life)).filter(|(other, _)| talks(me, *other).is_some());
        for (other, life) in others.collect::<Vec<_>>() {
            self.troupe.members[index].say(RoleOrder::Silent(other));
            self.troupe.members[index].say(RoleOrder::Back(other, life));
        }
    }

    fn handle_gone(&mut self, index: usize, how: Option<String>) {
        let failed = self.troupe.members[index].deaths.len();
        let Some(how) = self.troupe.bury(index, how) else { return };
        let member = &mut self.troupe.members[index];
        // What it said itself says more than how it ended.
        if failed > 0 && member.deaths.len() > failed && how.starts_with("ended with exit code") {
            member.deaths.pop();
        }
        let (peer, name, lives) = (member.peer, member.name.clone(), member.lives);
        let is_wanted = self.running_since.is_some() && !self.states.now().is_over();
        if is_wanted && peer == Peer::Trigger {
            self.failed = Some(format!("the trigger died, and with it the account of the run: {how}"));
        }
        if is_wanted && member.returns.is_none() && lives <= self.plan.restarts {
            member.returns = Some(Instant::now() + RETURNS_AFTER);
        }
        if is_wanted {
            note(&format!("{name} {how}"));
        }
        self.say_to(|other| talks(other, peer).is_some(), RoleOrder::Left(peer));
    }

    /// Tells a role of its peers, and its peers of it.
    fn introduce(&mut self, index: usize) {
        let Some(there) = self.troupe.members[index].there else { return };
        let me = there.peer;
        let mut to_me = Vec::new();
        for (place, other) in self.troupe.members.iter_mut().enumerate() {
            let Some(elsewhere) = other.there.filter(|_| place != index) else { continue };
            if let Some(dials) = talks(other.peer, me) {
                other.say(RoleOrder::Joined(reached(there, dials)));
            }
            if let Some(dials) = talks(me, elsewhere.peer) {
                to_me.push(reached(elsewhere, dials));
            }
        }
        for there in to_me {
            self.troupe.members[index].say(RoleOrder::Joined(there));
        }
        self.troupe.members[index].say(RoleOrder::AllTold);
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

    fn carry_out_faults(&mut self) {
        let Some(ran) = self.running_since.map(|since| since.elapsed()) else { return };
        let (due, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.faults).into_iter().partition(|fault| fault.at <= ran);
        self.faults = later;
        for fault in due {
            let Some(index) = self.troupe.of_peer(fault.peer) else { continue };
            let member = &mut self.troupe.members[index];
            match fault.what {
                Deed::Kill { returns_after } => {
                    note(&format!("fault: {} is killed", member.name));
                    // One that is not to return has all its restarts behind it.
                    let forever = Duration::from_secs(365 * 86_400);
                    member.returns = Some(Instant::now() + returns_after.unwrap_or(forever));
                    member.kill();
                }
                Deed::Hang(is_hanging) => {
                    let what = if is_hanging { "hangs" } else { "goes on" };
                    let done = member.hang(is_hanging);
                    note(&format!(
                        "fault: {} {what}{}",
                        member.name,
                        if done { "" } else { " (not possible there)" }
                    ));
                }
            }
        }
    }

    fn note_silence(&mut self) {
        let mut silent = Vec::new();
        for (index, member) in self.troupe.members.iter_mut().enumerate() {
            let quiet = member.last_heard.elapsed();
            if !member.is_alive() || quiet <= SILENCE {
                continue;
            }
            if !member.is_silent {
                member.is_silent = true;
                silent.push((index, false));
            } else if quiet > SILENCE_MAX {
                silent.push((index, true));
            }
        }
        for (index, is_dead) in silent {
            let (peer, name) = (self.troupe.members[index].peer, self.troupe.members[index].name.clone());
            if is_dead {
                self.handle_gone(
                    index,
                    Some(format!("said nothing for {} s and was ended", SILENCE_MAX.as_secs())),
                );
                continue;
            }
            note(&format!("{name} has said nothing for {} s: others do without it", SILENCE.as_secs()));
            if peer != Peer::Trigger {
                self.say_to(|other| talks(other, peer).is_some(), RoleOrder::Silent(peer));
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

/// The whereabouts of a peer for one who dials it, or who waits for its call.
fn reached(there: Whereabouts, dials: Dials) -> Whereabouts {
    match dials {
        Dials::Calls => there,
        Dials::Answers => Whereabouts { address: None, ..there },
    }
}

fn schedule(plan: &ReadoutPlan) -> Vec<Scheduled> {
    let mut faults = Vec::new();
    for fault in &plan.faults {
        let (at, lasts) = (fault.at.to_std(), fault.lasts.map(incast_core::time::Span::to_std));
        for peer in &fault.roles {
            let mut add = |at, what| faults.push(Scheduled { at, peer: *peer, what });
            match fault.what {
                FaultKind::Kill => add(at, Deed::Kill { returns_after: lasts }),
                FaultKind::Hang => {
                    add(at, Deed::Hang(true));
                    if let Some(lasts) = lasts {
                        add(at + lasts, Deed::Hang(false));
                    }
                }
            }
        }
    }
    faults
}

/// Numbers of runs rise from one to the next: seconds since 2020, good until 2156.
fn run_number() -> u32 {
    const FROM_UNIX_S: u64 = 1_577_836_800;
    let now = incast_net::clock::unix_ns() / 1_000_000_000;
    u32::try_from(now.saturating_sub(FROM_UNIX_S)).unwrap_or(u32::MAX).max(1)
}
