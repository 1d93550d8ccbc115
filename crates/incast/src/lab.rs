//! `incast lab`: builds the network of a scenario on this machine, runs the scenario in it, reads
//! what every queue counted, and takes it all away again.

mod books;
pub(crate) mod link;
mod links;
mod others;
pub(crate) mod settings;
mod traced;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use incast_core::caveat::{Caveat, CaveatKind};
use incast_core::record::{Calibration, Network, Record};
use incast_core::scenario::{NetworkPlan, ReadoutPlan, Scenario};
use incast_core::time::Span;
use incast_lab::{Lab, Quotas};

use crate::cli::{LabAction, LabArgs};
use crate::drop_trace::{Tracer, Wish};
use crate::endpoint::key;
use crate::measured::Measured;
use crate::output::{deliver, note};
use crate::probe;
use crate::record_dir::RecordDir;
use crate::run::places::Places;
use crate::run::{Production, describe};
use crate::signals::Stops;
use crate::switch_test;
use crate::variants::{self, Variant};
use books::Books;
use links::Links;
use settings::MachineSettings;
use traced::Witness;

/// Carries out `incast lab` and its kin.
pub(crate) fn lab(args: &LabArgs) -> anyhow::Result<ExitCode> {
    match (&args.action, &args.file) {
        (None, Some(file)) => run(args, file),
        (None, None) => {
            anyhow::bail!("which scenario? For example: incast lab scenarios/lab-sheet/12-udp-sharing.toml")
        }
        (Some(LabAction::Plan { file, set }), _) => others::plan(file, set),
        (Some(LabAction::Stand { file, set }), _) => others::stand(file, set),
        (Some(LabAction::Clean), _) => others::clean(),
        (Some(LabAction::Shell { lab, host, command }), _) => others::shell(lab, host, command),
    }
}

/// Runs every variant of the scenario, one after the other.
fn run(args: &LabArgs, file: &Path) -> anyhow::Result<ExitCode> {
    let stops = Stops::listen()?;
    variants::play_all(file, &args.variants, &args.output, &stops, |variant, out| {
        run_one(variant, args, out, &stops)
    })
}

fn run_one(
    variant: &Variant,
    args: &LabArgs,
    out: &Path,
    stops: &Stops,
) -> anyhow::Result<(Record, PathBuf)> {
    let scenario = &variant.scenario;
    network_of(scenario)?;
    describe(scenario);
    let key = key(None)?;
    let mut standing = Standing::build(scenario, &scenario.name, args.trace.drop_trace)?;
    note(&standing.said());
    let production = Production {
        scenario,
        variant: variant.name.clone(),
        world: "lab",
        key: &key,
        stops,
        places: standing.places(scenario),
        tagged: false,
        trace: Wish::Off,
        ahead: String::new(),
    };
    let dir = production.record_dir(out)?;
    let mut play = |scenario: &Scenario, tagged: bool| {
        let (places, variant) = (production.places.clone(), production.variant.clone());
        let ahead = String::new();
        let production = Production { scenario, tagged, places, variant, ahead, ..production };
        standing.play(production, &dir)
    };
    let record = match (&scenario.search, &scenario.probe) {
        (None, None) => play(scenario, false)?.record(),
        (None, Some(plan)) => probe::points(scenario, plan, stops, |scenario| play(scenario, false))?,
        (Some(plan), _) => switch_test::trials(scenario, plan, stops, play)?,
    };
    drop(standing);
    probe::write_points(&record, &dir.path().join(probe::POINTS))?;
    deliver(&record, &args.output, Some(&dir))?;
    Ok((record, dir.path().to_owned()))
}

/// A lab that stands, in which a scenario, or the same one with other seeds and loads, can be played many times.
pub(crate) struct Standing {
    lab: Lab,
    /// What dies on this machine while the lab stands.
    tracer: Tracer,
    /// The network as the record is to show it, without what was counted.
    shown: Network,
    /// What is doubtful before anything was measured.
    doubts: Vec<Caveat>,
    longest_delay: Duration,
    /// What hosts may use of the CPU, for as long as the lab stands.
    quotas: Option<Arc<Quotas>>,
}

impl Standing {
    /// Builds the network of the scenario, after this machine is as it was before whoever was killed on it, and was
    /// asked what it can carry. Labs of one process have different names.
    pub(crate) fn build(scenario: &Scenario, name: &str, trace: Wish) -> anyhow::Result<Self> {
        let network = network_of(scenario)?;
        settings::put_back_of_the_dead()?;
        let tracer = Tracer::start(trace)?;
        let (calibration, doubts) = calibrate(scenario, network)?;
        let lab = Lab::build(name, &scenario.hosts, network)?;
        settings::set_interfaces(scenario, &lab)?;
        let quotas = Quotas::set(name, &scenario.hosts)?.map(Arc::new);
        let build_s = Some(lab.built_in_s());
        let shown = Network { calibration, build_s, ..scenario.describe_network().unwrap_or_default() };
        Ok(Self { lab, tracer, shown, doubts, longest_delay: longest_delay(network), quotas })
    }

    /// Where the roles of the scenario are.
    pub(crate) fn places(&self, scenario: &Scenario) -> Places {
        Places::of_lab(scenario, &self.lab).with_quotas(self.quotas.clone())
    }

    /// What stands, in a line.
    fn said(&self) -> String {
        format!(
            "the lab stands: {} hosts and {} in {:.0} ms",
            self.lab.hosts().len(),
            if self.shown.switches.len() == 1 {
                "a switch".into()
            } else {
                format!("{} switches", self.shown.switches.len())
            },
            self.lab.built_in_s() * 1e3
        )
    }

    /// Plays a scenario once, between two readings of every counter.
    pub(crate) fn play(&mut self, production: Production<'_>, dir: &RecordDir) -> anyhow::Result<Measured> {
        let (scenario, stops) = (production.scenario, production.stops);
        let machine = MachineSettings::set(scenario)?;
        let lab = &mut self.lab;
        let mut links = Links::start(lab, scenario)?;
        let before = Books::open_still(lab)?;
        let seen = self.tracer.read();
        let mut measured = production.play(dir)?;
        let impatient = || stops.count() > 1;
        Books::open_when_quiet(lab, self.longest_delay, || links.held(), impatient)?;
        let mut shown = self.shown.clone();
        let (reports, deaths) = links.end();
        // A connection may send again what a link lost, while it ends: the books are read behind it.
        let after = Books::open_still(lab)?;
        let witness = Witness::hear(&mut self.tracer, seen.as_ref(), lab, scenario)?;
        books::place_links(&mut shown, reports);
        measured.evidence = Some(after.since(&before, scenario, &mut shown, &witness));
        measured.incomplete |= !deaths.is_empty();
        let died = |death| Caveat::new(CaveatKind::RoleDied, death, "look at what it said, and run again");
        measured.caveats.extend(deaths.into_iter().map(died));
        measured.caveats.extend(own_losses(&shown));
        measured.caveats.extend(left_out(scenario));
        measured.caveats.append(&mut self.doubts.clone());
        measured.network = Some(shown);
        machine.put_back()?;
        Ok(measured)
    }
}

/// Says why a lab cannot play the scenario.
pub(crate) fn check(scenario: &Scenario) -> anyhow::Result<()> {
    network_of(scenario).map(drop)
}

/// The network that is to be built.
fn network_of(scenario: &Scenario) -> anyhow::Result<&NetworkPlan> {
    if let Some(why) = scenario.not_buildable().first() {
        anyhow::bail!("a lab cannot build this: {why}");
    }
    if let Some(host) = scenario.hosts.iter().find(|host| host.agent.is_some()) {
        anyhow::bail!(
            "host {} is played by an agent, and a lab has all its hosts on this machine",
            host.name
        );
    }
    let mut roles = scenario.readout.iter().flat_map(ReadoutPlan::roles);
    if let Some((_, role, _)) = roles.find(|(_, _, host)| host.is_none()) {
        anyhow::bail!(
            "role {role} is on no host, and in a lab every role is on one: say host = \"NAME\" in its table"
        );
    }
    scenario.network.as_ref().with_context(|| {
        format!(
            "the scenario {} describes no network: give it a [[switch]] and a [[cable]] for its hosts \
             (scenarios/lab-sheet/ has examples), or run it with `incast run`",
            scenario.name
        )
    })
}

fn longest_delay(network: &NetworkPlan) -> Duration {
    let delays = network.cables.iter().filter_map(|cable| cable.path).map(|path| path.delay + path.jitter);
    let longest = delays.max().unwrap_or(Span::ZERO);
    Duration::from_secs_f64(longest.as_s_f64())
}

/// What this machine carries, beside what the scenario asks of it.
fn calibrate(
    scenario: &Scenario,
    network: &NetworkPlan,
) -> anyhow::Result<(Option<Calibration>, Vec<Caveat>)> {
    // A train costs hardly more than a packet: how many packets a machine carries so is not known.
    // And what a readout will need is not known beforehand: sources, builders and sinks wait for each other.
    if network.cables.iter().any(|cable| cable.offloads) || scenario.flows.is_empty() {
        return Ok((None, Vec::new()));
    }
    let Some(needed) = scenario.packets_per_s() else { return Ok((None, Vec::new())) };
    let size = scenario.smallest_packet_bytes();
    let can = incast_lab::calibrate(network, usize::try_from(size.unwrap_or(1))?)?.packets_per_s;
    let load = needed / can.max(1.0);
    let calibration = Calibration { packets_per_s: can, needed_packets_per_s: needed, load };
    let caveats = (load > 1.0).then(|| {
        Caveat::new(
            CaveatKind::LabOverloaded,
            format!(
                "the scenario asks for {:.0} packets per ms, and this machine carried {:.0} just before: \
                 what was measured is the machine, not the network",
                needed / 1e3,
                can / 1e3
            ),
            "ask for lower rates, larger messages or a larger MTU, or use a machine with more cores",
        )
    });
    Ok((Some(calibration), caveats.into_iter().collect()))
}

/// What the scenario says of the network and a lab does not build.
fn left_out(scenario: &Scenario) -> Option<Caveat> {
    let keys = scenario.left_out_by_lab();
    (!keys.is_empty()).then(|| {
        Caveat::new(
            CaveatKind::NetworkNotBuilt,
            format!("a lab builds its network without {}: the simulator has them", keys.join(", ")),
            "compare with `incast sim`, or leave them out",
        )
    })
}

/// Losses that are the machine's own, if they are many.
fn own_losses(network: &Network) -> Vec<Caveat> {
    let queues = || network.cables.iter().flat_map(|cable| &cable.queues);
    let links = || network.cables.iter().flat_map(|cable| &cable.links);
    let (passed, lost) = queues()
        .fold((0, 0), |(passed, lost), queue| (passed + queue.packets, lost + queue.backlog_dropped_packets));
    let mut caveats = Vec::new();
    if lost * OWN_LOSS_ONE_IN > passed {
        caveats.push(Caveat::new(
            CaveatKind::LabOverloaded,
            format!(
                "{lost} of {passed} packets died between two queues, since no core had time to take them in"
            ),
            "ask for lower rates, or use a machine with more cores",
        ));
    }
    let (passed, lost) =
        links().fold((0, 0), |(passed, lost), link| (passed + link.packets, lost + link.dropped_packets));
    if lost * OWN_LOSS_ONE_IN > passed {
        caveats.push(Caveat::new(
            CaveatKind::LinkOverloaded,
            format!("the lab's links dropped {lost} of {passed} packets that they should have carried"),
            "ask for lower rates, or use a machine with more cores",
        ));
    }
    caveats
}

/// Above one packet in so many the machine's own losses taint the result.
const OWN_LOSS_ONE_IN: u64 = 1_000;
