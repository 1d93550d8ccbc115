//! `incast events dump`: header and banks of events, in hex for people, whole for programs.

use std::io::{self, Write};

use anyhow::Context as _;
use incast_core::mdf::{Bank, IndexEntry, Record};

use super::json_line::Line;
use super::row::Row;
use super::walk::{Met, Walk};
use super::{OUTPUT, say_damage, stdout, write_line};
use crate::cli::DumpArgs;
use crate::output::note;

/// Bytes on a line.
const LINE_BYTES: usize = 16;

/// Dumps; whether nothing is damaged, and every event that was named is there.
pub(super) fn dump(args: &DumpArgs) -> anyhow::Result<bool> {
    let mut out = stdout();
    let (mut all_good, mut missing) = (true, args.events.clone());
    for path in &args.files.files {
        let mut walk = Walk::open(path)?;
        let file = incast_view::text::clean(&path.display().to_string());
        while let Some(met) = walk.next()? {
            match met {
                Met::Damage(damage) => {
                    all_good = false;
                    say_damage(path, &damage);
                }
                Met::Record { record, entry, .. } => {
                    if !args.events.is_empty() && !args.events.contains(&entry.event) {
                        continue;
                    }
                    missing.retain(|event| *event != entry.event);
                    if args.files.json {
                        write_line(&mut out, &Line::of(&record, &entry))?;
                    } else {
                        show(&mut out, &file, &record, &entry).context(OUTPUT)?;
                    }
                }
            }
        }
    }
    out.flush().context(OUTPUT)?;
    for event in &missing {
        note(&format!("event {event} is in none of the files; `incast events list` says which are"));
    }
    Ok(all_good && missing.is_empty())
}

fn show(out: &mut impl Write, file: &str, record: &Record<'_>, entry: &IndexEntry) -> io::Result<()> {
    let row = Row::new(file, record, entry);
    let header = record.header();
    writeln!(
        out,
        "event {}, run {}, {} bytes at offset {} of {file}",
        row.event, row.run, row.bytes, row.offset
    )?;
    for flag in &row.flags {
        writeln!(out, "  {flag}")?;
    }
    let mask = header.trigger_mask.map(|word| format!("{word:08x}")).join(" ");
    writeln!(
        out,
        "  check sum {:08x}, trigger mask {mask}, orbit {}, bunch {}",
        header.checksum, header.orbit, header.bunch
    )?;
    if !header.holds_banks() {
        return hex(out, record.body());
    }
    for bank in record.banks() {
        match bank {
            Ok(bank) => show_bank(out, &bank)?,
            Err(fault) => writeln!(out, "  {fault}")?,
        }
    }
    writeln!(out)
}

fn show_bank(out: &mut impl Write, bank: &Bank<'_>) -> io::Result<()> {
    let id = bank.id();
    let name = id.kind_name().map_or_else(String::new, |name| format!(" ({name})"));
    let bytes = bank.data().len();
    writeln!(
        out,
        "  bank of type {}{name}, version {}, source {}: {bytes} bytes",
        id.kind, id.version, id.source
    )?;
    hex(out, bank.data())
}

fn hex(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    for (place, line) in bytes.chunks(LINE_BYTES).enumerate() {
        write!(out, "    {:06x} ", place * LINE_BYTES)?;
        for byte in line {
            write!(out, " {byte:02x}")?;
        }
        let text = |byte: &u8| if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '.' };
        let text: String = line.iter().map(text).collect();
        writeln!(out, "{:pad$}  {text}", "", pad = 3 * (LINE_BYTES - line.len()))?;
    }
    Ok(())
}
