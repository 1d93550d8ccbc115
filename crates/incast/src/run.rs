//! `incast run`: plays a scenario with a process for every role, and writes its record.
//!
//! Receivers first, then senders; when every sender is armed all are started; when all have ended
//! the receivers are told to stop. A role that dies or falls silent costs its own flows only. Roles
//! end with their coordinator, however it ends.

pub(crate) mod agent;
mod agent_link;
mod cast;
mod flows;
mod lines;
mod player;
pub(crate) mod role;

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use crossbeam_channel::{Receiver, unbounded};
use incast_core::caveat::{Caveat, CaveatKind};
use incast_core::record::{Cpu, Faults, Host, ScenarioSummary};
use incast_core::scenario::{Scenario, Start};

use crate::cli::RunArgs;
use crate::endpoint::key;
use crate::measured::{HostWatch, Measured};
use crate::observe::ProgressLine;
use crate::output::{deliver, note};
use crate::record_dir::{RUNS, RecordDir};
use crate::signals::Stops;
use cast::{Cast, Kind};
use flows::Flows;
use lines::{RoleLine, RoleOrder};
use player::{Heard, Word};

/// Longest wait for every receiver's port, and for every sender to be armed.
const READY_MAX: Duration = Duration::from_secs(30);
/// A role that says nothing for so long is ended: roles speak twice a second.
const SILENCE_MAX: Duration = Duration::from_secs(10);
/// Longest wait for receivers once told to stop: their own patience and a little.
const END_MAX: Duration = Duration::from_secs(12);
/// How often the partial record is written.
const PARTIAL_EVERY: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(50);

/// Plays the scenario and delivers its record.
pub(crate) fn run(args: &RunArgs) -> anyhow::Result<ExitCode> {
    let stops = Stops::listen()?;
    let scenario = read(&args.file)?;
    let key = key(args.key_file.as_deref())?;
    describe(&scenario);
    let watch = HostWatch::start();
    let out = args.output.out.as_deref().unwrap_or_else(|| Path::new(RUNS));
    let dir = RecordDir::create(out, &scenario.name, watch.started_unix_ns())?;
    let (heard, words) = unbounded();
    let cast = Cast::new(&scenario, &key, heard, watch.started_unix_ns())?;
    let flows = Flows::new(&scenario, watch.started_unix_ns());
    let expected_s = flows.expected_s(&scenario);
    let mut stage = Stage {
        flows,
        scenario: &scenario,
        cast,
        words,
        stops: &stops,
        dir: &dir,
        watch: &watch,
        line: ProgressLine::new(expected_s),
        partial: Instant::now(),
        told_to_stop: 0,
    };
    stage.play()?;
    let record = stage.measured().record();
    deliver(&record, &args.output, Some(&dir))
}

fn read(file: &Path) -> anyhow::Result<Scenario> {
    let text =
        std::fs::read_to_string(file).with_context(|| format!("read the scenario {}", file.display()))?;
    Scenario::parse(&text).map_err(|errors| {
        let name = file.display().to_string();
        anyhow::anyhow!("the scenario cannot be run\n{}", errors.explained(&name))
    })
}

/// The effective configuration, before the run.
fn describe(scenario: &Scenario) {
    let title = scenario.title.as_deref().map(|title| format!(": {title}")).unwrap_or_default();
    note(&format!("{}{title} (seed {})", scenario.name, scenario.seed));
    let shown = 12;
    for flow in scenario.flows.iter().take(shown) {
        note(&format!(
            "  {}: {} -> {} over {}, messages of {} B, load {}, spacing {}, {} stream(s)",
            flow.name,
            flow.from,
            flow.to,
            flow.transport.name(),
            flow.message_bytes,
            flow.load,
            flow.spacing,
            flow.streams
        ));
    }
    if scenario.flows.len() > shown {
        note(&format!("  ... and {} more flows", scenario.flows.len() - shown));
    }
}

/// A run under way.
struct Stage<'a> {
    scenario: &'a Scenario,
    cast: Cast,
    flows: Flows,
    words: Receiver<Heard>,
    stops: &'a Stops,
    dir: &'a RecordDir,
    watch: &'a HostWatch,
    line: ProgressLine,
    partial: Instant,
    told_to_stop: usize,
}

impl Stage<'_> {
    /// From the first process to the last.
    fn play(&mut self) -> anyhow::Result<()> {
        self.cast.start_receivers(self.scenario)?;
        self.until(READY_MAX, "wait for every receiver's port", |cast| {
            cast.all(Kind::is_receiver, |role| role.address.is_some())
        })?;
        self.cast.start_senders(self.scenario)?;
        if self.scenario.start == Start::Together {
            self.until(READY_MAX, "wait for every sender to be ready", |cast| {
                cast.all(Kind::is_sender, |role| role.armed)
            })?;
            self.cast.say(Kind::is_sender, RoleOrder::Start);
        }
        while !self.cast.all(Kind::is_sender, |role| role.is_over()) {
            self.listen();
            self.draw_and_save();
            if self.stops.count() > self.told_to_stop {
                self.told_to_stop = self.stops.count();
                self.cast.say(Kind::is_sender, RoleOrder::Stop);
            }
            if self.stops.count() > 1 {
                note("stopped at once: the accounts that were not exchanged are lost");
                break;
            }
        }
        self.cast.say(Kind::is_receiver, RoleOrder::Stop);
        let deadline = Instant::now() + END_MAX;
        while !self.cast.all(|_| true, |role| role.is_over())
            && Instant::now() < deadline
            && self.stops.count() < 2
        {
            self.listen();
        }
        // Those that still have not ended are ended by being dropped.
        self.cast.end_all();
        while let Ok(heard) = self.words.try_recv() {
            self.handle(heard);
        }
        Ok(())
    }

    /// Waits for something without which the run cannot begin.
    fn until(&mut self, patience: Duration, what: &str, done: impl Fn(&Cast) -> bool) -> anyhow::Result<()> {
        let deadline = Instant::now() + patience;
        while !done(&self.cast) {
            self.listen();
            if let Some(reason) = self.cast.first_failure() {
                anyhow::bail!("{what}: {reason}");
            }
            if self.stops.count() > 0 {
                anyhow::bail!("stopped before anything was measured");
            }
            if Instant::now() > deadline {
                anyhow::bail!("{what}: not there after {} s: {}", patience.as_secs(), self.cast.missing());
            }
        }
        Ok(())
    }

    /// Takes what roles say, for a moment; ends those that have been silent for too long.
    fn listen(&mut self) {
        if let Ok(heard) = self.words.recv_timeout(TICK) {
            self.handle(heard);
            while let Ok(heard) = self.words.try_recv() {
                self.handle(heard);
            }
        }
        self.cast.end_silent(SILENCE_MAX);
    }

    fn handle(&mut self, Heard { role, what }: Heard) {
        match what {
            Word::Line(line) => {
                if let RoleLine::Done { flow, sent, measured, failure } = *line {
                    self.flows.handle_done(&flow, self.cast.is_sender(role), sent, measured, failure);
                    self.cast.heard(role);
                } else if let RoleLine::Progress { flows } = *line {
                    self.flows.handle_progress(self.cast.is_sender(role), &flows);
                    self.cast.heard(role);
                } else {
                    self.cast.handle_line(role, *line);
                }
            }
            Word::Gone(how) => self.cast.handle_gone(role, how),
        }
    }

    fn draw_and_save(&mut self) {
        let (running, done, counts, bytes) = self.flows.live();
        self.line.draw(running, done, counts, bytes);
        if self.partial.elapsed() >= PARTIAL_EVERY {
            self.partial = Instant::now();
            // If this cannot be written, the end of the run will say so, with the result.
            let _ = self.dir.write(&self.flows.partial_record(self.measured_base()));
        }
    }

    fn measured_base(&self) -> Measured {
        Measured {
            world: "run",
            scenario: ScenarioSummary {
                name: self.scenario.name.clone(),
                title: self.scenario.title.clone(),
                variant: None,
                seed: self.scenario.seed,
                text: Some(self.scenario.text.clone()),
                command: None,
            },
            started_unix_ns: self.watch.started_unix_ns(),
            host: incast_host::provenance::describe(),
            ..Measured::default()
        }
    }

    /// Everything that became known.
    fn measured(&mut self) -> Measured {
        let mut caveats = Vec::new();
        let deaths = self.cast.deaths();
        for death in &deaths {
            caveats.push(Caveat::new(
                CaveatKind::RoleDied,
                death.clone(),
                "the other flows stand; look at that process's host, and run again",
            ));
        }
        let (mut cpu, mut local, mut faults, mut drops) =
            (Some(Cpu::default()), self.watch.cpu(), Faults::default(), Some(0));
        let mut agents: Vec<Host> = Vec::new();
        for role in self.cast.roles() {
            let Some(ended) = &role.ended else {
                (cpu, local) = (None, None);
                drops = if role.kind.is_receiver() { None } else { drops };
                continue;
            };
            if let (Some(sum), Some(more)) = (&mut cpu, &ended.cpu) {
                sum.add(more);
            }
            if role.at_agent {
                if !agents.iter().any(|host| host.name == ended.host.name) {
                    agents.push((*ended.host).clone());
                }
            } else if let (Some(sum), Some(more)) = (&mut local, &ended.cpu) {
                sum.add(more);
            }
            faults.add(&ended.faults);
            if role.kind.is_receiver() {
                drops = drops.zip(ended.socket_drops).map(|(sum, more)| sum + more);
            }
        }
        let (host, doubts) = self.watch.host(local.as_ref(), &[]);
        caveats.extend(doubts);
        Measured {
            host,
            agents,
            caveats,
            cpu,
            faults,
            socket_drops: drops,
            outcomes: self.flows.outcomes(),
            expectations: self.scenario.expectations.clone(),
            interrupted: self.told_to_stop > 0,
            incomplete: !deaths.is_empty(),
            ..self.measured_base()
        }
    }
}
