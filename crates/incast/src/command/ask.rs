//! `incast ask`: ask answerers in rounds, and be told how long each answer took.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, unbounded};
use incast_core::exchange::assemble::Identity;
use incast_core::load::Load;
use incast_core::record::ScenarioSummary;
use incast_core::time::Span;
use incast_net::clock::Clock;
use incast_net::conversation::Order;
use incast_net::exchange::ask::{self, Progress};
use incast_net::exchange::{AskNotice, AskOutcome, AskPlan, Target};
use incast_net::live::LiveCounts;

use crate::cli::AskArgs;
use crate::endpoint::{ANSWER_PORT_DEFAULT, host_name, key, resolve};
use crate::measured::{ExchangeOutcome, HostWatch, Measured, thread_cpu};
use crate::observe::ProgressLine;
use crate::output::{deliver, note};
use crate::record_dir::RecordDir;
use crate::signals::Stops;

/// How often the stop flag is looked at.
const TICK: Duration = Duration::from_millis(50);

/// Asks, and prints the record at the end.
pub(crate) fn ask(args: &AskArgs) -> anyhow::Result<ExitCode> {
    let stops = Stops::listen()?;
    let plan = plan(args)?;
    let watch = HostWatch::start();
    let dir = RecordDir::if_asked(&args.output, "ask", watch.started_unix_ns())?;
    let command = describe(&plan);
    note(&command);
    let (notices, inbox) = unbounded();
    let (orders, ordered) = unbounded();
    let worker = std::thread::Builder::new().name("asker".into()).spawn({
        let plan = plan.clone();
        move || ask::run(&plan, &notices, &ordered)
    })?;
    let mut line = ProgressLine::new(plan.asker.stop.after.map(Span::as_s_f64));
    let mut progress: Option<Arc<Progress>> = None;
    let mut told = 0;
    loop {
        match inbox.recv_timeout(TICK) {
            Ok(AskNotice::Started(started)) => progress = Some(started),
            Ok(AskNotice::Armed) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if let Some(progress) = &progress {
            draw(&mut line, progress, plan.terms.response_bytes);
        }
        if worker.is_finished() {
            break;
        }
        if stops.count() > 1 {
            anyhow::bail!("stopped at once; nothing is known of what was asked");
        }
        if stops.count() > told {
            told = stops.count();
            let _ = orders.send(Order::Stop);
        }
    }
    drop(line);
    let outcome = worker.join().map_err(|_| anyhow::anyhow!("the asking thread panicked"))??;
    let cpu = watch.cpu();
    let (host, caveats) = watch.host(cpu.as_ref(), &[]);
    let measured = Measured {
        world: "ask",
        scenario: ScenarioSummary {
            name: "ask".into(),
            seed: args.seed,
            command: Some(command),
            ..ScenarioSummary::default()
        },
        started_unix_ns: watch.started_unix_ns(),
        cpu,
        exchanges: vec![exchange(args, &plan, outcome)],
        host,
        caveats,
        interrupted: told > 0,
        ..Measured::default()
    };
    deliver(&measured.record(), &args.output, dir.as_ref())
}

/// What became of it, for the record.
fn exchange(args: &AskArgs, plan: &AskPlan, outcome: AskOutcome) -> ExchangeOutcome {
    let identity = Identity {
        name: plan.exchange.clone(),
        from: plan.host.clone(),
        to: names(&args.servers, &outcome.names),
        terms: plan.terms.clone(),
        plan: Some(plan.asker.clone()),
        new_connections: plan.new_connections,
    };
    let AskOutcome { asked, told, failures, .. } = outcome;
    ExchangeOutcome { identity, asked: Some(asked), told, failures }
}

fn plan(args: &AskArgs) -> anyhow::Result<AskPlan> {
    let mut targets = Vec::new();
    for server in &args.servers {
        targets.push(Target { server: resolve(server, ANSWER_PORT_DEFAULT)?, data: None });
    }
    let host = host_name(args.client.name.as_ref());
    Ok(AskPlan {
        targets,
        // Exchanges of many askers meet in one record at the answerer: the asker's name tells them apart.
        exchange: host.clone(),
        host,
        terms: args.terms()?,
        asker: args.plan()?,
        new_connections: args.new_connections,
        key: key(args.client.key_file.as_deref())?,
        hold: false,
        spin: args.spin,
        core: args.core,
        clock: Clock::start(),
        thread_cpu,
    })
}

/// Answerers by the names that they give themselves; by those of the command line if that tells them apart.
fn names(servers: &[String], own: &[String]) -> Vec<String> {
    let is_unique = own.iter().enumerate().all(|(index, name)| !own[..index].contains(name));
    if is_unique { own.to_vec() } else { servers.to_vec() }
}

fn draw(line: &mut ProgressLine, progress: &Progress, response_bytes: u32) {
    let (rounds, answers) = (progress.rounds.load(Relaxed), progress.answers.load(Relaxed));
    let counts = LiveCounts { sent: rounds, received: answers, unique: answers, ..LiveCounts::default() };
    line.draw(1, 0, counts, answers.saturating_mul(response_bytes.into()));
}

/// The effective settings, as they are printed before the run.
fn describe(plan: &AskPlan) -> String {
    let asker = &plan.asker;
    let targets: Vec<String> = plan.targets.iter().take(4).map(|target| target.server.to_string()).collect();
    let more = match plan.targets.len().saturating_sub(targets.len()) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let end = match (asker.stop.after, asker.stop.messages) {
        (Some(after), Some(count)) => format!("{after} or {count} rounds"),
        (Some(after), None) => after.to_string(),
        (None, Some(count)) => format!("{count} rounds"),
        (None, None) => "no end".into(),
    };
    let terms = &plan.terms;
    let mut parts = vec![
        format!("{} B for {} B", terms.request_bytes, terms.response_bytes),
        format!("{} outstanding", asker.outstanding),
    ];
    match asker.load {
        Load::Unlimited => parts.extend((asker.think > Span::ZERO).then(|| format!("think {}", asker.think))),
        load => parts.push(format!("load {load}, spacing {}", asker.spacing)),
    }
    parts.extend((terms.service > Span::ZERO).then(|| format!("service {}", terms.service)));
    parts.extend(plan.new_connections.then(|| "a connection for each".to_owned()));
    parts.push(end);
    format!("ask {}{more} over {}: {}", targets.join(" "), terms.transport.name(), parts.join(", "))
}
