//! What an earlier process left in the directory of a sink, made whole again.
//!
//! ```text
//!  .mdf  | record | record | record | rec        .idx  | head | entry | entry | ent
//!                                   ^ cut here, the rest moves to .mdf.torn and .idx.torn
//! ```
//! A record counts when its index entry is whole and its CRC matches, or when it is whole by itself and
//! says its number: those that were made here do, and their entries are written again. A replayed record
//! without an entry was not acknowledged, and its number is not known; it goes with what is torn. Nothing is
//! deleted but files without a record.
//!
//! All records of the last file of a stream are read and compared; of earlier files only when file and index
//! do not end together. A damaged record in front of good ones stays where it is, and is not stored.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use incast_core::mdf::IndexEntry;
use incast_core::readout::{EventNumber, EventSet};

use crate::entries::IndexEntries;
use crate::name::FileName;
use crate::plan::{StoreError, StorePlan};
use crate::store::{names_mask, sync_dir};
use crate::summary::FileSummary;

pub(crate) mod incomplete;
mod pair;
mod torn;

/// What was found, and done about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Files that hold records, by stream and number.
    pub files: Vec<FileSummary>,
    /// Events that are on disk in all their streams.
    pub events: u64,
    /// Events that are in some of their streams and not in others: not stored until they are repeated.
    pub partial_events: u64,
    /// Records that had no index entry, and have one now.
    pub indexed: u64,
    /// Records in front of good ones that do not match their entry any more: left where they are.
    pub damaged: u64,
    /// Records of an event that an earlier one of the same stream has already.
    pub doubled: u64,
    /// Files with what was cut off.
    pub torn: Vec<PathBuf>,
    /// Bytes in them.
    pub torn_bytes: u64,
    /// Files without a record, which were removed.
    pub removed: u64,
    /// The highest number of a file, by stream.
    numbers: BTreeMap<String, u32>,
}

impl Recovered {
    /// The number of the next file of a stream.
    pub(crate) fn next_number(&self, stream: &str) -> u32 {
        self.numbers.get(stream).map_or(1, |number| number.saturating_add(1))
    }
}

/// An event that is in some of its streams only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Partial {
    /// Where it is.
    pub(crate) present: u32,
    /// Where it is to be.
    pub(crate) wanted: u32,
}

/// Events that are stored, and those that are so in part.
pub(crate) type Stored = (EventSet, BTreeMap<EventNumber, Partial>);

/// Recovers all files of the plan's sink in `dir`; those of streams that it does not name are left alone.
pub(crate) fn recover(dir: &Path, plan: &StorePlan) -> Result<(Recovered, Stored), StoreError> {
    let mut recovered = Recovered::default();
    let mut present = vec![EventSet::new(); plan.streams.len()];
    let names = names(dir, plan)?;
    for (place, name) in names.iter().enumerate() {
        let Some(stream) = plan.streams.iter().position(|stream| *stream == name.stream) else { continue };
        recovered.numbers.insert(name.stream.clone(), name.number);
        let is_last = names.get(place + 1).is_none_or(|next| next.stream != name.stream);
        pair::recover(dir, name, plan.run, is_last, &mut recovered, &mut present[stream])?;
    }
    if !names.is_empty() {
        sync_dir(dir)?;
    }
    let stored = complete(dir, &names, plan, present)?;
    recovered.events = stored.0.len();
    recovered.partial_events = stored.1.len() as u64;
    Ok((recovered, stored))
}

/// The files of the plan's sink, by stream and number.
fn names(dir: &Path, plan: &StorePlan) -> Result<Vec<FileName>, StoreError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(StoreError::failed("read", dir))? {
        let entry = entry.map_err(StoreError::failed("read", dir))?;
        let name = entry.file_name().to_str().and_then(FileName::parse);
        names.extend(name.filter(|name| name.sink == plan.sink));
    }
    names.sort();
    Ok(names)
}

/// Which events are in all their streams, and which are not.
fn complete(
    dir: &Path,
    names: &[FileName],
    plan: &StorePlan,
    present: Vec<EventSet>,
) -> Result<Stored, StoreError> {
    let named = names_mask(plan.streams.len());
    let is_in = |event| -> u32 {
        (0..).zip(&present).filter(|(_, events)| events.contains(event)).map(|(stream, _)| 1 << stream).sum()
    };
    let mut partial = BTreeMap::<EventNumber, Partial>::new();
    // With one stream every event is in all of them.
    let several = names.iter().filter(|name| present.len() > 1 && name.data(dir).exists());
    for name in several {
        let Some(mut entries) = IndexEntries::open(&name.index(dir))? else { continue };
        while let Some(IndexEntry { event, streams, .. }) = entries.next_entry()? {
            let (event, wanted) = (EventNumber(event), streams & named);
            let present = if wanted.count_ones() > 1 { is_in(event) } else { continue };
            if wanted & !present != 0 && present != 0 {
                let known = partial.entry(event).or_default();
                *known = Partial { present, wanted: known.wanted | wanted | present };
            }
        }
    }
    let mut known = EventSet::new();
    for event in present.iter().flat_map(EventSet::iter) {
        if !partial.contains_key(&event) {
            known.insert(event);
        }
    }
    Ok((known, partial))
}
