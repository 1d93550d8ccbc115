//! `incast answer`: answer whoever asks, until told to end.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use crossbeam_channel::{RecvTimeoutError, unbounded};
use incast_core::exchange::assemble::Identity;
use incast_core::record::ScenarioSummary;
use incast_net::clock::Clock;
use incast_net::exchange::{AnswerNotice, AnswerOutcome, AnswerPlan, AnswerServer};

use crate::cli::AnswerArgs;
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
    let dir = args
        .output
        .out
        .as_ref()
        .map(|out| RecordDir::create(out, "answer", watch.started_unix_ns()))
        .transpose()?;
    let host = host_name(args.name.as_ref());
    let plan = AnswerPlan {
        bind,
        host: host.clone(),
        key: key(args.key_file.as_deref())?,
        open: args.open,
        spin: args.spin,
        congestion: args.congestion.clone(),
        core: args.core,
        clock: Clock::start(),
        thread_cpu,
    };
    let (notices, inbox) = unbounded();
    let server = AnswerServer::start(plan, notices)?;
    note(&format!("listening on {} (TCP; UDP on ports of its own); Ctrl-C ends it", server.address()));
    let mut exchanges = Vec::new();
    let (mut over, mut stopping) = (0, None::<Instant>);
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
        if stopping.is_none() && (stops.count() > 0 || finished) {
            server.stop();
            stopping = Some(Instant::now());
        }
        let patience_over = stopping.is_some_and(|since| since.elapsed() > END_MAX) || stops.count() > 1;
        if stopping.is_some() && inbox.is_empty() && (server.sessions() == 0 || patience_over) {
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
