//! One role of a readout in a process of its own: its machine, its sockets, and what it does beside.
//!
//! One thread owns the machine and the sockets. Algorithms and disks have threads of their own, which
//! wake it when they are done.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use crossbeam_channel::{Receiver, unbounded};
use incast_core::readout::role::{Order, Role};
use incast_core::readout::{Incarnation, Message, Peer};
use incast_core::record::{NamedCount, StoredFile};
use incast_core::time::Time;
use incast_net::clock::Clock;
use incast_net::readout::{Data, Mesh, MeshEvent, Unsent};

use super::assignment::{Told, Whereabouts};
use crate::measured::HostWatch;
use crate::run::lines::{RoleLine, RoleOrder};
use crate::run::telling::{ended, tell};

/// How often a role tells what it has counted, and so that it is alive.
const TELL_EVERY: Duration = Duration::from_millis(100);
/// Messages taken from the machine before sockets are looked at again.
const BURST: usize = 1_024;
/// Messages of one peer that wait for run control to say that it is there: tokens, and some events. Beyond
/// it the oldest is left to the machine, which counts it as one of nobody.
const EARLY_MAX: usize = 1_024;

/// What a role does beside talking.
pub(super) trait Work<R> {
    /// Whether nothing more is taken from the machine while a peer takes nothing: then its own bound
    /// holds, and it drops and counts.
    const WAITS_WHEN_FULL: bool = false;

    /// Carries out what the machine wishes, and hands in what is finished.
    fn attend(&mut self, now: Time, role: &mut R) -> anyhow::Result<()>;

    /// What it counted, by name; and doubts.
    fn counts(&self) -> (Vec<NamedCount>, Vec<NamedCount>);

    /// What was written.
    fn files(&self) -> Vec<StoredFile> {
        Vec::new()
    }

    /// What a person should know, as it is now.
    fn trouble(&self) -> Option<String> {
        None
    }

    /// The run is over: finishes what has been begun.
    fn finish(&mut self) {}
}

/// A role that only talks.
pub(super) struct OnlyTalks;

impl<R> Work<R> for OnlyTalks {
    fn attend(&mut self, _now: Time, _role: &mut R) -> anyhow::Result<()> {
        Ok(())
    }

    fn counts(&self) -> (Vec<NamedCount>, Vec<NamedCount>) {
        (Vec::new(), Vec::new())
    }
}

/// A role at work.
pub(super) struct Process<R, W> {
    pub(super) mesh: Mesh,
    pub(super) role: R,
    pub(super) work: W,
    clock: Clock,
    /// Messages to peers whose queue is full, in their order.
    held_back: BTreeMap<Peer, VecDeque<Message<Data>>>,
    /// Messages to peers that were not connected.
    unsent: u64,
    peers: Peers,
}

/// Who is there: told by run control, and connected.
#[derive(Default)]
struct Peers {
    known: BTreeMap<Peer, Known>,
    /// Connected, in that life.
    up: BTreeMap<Peer, Incarnation>,
    /// What came of peers that are connected, before run control said that they are there: it speaks by
    /// another way, which may be the slower one.
    early: BTreeMap<Peer, VecDeque<Message<Data>>>,
    are_all_told: bool,
}

struct Known {
    life: Incarnation,
    is_silent: bool,
    /// The machine was told that it is there.
    is_there: bool,
}

impl<R: Role<Data>, W: Work<R>> Process<R, W> {
    /// Plays the role until it is told to stop.
    pub(super) fn play(mesh: Mesh, role: R, work: W, orders: &Receiver<RoleOrder>) -> anyhow::Result<()> {
        let watch = HostWatch::start();
        let mut process = Self {
            mesh,
            role,
            work,
            clock: Clock::start(),
            held_back: BTreeMap::new(),
            unsent: 0,
            peers: Peers::default(),
        };
        let (address, fragments) = (process.mesh.address(), process.mesh.fragment_address());
        tell(&RoleLine::ReadoutListening { address, fragments });
        let orders = process.awakening(orders)?;
        let mut told = Instant::now();
        let mut events = Vec::new();
        loop {
            for order in orders.try_iter() {
                if order == RoleOrder::Finish {
                    process.work.finish();
                    process.turn(&mut events)?;
                    tell(&process.told(true));
                }
                if matches!(order, RoleOrder::Finish | RoleOrder::Stop) {
                    return process.end(&orders, order, &watch);
                }
                process.handle_order(order);
            }
            let is_busy = process.turn(&mut events)?;
            if told.elapsed() >= TELL_EVERY {
                told = Instant::now();
                tell(&process.told(false));
            }
            let wake = if is_busy { Instant::now() } else { process.next_wake(told + TELL_EVERY) };
            process.mesh.poll(Some(wake), &mut events).context("wait for peers")?;
        }
    }

    /// Waits, with everything as it is, until all have told their last account: peers that end first would
    /// otherwise be counted as lost.
    fn end(mut self, orders: &Receiver<RoleOrder>, last: RoleOrder, watch: &HostWatch) -> anyhow::Result<()> {
        let mut order = Some(last);
        while order.is_some_and(|order| order != RoleOrder::Stop) {
            order = orders.recv_timeout(TELL_EVERY).ok().or(order);
        }
        self.work.finish();
        tell(&ended(watch));
        Ok(())
    }

    /// Orders, with a call that ends the waiting for sockets.
    fn awakening(&self, orders: &Receiver<RoleOrder>) -> anyhow::Result<Receiver<RoleOrder>> {
        let (forward, forwarded) = unbounded();
        let (orders, waker) = (orders.clone(), self.mesh.waker());
        std::thread::Builder::new().name("orders to role".into()).spawn(move || {
            for order in orders {
                if forward.send(order).is_err() {
                    return;
                }
                waker.wake();
            }
        })?;
        Ok(forwarded)
    }

    /// Takes in what came, does what is due, gives out what there is; says whether there is more.
    fn turn(&mut self, events: &mut Vec<MeshEvent>) -> anyhow::Result<bool> {
        let now = self.clock.now();
        for event in events.drain(..) {
            match event {
                MeshEvent::Message(peer, message) => self.handle_message(now, peer, message),
                MeshEvent::Up(peer, life) => {
                    self.peers.up.insert(peer, life);
                    self.judge(now, peer);
                }
                MeshEvent::Down(peer) => {
                    self.held_back.remove(&peer);
                    self.peers.early.remove(&peer);
                    self.peers.up.remove(&peer);
                    self.judge(now, peer);
                }
            }
        }
        if self.role.next_timeout().is_some_and(|at| at <= now) {
            self.role.handle_timeout(now);
        }
        self.work.attend(now, &mut self.role)?;
        self.send_held_back();
        let mut sent = 0;
        while sent < BURST
            && (!W::WAITS_WHEN_FULL || self.held_back.is_empty())
            && let Some((to, message)) = self.role.poll_transmit(now)
        {
            sent += 1;
            self.send(to, message);
        }
        Ok(sent == BURST)
    }

    fn handle_message(&mut self, now: Time, from: Peer, message: Message<Data>) {
        // A fragment is good whoever else is there.
        let is_there = self.peers.known.get(&from).is_some_and(|known| known.is_there);
        if is_there || matches!(from, Peer::Source(_)) {
            return self.role.handle_message(now, from, message);
        }
        let early = self.peers.early.entry(from).or_default();
        early.push_back(message);
        if early.len() > EARLY_MAX
            && let Some(oldest) = early.pop_front()
        {
            self.role.handle_message(now, from, oldest);
        }
    }

    fn send(&mut self, to: Peer, message: Message<Data>) {
        if let Some(held_back) = self.held_back.get_mut(&to) {
            held_back.push_back(message);
            return;
        }
        match self.mesh.send(to, message) {
            Ok(()) => {}
            Err(Unsent::Full(message)) => {
                self.held_back.entry(to).or_default().push_back(message);
            }
            Err(Unsent::Down(_) | Unsent::Unsendable(..)) => self.unsent += 1,
        }
    }

    fn send_held_back(&mut self) {
        for (to, mut messages) in std::mem::take(&mut self.held_back) {
            while let Some(message) = messages.pop_front() {
                match self.mesh.send(to, message) {
                    Ok(()) => {}
                    Err(Unsent::Full(message)) => {
                        messages.push_front(message);
                        break;
                    }
                    Err(Unsent::Down(_) | Unsent::Unsendable(..)) => self.unsent += 1,
                }
            }
            if !messages.is_empty() {
                self.held_back.insert(to, messages);
            }
        }
    }

    fn handle_order(&mut self, order: RoleOrder) {
        let now = self.clock.now();
        match order {
            RoleOrder::Joined(there) => self.handle_joined(now, there),
            RoleOrder::AllTold => self.peers.are_all_told = true,
            RoleOrder::Back(peer, life) => self.note_silence(now, peer, Some(life)),
            RoleOrder::Silent(peer) => self.note_silence(now, peer, None),
            RoleOrder::Left(peer) => {
                self.mesh.forget(peer);
                self.held_back.remove(&peer);
                self.peers.early.remove(&peer);
                self.peers.up.remove(&peer);
                if self.peers.known.remove(&peer).is_some_and(|known| known.is_there) {
                    self.role.handle_peer(now, peer, None);
                }
            }
            RoleOrder::Start => self.role.handle_order(now, Order::Start),
            RoleOrder::Pause => self.role.handle_order(now, Order::Pause),
            RoleOrder::Resume => self.role.handle_order(now, Order::Resume),
            RoleOrder::Drain => self.role.handle_order(now, Order::Stop),
            RoleOrder::End => self.role.handle_order(now, Order::End),
            RoleOrder::Finish | RoleOrder::Stop => {}
        }
    }

    fn handle_joined(&mut self, now: Time, there: Whereabouts) {
        // Told twice, it has not left in between.
        if self.peers.known.get(&there.peer).is_some_and(|known| known.life == there.life) {
            return self.note_silence(now, there.peer, Some(there.life));
        }
        if let Some(address) = there.address {
            self.mesh.connect(there.peer, there.life, address, there.fragments);
        }
        let known = Known { life: there.life, is_silent: false, is_there: false };
        if self.peers.known.insert(there.peer, known).is_some_and(|before| before.is_there) {
            self.role.handle_peer(now, there.peer, None);
        }
        self.judge(now, there.peer);
    }

    /// A peer is there for the machine when run control says so, it is connected, and it is not silent.
    fn judge(&mut self, now: Time, peer: Peer) {
        let up = self.peers.up.get(&peer).copied();
        let Some(known) = self.peers.known.get_mut(&peer) else { return };
        let is_there = up == Some(known.life) && !known.is_silent;
        if is_there != known.is_there {
            known.is_there = is_there;
            self.role.handle_peer(now, peer, is_there.then_some(known.life));
            let early = if is_there { self.peers.early.remove(&peer) } else { None };
            for message in early.into_iter().flatten() {
                self.role.handle_message(now, peer, message);
            }
        }
    }

    fn note_silence(&mut self, now: Time, peer: Peer, life: Option<Incarnation>) {
        if let Some(known) = self.peers.known.get_mut(&peer) {
            known.is_silent = life != Some(known.life);
            self.judge(now, peer);
        }
    }

    /// When there is something to do at the latest.
    fn next_wake(&self, latest: Instant) -> Instant {
        let Some(at) = self.role.next_timeout() else { return latest };
        let wait = at.since(self.clock.now());
        latest.min(Instant::now() + wait.to_std())
    }

    fn told(&self, is_final: bool) -> RoleLine {
        let (mut more, mut faults) = self.work.counts();
        let (of_mesh, faults_of_mesh) = super::tallies::of_mesh(&self.mesh.counts());
        more.extend(of_mesh);
        faults.extend(faults_of_mesh);
        if self.unsent > 0 {
            faults.push(NamedCount { name: "messages to peers that were gone".into(), count: self.unsent });
        }
        RoleLine::ReadoutTold(Box::new(Told {
            counts: self.role.counts(),
            more,
            faults,
            files: self.work.files(),
            trouble: self.work.trouble(),
            is_done: self.role.is_done(),
            is_armed: self.peers.are_all_told && self.peers.known.values().all(|known| known.is_there),
            is_final,
        }))
    }
}
