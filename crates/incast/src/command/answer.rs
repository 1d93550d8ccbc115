//! `incast answer`: answer whoever asks, until told to end.

use std::process::ExitCode;
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, unbounded};
use incast_core::exchange::assemble::Identity;
use incast_core::record::ScenarioSummary;
use incast_net::clock::Clock;
use incast_net::exchange::{self, AnswerNotice, AnswerOutcome, AnswerPlan};

use crate::cli::AnswerArgs;
use crate::ending::Ending;
use crate::endpoint::{host_name, key, resolve};
use crate::measured::{ExchangeOutcome, HostWatch, Measured, thread_cpu};
use crate::output::{deliver, note};
use crate::record_dir::RecordDir;
use crate::signals::Stops;

/// How often the stop flag is looked at.
const TICK: Duration = Duration::from_millis(50);
/// How long running sessions may take to end.
const END_MAX: Duration = Duration::from_secs(5);
/// Most askers that are kept for the record; all are answered.
const KEPT_MAX: usize = 4_096;

/// Answers, and prints the record at the end.
pub(crate) fn answer(args: &AnswerArgs) -> anyhow::Result<ExitCode> {
    let stops = Stops::listen()?;
    let bind = resolve(&args.bind, args.port)?;
    let watch = HostWatch::start();
    let dir = RecordDir::if_asked(&args.output, "answer", watch.started_unix_ns())?;
    let host = host_name(args.server.name.as_ref());
    let plan = AnswerPlan {
        bind,
        host: host.clone(),
        key: key(args.server.key_file.as_deref())?,
        open: args.server.open,
        spin: args.spin,
        congestion: args.congestion.clone(),
        core: args.server.core,
        clock: Clock::start(),
        thread_cpu,
    };
    let (notices, inbox) = unbounded();
    let server = exchange::listen(plan, notices)?;
    note(&format!("listening on {} (TCP; UDP on ports of its own); Ctrl-C ends it", server.address()));
    let mut exchanges = Vec::new();
    let mut over = 0;
    let mut ending = Ending::new(&server, END_MAX);
    loop {
        match inbox.recv_timeout(TICK) {
            Ok(AnswerNotice::Began { from, name }) => note(&format!("{name}: {from} asks")),
            Ok(AnswerNotice::Over(Some(outcome))) => {
                tell(&outcome);
                over += 1;
                if exchanges.len() < KEPT_MAX {
                    exchanges.push(exchange(&host, *outcome));
                }
            }
            Ok(AnswerNotice::Over(None)) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        let finished = args.once.is_some_and(|askers| over >= askers);
        if stops.count() > 0 || finished {
            ending.begin();
        }
        if inbox.is_empty() && ending.is_over(stops.count() > 1) {
            break;
        }
    }
    let faults = server.faults();
    drop(server);
    let cpu = watch.cpu();
    let (host, caveats) = watch.host(cpu.as_ref(), &[]);
    let command = format!("incast answer --bind {} --port {}", args.bind, args.port);
    let measured = Measured {
        world: "answer",
        scenario: ScenarioSummary {
            name: "answer".into(),
            command: Some(command),
            ..ScenarioSummary::default()
        },
        started_unix_ns: watch.started_unix_ns(),
        cpu,
        exchanges,
        faults,
        host,
        caveats,
        ..Measured::default()
    };
    deliver(&measured.record(), &args.output, dir.as_ref())
}

/// One line for each asker that is done with.
fn tell(outcome: &AnswerOutcome) {
    let failure = outcome.failure.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
    let (name, from, responses) = (&outcome.name, &outcome.from, outcome.account.responses);
    note(&format!("{name}: {from} is done, {responses} responses{failure}"));
}

fn exchange(host: &str, outcome: AnswerOutcome) -> ExchangeOutcome {
    let identity = Identity {
        name: outcome.name,
        from: outcome.from,
        to: vec![host.to_owned()],
        new_connections: outcome.account.connections > 1,
        terms: outcome.terms,
        plan: None,
    };
    ExchangeOutcome {
        identity,
        asked: None,
        told: vec![Some(outcome.account)],
        failures: outcome.failure.into_iter().collect(),
    }
}
