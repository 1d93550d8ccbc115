//! Reads one TOML table: each key by its kind, with its place, noting what is wrong with it.
//!
//! A key that is absent, and one that is wrong, both read as `None`; `has` tells them apart. A
//! wrong one has been noted, so whoever reads goes on with a default and finds the other faults.

use std::ops::{Range, RangeInclusive};
use std::str::FromStr;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::findings::{Findings, is_plain, quoted, shortened};
use crate::units::UnitError;

/// A table of the file: the whole file, a `[[host]]`, a `[[flow]]` or an `[[expect]]`.
pub(super) struct Reader<'r, 't> {
    table: &'r DeTable<'t>,
    place: &'static str,
    /// Where the table begins, for what is missing in it.
    pub(super) header: Range<usize>,
    keys: &'static [&'static str],
    pub(super) findings: &'r mut Findings<'t>,
}

/// What a kind of value is called in messages, with an example.
const TEXT: &str = "a text in quotes";

impl<'r, 't> Reader<'r, 't> {
    /// Opens `table`, which may hold `keys`; notes every other key.
    pub(super) fn open(
        table: &'r DeTable<'t>,
        place: &'static str,
        header: Range<usize>,
        keys: &'static [&'static str],
        findings: &'r mut Findings<'t>,
    ) -> Self {
        for (key, _) in table.iter().filter(|(key, _)| !keys.contains(&key.get_ref().as_ref())) {
            let advice = findings.advice(key.get_ref(), keys.iter().copied(), &keys.join(", "));
            let message = format!("unknown key {} in {place}{advice}", quoted(key.get_ref()));
            findings.add(&key.span(), message);
        }
        Self { table, place, header, keys, findings }
    }

    /// Whether the key is there, right or wrong.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Where the value of `key` stands, or the table when it is absent.
    pub(super) fn place_of(&self, key: &str) -> Range<usize> {
        self.table.get(key).map_or_else(|| self.header.clone(), Spanned::span)
    }

    /// Notes a fault of the value of `key`.
    pub(super) fn fault(&mut self, key: &str, message: impl Into<String>) {
        let span = self.place_of(key);
        self.findings.add(&span, message);
    }

    /// Notes that a required key is missing, unless it is there.
    pub(super) fn require(&mut self, key: &str, hint: &str) {
        if !self.has(key) {
            let place = self.place;
            self.fault(key, format!("`{key}` is missing in {place}; {hint}"));
        }
    }

    fn value(&self, key: &str) -> Option<&'r Spanned<DeValue<'t>>> {
        debug_assert!(self.keys.contains(&key), "{key} would have been reported as unknown");
        self.table.get(key)
    }

    fn wrong_kind(&mut self, key: &str, wanted: &str) {
        if let Some(value) = self.value(key) {
            let found = describe(value.get_ref());
            self.fault(key, format!("`{key}` must be {wanted}, found {found}"));
        }
    }

    /// A text of any content.
    pub(super) fn text(&mut self, key: &str) -> Option<Spanned<&'r str>> {
        let value = self.value(key)?;
        let text = value.get_ref().as_str();
        if text.is_none() {
            self.wrong_kind(key, TEXT);
        }
        text.map(|text| Spanned::new(value.span(), text))
    }

    /// A text that people read: one line, not empty.
    pub(super) fn sentence(&mut self, key: &str) -> Option<String> {
        let text = self.text(key)?.into_inner();
        if text.trim().is_empty() {
            self.fault(key, format!("`{key}` is empty"));
        } else if text.chars().count() > SENTENCE_CHARACTERS_MAX {
            self.fault(key, format!("`{key}` is longer than {SENTENCE_CHARACTERS_MAX} characters"));
        } else if !text.chars().all(is_plain) {
            self.fault(key, format!("`{key}` holds a line break or another character that does not print"));
        } else {
            return Some(text.to_owned());
        }
        None
    }

    /// A name: safe in a directory name, in a flow's name and on a command line.
    pub(super) fn name(&mut self, key: &str) -> Option<Spanned<&'r str>> {
        let name = self.text(key)?;
        let text = *name.get_ref();
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if let Some(bad) = text.chars().find(|c| !fits(*c)) {
            let bad = quoted(bad.encode_utf8(&mut [0; 4]));
            self.fault(
                key,
                format!("`{key}` holds {bad}; allowed: letters a-z A-Z, digits, `-`, `_` and `.`"),
            );
        } else if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            self.fault(key, format!("`{key}` must begin with a letter or a digit, found {}", quoted(text)));
        } else if text.len() > NAME_CHARACTERS_MAX {
            self.fault(key, format!("`{key}` is longer than {NAME_CHARACTERS_MAX} characters"));
        } else {
            return Some(name);
        }
        None
    }

    /// One of a few words; `noun` is what they are.
    pub(super) fn word<T: Copy>(&mut self, key: &str, noun: &str, words: &[(&'static str, T)]) -> Option<T> {
        let text = self.text(key)?.into_inner();
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning);
        if found.is_none() {
            let names = words.iter().map(|(word, _)| *word);
            let advice = self.findings.advice(text, names.clone(), &names.collect::<Vec<_>>().join(", "));
            self.fault(key, format!("unknown {noun} {}{advice}", quoted(text)));
        }
        found
    }

    /// A quantity with its unit.
    pub(super) fn quantity<T: FromStr<Err = UnitError>>(&mut self, key: &str, examples: &str) -> Option<T> {
        let Some(text) = self.value(key)?.get_ref().as_str() else {
            self.wrong_kind(key, &format!("{TEXT} with its unit, for example {examples}"));
            return None;
        };
        text.parse().map_err(|error| self.fault(key, format!("`{key}`: {error}"))).ok()
    }

    /// A quantity with its unit, within bounds that are themselves written as people write them.
    pub(super) fn quantity_within<T>(&mut self, key: &str, examples: &str, bounds: [T; 2]) -> Option<T>
    where
        T: FromStr<Err = UnitError> + PartialOrd + std::fmt::Display,
    {
        let quantity: T = self.quantity(key, examples)?;
        let [least, most] = bounds;
        if (&least..=&most).contains(&&quantity) {
            return Some(quantity);
        }
        self.fault(key, format!("`{key}` is {quantity}; allowed: {least} to {most}"));
        None
    }

    /// A whole number within bounds.
    pub(super) fn integer(&mut self, key: &str, allowed: RangeInclusive<u64>) -> Option<u64> {
        let Some(integer) = self.value(key)?.get_ref().as_integer() else {
            self.wrong_kind(key, "a whole number");
            return None;
        };
        let value = u64::from_str_radix(integer.as_str(), integer.radix()).ok();
        let value = value.filter(|value| allowed.contains(value));
        if value.is_none() {
            let found = shortened(&integer.to_string());
            let (least, most) = allowed.into_inner();
            let allowed = if least == most { least.to_string() } else { format!("{least} to {most}") };
            self.fault(key, format!("`{key}` is {found}; allowed: {allowed}"));
        }
        value
    }

    /// The same as [`Self::integer`], in the narrower type that its bounds fit.
    pub(super) fn small<T: TryFrom<u64>>(&mut self, key: &str, allowed: RangeInclusive<u64>) -> Option<T> {
        self.integer(key, allowed).and_then(|value| T::try_from(value).ok())
    }

    /// Yes or no.
    pub(super) fn flag(&mut self, key: &str) -> Option<bool> {
        let flag = self.value(key)?.get_ref().as_bool();
        if flag.is_none() {
            self.wrong_kind(key, "true or false");
        }
        flag
    }

    /// A number, or a text for `read_text` to understand; what that says is wrong is noted.
    pub(super) fn number(
        &mut self,
        key: &str,
        wanted: &str,
        read_text: impl Fn(&str) -> Option<Result<f64, UnitError>>,
    ) -> Option<f64> {
        let number = match self.value(key)?.get_ref() {
            DeValue::Integer(integer) if integer.radix() == 10 => integer.as_str().parse().ok(),
            DeValue::Float(float) => float.as_str().parse().ok(),
            DeValue::String(text) => match read_text(text) {
                Some(Ok(number)) => Some(number),
                Some(Err(error)) => {
                    self.fault(key, format!("`{key}`: {error}"));
                    return None;
                }
                None => None,
            },
            _ => None,
        };
        let number = number.filter(|number: &f64| number.is_finite());
        if number.is_none() {
            self.wrong_kind(key, wanted);
        }
        number
    }

    /// One name, or a list of them.
    pub(super) fn names(&mut self, key: &str) -> Option<Vec<Spanned<&'r str>>> {
        const WANTED: &str = "a host's name in quotes, or a list of them";
        let value = self.value(key)?;
        let elements = match value.get_ref() {
            DeValue::String(name) => return Some(vec![Spanned::new(value.span(), name)]),
            DeValue::Array(elements) => elements,
            _ => {
                self.wrong_kind(key, WANTED);
                return None;
            }
        };
        if elements.is_empty() {
            self.fault(key, format!("`{key}` is an empty list; write {WANTED}"));
            return None;
        }
        let text = |element: &'r Spanned<DeValue<'t>>| {
            element.get_ref().as_str().map(|text| Spanned::new(element.span(), text))
        };
        for wrong in elements.iter().filter(|element| text(element).is_none()) {
            let found = describe(wrong.get_ref());
            self.findings.add(&wrong.span(), format!("`{key}` must be {WANTED}, found {found} in the list"));
        }
        elements.iter().map(text).collect()
    }

    /// The texts of a table of texts, each with its key.
    pub(super) fn settings(&mut self, key: &str) -> Vec<(Spanned<&'r str>, Spanned<&'r str>)> {
        const WANTED: &str = "a table of texts: { \"name\" = \"value\" }";
        let Some(value) = self.value(key) else { return Vec::new() };
        let Some(table) = value.get_ref().as_table() else {
            self.wrong_kind(key, WANTED);
            return Vec::new();
        };
        let mut settings = Vec::new();
        for (name, value) in table.iter() {
            match value.get_ref().as_str() {
                Some(text) => settings.push((
                    Spanned::new(name.span(), name.get_ref().as_ref()),
                    Spanned::new(value.span(), text),
                )),
                None => {
                    let found = describe(value.get_ref());
                    self.findings
                        .add(&value.span(), format!("`{key}` must be {WANTED}, found {found} in it"));
                }
            }
        }
        settings
    }

    /// The table written as `[key]`, with the place of its header.
    pub(super) fn table(&mut self, key: &str) -> Option<(&'r DeTable<'t>, Range<usize>)> {
        let value = self.value(key)?;
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.wrong_kind(key, &format!("one table, headed [{key}]"));
        }
        table.map(|table| (table, value.span()))
    }

    /// The tables written as `[[key]]`, each with the place of its header; `None` when they are
    /// not that, or more than `most`.
    pub(super) fn tables(&mut self, key: &str, most: usize) -> Option<Vec<(&'r DeTable<'t>, Range<usize>)>> {
        let Some(value) = self.value(key) else { return Some(Vec::new()) };
        let table = |element: &'r Spanned<DeValue<'t>>| {
            element.get_ref().as_table().map(|table| (table, element.span()))
        };
        let elements = value.get_ref().as_array();
        if let Some(beyond) = elements.and_then(|elements| elements.get(most)) {
            self.findings.add(&beyond.span(), format!("more than {most} [[{key}]] tables"));
            return None;
        }
        let tables = elements.and_then(|elements| elements.iter().map(table).collect());
        if tables.is_none() {
            self.wrong_kind(key, &format!("a list of tables, each headed [[{key}]]"));
        }
        tables
    }
}

/// What was found instead of the wanted kind of value.
fn describe(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("the text {}", quoted(text)),
        DeValue::Integer(integer) => format!("the number {}", shortened(&integer.to_string())),
        DeValue::Float(float) => format!("the number {}", shortened(float.as_str())),
        DeValue::Boolean(flag) => format!("`{flag}`"),
        DeValue::Datetime(_) => "a date".to_owned(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a single table".to_owned(),
    }
}

/// Longest name: expanded with a group's number it still fits a file name beside others.
const NAME_CHARACTERS_MAX: usize = 64;
/// Longest title, name of an expectation, or source.
const SENTENCE_CHARACTERS_MAX: usize = 300;
