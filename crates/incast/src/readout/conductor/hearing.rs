//! What the conductor hears of its roles, and tells the others of it: who is where, who is gone, who is
//! silent, who is back.

use std::time::{Duration, Instant};

use incast_core::readout::Peer;

use super::Conductor;
use crate::output::note;
use crate::readout::assignment::{Told, Whereabouts};
use crate::readout::state::State;
use crate::readout::troupe::{Dials, talks};
use crate::run::lines::{RoleLine, RoleOrder};
use crate::run::player::{Heard, Word};

/// A role that says nothing for so long is treated as gone; roles speak ten times a second.
const SILENCE: Duration = Duration::from_secs(2);
/// One that says nothing for so long is killed.
const SILENCE_MAX: Duration = Duration::from_secs(15);
/// A role that died is started again after so long; a fault on purpose says itself when.
const RETURNS_AFTER: Duration = Duration::from_millis(200);

/// Longest wait for a word.
const TICK: Duration = Duration::from_millis(20);

impl Conductor<'_> {
    pub(super) fn listen(&mut self) {
        let Ok(heard) = self.words.recv_timeout(TICK) else { return };
        self.handle(heard);
        while let Ok(heard) = self.words.try_recv() {
            self.handle(heard);
        }
    }

    pub(super) fn handle(&mut self, Heard { role, what }: Heard) {
        let Some(index) = self.troupe.of_number(role) else { return };
        match what {
            Word::Gone(how) => self.handle_gone(index, how),
            Word::Line(line) => {
                self.troupe.members[index].last_heard = Instant::now();
                self.handle_line(index, *line);
            }
        }
    }

    pub(super) fn handle_line(&mut self, index: usize, line: RoleLine) {
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

    pub(super) fn handle_told(&mut self, index: usize, told: Told) {
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
    pub(super) fn handle_back(&mut self, index: usize) {
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

    pub(super) fn handle_gone(&mut self, index: usize, how: Option<String>) {
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
    pub(super) fn introduce(&mut self, index: usize) {
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

    pub(super) fn note_silence(&mut self) {
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
}

/// The whereabouts of a peer for one who dials it, or who waits for its call.
fn reached(there: Whereabouts, dials: Dials) -> Whereabouts {
    match dials {
        Dials::Calls => there,
        Dials::Answers => Whereabouts { address: None, ..there },
    }
}
