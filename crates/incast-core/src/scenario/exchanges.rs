//! The `[[exchange]]` tables: who asks whom for what, how often; one exchange for each asker.
//!
//! Every round of an asker asks all answerers of `to`: with several, that is the incast pattern.

use std::collections::BTreeSet;
use std::ops::Range;

use toml::de::DeTable;

use super::findings::{Findings, quoted};
use super::flows::{FLOWS_MAX, Flows, SPAN_MAX};
use super::model_exchange::ExchangePlan;
use super::reader::Reader;
use super::sockets;
use crate::exchange::asker::{OUTSTANDING_MAX, PEERS_MAX, ROUNDS_MAX};
use crate::exchange::terms::{
    BYTES_MAX, BYTES_MIN, DATAGRAM_BYTES_DEFAULT, DATAGRAM_BYTES_MAX, SAMPLE_EVERY_DEFAULT, SERVICE_MAX,
};
use crate::exchange::{AskerPlan, Terms};
use crate::load::{Load, Spacing, Stop, Transport};
use crate::random::Random;
use crate::time::Span;
use crate::units::{BYTES_EXAMPLES, Bytes, SPAN_EXAMPLES};

/// The exchanges made so far.
pub(super) struct Exchanges {
    plans: Vec<ExchangePlan>,
    groups: BTreeSet<String>,
    default_duration: Span,
    seed: u64,
}

impl Exchanges {
    pub(super) fn new(default_duration: Span, seed: u64) -> Self {
        Self { plans: Vec::new(), groups: BTreeSet::new(), default_duration, seed }
    }

    /// Reads one `[[exchange]]` and makes its exchanges; its hosts are marked in `flows`, which knows the ways.
    pub(super) fn read<'t>(
        &mut self,
        table: &DeTable<'t>,
        header: Range<usize>,
        flows: &mut Flows<'_>,
        findings: &mut Findings<'t>,
    ) {
        let mut reader = Reader::open(table, "[[exchange]]", header, KEYS, findings);
        let name = self.name(&mut reader);
        let ends = ends(&mut reader, flows);
        let pattern = self.read_pattern(&mut reader);
        let (Some(name), Some((askers, answerers)), Some(pattern)) = (name, ends, pattern) else {
            flows.incomplete = true;
            return;
        };
        if self.plans.len() + askers.len() > FLOWS_MAX {
            return reader.fault("from", format!("more than {FLOWS_MAX} exchanges"));
        }
        let several = askers.len() > 1;
        for asker in askers {
            let networks = flows.networks(&mut reader, &answerers, asker);
            flows.take_part(answerers.iter().chain([&asker]));
            let from = flows.host_name(asker).to_owned();
            let own_name = if several { format!("{name}/{from}") } else { name.clone() };
            let to: Vec<String> = answerers.iter().map(|host| flows.host_name(*host).to_owned()).collect();
            let seed = Random::named(self.seed, &own_name).next_u64();
            let asker = AskerPlan { peers: to.len(), seed, ..pattern.asker.clone() };
            let terms = Terms { samples_max: Terms::samples_of_each(to.len()), ..pattern.terms.clone() };
            self.plans.push(ExchangePlan {
                name: own_name,
                from,
                to,
                networks,
                terms,
                asker,
                ..pattern.clone()
            });
        }
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.plans.is_empty()
    }

    /// In the order of the file.
    pub(super) fn into_plans(self) -> Vec<ExchangePlan> {
        self.plans
    }

    fn name(&mut self, reader: &mut Reader<'_, '_>) -> Option<String> {
        reader.require("name", "the record refers to an exchange by it");
        let name = reader.name("name")?;
        if !self.groups.insert((*name.get_ref()).to_owned()) {
            let name = quoted(name.get_ref());
            reader.fault("name", format!("there is already an exchange {name}; names are unique"));
            return None;
        }
        Some((*name.get_ref()).to_owned())
    }

    /// Everything but its name and its ends.
    fn read_pattern(&self, reader: &mut Reader<'_, '_>) -> Option<ExchangePlan> {
        let transport =
            reader.word("transport", "transport", &[("tcp", Transport::Tcp), ("udp", Transport::Udp)]);
        if reader.has("transport") && transport.is_none() {
            return None;
        }
        let transport = transport.unwrap_or(Transport::Tcp);
        let terms = read_terms(reader, transport)?;
        let asker = self.read_asker(reader, transport)?;
        let core = 0..=CORE_MAX;
        Some(ExchangePlan {
            name: String::new(),
            from: String::new(),
            to: Vec::new(),
            networks: Vec::new(),
            terms,
            asker,
            new_connections: reader.flag("new_connections").unwrap_or_default(),
            asker_core: reader.small("asker_core", core.clone()),
            answerer_core: reader.small("answerer_core", core),
        })
    }

    fn read_asker(&self, reader: &mut Reader<'_, '_>, transport: Transport) -> Option<AskerPlan> {
        let load: Load = reader.quantity("load", Load::EXAMPLES).unwrap_or_default();
        let spacing: Spacing = reader.quantity("spacing", Spacing::EXAMPLES).unwrap_or_default();
        let is_open = load != Load::Unlimited;
        if !is_open && reader.has("spacing") {
            reader
                .fault("spacing", "`spacing` means nothing without a load: say for example load = \"100Hz\"");
        }
        if is_open && reader.has("think") {
            reader
                .fault("think", "`think` is for a closed loop: with a load, rounds leave when they are due");
        }
        let span = [Span::ZERO, SPAN_MAX];
        let default = if transport == Transport::Udp { Span::from_s(1) } else { Span::from_s(10) };
        let after = reader.quantity_within("duration", SPAN_EXAMPLES, [Span(1), SPAN_MAX]);
        let messages = reader.integer("count", 1..=ROUNDS_MAX);
        let is_bound = reader.has("duration") || reader.has("count");
        let stop = if is_bound { Stop { after, messages } } else { Stop::after(self.default_duration) };
        Some(AskerPlan {
            peers: 0,
            outstanding: reader.small("outstanding", 1..=OUTSTANDING_MAX.into()).unwrap_or(1),
            load,
            spacing,
            think: reader.quantity_within("think", SPAN_EXAMPLES, span).unwrap_or_default(),
            stop,
            timeout: reader
                .quantity_within("timeout", SPAN_EXAMPLES, [Span::from_ms(1), SPAN_MAX])
                .unwrap_or(default),
            seed: 0,
        })
    }
}

/// The askers and the answerers.
fn ends(reader: &mut Reader<'_, '_>, flows: &Flows<'_>) -> Option<(Vec<usize>, Vec<usize>)> {
    reader.require("from", "write the name of the host that asks, or a list of them");
    reader.require("to", "write the name of the host that answers, or a list of them: each round asks all");
    let (from, to) = (reader.names("from"), reader.names("to"));
    let askers = from.and_then(|from| flows.meant(&from, "from", reader.findings));
    let answerers = to.and_then(|to| flows.meant(&to, "to", reader.findings));
    let (askers, answerers) = (askers?, answerers?);
    if let Some(both) = askers.iter().find(|host| answerers.contains(host)) {
        let host = flows.host_name(*both);
        reader.fault("to", format!("`{host}` would ask itself: it is in `from` too"));
        return None;
    }
    if answerers.len() > PEERS_MAX {
        reader.fault("to", format!("more than {PEERS_MAX} answerers of one asker"));
        return None;
    }
    Some((askers, answerers))
}

/// What is agreed; the transport's own bounds are the terms' to check.
fn read_terms(reader: &mut Reader<'_, '_>, transport: Transport) -> Option<Terms> {
    let is_udp = transport == Transport::Udp;
    for key in ["congestion", "new_connections"] {
        if is_udp && reader.has(key) {
            reader.fault(key, format!("`{key}` is for transport tcp, and this exchange is udp"));
        }
    }
    if !is_udp && reader.has("datagram") {
        reader.fault("datagram", "`datagram` is for transport udp: TCP cuts its own segments");
    }
    let bounds = |least: u32, most: u32| [Bytes(least.into()), Bytes(most.into())];
    let mut size = |key: &str, default: u32, most: u32| {
        let size = reader.quantity_within(key, BYTES_EXAMPLES, bounds(BYTES_MIN, most));
        size.and_then(|size| u32::try_from(size.0).ok()).unwrap_or(default)
    };
    let request = size("request", SIZE_DEFAULT, BYTES_MAX);
    let response = size("response", SIZE_DEFAULT, BYTES_MAX);
    let datagram_bytes = size("datagram", DATAGRAM_BYTES_DEFAULT, DATAGRAM_BYTES_MAX);
    let sample = [Span::from_ms(1), Span::from_s(3_600)];
    let terms = Terms {
        datagram_bytes,
        service: reader
            .quantity_within("service", SPAN_EXAMPLES, [Span::ZERO, SERVICE_MAX])
            .unwrap_or_default(),
        spin: reader.flag("spin").unwrap_or_default(),
        congestion: sockets::congestion(reader),
        sample_every: reader.quantity_within("sample", SPAN_EXAMPLES, sample).unwrap_or(SAMPLE_EVERY_DEFAULT),
        ..Terms::new(transport, request, response)
    };
    match terms.check() {
        Ok(()) => Some(terms),
        Err(error) => {
            let key = if is_udp && reader.has("response") { "response" } else { "request" };
            reader.fault(key, error.to_string());
            None
        }
    }
}

pub(super) const KEYS: &[&str] = &[
    "answerer_core",
    "asker_core",
    "congestion",
    "count",
    "datagram",
    "duration",
    "from",
    "load",
    "name",
    "network",
    "new_connections",
    "outstanding",
    "request",
    "response",
    "sample",
    "service",
    "spacing",
    "spin",
    "think",
    "timeout",
    "to",
    "transport",
];
/// Size of requests and responses when nobody says: what the document's requests have.
const SIZE_DEFAULT: u32 = 64;
/// Highest core that a scheduler mask names.
const CORE_MAX: u64 = 1023;
