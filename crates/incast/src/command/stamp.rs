//! `incast stamp`: ask a reflector, once or for ever, and say what the path does.

use std::collections::VecDeque;
use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Context as _;
use incast_core::caveat::{Caveat, CaveatKind};
use incast_core::record::{Expectation, Record, ScenarioSummary, StampWindow, Verdict};
use incast_core::stamp::{Limits, report};
use incast_core::wire::stamp::PORT;
use incast_net::clock::unix_ns;
use incast_net::key::random_number;
use incast_net::stamp::{WatchPlan, Watching};

use crate::cli::StampArgs;
use crate::endpoint::{key, resolve};
use crate::measured::{HostWatch, Measured, rfc3339};
use crate::output::{deliver, exit_code, note};
use crate::record_dir::RecordDir;
use crate::signals::Stops;

/// Windows of a record: an hour of seconds, or ten hours of `--every 10s`.
const WINDOWS_MAX: usize = 3_600;
/// Lines between two headings.
const LINES_PER_HEADING: u64 = 20;

/// Asks, and prints the record at the end.
pub(crate) fn stamp(args: &StampArgs) -> anyhow::Result<ExitCode> {
    let stops = Stops::listen()?;
    let peer = resolve(&args.reflector, PORT)?;
    let ssid = 1 + u16::try_from(random_number()? % u64::from(u16::MAX))?;
    let sender = args.plan(key(args.key_file.as_deref())?.for_stamp(), ssid)?;
    let watch = HostWatch::start();
    let dir = RecordDir::if_asked(&args.output, "stamp", watch.started_unix_ns())?;
    let command = describe(args, &peer.to_string(), sender.packet_bytes);
    note(&command);
    let mut watching = Watching::open(&WatchPlan { peer, sender, dscp: args.dscp })?;
    let mut windows = Windows::new(args, &peer.to_string());
    let mut interrupted = false;
    while !watching.sender().is_done() {
        watching.turn().with_context(|| format!("ask {peer}"))?;
        windows.take(&mut watching)?;
        if stops.count() > 0 {
            // One that has no end of its own is ended so.
            interrupted |= args.every.is_none() || args.count.is_some() || args.duration.is_some();
            watching.sender_mut().stop();
        }
        if stops.count() > 1 {
            break;
        }
    }
    let now = watching.now();
    watching.sender_mut().finish(now);
    windows.take(&mut watching)?;
    let record = record(&watching, windows, &watch, command, interrupted);
    if args.every.is_some() && args.output.json {
        // The lines were for programs; the whole is in the file, for whoever asked for one.
        if let Some(path) = dir.map(|dir| dir.write(&record)).transpose()? {
            note(&format!("record: {}", path.display()));
        }
        return Ok(exit_code(record.verdict));
    }
    deliver(&record, &args.output, dir.as_ref())
}

fn describe(args: &StampArgs, peer: &str, packet_bytes: usize) -> String {
    let end = match (args.count, args.duration, args.every) {
        (Some(count), ..) => format!(" --count {count}"),
        (_, Some(duration), _) => format!(" --duration {duration}"),
        _ => String::new(),
    };
    let every = args.every.map(|every| format!(" --every {every}")).unwrap_or_default();
    let (gap, timeout) = (args.gap, args.timeout);
    format!("incast stamp {peer} --gap {gap} --timeout {timeout} --size {packet_bytes}B{end}{every}")
}

/// Windows as they are closed: told at once to whoever watches, and kept for the record.
struct Windows {
    limits: Limits,
    is_watched: bool,
    json: bool,
    reflector: String,
    kept: VecDeque<StampWindow>,
    left_out: u64,
    missed: u64,
    lines: u64,
    was_good: Option<bool>,
}

impl Windows {
    fn new(args: &StampArgs, reflector: &str) -> Self {
        Self {
            limits: args.limits(),
            is_watched: args.every.is_some(),
            json: args.output.json,
            reflector: reflector.to_owned(),
            kept: VecDeque::new(),
            left_out: 0,
            missed: 0,
            lines: 0,
            was_good: None,
        }
    }

    fn take(&mut self, watching: &mut Watching) -> anyhow::Result<()> {
        while let Some(figures) = watching.sender_mut().poll_window() {
            let window = report::window(&figures, &self.limits.judge(&figures));
            let is_good = window.missed.is_empty();
            self.missed += u64::from(!is_good);
            if self.is_watched {
                let state = state(self.was_good, &window);
                let told =
                    if self.json { self.json_line(&window, &state) } else { self.line(&window, &state) };
                told.context("write to standard output")?;
            }
            self.was_good = Some(is_good);
            if self.kept.len() == WINDOWS_MAX {
                self.kept.pop_front();
                self.left_out += 1;
            }
            self.kept.push_back(window);
        }
        Ok(())
    }

    fn line(&mut self, window: &StampWindow, state: &str) -> std::io::Result<()> {
        let mut out = anstream::stdout().lock();
        if self.lines.is_multiple_of(LINES_PER_HEADING) {
            writeln!(out, "{}", incast_view::terminal::stamp_heading())?;
        }
        self.lines += 1;
        let at = rfc3339(unix_ns()).unwrap_or_default();
        writeln!(out, "{}", incast_view::terminal::stamp_line(&at, window, state))?;
        out.flush()
    }

    fn json_line(&self, window: &StampWindow, state: &str) -> std::io::Result<()> {
        let mut object = serde_json::to_value(window)?;
        if let Some(fields) = object.as_object_mut() {
            fields.insert("at".into(), rfc3339(unix_ns()).into());
            fields.insert("reflector".into(), self.reflector.as_str().into());
            fields.insert("state".into(), state.into());
        }
        let mut out = std::io::stdout().lock();
        writeln!(out, "{object}")?;
        out.flush()
    }
}

/// How the path is, and how that has changed.
fn state(was_good: Option<bool>, window: &StampWindow) -> String {
    match (was_good, window.missed.is_empty()) {
        (Some(false), true) => "better".into(),
        (_, true) => "good".into(),
        (Some(false), false) => "bad".into(),
        (_, false) => "worse".into(),
    }
}

fn record(
    watching: &Watching,
    windows: Windows,
    watch: &HostWatch,
    command: String,
    interrupted: bool,
) -> Record {
    let sender = watching.sender();
    let account = sender.account();
    let cpu = watch.cpu();
    let (host, mut caveats) = watch.host(cpu.as_ref(), &[]);
    caveats.extend(sender.caveats());
    caveats.extend(failure(watching));
    let mut expectations = sender.expectations(&windows.limits);
    if windows.is_watched && windows.limits != Limits::default() {
        expectations.push(all_windows(windows.missed));
    }
    let measured = Measured {
        world: "stamp",
        scenario: ScenarioSummary {
            name: "stamp".into(),
            command: Some(command),
            ..ScenarioSummary::default()
        },
        started_unix_ns: watch.started_unix_ns(),
        cpu,
        host,
        caveats,
        interrupted,
        incomplete: account.sent > 0 && account.answered + account.late == 0,
        ..Measured::default()
    };
    let mut record = measured.record();
    let mut stamp = sender.report();
    stamp.reflector = windows.reflector;
    stamp.kernel_stamps = watching.kernel_stamps();
    stamp.windows = windows.kept.into();
    stamp.windows_left_out = windows.left_out;
    record.stamp = Some(stamp);
    let is_missed = expectations.iter().any(|expectation| expectation.met != Some(true));
    record.expectations = expectations;
    if record.verdict == Verdict::Good && is_missed {
        record.verdict = Verdict::Missed;
    }
    record
}

#[expect(clippy::cast_precision_loss, reason = "a number of windows")]
fn all_windows(missed: u64) -> Expectation {
    Expectation {
        name: "every window within its limits".into(),
        expected: "windows that miss a limit = 0".into(),
        measured: Some(missed as f64),
        met: Some(missed == 0),
        source: Some("stated on the command line".into()),
    }
}

fn failure(watching: &Watching) -> Option<Caveat> {
    let error = watching.failure()?;
    let (kind, advice) = match error.kind() {
        std::io::ErrorKind::ConnectionRefused => {
            (CaveatKind::NobodyListens, "start a reflector there, on that port")
        }
        _ => (CaveatKind::SettingRefused, "look at the route, at firewalls, and at the size of a test"),
    };
    let text = format!("{} tests were refused, the last one because: {error}", watching.refused());
    Some(Caveat::new(kind, text, advice))
}
