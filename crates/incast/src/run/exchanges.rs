//! Exchanges of a run: the roles that ask and answer, and what the coordinator hears of them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use crossbeam_channel::{Receiver, RecvTimeoutError, unbounded};
use incast_core::exchange::assemble::Identity;
use incast_core::exchange::{AnswererAccount, AskerAccount};
use incast_core::scenario::{ExchangePlan, Scenario};
use incast_net::clock::Clock;
use incast_net::exchange::{self, AnswerPlan, AskNotice, AskPlan, Target, ask};
use incast_net::key::Key;

use super::lines::{AnswerAssignment, AskAssignment, RoleLine, RoleOrder};
use super::role::pass_on;
use super::telling::{ended, ended_with, tell};
use crate::ending::Ending;
use crate::measured::{ExchangeOutcome, HostWatch, thread_cpu};

/// How often a role says that it is alive.
const TELL_EVERY: Duration = Duration::from_millis(500);
const TICK: Duration = Duration::from_millis(20);
/// How long sessions may take to end once told to stop.
const END_MAX: Duration = Duration::from_secs(4);

/// Answers until told to stop.
pub(super) fn answer(plan: AnswerAssignment, orders: &Receiver<RoleOrder>) -> anyhow::Result<()> {
    let watch = HostWatch::start();
    let (notices, inbox) = unbounded();
    let server = exchange::listen(
        AnswerPlan {
            bind: plan.bind,
            host: plan.host,
            key: Key::parse(&plan.key).context("read the key of the assignment")?,
            open: false,
            spin: false,
            congestion: plan.congestion,
            core: plan.core,
            clock: Clock::start(),
            thread_cpu,
        },
        notices,
    )?;
    tell(&RoleLine::Listening { address: server.address() });
    let mut ending = Ending::new(&server, END_MAX);
    let mut told = Instant::now();
    loop {
        // Askers hear what was answered, and tell it.
        inbox.try_iter().for_each(drop);
        if orders.recv_timeout(TICK) == Ok(RoleOrder::Stop) {
            ending.begin();
        }
        alive(&mut told);
        if ending.is_over(false) {
            break;
        }
    }
    tell(&ended_with(&watch, server.faults(), None));
    Ok(())
}

/// Asks until done or told to stop.
pub(super) fn ask(plan: AskAssignment, orders: &Receiver<RoleOrder>) -> anyhow::Result<()> {
    let watch = HostWatch::start();
    let (notices, inbox) = unbounded();
    let (asker_orders, ordered) = unbounded();
    let exchange = plan.plan.name.clone();
    let plan = plan.into_plan()?;
    let worker = std::thread::Builder::new()
        .name("asker".into())
        .spawn(move || ask::run(&plan, &notices, &ordered))?;
    let mut told = Instant::now();
    loop {
        match inbox.recv_timeout(TICK) {
            Ok(AskNotice::Armed) => tell(&RoleLine::Armed),
            Ok(AskNotice::Started(_)) => tell(&RoleLine::Started { flow: exchange.clone() }),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        orders.try_iter().for_each(|order| pass_on(order, &asker_orders));
        alive(&mut told);
    }
    let outcome = worker.join().map_err(|_| anyhow::anyhow!("the asking thread panicked"))??;
    tell(&RoleLine::Asked {
        exchange,
        asked: Box::new(outcome.asked),
        told: outcome.told,
        failures: outcome.failures,
    });
    tell(&ended(&watch));
    Ok(())
}

/// Says that this role is alive, if it is time to.
fn alive(told: &mut Instant) {
    if told.elapsed() >= TELL_EVERY {
        *told = Instant::now();
        tell(&RoleLine::Progress { flows: Vec::new() });
    }
}

impl AskAssignment {
    fn into_plan(self) -> anyhow::Result<AskPlan> {
        let ExchangePlan { name, from, terms, asker, new_connections, asker_core, .. } = self.plan;
        let target = |(server, data)| Target { server, data };
        Ok(AskPlan {
            targets: self.targets.into_iter().map(target).collect(),
            host: from,
            exchange: name,
            spin: terms.spin,
            terms,
            asker,
            new_connections,
            key: Key::parse(&self.key).context("read the key of the assignment")?,
            hold: self.hold,
            core: asker_core,
            clock: Clock::start(),
            thread_cpu,
        })
    }
}

/// What was heard of the exchanges of a run.
#[derive(Default)]
pub(super) struct Exchanges(BTreeMap<String, Asked>);

/// The account of an asker, those of its answerers, and why they ended early, if they did.
type Asked = (AskerAccount, Vec<Option<AnswererAccount>>, Vec<String>);

impl Exchanges {
    /// Takes the account of an asker.
    pub(super) fn handle_asked(
        &mut self,
        exchange: String,
        asked: AskerAccount,
        told: Vec<Option<AnswererAccount>>,
        failures: Vec<String>,
    ) {
        self.0.insert(exchange, (asked, told, failures));
    }

    /// What became of every exchange. One without any account failed before it began.
    pub(super) fn outcomes(&mut self, scenario: &Scenario) -> Vec<ExchangeOutcome> {
        let outcome = |plan: &ExchangePlan| {
            let identity = Identity {
                name: plan.name.clone(),
                from: plan.from.clone(),
                to: plan.to.clone(),
                terms: plan.terms.clone(),
                plan: Some(plan.asker.clone()),
                new_connections: plan.new_connections,
            };
            match self.0.remove(&plan.name) {
                Some((asked, told, failures)) => {
                    ExchangeOutcome { identity, asked: Some(asked), told, failures }
                }
                None => ExchangeOutcome {
                    told: vec![None; plan.to.len()],
                    identity,
                    asked: None,
                    failures: vec!["its asker never gave its account".into()],
                },
            }
        };
        scenario.exchanges.iter().map(outcome).collect()
    }
}
