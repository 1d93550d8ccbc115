//! `incast run`: plays a scenario with a process for every role, and writes its record.
//!
//! Receivers first, then senders; when every sender is armed all are started; when all have ended
//! the receivers are told to stop. A role that dies or falls silent costs its own flows only. Roles
//! end with their coordinator, however it ends.

pub(crate) mod agent;
pub(crate) mod agent_link;
mod cast;
mod exchanges;
mod flows;
pub(crate) mod lines;
pub(crate) mod places;
pub(crate) mod player;
pub(crate) mod role;
mod tagged;
pub(crate) mod telling;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use crossbeam_channel::{Receiver, unbounded};
use incast_core::caveat::{Caveat, CaveatKind};
use incast_core::record::{Cpu, Faults, Host, Record, RoundTrip, ScenarioSummary};
use incast_core::scenario::{Scenario, Setting, Start};

use incast_lab::Quotas;
use incast_net::clock;
use incast_net::key::Key;

use crate::cli::RunArgs;
use crate::drop_trace::Wish;
use crate::endpoint::key;
use crate::measured::{HostWatch, Measured};
use crate::observe::ProgressLine;
use crate::output::{deliver, note};
use crate::own_book::OwnBook;
use crate::probe;
use crate::readout;
use crate::record_dir::RecordDir;
use crate::signals::Stops;
use crate::switch_test;
use crate::variants::{self, Variant};
use cast::{Cast, Kind};
use exchanges::Exchanges;
use flows::Flows;
use lines::{RoleLine, RoleOrder};
use places::Places;
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

/// Plays every variant of the scenario, one after the other, and delivers their records.
pub(crate) fn run(args: &RunArgs) -> anyhow::Result<ExitCode> {
    let stops = Stops::listen()?;
    let key = key(args.key_file.as_deref())?;
    variants::play_all(&args.file, &args.variants, &args.output, &stops, |variant, out| {
        run_one(variant, args, out, (&key, &stops))
    })
}

fn run_one(
    variant: &Variant,
    args: &RunArgs,
    out: &Path,
    (key, stops): (&Key, &Stops),
) -> anyhow::Result<(Record, PathBuf)> {
    let scenario = &variant.scenario;
    if let Some(why) = scenario.only_simulable().iter().chain(&scenario.only_in_a_lab()).next() {
        anyhow::bail!("`incast run` cannot do this: {why}");
    }
    describe(scenario);
    let production = Production {
        scenario,
        variant: variant.name.clone(),
        world: "run",
        key,
        stops,
        places: Places::default().with_quotas(Quotas::set(&scenario.name, &scenario.hosts)?.map(Arc::new)),
        tagged: false,
        trace: args.trace.drop_trace,
        ahead: String::new(),
    };
    let dir = production.record_dir(out)?;
    let replay = |scenario: &Scenario, tagged: bool| {
        let (variant, ahead) = (production.variant.clone(), String::new());
        let places = production.places.clone();
        Production { scenario, tagged, places, variant, ahead, ..production }.play(&dir)
    };
    let record = match (&scenario.search, &scenario.probe) {
        (None, None) => production.play(&dir)?.record(),
        (None, Some(plan)) => probe::points(scenario, plan, stops, |scenario| replay(scenario, false))?,
        (Some(plan), _) => switch_test::trials(scenario, plan, stops, replay)?,
    };
    probe::write_points(&record, &dir.path().join(probe::POINTS))?;
    deliver(&record, &args.output, Some(&dir))?;
    Ok((record, dir.path().to_owned()))
}

/// Reads a scenario file, with some of its values replaced.
pub(crate) fn read(file: &Path, settings: &[Setting]) -> anyhow::Result<Scenario> {
    let text =
        std::fs::read_to_string(file).with_context(|| format!("read the scenario {}", file.display()))?;
    Scenario::parse_with(&text, settings).map_err(|errors| {
        let name = file.display().to_string();
        anyhow::anyhow!("the scenario cannot be run\n{}", errors.explained(&name))
    })
}

/// A scenario to be played, and on what.
pub(crate) struct Production<'a> {
    pub(crate) scenario: &'a Scenario,
    /// Which variant of the scenario it is.
    pub(crate) variant: Option<String>,
    pub(crate) world: &'static str,
    /// Key shared with agents.
    pub(crate) key: &'a Key,
    pub(crate) stops: &'a Stops,
    pub(crate) places: Places,
    /// Whether tagged messages are sent beside the flows.
    pub(crate) tagged: bool,
    /// Whether drops are traced on this host and on those of agents; a lab traces its own.
    pub(crate) trace: Wish,
    /// What stands before the line of progress: which of many runs it is.
    pub(crate) ahead: String,
}

impl Production<'_> {
    /// What is asked for, for the record.
    pub(crate) fn summary(&self) -> ScenarioSummary {
        let scenario = self.scenario;
        ScenarioSummary {
            name: scenario.name.clone(),
            title: scenario.title.clone(),
            variant: self.variant.clone(),
            seed: scenario.seed,
            text: Some(scenario.text.clone()),
            command: None,
        }
    }

    /// A new directory for the record.
    pub(crate) fn record_dir(&self, out: &Path) -> anyhow::Result<RecordDir> {
        let name = match &self.variant {
            Some(variant) => format!("{}-{variant}", self.scenario.name),
            None => self.scenario.name.clone(),
        };
        RecordDir::create(out, &name, clock::unix_ns())
    }

    /// Plays it from the first process to the last.
    pub(crate) fn play(&self, dir: &RecordDir) -> anyhow::Result<Measured> {
        if let Some(plan) = &self.scenario.readout {
            return readout::play(self, plan, dir);
        }
        let watch = HostWatch::start();
        // A lab has books of its own, of every place.
        let book = if self.world == "lab" { None } else { Some(OwnBook::open(self.trace)?) };
        let (heard, words) = unbounded();
        let start = watch.started_unix_ns();
        let cast = Cast::new(self.scenario, self.key, heard, start, self.places.clone())?;
        cast.watch(self.trace)?;
        let flows = Flows::new(self.scenario, start);
        let expected_s = flows.expected_s(self.scenario);
        let mut stage = Stage {
            production: self,
            flows,
            cast,
            words,
            dir,
            watch,
            book,
            line: ProgressLine::new(expected_s).behind(&self.ahead),
            partial: Instant::now(),
            told_to_stop: 0,
            round_trips: BTreeMap::new(),
            exchanges: Exchanges::default(),
        };
        stage.perform()?;
        Ok(stage.measured())
    }
}

/// The effective configuration, before the run.
pub(crate) fn describe(scenario: &Scenario) {
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
    if let Some(plan) = &scenario.probe {
        note(&format!("  probe of {}: {}", plan.flow, probe::describe(&plan.sweep)));
    }
    if scenario.flows.len() > shown {
        note(&format!("  ... and {} more flows", scenario.flows.len() - shown));
    }
    for exchange in scenario.exchanges.iter().take(shown) {
        note(&format!(
            "  {}: {} asks {} over {}, {} B for {} B, {} outstanding",
            exchange.name,
            exchange.from,
            exchange.to.join(", "),
            exchange.terms.transport.name(),
            exchange.terms.request_bytes,
            exchange.terms.response_bytes,
            exchange.asker.outstanding
        ));
    }
    if scenario.exchanges.len() > shown {
        note(&format!("  ... and {} more exchanges", scenario.exchanges.len() - shown));
    }
}

/// A run under way.
struct Stage<'a> {
    production: &'a Production<'a>,
    cast: Cast,
    flows: Flows,
    words: Receiver<Heard>,
    dir: &'a RecordDir,
    watch: HostWatch,
    /// What this host's counters say.
    book: Option<OwnBook>,
    line: ProgressLine,
    partial: Instant,
    told_to_stop: usize,
    /// Of tagged messages, by flow.
    round_trips: BTreeMap<String, RoundTrip>,
    exchanges: Exchanges,
}

impl Stage<'_> {
    /// From the first process to the last.
    fn perform(&mut self) -> anyhow::Result<()> {
        let (scenario, stops) = (self.production.scenario, self.production.stops);
        self.cast.start_receivers(scenario)?;
        self.cast.start_answerers(scenario)?;
        if self.production.tagged {
            self.cast.start_echoes(scenario)?;
        }
        self.until(READY_MAX, "wait for every receiver's port", |cast| {
            cast.all(Kind::is_listener, |role| role.address.is_some())
        })?;
        if self.production.tagged {
            self.cast.start_tags(scenario)?;
        }
        self.cast.start_senders(scenario)?;
        self.cast.start_askers(scenario)?;
        if scenario.start == Start::Together {
            self.until(READY_MAX, "wait for every sender to be ready", |cast| {
                cast.all(Kind::is_sender, |role| role.armed)
            })?;
            self.cast.say(Kind::is_sender, RoleOrder::Start);
        }
        self.cast.say(Kind::is_tag, RoleOrder::Start);
        while !self.cast.all(Kind::is_sender, |role| role.is_over()) {
            self.listen();
            self.draw_and_save();
            self.watch.sample(scenario.interval);
            if stops.count() > self.told_to_stop {
                self.told_to_stop = stops.count();
                self.cast.say(Kind::is_sender, RoleOrder::Stop);
            }
            if stops.count() > 1 {
                note("stopped at once: the accounts that were not exchanged are lost");
                break;
            }
        }
        self.cast.say(Kind::is_tag, RoleOrder::Stop);
        self.cast.say(Kind::is_server, RoleOrder::Stop);
        let mut echoes_stopped = false;
        let deadline = Instant::now() + END_MAX;
        while !self.cast.all(|_| true, |role| role.is_over())
            && Instant::now() < deadline
            && stops.count() < 2
        {
            // An echo answers to the last.
            if !echoes_stopped && self.cast.all(Kind::is_tag, |role| role.is_over()) {
                echoes_stopped = true;
                self.cast.say(|kind| matches!(kind, Kind::Echo(_)), RoleOrder::Stop);
            }
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
            if self.production.stops.count() > 0 {
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
                } else if let RoleLine::Tagged { flow, round_trip } = *line {
                    self.round_trips.insert(flow, round_trip);
                    self.cast.heard(role);
                } else if let RoleLine::Asked { exchange, asked, told, failures } = *line {
                    self.exchanges.handle_asked(exchange, *asked, told, failures);
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
            world: self.production.world,
            scenario: self.production.summary(),
            started_unix_ns: self.watch.started_unix_ns(),
            host: incast_host::provenance::describe(),
            ..Measured::default()
        }
    }

    /// Everything that became known.
    fn measured(&mut self) -> Measured {
        let mut caveats = Vec::new();
        if self.production.world == "run" && self.production.scenario.network.is_some() {
            caveats.push(Caveat::new(
                CaveatKind::NetworkNotBuilt,
                "the scenario describes a network, and `incast run` builds none: this is what the machine's own path gave",
                "run it with `incast lab`",
            ));
        }
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
        let own_book = self.book.as_mut().map(|book| book.close(&host.name));
        let agent_books = self.cast.books(self.production.scenario);
        Measured {
            own_book,
            agent_books,
            host,
            agents,
            caveats,
            cpu,
            faults,
            socket_drops: drops,
            outcomes: self.flows.outcomes(),
            exchanges: self.exchanges.outcomes(self.production.scenario),
            expectations: self.production.scenario.expectations.clone(),
            asks: self.production.scenario.asks.clone(),
            round_trips: std::mem::take(&mut self.round_trips),
            interrupted: self.told_to_stop > 0,
            incomplete: !deaths.is_empty(),
            ..self.measured_base()
        }
    }
}
