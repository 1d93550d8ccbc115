//! `incast flood`: send to a server, natively or plainly, and be told what arrived.

use std::process::ExitCode;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use incast_core::control::SendPlan;
use incast_core::record::ScenarioSummary;
use incast_core::time::Span;
use incast_net::client::{self, ClientPlan};
use incast_net::clock::Clock;
use incast_net::conversation::{FlowNotice, FlowOutcome, Order};
use incast_net::iperf3;
use incast_net::plain::{self, PlainClientPlan};

use crate::cli::FloodArgs;
use crate::endpoint::{PORT_DEFAULT, host_name, key, resolve};
use crate::measured::{HostWatch, Measured, host_gauge, thread_cpu};
use crate::observe::Watch;
use crate::output::{deliver, note};
use crate::own_book::{self, OwnBook};
use crate::record_dir::RecordDir;
use crate::signals::Stops;

/// How often the stop flag is looked at.
const TICK: Duration = Duration::from_millis(50);

/// Floods, and prints the record at the end.
pub(crate) fn flood(args: &FloodArgs) -> anyhow::Result<ExitCode> {
    let stops = Stops::listen()?;
    let plan = args.plan()?;
    let port = if args.iperf3 { incast_core::iperf3::PORT } else { PORT_DEFAULT };
    let server = resolve(&args.server, port)?;
    let watch = HostWatch::start();
    let mut book = OwnBook::open(args.trace.drop_trace)?;
    let dir = RecordDir::if_asked(&args.output, "flood", watch.started_unix_ns())?;
    let command = describe(args, &plan, &server.to_string());
    note(&command);
    let (notices, inbox) = unbounded();
    let (orders, ordered) = unbounded();
    let worker = start(args, plan.clone(), server, watch.started_unix_ns(), notices, ordered)?;
    let mut flows = Watch::new(plan.stop.after.map(Span::as_s_f64));
    let mut told = 0;
    loop {
        match inbox.recv_timeout(TICK) {
            Ok(notice) => {
                flows.handle(notice);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        flows.draw();
        if stops.count() > 1 {
            anyhow::bail!("stopped at once; nothing is known of what was sent");
        }
        if stops.count() > told {
            told = stops.count();
            let _ = orders.send(Order::Stop);
        }
    }
    drop(flows);
    let outcomes = worker.join().map_err(|_| anyhow::anyhow!("the sending thread panicked"))??;
    let cpu = watch.cpu();
    let (host, caveats) = watch.host(cpu.as_ref(), &outcomes);
    let measured = Measured {
        world: "flood",
        scenario: ScenarioSummary {
            name: "flood".into(),
            seed: args.seed,
            command: Some(command),
            ..ScenarioSummary::default()
        },
        started_unix_ns: watch.started_unix_ns(),
        cpu,
        outcomes,
        host,
        own_book: Some(book.close(&host_name(args.client.name.as_ref()))),
        caveats,
        interrupted: told > 0,
        ..Measured::default()
    };
    deliver(&measured.record(), &args.output, dir.as_ref())
}

type Worker = std::thread::JoinHandle<anyhow::Result<Vec<FlowOutcome>>>;

fn start(
    args: &FloodArgs,
    send: SendPlan,
    server: std::net::SocketAddr,
    run_start_unix_ns: u64,
    notices: Sender<FlowNotice>,
    ordered: Receiver<Order>,
) -> anyhow::Result<Worker> {
    let host = host_name(args.client.name.as_ref());
    let clock = Clock::start();
    // Flows of many senders meet in one record at the server: the sender's name tells them apart.
    let flow = host.clone();
    let builder = std::thread::Builder::new().name("client".into());
    if args.plain {
        let plan = PlainClientPlan {
            server,
            host,
            flow,
            send,
            core: args.core,
            clock,
            run_start_unix_ns,
            thread_cpu,
        };
        return Ok(builder.spawn(move || Ok(vec![plain::flood(&plan, &notices, &ordered)?]))?);
    }
    if args.iperf3 {
        let plan = iperf3::ClientPlan {
            server,
            host,
            flow,
            send,
            reverse: args.reverse,
            receive_buffer: args.receive_buffer,
            core: args.core,
            clock,
            run_start_unix_ns,
            thread_cpu,
        };
        return Ok(builder.spawn(move || Ok(vec![iperf3::flood(&plan, &notices, &ordered)?]))?);
    }
    let plan = ClientPlan {
        server,
        data: None,
        host,
        flow,
        direction: args.direction(),
        send,
        key: key(args.client.key_file.as_deref())?,
        hold: false,
        receive_buffer: args.receive_buffer,
        spin: args.spin,
        core: args.core,
        clock,
        run_start_unix_ns,
        thread_cpu,
        read_host: own_book::read,
        host_gauge,
    };
    Ok(builder.spawn(move || Ok(client::run(&plan, &notices, &ordered)?))?)
}

/// The effective settings, as they are printed before the run.
fn describe(args: &FloodArgs, plan: &SendPlan, server: &str) -> String {
    let end = match (plan.stop.after, plan.stop.messages) {
        (Some(after), Some(messages)) => format!("{after} or {messages} messages"),
        (Some(after), None) => after.to_string(),
        (None, Some(messages)) => format!("{messages} messages"),
        (None, None) => "no end".into(),
    };
    let protocol = match (args.plain, args.iperf3) {
        (true, _) => "plain ",
        (_, true) => "iperf3's ",
        _ => "",
    };
    format!(
        "flood {server} over {protocol}{}: messages of {} B, load {}, spacing {}, {} stream(s), {end}",
        plan.transport.name(),
        plan.message_bytes,
        plan.load,
        plan.spacing,
        plan.streams
    )
}
