//! The `[[switch]]` tables: what each says of a switch, or of a group of them.

use std::ops::Range;

use toml::de::DeTable;

use super::cable;
use super::findings::Findings;
use super::model_network::{Forwarding, Subnet, WhenFull};
use super::model_sim::{Matching, Queueing, SwitchModel};
use super::reader::Reader;
use crate::time::Span;
use crate::units::{BYTES_EXAMPLES, Bytes, SPAN_EXAMPLES};

/// What one table says.
pub(super) struct SwitchTable {
    /// Its name, or that of the group, and where that stands.
    pub(super) name: String,
    pub(super) place: Range<usize>,
    /// How many there are in the group; `None`: one, which is no group.
    pub(super) count: Option<usize>,
    pub(super) forwarding: Forwarding,
    pub(super) when_full: WhenFull,
    pub(super) model: SwitchModel,
    pub(super) defaults: cable::Defaults,
    pub(super) subnet: Option<Subnet>,
}

impl SwitchTable {
    /// The names of its switches.
    pub(super) fn members(&self) -> Vec<String> {
        match self.count {
            None => vec![self.name.clone()],
            Some(count) => (1..=count).map(|number| format!("{}-{number}", self.name)).collect(),
        }
    }
}

/// Reads one `[[switch]]`; `None` when nobody can tell how many there are, or what they are called.
pub(super) fn read<'t>(
    table: &DeTable<'t>,
    header: Range<usize>,
    findings: &mut Findings<'t>,
) -> Option<SwitchTable> {
    let mut reader = Reader::open(table, "[[switch]]", header, KEYS, findings);
    reader.require("name", "cables refer to a switch by it");
    reader.require(
        "when_full",
        "say what a full port does: \"drop\" as Ethernet does, or \"pause\" (the senders wait)",
    );
    let forwarding = [("bridge", Forwarding::Bridge), ("routed", Forwarding::Routed)];
    let forwarding = reader.word("forwarding", "forwarding", &forwarding).unwrap_or_default();
    let when_full = [("drop", WhenFull::Drop), ("pause", WhenFull::Pause)];
    let when_full = reader.word("when_full", "answer", &when_full).unwrap_or_default();
    if (forwarding, when_full) == (Forwarding::Routed, WhenFull::Pause) {
        reader.fault("when_full", "a routed switch always drops; only a bridge can pause its senders");
    }
    let model = read_model(&mut reader);
    let defaults = cable::Defaults::read(&mut reader);
    let count = reader.small::<usize>("count", 1..=SWITCHES_MAX as u64);
    let subnet = reader.text("subnet").and_then(|text| match text.get_ref().parse() {
        Ok(subnet) => Some(subnet),
        Err(wrong) => {
            reader.fault("subnet", format!("`subnet`: {wrong}"));
            None
        }
    });
    if count.is_some_and(|count| count > 1) && subnet.is_some() {
        reader.fault("subnet", "`subnet` is of one network, and this table makes several switches");
    }
    if count.is_none() && reader.has("count") {
        return None;
    }
    let name = reader.name("name")?;
    let (name, place) = ((*name.get_ref()).to_owned(), name.span());
    Some(SwitchTable { name, place, count, forwarding, when_full, model, defaults, subnet })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Output,
    SharedMemory,
    InputFifo,
    InputVirtual,
}

/// How it works inside.
fn read_model(reader: &mut Reader<'_, '_>) -> SwitchModel {
    let words = [
        ("output", Word::Output),
        ("shared-memory", Word::SharedMemory),
        ("input-fifo", Word::InputFifo),
        ("input-virtual", Word::InputVirtual),
    ];
    let word = reader.word("queueing", "queueing", &words).unwrap_or(Word::Output);
    let memory = reader.quantity_within("memory", BYTES_EXAMPLES, [MEMORY_MIN, MEMORY_MAX]);
    if reader.has("memory") != (word == Word::SharedMemory) {
        reader.fault(
            "memory",
            "`memory` goes with queueing = \"shared-memory\": the bytes that all its ports share",
        );
    }
    let matchings = [("longest-first", Matching::LongestFirst), ("islip", Matching::Islip)];
    let matching = reader.word("matching", "matching", &matchings);
    if reader.has("matching") && word != Word::InputVirtual {
        reader.fault("matching", "`matching` goes with queueing = \"input-virtual\"");
    }
    let queueing = match word {
        Word::Output => Queueing::Output,
        Word::SharedMemory => Queueing::SharedMemory { bytes: memory.unwrap_or(MEMORY_MAX) },
        Word::InputFifo => Queueing::InputFifo,
        Word::InputVirtual => Queueing::InputVirtual { matching: matching.unwrap_or_default() },
    };
    let latencies = [Span::ZERO, LATENCY_MAX];
    SwitchModel {
        queueing,
        latency: reader.quantity_within("latency", SPAN_EXAMPLES, latencies).unwrap_or_default(),
        is_cut_through: reader.flag("cut_through").unwrap_or(false),
    }
}

pub(super) const KEYS: &[&str] = &[
    "count",
    "cut_through",
    "forwarding",
    "latency",
    "matching",
    "memory",
    "mtu",
    "name",
    "offloads",
    "port_queue",
    "port_rate",
    "queue",
    "queueing",
    "rate",
    "subnet",
    "when_full",
];
/// Most switches, groups expanded: three times what the largest readout network of LHCb had.
pub(super) const SWITCHES_MAX: usize = 1_024;
/// One packet of the largest MTU always fits.
const MEMORY_MIN: Bytes = Bytes(66 << 10);
const MEMORY_MAX: Bytes = Bytes(1 << 40);
/// A thousand times that of a slow switch.
const LATENCY_MAX: Span = Span::from_ms(100);
