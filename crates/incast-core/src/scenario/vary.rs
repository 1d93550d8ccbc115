//! A value of the scenario file replaced before it is read: `y.congestion=cubic`.
//!
//! What stands before the last dot is the name of a table (a host, a flow, a switch, an expectation), or a kind of
//! table (`host`, `flow`, `exchange`, `switch`, `cable`, `model`, `expect`, and then all of that kind are meant; `sim`);
//! without a dot it is a key of the scenario itself. The value is TOML, or else a text.

use std::fmt;
use std::str::FromStr;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::findings::{Findings, quoted, shortened};
use super::{cable, exchanges, expect, fault, flows, host_model, hosts, readout, switch};

/// One value to be replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// As it was written: `y.congestion=cubic`.
    text: String,
    table: Option<String>,
    key: String,
    /// A document of one key, `v`, whose value is the new one.
    toml: String,
}

/// What is wrong with a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingError(String);

impl fmt::Display for SettingError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for SettingError {}

impl FromStr for Setting {
    type Err = SettingError;

    fn from_str(text: &str) -> Result<Self, SettingError> {
        let wrong = |what: &str| {
            let found = quoted(text);
            Err(SettingError(format!(
                "{found} {what}; write TABLE.KEY=VALUE, for example flow.congestion=cubic"
            )))
        };
        if text.len() > SETTING_BYTES_MAX || text.chars().any(char::is_control) {
            return wrong("is too long or does not print");
        }
        let Some((path, value)) = text.split_once('=') else { return wrong("has no `=`") };
        let (table, key) = match path.trim().rsplit_once('.') {
            Some((table, key)) => (Some(table.to_owned()), key),
            None => (None, path.trim()),
        };
        if key.is_empty() || table.as_ref().is_some_and(String::is_empty) {
            return wrong("names no key");
        }
        let value = value.trim();
        let bare = format!("v = {value}");
        let is_one_value = DeTable::parse(&bare).is_ok_and(|table| table.get_ref().len() == 1);
        let toml = if is_one_value {
            bare
        } else {
            format!("v = \"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
        };
        Ok(Self { text: text.to_owned(), table, key: key.to_owned(), toml })
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

/// Replaces the values that `settings` name; notes a setting that replaces nothing.
pub(super) fn apply<'t>(table: &mut DeTable<'t>, settings: &'t [Setting], findings: &mut Findings<'t>) {
    for setting in settings {
        // What cannot be read was refused when the setting was.
        let Ok(document) = DeTable::parse(&setting.toml) else { continue };
        let Some((_, value)) = document.into_inner().into_iter().next() else { continue };
        if replace(table, setting, value.get_ref()) == 0 {
            let message = format!(
                "{}: there is no table of that name or kind (host, flow, exchange, switch, cable, readout, trigger, source, builder, node, sink, model, sim, machine, ...)",
                shown(setting)
            );
            findings.add(&(0..0), message);
        }
    }
}

fn shown(setting: &Setting) -> String {
    format!("--set {}", shortened(&setting.text))
}

/// How many tables have the new value.
fn replace<'t>(table: &mut DeTable<'t>, setting: &Setting, value: &DeValue<'t>) -> usize {
    let place = Spanned::new(0..0, setting.key.clone().into());
    let Some(wanted) = &setting.table else {
        table.insert(place, Spanned::new(0..0, value.clone()));
        return 1;
    };
    let mut replaced = 0;
    // A host and its flow are often called alike: then that is meant which has such a key.
    let has_key = |kind: &Kind| kind.1.contains(&setting.key.as_str());
    let any_has_key = KINDS.iter().any(|kind| has_key(kind) && has_named(table, kind.0, wanted));
    add_missing(table, wanted);
    // Tables that there are once go by their kind.
    if let Some(one) = table.get_mut(wanted.as_str())
        && let DeValue::Table(one) = one.get_mut()
    {
        one.insert(place, Spanned::new(0..0, value.clone()));
        return 1;
    }
    for (kind, _) in KINDS.iter().filter(|kind| kind.0 == wanted || !any_has_key || has_key(kind)) {
        let Some(tables) = table.get_mut(*kind).and_then(|list| match list.get_mut() {
            DeValue::Array(tables) => Some(tables),
            _ => None,
        }) else {
            continue;
        };
        for one in tables.iter_mut() {
            let DeValue::Table(one) = one.get_mut() else { continue };
            let name = one.get("name").and_then(|name| name.get_ref().as_str());
            if wanted == *kind || name == Some(wanted) {
                one.insert(place.clone(), Spanned::new(0..0, value.clone()));
                replaced += 1;
            }
        }
    }
    replaced
}

/// What the simulator assumes can be set in any scenario: an empty table says nothing.
fn add_missing(table: &mut DeTable<'_>, wanted: &str) {
    let empty = || Spanned::new(0..0, DeValue::Table(DeTable::new()));
    let added = match wanted {
        "sim" | "machine" => empty(),
        "model" => {
            let mut models = DeArray::new();
            models.push(empty());
            Spanned::new(0..0, DeValue::Array(models))
        }
        _ => return,
    };
    if !table.contains_key(wanted) {
        table.insert(Spanned::new(0..0, wanted.to_owned().into()), added);
    }
}

/// Whether there is a table of that kind with that name.
fn has_named(table: &DeTable<'_>, kind: &str, wanted: &str) -> bool {
    let tables = table.get(kind).and_then(|list| list.get_ref().as_array());
    let mut tables =
        tables.into_iter().flat_map(|tables| tables.iter().filter_map(|one| one.get_ref().as_table()));
    tables.any(|one| one.get("name").and_then(|name| name.get_ref().as_str()) == Some(wanted))
}

/// A kind of table, and its keys.
type Kind = (&'static str, &'static [&'static str]);

const KINDS: &[Kind] = &[
    ("host", hosts::KEYS),
    ("flow", flows::KEYS),
    ("exchange", exchanges::KEYS),
    ("switch", switch::KEYS),
    ("cable", cable::KEYS),
    ("expect", expect::KEYS),
    ("source", readout::SOURCE_KEYS),
    ("builder", readout::BUILDER_KEYS),
    ("node", readout::NODE_KEYS),
    ("sink", readout::SINK_KEYS),
    ("fault", fault::KEYS),
    ("model", host_model::KEYS),
];
/// Longest setting.
const SETTING_BYTES_MAX: usize = 1024;
