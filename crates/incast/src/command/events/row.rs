//! What is said of an event on one line.

use incast_core::mdf::{Checksum, Fault, IndexEntry, Numbered, Record, keep};
use incast_core::readout::{Cause, Failure};
use serde::Serialize;

/// One event.
#[derive(Debug, Serialize)]
pub(super) struct Row<'p> {
    file: &'p str,
    pub(super) offset: u64,
    pub(super) bytes: u32,
    pub(super) event: u64,
    /// Where the number is from.
    numbered: &'static str,
    pub(super) run: u32,
    pub(super) banks: u64,
    /// The output streams, by number.
    pub(super) streams: Vec<u8>,
    checksum: &'static str,
    pub(super) flags: Vec<String>,
}

impl<'p> Row<'p> {
    /// What there is to say of a record.
    pub(super) fn new(file: &'p str, record: &Record<'_>, entry: &IndexEntry) -> Self {
        // In files of others the mask has another meaning, and all of its bits are set.
        let streams = if keep::made_here(record).is_some() || entry.streams != u32::MAX {
            (0..32).filter(|bit| entry.streams >> bit & 1 == 1).collect()
        } else {
            Vec::new()
        };
        Self {
            file,
            offset: entry.offset,
            bytes: record.header().record_bytes,
            event: entry.event,
            numbered: match entry.numbered {
                Numbered::ByTiming => "timing",
                Numbered::ByPlace => "place",
                Numbered::ByReadout => "index",
            },
            run: record.header().run,
            banks: record.banks().filter(Result::is_ok).count() as u64,
            streams,
            checksum: checksum(record.checksum()),
            flags: flags(record, entry),
        }
    }
}

/// The first thing that is wrong with the banks of a record.
pub(super) fn bank_fault(record: &Record<'_>) -> Option<Fault> {
    record.banks().find_map(Result::err)
}

/// Why the banks of a record cannot be looked at.
pub(super) fn without_banks(record: &Record<'_>) -> Option<&'static str> {
    match record.header() {
        header if header.is_compressed() => Some("compressed"),
        header if !header.holds_banks() => Some("no banks"),
        _ => None,
    }
}

fn flags(record: &Record<'_>, entry: &IndexEntry) -> Vec<String> {
    let marks = entry.marks;
    let flaw = keep::flaw(record);
    let mut flags = Vec::new();
    if let Some(cause) = marks.cause {
        let missing = flaw.as_ref().map_or_else(|| "?".to_owned(), |flaw| flaw.missing.to_string());
        let cause = match cause {
            Cause::TimedOut => "timed out",
            Cause::Crowded => "crowded",
            Cause::Ended => "run ended",
        };
        flags.push(format!("incomplete: {cause}, without sources {missing}"));
    }
    if let Some(failure) = marks.failure {
        let failure = match failure {
            Failure::Crash => "crash",
            Failure::Timeout => "time-out",
            Failure::Memory => "memory",
            Failure::Nonsense => "nonsense",
        };
        flags.push(format!("unjudged: {failure}"));
    }
    if marks.is_damaged {
        let damaged = flaw.filter(|flaw| !flaw.damaged.is_empty());
        let sources = damaged.map_or_else(String::new, |flaw| format!(": sources {}", flaw.damaged));
        flags.push(format!("damaged{sources}"));
    }
    if marks.is_replayed {
        flags.push("replayed".to_owned());
    }
    flags.extend(without_banks(record).map(str::to_owned));
    flags.extend(bank_fault(record).map(|fault| format!("damaged banks: {fault}")));
    flags
}

const fn checksum(checksum: Checksum) -> &'static str {
    match checksum {
        Checksum::None => "none",
        Checksum::Matches => "good",
        Checksum::MatchesLegacy => "good, by the CRC of old files",
        Checksum::Wrong => "wrong",
    }
}
