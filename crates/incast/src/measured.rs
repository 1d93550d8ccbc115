//! What a command measured, from its flows and its host, made into the record.

use std::collections::BTreeMap;
use std::time::Instant;

use incast_core::answers;
use incast_core::caveat::{Caveat, CaveatKind};
use incast_core::exchange::assemble::Identity;
use incast_core::exchange::{self, AnswererAccount, AskerAccount};
use incast_core::flood::{assemble, totals};
use incast_core::ledger::reading::HostBook;
use incast_core::ledger::{self, Evidence};
use incast_core::probe::HostWork;
use incast_core::record::{
    Build, CoreInterval, Cpu, Exchange, Faults, Flow, Host, Ledger, Network, Readout, Record, RoundTrip,
    SCHEMA, ScenarioSummary, Verdict,
};
use incast_core::scenario::{AskPlan, ExpectationPlan, judge};
use incast_core::time::Span;
use incast_host::busy::OtherWork;
use incast_host::cpu::HostSnapshot;
use incast_host::provenance;
use incast_host::usage::{self, Whose};
use incast_net::clock;
use incast_net::conversation::FlowOutcome;

use crate::readout::catalogue::Entry;

/// CPU of the calling thread, for the data threads.
pub(crate) fn thread_cpu() -> Option<Cpu> {
    usage::cpu(Whose::Thread).ok()
}

/// What this host has done so far, for the ends of a probe.
pub(crate) fn host_gauge() -> Option<HostWork> {
    HostSnapshot::take().ok().map(|snapshot| snapshot.work())
}

/// This host while a run lasts.
pub(crate) struct HostWatch {
    before: Option<HostSnapshot>,
    cpu_before: Option<Cpu>,
    started_unix_ns: u64,
    started: Instant,
    /// When the cores were last looked at, and what they have done in each slice until then.
    sampled: (f64, Option<HostSnapshot>),
    slices: Vec<CoreInterval>,
}

impl HostWatch {
    /// Begins to watch.
    pub(crate) fn start() -> Self {
        let before = HostSnapshot::take().ok();
        Self {
            sampled: (0.0, before.clone()),
            before,
            cpu_before: usage::cpu(Whose::Process).ok(),
            started_unix_ns: clock::unix_ns(),
            started: Instant::now(),
            slices: Vec::new(),
        }
    }

    /// Looks at the cores, if `interval` has passed since the last time.
    pub(crate) fn sample(&mut self, interval: Span) {
        let now = self.started.elapsed().as_secs_f64();
        // The kernel counts in ticks of 10 ms: shorter slices would be noise.
        if now - self.sampled.0 < interval.as_s_f64().max(SLICE_S_MIN) || self.slices.len() >= SLICES_MAX {
            return;
        }
        let then = std::mem::replace(&mut self.sampled, (now, HostSnapshot::take().ok()));
        if let (Some(before), Some(after)) = (then.1, &self.sampled.1) {
            self.slices.push(CoreInterval { start_s: then.0, end_s: now, busy: after.busy_since(&before) });
        }
    }

    /// Start of the run by the wall clock.
    pub(crate) fn started_unix_ns(&self) -> u64 {
        self.started_unix_ns
    }

    /// CPU that this process spent since.
    pub(crate) fn cpu(&self) -> Option<Cpu> {
        self.cpu_before
            .as_ref()
            .zip(usage::cpu(Whose::Process).ok())
            .map(|(before, after)| after.since(before))
    }

    /// The host and its loads since, and the doubts that follow; `own_cpu` is what the run itself spent
    /// here, without what its local peers did.
    pub(crate) fn host(&self, own_cpu: Option<&Cpu>, outcomes: &[FlowOutcome]) -> (Host, Vec<Caveat>) {
        let peers = outcomes.iter().filter_map(|outcome| outcome.cpu_of_local_peer.as_ref());
        let peers_s: f64 = peers.map(Cpu::total_s).sum();
        let mut host = provenance::describe();
        let mut caveats = Vec::new();
        let after = HostSnapshot::take().ok();
        if let (Some(before), Some(after)) = (&self.before, &after) {
            after.fill_since(before, &mut host);
            host.core_intervals.clone_from(&self.slices);
            let other = own_cpu.and_then(|cpu| OtherWork::between(before, after, cpu.total_s() + peers_s));
            caveats.extend(other.iter().flat_map(|other| [other.caveat(), other.steal_caveat()]).flatten());
        }
        // Gaps are told in nanoseconds; a clock that ticks coarser than a microsecond blurs them.
        if host.clock_resolution_ns.is_some_and(|resolution| resolution > 1_000) {
            let text = format!(
                "the clock of {} ticks every {} ns",
                host.name,
                host.clock_resolution_ns.unwrap_or(0)
            );
            caveats.push(Caveat::new(
                CaveatKind::ClockTooCoarse,
                text,
                "use a kernel with high-resolution timers",
            ));
        }
        (host, caveats)
    }
}

/// Shortest slice in which cores are looked at, seconds.
const SLICE_S_MIN: f64 = 0.2;
/// Most slices; an hour in seconds.
const SLICES_MAX: usize = 3_600;

/// What became of an exchange.
#[derive(Clone, Debug)]
pub(crate) struct ExchangeOutcome {
    pub(crate) identity: Identity,
    /// Unknown to an answerer alone.
    pub(crate) asked: Option<AskerAccount>,
    /// The account of each answerer, if it told.
    pub(crate) told: Vec<Option<AnswererAccount>>,
    /// Why it ended early, for everyone who is to blame.
    pub(crate) failures: Vec<String>,
}

impl ExchangeOutcome {
    /// Its place in the record, and the doubts about it.
    fn record(&self) -> (Exchange, Vec<Caveat>) {
        let (asked, name) = (self.asked.as_ref(), &self.identity.name);
        let mut exchange = exchange::assemble::exchange(&self.identity, asked, &self.told);
        let mut doubts = exchange::assemble::caveats(&exchange, asked, &self.told);
        // An answerer alone has told all that it knows.
        let is_whole = exchange.complete || (asked.is_none() && self.identity.plan.is_none());
        exchange.complete = is_whole && self.failures.is_empty();
        doubts.extend(self.failures.iter().map(|why| {
            let text = format!("{name}: {why}; the account covers what was known until then");
            Caveat::new(CaveatKind::PeerVanished, text, "look at the other end, and run again")
        }));
        (exchange, doubts)
    }
}

/// Everything that a record is made of.
#[derive(Default)]
pub(crate) struct Measured {
    pub(crate) world: &'static str,
    pub(crate) scenario: ScenarioSummary,
    pub(crate) started_unix_ns: u64,
    pub(crate) outcomes: Vec<FlowOutcome>,
    pub(crate) exchanges: Vec<ExchangeOutcome>,
    pub(crate) cpu: Option<Cpu>,
    pub(crate) socket_drops: Option<u64>,
    pub(crate) faults: Faults,
    pub(crate) network: Option<Network>,
    pub(crate) readout: Option<Readout>,
    /// Where the run of a readout is entered.
    pub(crate) entry: Option<Entry>,
    /// What the counters of the network said.
    pub(crate) evidence: Option<Evidence>,
    /// What this host's own counters said; a lab has evidence instead.
    pub(crate) own_book: Option<HostBook>,
    /// What the counters of the hosts of agents said.
    pub(crate) agent_books: Vec<HostBook>,
    /// Of tagged messages, by flow.
    pub(crate) round_trips: BTreeMap<String, RoundTrip>,
    pub(crate) host: Host,
    pub(crate) agents: Vec<Host>,
    /// Doubts that do not follow from the flows.
    pub(crate) caveats: Vec<Caveat>,
    pub(crate) expectations: Vec<ExpectationPlan>,
    pub(crate) asks: Vec<AskPlan>,
    pub(crate) interrupted: bool,
    pub(crate) incomplete: bool,
}

impl Measured {
    /// The record.
    pub(crate) fn record(self) -> Record {
        let (flows, doubts) = self.flows();
        let mut caveats = self.caveats;
        caveats.extend(doubts);
        let mut incomplete = self.incomplete || flows.iter().any(|flow| !flow.complete);
        // A sender that stopped because its session broke was not interrupted by anyone.
        let stopped = |outcome: &FlowOutcome| {
            outcome.failure.is_none() && outcome.sent.as_ref().is_some_and(|side| side.stopped)
        };
        let interrupted = self.interrupted || self.outcomes.iter().any(stopped);
        let (exchanges, doubts): (Vec<Exchange>, Vec<_>) =
            self.exchanges.iter().map(ExchangeOutcome::record).unzip();
        incomplete |= exchanges.iter().any(|exchange| !exchange.complete);
        caveats.extend(doubts.into_iter().flatten());
        let tags = exchanged(&self.outcomes, &exchanges, &self.round_trips);
        let closed = match self.evidence {
            Some(evidence) => Some(ledger::close(&flows, &Evidence { tags, ..evidence })),
            None => {
                let beside = tags.1;
                self.own_book.map(|own| close_hosts(&flows, own, self.agent_books, &self.outcomes, beside))
            }
        };
        let (ledger, doubts) = closed.unzip();
        // What is not known of the flows cannot be held against the kernel's counters.
        caveats.extend(doubts.into_iter().flatten().filter(|_| !incomplete));
        let told =
            || self.outcomes.iter().filter_map(|outcome| outcome.measured.as_ref()?.socket_drops).max();
        let totals = totals::totals(&flows, self.cpu, self.socket_drops.or_else(told));
        caveats.extend(totals::caveats(&totals));
        caveats.extend(fault_caveat(&self.faults));
        // Who asked and heard nothing has measured nothing.
        let is_mute = |exchange: &Exchange| exchange.asked > Some(0) && exchange.answered == Some(0);
        incomplete |= exchanges.iter().any(is_mute);
        if interrupted {
            caveats.push(Caveat::new(
                CaveatKind::Interrupted,
                "the run was ended early",
                "run it again, undisturbed",
            ));
        }
        caveats.sort();
        caveats.dedup();
        let mut record = Record {
            schema: SCHEMA.into(),
            incast: build(),
            world: self.world.into(),
            started_at: rfc3339(self.started_unix_ns),
            scenario: self.scenario,
            host: self.host,
            agents: self.agents,
            flows,
            exchanges,
            totals,
            network: self.network,
            ledger,
            readout: self.readout,
            faults: self.faults,
            caveats,
            ..Record::default()
        };
        record.answers = self.asks.iter().map(|ask| answers::answer(ask, &record)).collect();
        record.verdict = match (interrupted, incomplete) {
            (true, _) => Verdict::Interrupted,
            (_, true) => Verdict::Incomplete,
            _ => Verdict::Good,
        };
        judge_again(&mut record, &self.expectations, interrupted);
        if let Some(entry) = self.entry {
            entry.end(&record);
        }
        record
    }

    /// Every flow, and what is doubtful of them.
    fn flows(&self) -> (Vec<Flow>, Vec<Caveat>) {
        let (mut flows, doubts): (Vec<Flow>, Vec<_>) = self.outcomes.iter().map(flow_of).unzip();
        for flow in &mut flows {
            flow.round_trip = self.round_trips.get(&flow.name).cloned();
        }
        (flows, doubts.concat())
    }
}

/// A flow as both of its sides told it, and what is doubtful of it.
fn flow_of(outcome: &FlowOutcome) -> (Flow, Vec<Caveat>) {
    let mut flow = assemble::flow(&outcome.identity, outcome.sent.as_ref(), outcome.measured.as_ref());
    flow.complete &= outcome.failure.is_none();
    let mut doubts = assemble::caveats(&flow, outcome.sent.as_ref(), outcome.measured.as_ref());
    if let Some(why) = &outcome.failure {
        // What is known of the reason, in place of the guess.
        for doubt in doubts.iter_mut().filter(|doubt| doubt.kind == CaveatKind::PeerVanished) {
            doubt.text = format!("{}: {why}; the account covers what was told until then", flow.name);
        }
    }
    (flow, doubts)
}

/// The flows' account closed against the counters of this host and those of agents, and of those that told theirs. Only a run on
/// real hosts has a book of its own; a lab's roles tell theirs as well, and it has better.
///
/// `beside` are datagrams that were read and are no messages.
fn close_hosts(
    flows: &[Flow],
    own: HostBook,
    agents: Vec<HostBook>,
    outcomes: &[FlowOutcome],
    beside: u64,
) -> (Ledger, Vec<Caveat>) {
    let of_outcome = |outcome: &FlowOutcome| {
        let (from, to) = (&outcome.identity.from, &outcome.identity.to);
        let sent = outcome.sent.as_ref().and_then(|side| side.host_book.clone());
        let measured = outcome.measured.as_ref().and_then(|side| side.host_book.clone());
        [sent.map(|book| book.of(from)), measured.map(|book| book.of(to))]
    };
    let told = outcomes.iter().flat_map(of_outcome).flatten();
    let books: Vec<HostBook> = std::iter::once(own).chain(agents).chain(told).collect();
    let absent = absent(flows, &books);
    ledger::close_hosts(flows, books, &absent, beside)
}

/// Hosts of the flows that did not tell what they counted.
fn absent(flows: &[Flow], books: &[HostBook]) -> Vec<String> {
    let named = |host: &String| books.iter().any(|book| book.host == *host);
    let mut absent: Vec<String> = flows.iter().flat_map(|flow| [&flow.from, &flow.to]).cloned().collect();
    absent.retain(|host| !named(host));
    absent.sort();
    absent.dedup();
    absent
}

/// Datagrams beside the messages: how many were sent, and how many were read by those who should. A tagged message
/// and its answer are one each, and so are a two-way message of a probe and its answer, and requests and
/// responses over UDP.
fn exchanged(
    outcomes: &[FlowOutcome],
    exchanges: &[Exchange],
    round_trips: &BTreeMap<String, RoundTrip>,
) -> (u64, u64) {
    let tags = |of: fn(&RoundTrip) -> u64| round_trips.values().map(of).sum::<u64>();
    let (mut sent, mut read) =
        (tags(|trip| trip.sent) + tags(|trip| trip.answered), tags(|trip| trip.answered) * 2);
    for outcome in outcomes {
        let ours = outcome.sent.as_ref().and_then(|side| side.probe.as_deref());
        let theirs = outcome.measured.as_ref().and_then(|side| side.probe.as_deref());
        let answered = theirs.map_or(0, |probe| probe.answered);
        sent += ours.map_or(0, |probe| probe.requests).saturating_add(answered);
        read += ours.map_or(0, |probe| probe.answers_read).saturating_add(answered);
    }
    let (asked, heard) = datagrams(exchanges);
    (sent + asked, read + heard)
}

/// Datagrams of exchanges, both ways: sent, and read by those who should.
fn datagrams(exchanges: &[Exchange]) -> (u64, u64) {
    let (mut sent, mut read) = (0, 0);
    for peer in exchanges.iter().flat_map(|exchange| &exchange.peers) {
        let Some((there, back)) = peer.datagrams_sent.zip(peer.datagrams_received) else { continue };
        sent += peer.asked.unwrap_or(0) + there;
        read += peer.requests_received.unwrap_or(0) + back + peer.datagrams_copies.unwrap_or(0);
    }
    (sent, read)
}

/// Judges a record, whose verdict says no more than how it ended, by what was expected of it.
pub(crate) fn judge_again(record: &mut Record, expectations: &[ExpectationPlan], interrupted: bool) {
    record.expectations = expectations.iter().map(|plan| judge(plan, record)).collect();
    let missed = record.expectations.iter().any(|expectation| expectation.met != Some(true));
    let tainted = record.caveats.iter().any(|doubt| doubt.kind.taints());
    record.verdict = match record.verdict {
        _ if interrupted => Verdict::Interrupted,
        Verdict::Interrupted | Verdict::Incomplete => record.verdict,
        _ if tainted => Verdict::Tainted,
        _ if missed => Verdict::Missed,
        _ => Verdict::Good,
    };
}

fn fault_caveat(faults: &Faults) -> Option<Caveat> {
    if faults.total() == 0 {
        return None;
    }
    let named: Vec<String> = faults
        .named()
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| format!("{count} {name}"))
        .collect();
    let advice = if faults.wrong_sizes > 0 {
        "say the sender's message size with --message"
    } else if faults.wrong_keys > 0 {
        "give both ends the same --key-file"
    } else {
        "find out who else talks to this port"
    };
    Some(Caveat::new(
        CaveatKind::PeerNonsense,
        format!("peers were turned away or ignored: {}", named.join(", ")),
        advice,
    ))
}

/// This program.
pub(crate) fn build() -> Build {
    Build { version: env!("CARGO_PKG_VERSION").into(), commit: option_env!("INCAST_COMMIT").map(Into::into) }
}

/// A wall-clock time as the record writes it.
pub(crate) fn rfc3339(unix_ns: u64) -> Option<String> {
    let at = jiff::Timestamp::from_nanosecond(i128::from(unix_ns)).ok()?;
    Some(at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}
