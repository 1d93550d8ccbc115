//! One role of a run, in a process of its own: a receiver, the sender of one flow, or a lab's link.
//!
//! The coordinator talks to it in lines of JSON: the assignment and orders on standard input, what
//! happens on standard output. When standard input ends, the coordinator is gone and so is the
//! role; on Linux the kernel sees to it even if the role is stuck.

use std::io::BufRead as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use incast_net::client::{self, ClientPlan};
use incast_net::clock::Clock;
use incast_net::conversation::{FlowNotice, FlowOutcome, Order};
use incast_net::key::Key;
use incast_net::live::LiveFlow;
use incast_net::server::{Server, ServerPlan};

use super::lines::{Assignment, Counts, Part, RoleLine, RoleOrder};
use super::telling::{ended, ended_with, tell};
use super::{exchanges, tagged};
use crate::ending::Ending;
use crate::measured::{HostWatch, host_gauge, thread_cpu};
use crate::own_book;

/// How often a role tells how far it is, and so that it is alive.
const TELL_EVERY: Duration = Duration::from_millis(500);
const TICK: Duration = Duration::from_millis(50);
/// How long running sessions may take to end once told to stop.
const END_MAX: Duration = Duration::from_secs(8);

/// Plays the role that standard input assigns.
pub(crate) fn play() -> anyhow::Result<ExitCode> {
    // Whoever started us holds our standard input; if he dies, so do we.
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    let mut first = String::new();
    std::io::stdin().lock().read_line(&mut first).context("read the assignment from standard input")?;
    if first.trim().is_empty() {
        anyhow::bail!("no assignment came on standard input; `incast run` starts roles, people do not");
    }
    let assignment: Assignment = serde_json::from_str(&first).context("read the assignment")?;
    if let Some(namespace) = &assignment.namespace {
        // Before any thread is started: all of them are to be there.
        incast_lab::namespace::enter_path(namespace)
            .with_context(|| format!("enter the network namespace {}", namespace.display()))?;
    }
    let orders = listen()?;
    let played = match assignment.part {
        Part::Receive(plan) => receive(plan.into_plan()?, &orders),
        Part::Send(plan) => send(plan.into_plan()?, &orders),
        Part::Link(plan) => crate::lab::link::carry(&plan, &orders),
        Part::Echo(plan) => tagged::echo(&plan, &orders),
        Part::Tag(plan) => tagged::tag(&plan, &orders),
        Part::Answer(plan) => exchanges::answer(plan, &orders),
        Part::Ask(plan) => exchanges::ask(*plan, &orders),
        Part::Readout(plan) => crate::readout::role::play(*plan, &orders),
        Part::Check(plan) => crate::host::check::tell_check(&plan),
    };
    if let Err(error) = &played {
        tell(&RoleLine::Failed { reason: format!("{error:#}") });
        return Ok(ExitCode::from(2));
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads orders until standard input ends, which ends the process.
fn listen() -> anyhow::Result<Receiver<RoleOrder>> {
    let (orders, ordered) = unbounded();
    std::thread::Builder::new().name("orders".into()).spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { break };
            if let Ok(order) = serde_json::from_str(&line)
                && orders.send(order).is_err()
            {
                return;
            }
        }
        // The coordinator is gone, and with it whoever would read our account.
        std::process::exit(2);
    })?;
    Ok(ordered)
}

/// The flows of this role, as far as the coordinator wants to know.
#[derive(Default)]
struct Told {
    live: Vec<(u64, String, LiveFlow)>,
}

impl Told {
    fn handle(&mut self, notice: FlowNotice) {
        match notice {
            FlowNotice::Armed => tell(&RoleLine::Armed),
            FlowNotice::Started { id, identity, live } => {
                self.live.push((id, identity.name.clone(), live));
                tell(&RoleLine::Started { flow: identity.name });
            }
            FlowNotice::Done { id, outcome } => {
                self.progress();
                self.live.retain(|(other, _, _)| *other != id);
                tell(&done(*outcome));
            }
            FlowNotice::SessionOver { peer, failure, .. } => tell(&RoleLine::SessionOver { peer, failure }),
        }
    }

    fn progress(&self) {
        let flows =
            self.live.iter().map(|(_, name, live)| (name.clone(), Counts::from(live.read()))).collect();
        tell(&RoleLine::Progress { flows });
    }
}

fn done(outcome: FlowOutcome) -> RoleLine {
    RoleLine::Done {
        flow: outcome.identity.name,
        sent: outcome.sent.map(Box::new),
        measured: outcome.measured.map(Box::new),
        failure: outcome.failure,
    }
}

fn receive(plan: ServerPlan, orders: &Receiver<RoleOrder>) -> anyhow::Result<()> {
    let watch = HostWatch::start();
    let (notices, inbox) = unbounded();
    let server = Server::start(plan, notices)?;
    tell(&RoleLine::Listening { address: server.listening().address() });
    let mut told = Told::default();
    let mut ending = Ending::new(server.listening(), END_MAX);
    let mut last_told = Instant::now();
    loop {
        match inbox.recv_timeout(TICK) {
            Ok(notice) => told.handle(notice),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if orders.try_iter().any(|order| order == RoleOrder::Stop) {
            ending.begin();
        }
        if last_told.elapsed() >= TELL_EVERY {
            last_told = Instant::now();
            told.progress();
        }
        if inbox.is_empty() && ending.is_over(false) {
            break;
        }
    }
    tell(&ended_with(&watch, server.listening().faults(), server.socket_drops()));
    Ok(())
}

fn send(plan: ClientPlan, orders: &Receiver<RoleOrder>) -> anyhow::Result<()> {
    let watch = HostWatch::start();
    let (notices, inbox) = unbounded();
    let (client_orders, ordered) = unbounded();
    let worker = std::thread::Builder::new()
        .name("client".into())
        .spawn(move || client::run(&plan, &notices, &ordered))?;
    let mut told = Told::default();
    let mut last_told = Instant::now();
    loop {
        match inbox.recv_timeout(TICK) {
            Ok(notice) => told.handle(notice),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        orders.try_iter().for_each(|order| pass_on(order, &client_orders));
        if last_told.elapsed() >= TELL_EVERY {
            last_told = Instant::now();
            told.progress();
        }
    }
    let outcomes = worker.join().map_err(|_| anyhow::anyhow!("the sending thread panicked"))??;
    told.progress();
    outcomes.into_iter().for_each(|outcome| tell(&done(outcome)));
    tell(&ended(&watch));
    Ok(())
}

pub(super) fn pass_on(order: RoleOrder, client: &Sender<Order>) {
    let order = match order {
        RoleOrder::Start => Order::Start,
        RoleOrder::Stop => Order::Stop,
        // The others are for a readout.
        _ => return,
    };
    let _ = client.send(order);
}

impl super::lines::ReceiveAssignment {
    fn into_plan(self) -> anyhow::Result<ServerPlan> {
        Ok(ServerPlan {
            bind: self.bind,
            host: self.host,
            key: Key::parse(&self.key).context("read the key of the assignment")?,
            open: false,
            barrier: 1,
            receive_buffer: self.receive_buffer,
            receive_batch: self.receive_batch,
            spin: self.spin,
            core: self.core,
            clock: Clock::start(),
            run_start_unix_ns: self.run_start_unix_ns,
            thread_cpu,
            read_host: own_book::read,
            host_gauge,
        })
    }
}

impl super::lines::SendAssignment {
    fn into_plan(self) -> anyhow::Result<ClientPlan> {
        Ok(ClientPlan {
            server: self.server,
            data: self.data,
            host: self.host,
            flow: self.flow,
            direction: incast_core::load::Direction::Forward,
            send: self.send,
            key: Key::parse(&self.key).context("read the key of the assignment")?,
            hold: self.hold,
            receive_buffer: None,
            spin: false,
            core: self.core,
            clock: Clock::start(),
            run_start_unix_ns: self.run_start_unix_ns,
            thread_cpu,
            read_host: own_book::read,
            host_gauge,
        })
    }
}
