//! `incast events filter`: copies the events that fulfil all conditions, byte for byte.

use anyhow::bail;
use incast_core::mdf::{BankId, IndexEntry, Record};

use super::new_file::NewFile;
use super::say_damage;
use super::walk::{Met, Walk};
use crate::cli::FilterArgs;
use crate::output::note;

/// Filters; whether nothing is damaged.
pub(super) fn filter(args: &FilterArgs) -> anyhow::Result<bool> {
    let types = args.bank.iter().map(|name| bank_type(name)).collect::<anyhow::Result<Vec<u8>>>()?;
    let mut out = NewFile::create(&args.out, &args.files, true)?;
    let (mut kept, mut records, mut all_good) = (0_u64, 0, true);
    for path in &args.files {
        let mut walk = Walk::open(path)?;
        while let Some(met) = walk.next()? {
            match met {
                Met::Record { record, entry, .. } if is_wanted(args, &types, &record, &entry) => {
                    out.record(record.bytes(), record.header().run, &entry)?;
                    kept += 1;
                }
                Met::Record { .. } => {}
                Met::Damage(damage) => {
                    all_good = false;
                    say_damage(path, &damage);
                }
            }
        }
        records += walk.records();
    }
    out.finish()?;
    note(&format!("events: {kept} of {records} in {}", args.out.display()));
    Ok(all_good)
}

/// Of each kind of condition that was given, one has to hold.
fn is_wanted(args: &FilterArgs, types: &[u8], record: &Record<'_>, entry: &IndexEntry) -> bool {
    let has_bank = |is_one: &dyn Fn(BankId) -> bool| record.banks().flatten().any(|bank| is_one(bank.id()));
    let in_range = |(first, last): &(u64, u64)| (*first..=*last).contains(&entry.event);
    (args.events.is_empty() || args.events.iter().any(in_range))
        && (args.stream.is_empty() || args.stream.iter().any(|bit| entry.streams >> bit & 1 == 1))
        && (types.is_empty() || has_bank(&|id| types.contains(&id.kind)))
        && (args.source.is_empty() || has_bank(&|id| args.source.contains(&id.source)))
}

/// A type by its name or number.
fn bank_type(name: &str) -> anyhow::Result<u8> {
    if let Ok(number) = name.parse() {
        return Ok(number);
    }
    let of = |kind| BankId { kind, version: 0, source: 0 }.kind_name();
    let found = (0..=u8::MAX).find(|kind| of(*kind).is_some_and(|known| known.eq_ignore_ascii_case(name)));
    let Some(found) = found else {
        let known: Vec<&str> = (0..=u8::MAX).filter_map(of).collect();
        bail!("filter by the bank type {name}: it is none of {}; say its number", known.join(", "));
    };
    Ok(found)
}
