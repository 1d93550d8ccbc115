//! `incast events check`: verifies everything that can be, and says what is wrong.

use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use incast_core::mdf::{Checksum, IndexEntry, Record, verify_generated};
use serde::Serialize;

use super::row::{bank_fault, without_banks};
use super::walk::{Met, Walk};
use super::{OUTPUT, stdout, write_line};
use crate::cli::EventFilesArgs;
use crate::output::note;

/// Most problems of a file that are shown; all are counted.
const SHOWN_MAX: u64 = 20;

/// What was found in a file.
#[derive(Debug, Default, Serialize)]
struct Found {
    file: String,
    records: u64,
    bytes: u64,
    /// Records with a check sum that matches.
    summed: u64,
    /// Whether there is an index.
    has_index: bool,
    /// Records that match their entry.
    indexed: u64,
    /// Banks that were found to hold what they should.
    verified_banks: u64,
    verified_bytes: u64,
    /// Records whose banks could not be looked at.
    not_looked_into: u64,
    problems: u64,
    /// The first of them.
    shown: Vec<String>,
}

/// Checks; whether everything is good.
pub(super) fn check(args: &EventFilesArgs) -> anyhow::Result<bool> {
    let mut out = stdout();
    let mut all_good = true;
    for path in &args.files {
        let found = check_file(path)?;
        all_good &= found.problems == 0;
        for problem in &found.shown {
            note(&format!("{}: {problem}", path.display()));
        }
        if found.problems > SHOWN_MAX {
            note(&format!("{}: and {} more problems", path.display(), found.problems - SHOWN_MAX));
        }
        if args.json { write_line(&mut out, &found)? } else { writeln!(out, "{found}").context(OUTPUT)? }
    }
    out.flush().context(OUTPUT)?;
    Ok(all_good)
}

fn check_file(path: &Path) -> anyhow::Result<Found> {
    let mut walk = Walk::open(path)?;
    let file = incast_view::text::clean(&path.display().to_string());
    let mut found = Found { file, bytes: walk.bytes(), has_index: walk.has_index(), ..Found::default() };
    while let Some(met) = walk.next()? {
        match met {
            Met::Damage(damage) => found.problem(damage.to_string()),
            Met::Record { record, entry, is_indexed } => found.record(&record, &entry, is_indexed),
        }
    }
    let left = walk.entries_left()?;
    if left > 0 {
        found.problem(format!("the index has {left} entries of which there is no good record"));
    }
    Ok(found)
}

impl Found {
    fn problem(&mut self, what: String) {
        self.problems += 1;
        if self.problems <= SHOWN_MAX {
            self.shown.push(what);
        }
    }

    /// Takes in a record whose check sum is not wrong.
    fn record(&mut self, record: &Record<'_>, entry: &IndexEntry, is_indexed: bool) {
        let at = format!("event {} at offset {}", entry.event, entry.offset);
        self.records += 1;
        self.summed += u64::from(record.checksum() != Checksum::None);
        if let Some(why) = without_banks(record) {
            self.not_looked_into += 1;
            note(&format!("{}: {at}: {why}: its banks are not looked at", self.file));
        }
        if let Some(fault) = bank_fault(record) {
            self.problem(format!("{at}: {fault}"));
        }
        match (self.has_index, is_indexed && entry.matches(record.bytes())) {
            (true, true) => self.indexed += 1,
            (true, false) if is_indexed => self.problem(format!("{at}: its CRC in the index is another")),
            (true, false) => self.problem(format!("{at}: the index does not have it")),
            (false, _) => {}
        }
        let generated = verify_generated(record);
        self.verified_banks += generated.banks;
        self.verified_bytes += generated.bytes;
        if let Some(wrong) = generated.wrong {
            self.problem(format!(
                "{at}: the content of source {} is wrong from byte {} on",
                wrong.source, wrong.offset
            ));
        }
    }
}

impl std::fmt::Display for Found {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { file, records, bytes, summed, indexed, verified_banks, verified_bytes, problems, .. } =
            self;
        let verdict = if *problems == 0 { "good".to_owned() } else { format!("{problems} problems") };
        let index = if self.has_index { format!("{indexed} by index") } else { "no index".to_owned() };
        write!(
            out,
            "{file}: {verdict}: {records} records in {bytes} bytes; {summed} by check sum, {index}, "
        )?;
        write!(out, "{verified_banks} generated banks of {verified_bytes} bytes verified")
    }
}
