//! `incast events list`: one line for each event.

use std::io::Write as _;

use anyhow::Context as _;

use super::row::Row;
use super::walk::{Damage, Met, Walk};
use super::{OUTPUT, say_damage, stdout, write_line};
use crate::cli::EventFilesArgs;

/// Lists; whether nothing is damaged.
pub(super) fn list(args: &EventFilesArgs) -> anyhow::Result<bool> {
    let mut out = stdout();
    let (mut records, mut bytes, mut damages) = (0, 0, 0_u64);
    if !args.json {
        writeln!(out, "{}", line("event", "run", "banks", "bytes", "streams", "")).context(OUTPUT)?;
    }
    for path in &args.files {
        let mut walk = Walk::open(path)?;
        let file = path.display().to_string();
        if !args.json && args.files.len() > 1 {
            writeln!(out, "{}:", incast_view::text::clean(&file)).context(OUTPUT)?;
        }
        while let Some(met) = walk.next()? {
            match met {
                Met::Record { record, entry, .. } => {
                    let row = Row::new(&file, &record, &entry);
                    if args.json {
                        write_line(&mut out, &row)?
                    } else {
                        writeln!(out, "{}", text(&row)).context(OUTPUT)?
                    }
                }
                Met::Damage(damage) => {
                    damages += 1;
                    if args.json {
                        write_line(&mut out, &Damaged { file: &file, damaged: damage })?;
                    } else {
                        // Where it belongs among the others.
                        out.flush().context(OUTPUT)?;
                    }
                    say_damage(path, &damage);
                }
            }
        }
        records += walk.records();
        bytes += walk.bytes();
    }
    if !args.json {
        let damaged = if damages == 0 { String::new() } else { format!(", {damages} damaged stretches") };
        writeln!(out, "{records} records in {bytes} bytes{damaged}").context(OUTPUT)?;
    }
    out.flush().context(OUTPUT)?;
    Ok(damages == 0)
}

/// Damage as an object among those of events.
#[derive(serde::Serialize)]
struct Damaged<'p> {
    file: &'p str,
    damaged: Damage,
}

fn text(row: &Row<'_>) -> String {
    let streams: Vec<String> = row.streams.iter().map(u8::to_string).collect();
    let streams = if streams.is_empty() { "-".to_owned() } else { streams.join(",") };
    let [event, run, banks] = [row.event, row.run.into(), row.banks].map(|number| number.to_string());
    line(&event, &run, &banks, &row.bytes.to_string(), &streams, &row.flags.join("; "))
}

fn line(event: &str, run: &str, banks: &str, bytes: &str, streams: &str, flags: &str) -> String {
    format!("{event:>14} {run:>10} {banks:>6} {bytes:>10}  {streams:<8} {flags}").trim_end().to_owned()
}
