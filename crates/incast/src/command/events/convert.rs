//! `incast events convert`: event files and JSON lines, either way.

use std::fs::File;
use std::io::{BufRead, BufReader, Read as _, Write};
use std::path::Path;

use anyhow::{Context as _, bail};
use incast_core::mdf::{IndexEntry, Numbered, Record};

use super::json_line::Line;
use super::new_file::NewFile;
use super::walk::{Met, Walk};
use super::{OUTPUT, say_damage, stdout, write_line};
use crate::cli::{ConvertArgs, Format};
use crate::output::note;

/// Longest line that is taken: the largest record, twice because of the hex, and its names.
const LINE_BYTES_MAX: u64 = 3 * (256 << 20);

/// Where it goes.
enum Out {
    Standard(std::io::BufWriter<std::io::StdoutLock<'static>>),
    File(NewFile),
}

/// Converts; whether nothing is damaged.
pub(super) fn convert(args: &ConvertArgs) -> anyhow::Result<bool> {
    let mut out = match (&args.out, args.to) {
        (Some(out), to) => Out::File(NewFile::create(out, &args.files, to == Format::Mdf)?),
        (None, Format::Jsonl) => Out::Standard(stdout()),
        (None, Format::Mdf) => bail!("convert to mdf: say where it goes with --out"),
    };
    let (mut records, mut all_good) = (0_u64, true);
    for path in &args.files {
        let read = |out: &mut Out, record: &Record<'_>, entry: &IndexEntry| {
            records += 1;
            out.take(args.to, record, entry)
        };
        all_good &= if path.extension().is_some_and(|extension| extension == "jsonl") {
            read_lines(path, &mut out, read)?
        } else {
            read_events(path, &mut out, read)?
        };
    }
    match out {
        Out::Standard(mut out) => out.flush().context(OUTPUT)?,
        Out::File(file) => file.finish()?,
    }
    if let Some(out) = &args.out {
        note(&format!("events: {records} in {}", out.display()));
    }
    Ok(all_good)
}

impl Out {
    fn take(&mut self, to: Format, record: &Record<'_>, entry: &IndexEntry) -> anyhow::Result<()> {
        match (self, to) {
            (Self::File(file), Format::Mdf) => file.record(record.bytes(), record.header().run, entry),
            (Self::File(file), Format::Jsonl) => {
                let mut line = serde_json::to_vec(&Line::of(record, entry))?;
                line.push(b'\n');
                file.write(&line)
            }
            (Self::Standard(out), _) => write_line(out, &Line::of(record, entry)),
        }
    }
}

fn read_events(
    path: &Path,
    out: &mut Out,
    mut read: impl FnMut(&mut Out, &Record<'_>, &IndexEntry) -> anyhow::Result<()>,
) -> anyhow::Result<bool> {
    let (mut walk, mut all_good) = (Walk::open(path)?, true);
    while let Some(met) = walk.next()? {
        match met {
            Met::Record { record, entry, .. } => read(out, &record, &entry)?,
            Met::Damage(damage) => {
                all_good = false;
                say_damage(path, &damage);
            }
        }
    }
    Ok(all_good)
}

fn read_lines(
    path: &Path,
    out: &mut Out,
    mut read: impl FnMut(&mut Out, &Record<'_>, &IndexEntry) -> anyhow::Result<()>,
) -> anyhow::Result<bool> {
    let opened = File::open(path).with_context(|| format!("open the events {}", path.display()))?;
    let (mut file, mut all_good, mut line) = (BufReader::new(opened), true, Vec::new());
    for number in 1_u64.. {
        line.clear();
        let place = || format!("{}, line {number}", path.display());
        let bytes = (&mut file).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).with_context(place)?;
        if bytes == 0 {
            break;
        }
        match parse(&line) {
            Ok((event, bytes)) => {
                let record = Record::parse(&bytes).with_context(place)?;
                let own = IndexEntry::of(&record, 0, number - 1);
                // What the line says is another number than its record's only if it was replayed.
                let numbered = if own.event == event { own.numbered } else { Numbered::ByReadout };
                read(out, &record, &IndexEntry { event, numbered, ..own })?;
            }
            Err(error) => {
                all_good = false;
                note(&format!("{}: no record: {error:#}", place()));
            }
        }
    }
    Ok(all_good)
}

fn parse(line: &[u8]) -> anyhow::Result<(u64, Vec<u8>)> {
    let line: Line = serde_json::from_slice(line)?;
    Ok((line.event(), line.record()?))
}
