//! `incast serve`: receive, natively or plainly, until told to end.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, unbounded};
use incast_core::control::SendPlan;
use incast_core::load::{Load, Spacing, Stop};
use incast_core::raw::RawPlan;
use incast_core::record::ScenarioSummary;
use incast_core::time::Span;
use incast_net::clock::Clock;
use incast_net::conversation::{FlowNotice, FlowOutcome, Order};
use incast_net::iperf3;
use incast_net::plain::{self, PlainServerPlan, PlainSummary};
use incast_net::server::{Server, ServerPlan};

use crate::cli::ServeArgs;
use crate::ending::Ending;
use crate::endpoint::{host_name, key, resolve};
use crate::measured::{HostWatch, Measured, host_gauge, thread_cpu};
use crate::observe::Watch;
use crate::output::{deliver, note};
use crate::own_book::{self, OwnBook};
use crate::record_dir::RecordDir;
use crate::signals::Stops;

/// How often the stop flag is looked at.
const TICK: Duration = Duration::from_millis(50);
/// How long running sessions may take to end in good order.
const END_MAX: Duration = Duration::from_secs(10);

/// Serves, and prints the record at the end.
pub(crate) fn serve(args: &ServeArgs) -> anyhow::Result<ExitCode> {
    let stops = Stops::listen()?;
    let bind = resolve(&args.bind, args.port())?;
    let message_bytes = crate::cli::message_bytes(args.message, args.transport, args.plain)?;
    let watch = HostWatch::start();
    let mut book = OwnBook::open(args.trace.drop_trace)?;
    let dir = RecordDir::if_asked(&args.output, "serve", watch.started_unix_ns())?;
    let mut measured = if args.plain {
        serve_plain(args, bind, message_bytes, &watch, &stops)?
    } else if args.iperf3 {
        serve_iperf3(args, bind, &watch, &stops)?
    } else {
        serve_native(args, bind, &watch, &stops)?
    };
    measured.world = "serve";
    measured.started_unix_ns = watch.started_unix_ns();
    measured.scenario = ScenarioSummary {
        name: "serve".into(),
        seed: 0,
        command: Some(describe(args)),
        ..ScenarioSummary::default()
    };
    measured.cpu = watch.cpu();
    let (host, doubts) = watch.host(measured.cpu.as_ref(), &measured.outcomes);
    measured.host = host;
    measured.own_book = Some(book.close(&host_name(args.server.name.as_ref())));
    measured.caveats.extend(doubts);
    deliver(&measured.record(), &args.output, dir.as_ref())
}

fn describe(args: &ServeArgs) -> String {
    let plain = if args.plain {
        format!(" --plain --transport {} --message {}", args.transport.name(), args.message)
    } else if args.iperf3 {
        return format!("incast serve --bind {} --port {} --iperf3", args.bind, args.port());
    } else {
        String::new()
    };
    format!("incast serve --bind {} --port {}{plain} --barrier {}", args.bind, args.port(), args.barrier)
}

fn listening(args: &ServeArgs, address: SocketAddr) {
    let protocol = if args.plain {
        format!("plain {}, messages of {}", args.transport.name(), args.message)
    } else if args.iperf3 {
        "iperf3, TCP and UDP".into()
    } else {
        "TCP and UDP".into()
    };
    note(&format!("listening on {address} ({protocol}); Ctrl-C ends it"));
}

fn serve_native(
    args: &ServeArgs,
    bind: SocketAddr,
    watch: &HostWatch,
    stops: &Stops,
) -> anyhow::Result<Measured> {
    let plan = ServerPlan {
        bind,
        host: host_name(args.server.name.as_ref()),
        key: key(args.server.key_file.as_deref())?,
        open: args.server.open,
        barrier: args.barrier,
        receive_buffer: args.receive_buffer,
        receive_batch: None,
        spin: args.spin,
        core: args.server.core,
        clock: Clock::start(),
        run_start_unix_ns: watch.started_unix_ns(),
        thread_cpu,
        read_host: own_book::read,
        host_gauge,
    };
    let (notices, inbox) = unbounded();
    let server = Server::start(plan, notices)?;
    listening(args, server.listening().address());
    let group = usize::try_from(args.barrier)?;
    let mut flows = Watch::new(None);
    let mut ending = Ending::new(server.listening(), END_MAX);
    loop {
        match inbox.recv_timeout(TICK) {
            Ok(notice) => tell(flows.handle(notice)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        flows.draw();
        let finished = args.once && flows.sessions_over() >= group;
        if stops.count() > 0 || finished {
            ending.begin();
        }
        if inbox.is_empty() && ending.is_over(stops.count() > 1) {
            break;
        }
    }
    let measured = Measured {
        faults: server.listening().faults(),
        socket_drops: server.socket_drops(),
        ..Measured::default()
    };
    drop(server);
    Ok(Measured { outcomes: flows.into_outcomes(), ..measured })
}

/// Serves stock clients of iperf3.
fn serve_iperf3(
    args: &ServeArgs,
    bind: SocketAddr,
    watch: &HostWatch,
    stops: &Stops,
) -> anyhow::Result<Measured> {
    let plan = iperf3::ServerPlan {
        bind,
        host: host_name(args.server.name.as_ref()),
        open: args.server.open,
        receive_buffer: args.receive_buffer,
        spin: args.spin,
        core: args.server.core,
        interval: args.interval,
        clock: Clock::start(),
        run_start_unix_ns: watch.started_unix_ns(),
        thread_cpu,
    };
    let (notices, inbox) = unbounded();
    let server = iperf3::listen(plan, notices)?;
    listening(args, server.address());
    let mut flows = Watch::new(None);
    let mut ending = Ending::new(&server, END_MAX);
    loop {
        match inbox.recv_timeout(TICK) {
            Ok(FlowNotice::SessionOver { peer, flows: 0, failure: Some(why) }) => {
                note(&format!("iperf3 {peer}: no test: {why}"));
            }
            Ok(notice) => tell(flows.handle(notice)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        flows.draw();
        // One that has begun is let finish, unless somebody is in a hurry.
        let finished = args.once && flows.sessions_over() > 0 && server.sessions() == 0;
        if stops.count() > 0 || finished {
            ending.begin();
        }
        if inbox.is_empty() && ending.is_over(stops.count() > 1) {
            break;
        }
    }
    let faults = server.faults();
    drop(server);
    Ok(Measured { outcomes: flows.into_outcomes(), faults, ..Measured::default() })
}

fn serve_plain(
    args: &ServeArgs,
    bind: SocketAddr,
    message_bytes: u32,
    watch: &HostWatch,
    stops: &Stops,
) -> anyhow::Result<Measured> {
    let plan = PlainServerPlan {
        bind,
        host: host_name(args.server.name.as_ref()),
        send: plain_plan(args, message_bytes),
        receive_buffer: args.receive_buffer,
        spin: args.spin,
        core: args.server.core,
        once: args.once,
        clock: Clock::start(),
        run_start_unix_ns: watch.started_unix_ns(),
        thread_cpu,
    };
    let (notices, inbox) = unbounded::<FlowNotice>();
    let (orders, ordered) = unbounded();
    let (opened, open) = unbounded();
    let server = std::thread::Builder::new().name("plain server".into()).spawn(move || {
        plain::serve(&plan, &notices, &ordered, |address| {
            let _ = opened.send(address);
        })
    })?;
    if let Ok(address) = open.recv() {
        listening(args, address);
    }
    let mut flows = Watch::new(None);
    let mut told = false;
    loop {
        match inbox.recv_timeout(TICK) {
            Ok(notice) => tell(flows.handle(notice)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        flows.draw();
        if !told && stops.count() > 0 {
            told = true;
            let _ = orders.send(Order::Stop);
        }
    }
    let summary: PlainSummary =
        server.join().map_err(|_| anyhow::anyhow!("the server's thread panicked"))??;
    Ok(Measured {
        outcomes: flows.into_outcomes(),
        faults: summary.faults,
        socket_drops: summary.socket_drops,
        ..Measured::default()
    })
}

/// What a plain server needs to know of the messages; the rest of a plan is the sender's.
fn plain_plan(args: &ServeArgs, message_bytes: u32) -> SendPlan {
    SendPlan {
        transport: args.transport,
        message_bytes,
        streams: 1,
        load: Load::Unlimited,
        spacing: Spacing::Fixed,
        stop: Stop::default(),
        start_after: Span::ZERO,
        interval: args.interval,
        seed: 0,
        spin: false,
        send_buffer: None,
        congestion: None,
        no_delay: false,
        dscp: None,
        segments_max: None,
        send_batch: None,
        raw: RawPlan::default(),
        probe: None,
    }
}

/// One line for each flow that ends, for people who watch a server.
fn tell(outcome: Option<FlowOutcome>) {
    if let Some(outcome) = outcome {
        let failure = outcome.failure.map(|why| format!(" ({why})")).unwrap_or_default();
        note(&format!(
            "{}: {} -> {} is over{failure}",
            outcome.identity.name, outcome.identity.from, outcome.identity.to
        ));
    }
}
