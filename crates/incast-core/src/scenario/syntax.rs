//! From text to a TOML table with the place of every key and value; TOML's own faults are told as ours.

use toml::de::{DeTable, Error};

use super::findings::{Findings, is_plain, quoted};

/// Reads `text` as TOML; notes what is not TOML and then returns `None`, since the rest would be guesswork.
pub(super) fn parse<'t>(text: &'t str, findings: &mut Findings<'t>) -> Option<DeTable<'t>> {
    if text.len() > RECOVERED_BYTES_MAX {
        return DeTable::parse(text)
            .map(toml::Spanned::into_inner)
            .map_err(|error| note(text, &error, findings))
            .ok();
    }
    let (table, mut errors) = DeTable::parse_recoverable(text);
    errors.sort_by_key(start);
    // One fault makes the parser stumble several times in its line: the first tells most.
    let line = |error: &Error| text[..text.floor_char_boundary(start(error))].matches('\n').count();
    errors.dedup_by(|later, earlier| line(later) == line(earlier));
    for error in &errors {
        note(text, error, findings);
    }
    errors.is_empty().then(|| table.into_inner())
}

fn start(error: &Error) -> usize {
    error.span().map_or(0, |span| span.start)
}

fn note(text: &str, error: &Error, findings: &mut Findings<'_>) {
    let span = error.span().unwrap_or(0..0);
    let message = error.message();
    let found = text.get(span.clone()).unwrap_or_default();
    // The commonest slip in a first scenario has the parser's oddest messages.
    let is_bare =
        message.starts_with("invalid boolean") || message.starts_with("string values must be quoted");
    let message = match (is_bare, found.is_empty()) {
        (true, true) => "a value is missing after `=`".to_owned(),
        (true, false) => format!("{} needs quotes, if it is a text", quoted(found)),
        (false, _) => format!("not TOML: {}", message.chars().filter(|c| is_plain(*c)).collect::<String>()),
    };
    findings.add(&span, message);
}

/// Largest text of which all TOML faults are told: the parser keeps every one in memory, four for
/// each `=` of a file that holds nothing else. Of a larger text the first is told.
const RECOVERED_BYTES_MAX: usize = 64 << 10;
