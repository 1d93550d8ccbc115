//! The `[[fault]]` tables: what is done to roles and to cables while the run lasts.

use std::ops::Range;

use toml::de::DeTable;

use super::findings::Findings;
use super::model_fault::{CableFaultKind, CableFaultPlan, FaultKind, FaultPlan};
use super::model_network::NetworkPlan;
use super::reader::Reader;
use super::readout::{Groups, Tables};
use super::ways::Ways;
use crate::readout::Peer;
use crate::time::Span;
use crate::units::SPAN_EXAMPLES;

/// Whether a table is about cables, and not about roles.
pub(super) fn is_of_cables(table: &DeTable<'_>) -> bool {
    table.contains_key("cable") && !table.contains_key("role")
}

/// Reads one `[[fault]]` of roles.
pub(super) fn read_role<'t>(
    table: &DeTable<'t>,
    header: Range<usize>,
    groups: &Groups<'_>,
    findings: &mut Findings<'t>,
) -> Option<FaultPlan> {
    let mut reader = Reader::open(table, "[[fault]]", header, KEYS, findings);
    if reader.has("cable") {
        reader.fault("cable", "a fault is of roles or of cables: give the other a table of its own");
    } else {
        reader.require(
            "role",
            "write the name of a role or of a group of them; or `cable`, and that of a cable",
        );
    }
    reader.require("what", "say what happens to it: \"kill\", \"hang\" or \"slow\"");
    let names = reader.names("role").unwrap_or_default();
    let factor_milli = factor_milli(&mut reader);
    let words = [
        ("kill", FaultKind::Kill),
        ("hang", FaultKind::Hang),
        ("slow", FaultKind::Slow { factor_milli: factor_milli.unwrap_or(1_000) }),
    ];
    let what = reader.word("what", "fault", &words);
    let is_slow = matches!(what, Some(FaultKind::Slow { .. }));
    if what.is_some() && reader.has("factor") != is_slow {
        reader.fault("factor", "`factor` goes with what = \"slow\": how many times longer an event takes");
    }
    let when = When::read(&mut reader, EVERY_OF_ROLES_MIN);
    let mut roles = Vec::new();
    for name in names {
        let meant = groups.roles(name.get_ref(), &name.span(), reader.findings);
        if is_slow && meant.iter().any(|role| !matches!(role, Peer::Node(_))) {
            let name = super::findings::quoted(name.get_ref());
            reader.fault("role", format!("{name} is no node: what becomes slow is the algorithm of a node"));
        }
        roles.extend(meant);
    }
    note_of_the_other(&mut reader, &["by", "probability"], "is of a fault of cables");
    let When { at, lasts, every } = when?;
    Some(FaultPlan { roles, what: what?, at, lasts, every })
}

/// Reads every `[[fault]]` of cables.
pub(super) fn read_cables<'t>(
    tables: Tables<'_, 't>,
    network: (Option<&NetworkPlan>, &Ways<'_>),
    findings: &mut Findings<'t>,
) -> Vec<CableFaultPlan> {
    tables.into_iter().filter_map(|(table, header)| read_cable(table, header, network, findings)).collect()
}

fn read_cable<'t>(
    table: &DeTable<'t>,
    header: Range<usize>,
    (network, ways): (Option<&NetworkPlan>, &Ways<'_>),
    findings: &mut Findings<'t>,
) -> Option<CableFaultPlan> {
    let faults_before = findings.count();
    let mut reader = Reader::open(table, "[[fault]]", header, KEYS, findings);
    reader.require("what", "say what happens to it, for example \"down\" or \"drop\"");
    let names = reader.names("cable").unwrap_or_default();
    let words = [
        ("down", Word::Down),
        ("drop", Word::Drop),
        ("duplicate", Word::Duplicate),
        ("corrupt", Word::Corrupt),
        ("delay", Word::Delay),
        ("reorder", Word::Reorder),
    ];
    let word = reader.word("what", "fault", &words);
    let what = word.and_then(|word| kind(&mut reader, word));
    let when = When::read(&mut reader, EVERY_OF_CABLES_MIN);
    note_of_the_other(&mut reader, &["factor"], "goes with what = \"slow\", a fault of nodes");
    let mut meant = Vec::new();
    match network {
        Some(network) => {
            for name in names {
                meant.extend(ways.meant_by(network, name.get_ref(), &name.span(), reader.findings));
            }
        }
        // Of a network that is wrong it has been said.
        None if faults_before == 0 => {
            reader.fault("cable", "the scenario describes no network: there is no [[cable]]");
        }
        None => {}
    }
    meant.sort_unstable();
    meant.dedup();
    let When { at, lasts, every } = when?;
    Some(CableFaultPlan { ways: meant, what: what?, at, lasts, every })
}

#[derive(Clone, Copy)]
enum Word {
    Down,
    Drop,
    Duplicate,
    Corrupt,
    Delay,
    Reorder,
}

/// What is done to a cable, with the keys that go with it.
fn kind(reader: &mut Reader<'_, '_>, word: Word) -> Option<CableFaultKind> {
    let (has_probability, has_by) = match word {
        Word::Down => (false, false),
        Word::Drop | Word::Duplicate | Word::Corrupt => (true, false),
        Word::Delay => (false, true),
        Word::Reorder => (true, true),
    };
    let said = [
        (
            "probability",
            has_probability,
            "of \"drop\", \"duplicate\", \"corrupt\" and \"reorder\": of each packet",
        ),
        ("by", has_by, "of \"delay\" and \"reorder\": how much later, or earlier"),
    ];
    for (key, is_needed, of) in said {
        if reader.has(key) != is_needed {
            reader.fault(key, format!("`{key}` is {of}"));
        }
    }
    let probability = reader.number("probability", "a number from 0 to 1, for example 0.01", |_| None);
    if let Some(wrong) = probability.filter(|probability| !(0.0..=1.0).contains(probability)) {
        reader.fault("probability", format!("`probability` is {wrong}; allowed: 0 to 1"));
    }
    let by = reader.quantity_within("by", SPAN_EXAMPLES, [Span(1), Span::from_s(60)]);
    Some(match word {
        Word::Down => CableFaultKind::Down,
        Word::Drop => CableFaultKind::Drop(probability?),
        Word::Duplicate => CableFaultKind::Duplicate(probability?),
        Word::Corrupt => CableFaultKind::Corrupt(probability?),
        Word::Delay => CableFaultKind::Delay(by?),
        Word::Reorder => CableFaultKind::Reorder(probability?, by?),
    })
}

/// When it begins, how long it lasts, and whether it repeats.
struct When {
    at: Span,
    lasts: Option<Span>,
    every: Option<Span>,
}

impl When {
    fn read(reader: &mut Reader<'_, '_>, every_min: Span) -> Option<Self> {
        reader.require("at", "say when, after the start of the run");
        let spans = [Span::ZERO, Span::from_s(86_400)];
        let at = reader.quantity_within("at", SPAN_EXAMPLES, spans);
        let lasts = reader.quantity_within("for", SPAN_EXAMPLES, spans);
        let every = reader.quantity_within("every", SPAN_EXAMPLES, [every_min, Span::from_s(86_400)]);
        if reader.has("every") && !reader.has("for") {
            reader.fault("every", "what lasts for good happens once: `every` needs `for`");
        }
        Some(Self { at: at?, lasts, every })
    }
}

/// `factor`, in thousandths.
fn factor_milli(reader: &mut Reader<'_, '_>) -> Option<u32> {
    let factor = reader.number("factor", "a number from 1 to 1000, for example 3", |_| None)?;
    if !(1.0..=1_000.0).contains(&factor) {
        reader.fault("factor", format!("`factor` is {factor}; allowed: 1 to 1000"));
        return None;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most a million")]
    Some((factor * 1e3).round() as u32)
}

fn note_of_the_other(reader: &mut Reader<'_, '_>, keys: &[&str], why: &str) {
    for key in keys {
        if reader.has(key) {
            reader.fault(key, format!("`{key}` {why}"));
        }
    }
}

pub(super) const KEYS: &[&str] =
    &["at", "by", "cable", "every", "factor", "for", "probability", "role", "what"];
/// Roles are processes: sooner than this none has come back.
const EVERY_OF_ROLES_MIN: Span = Span::from_ms(10);
const EVERY_OF_CABLES_MIN: Span = Span::from_us(1);
