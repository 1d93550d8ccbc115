//! The `[[fault]]` tables: what is done to roles while the run lasts.

use std::ops::Range;

use toml::de::DeTable;

use super::group::Groups;
use crate::scenario::findings::Findings;
use crate::scenario::model_readout::{FaultKind, FaultPlan};
use crate::scenario::reader::Reader;
use crate::time::Span;
use crate::units::SPAN_EXAMPLES;

/// Reads one `[[fault]]`.
pub(super) fn read<'t>(
    table: &DeTable<'t>,
    header: Range<usize>,
    groups: &Groups<'_>,
    findings: &mut Findings<'t>,
) -> Option<FaultPlan> {
    let mut reader = Reader::open(table, "[[fault]]", header, KEYS, findings);
    reader.require("role", "write the name of a role or of a group of them");
    reader.require("what", "say what happens to it: \"kill\" or \"hang\"");
    reader.require("at", "say when, after the start of the run");
    let names = reader.names("role").unwrap_or_default();
    let what = reader.word("what", "fault", &[("kill", FaultKind::Kill), ("hang", FaultKind::Hang)]);
    let spans = [Span::ZERO, Span::from_s(86_400)];
    let at = reader.quantity_within("at", SPAN_EXAMPLES, spans);
    let lasts = reader.quantity_within("for", SPAN_EXAMPLES, spans);
    let mut roles = Vec::new();
    for name in names {
        roles.extend(groups.roles(name.get_ref(), &name.span(), reader.findings));
    }
    Some(FaultPlan { roles, what: what?, at: at?, lasts })
}

pub(in crate::scenario) const KEYS: &[&str] = &["at", "for", "role", "what"];
