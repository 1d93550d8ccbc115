//! `incast probe`: paced messages at many sizes and gaps to a plain server, timed by both ends.

use std::process::ExitCode;
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, unbounded};
use incast_core::control::SendPlan;
use incast_core::load::{Direction, Spacing};
use incast_core::probe::sweep::LEAD;
use incast_core::probe::{ProbeStream, ProbeSweep, SweepPoint};
use incast_core::raw::RawPlan;
use incast_core::record::ScenarioSummary;
use incast_core::time::Span;
use incast_net::client::{self, ClientPlan};
use incast_net::clock::Clock;
use incast_net::conversation::Order;
use incast_net::key::Key;

use crate::cli::ProbeArgs;
use crate::drop_trace::Wish;
use crate::endpoint::{PORT_DEFAULT, host_name, key, resolve};
use crate::measured::{HostWatch, Measured, host_gauge, thread_cpu};
use crate::output::{deliver, note};
use crate::own_book::{self, OwnBook};
use crate::probe;
use crate::record_dir::RecordDir;
use crate::signals::Stops;

/// How often the stop flag is looked at.
const TICK: Duration = Duration::from_millis(50);

/// Probes, and prints the record at the end.
pub(crate) fn probe(args: &ProbeArgs) -> anyhow::Result<ExitCode> {
    let stops = Stops::listen()?;
    let sweep = args.sweep()?;
    let server = resolve(&args.server, PORT_DEFAULT)?;
    let command = format!("probe {server} over udp: {}", probe::describe(&sweep));
    note(&command);
    let started_unix_ns = incast_net::clock::unix_ns();
    let dir = RecordDir::if_asked(&args.output, "probe", started_unix_ns)?;
    let client = Client {
        args,
        sweep: &sweep,
        server,
        key: key(args.client.key_file.as_deref())?,
        stops: &stops,
        command,
    };
    let name = host_name(args.client.name.as_ref());
    let record = probe::sweep(&sweep, &name, &[], &stops, |point, drift_ppb| client.play(point, drift_ppb))?;
    if let Some(path) = &args.csv {
        probe::write_points(&record, path)?;
    }
    if let Some(dir) = &dir {
        probe::write_points(&record, &dir.path().join(probe::POINTS))?;
    }
    deliver(&record, &args.output, dir.as_ref())
}

/// What is the same for every point.
struct Client<'a> {
    args: &'a ProbeArgs,
    sweep: &'a ProbeSweep,
    server: std::net::SocketAddr,
    key: Key,
    stops: &'a Stops,
    command: String,
}

impl Client<'_> {
    /// Plays one point, as a session of its own.
    fn play(&self, point: &SweepPoint, drift_ppb: i64) -> anyhow::Result<Measured> {
        let watch = HostWatch::start();
        // Points are many and short: the counters tell enough, and cost nothing meanwhile.
        let mut book = OwnBook::open(Wish::Off)?;
        let plan = self.plan(point, drift_ppb, watch.started_unix_ns());
        let (notices, inbox) = unbounded();
        let (orders, ordered) = unbounded();
        let worker = std::thread::Builder::new()
            .name("client".into())
            .spawn(move || client::run(&plan, &notices, &ordered))?;
        let mut told = 0;
        while !matches!(inbox.recv_timeout(TICK), Err(RecvTimeoutError::Disconnected)) {
            if self.stops.count() > 1 {
                anyhow::bail!("stopped at once; nothing is known of what was sent");
            }
            if self.stops.count() > told {
                told = self.stops.count();
                let _ = orders.send(Order::Stop);
            }
        }
        let outcomes = worker.join().map_err(|_| anyhow::anyhow!("the sending thread panicked"))??;
        let cpu = watch.cpu();
        let (host, caveats) = watch.host(cpu.as_ref(), &outcomes);
        Ok(Measured {
            world: "probe",
            scenario: ScenarioSummary {
                name: "probe".into(),
                seed: self.args.seed,
                command: Some(self.command.clone()),
                ..ScenarioSummary::default()
            },
            started_unix_ns: watch.started_unix_ns(),
            cpu,
            outcomes,
            host,
            own_book: Some(book.close(&host_name(self.args.client.name.as_ref()))),
            caveats,
            interrupted: told > 0,
            ..Measured::default()
        })
    }

    fn plan(&self, point: &SweepPoint, drift_ppb: i64, run_start_unix_ns: u64) -> ClientPlan {
        let args = self.args;
        let host = host_name(args.client.name.as_ref());
        let send = SendPlan {
            transport: args.transport,
            message_bytes: point.message_bytes,
            streams: 1,
            load: point.load(),
            spacing: Spacing::Fixed,
            stop: self.sweep.stop(point),
            start_after: LEAD,
            interval: Span::from_s(1),
            seed: args.seed,
            spin: !args.sleep,
            send_buffer: None,
            congestion: None,
            no_delay: false,
            dscp: None,
            segments_max: Some(1),
            send_batch: None,
            raw: RawPlan::default(),
            probe: Some(ProbeStream { warm_up_messages: self.sweep.warm_up_messages, drift_ppb }),
        };
        ClientPlan {
            server: self.server,
            data: None,
            flow: host.clone(),
            host,
            direction: Direction::Forward,
            send,
            key: self.key.clone(),
            hold: false,
            receive_buffer: None,
            spin: false,
            core: args.core,
            clock: Clock::start(),
            run_start_unix_ns,
            thread_cpu,
            read_host: own_book::read,
            host_gauge,
        }
    }
}
