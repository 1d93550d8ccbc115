//! `incast report`: reads records and writes what there is to see in them.
//!
//! Nothing is written before everything is read and made, and each file is written beside its place
//! and renamed: there is a whole new file or the old one. A record is never written over.

mod patience;

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use incast_core::record::{Record, SCHEMA};
use incast_view::{RecordAt, intervals, report};

use crate::campaign;
use crate::cli::ReportArgs;
use crate::output::note;
use patience::Patience;

/// `incast report`
pub(crate) fn report(args: &ReportArgs) -> anyhow::Result<ExitCode> {
    if let Some(dir) = args.records.iter().find_map(|place| campaign::directory(place)) {
        return of_campaign(args, &dir);
    }
    let patience = Patience::new();
    let paths: Vec<PathBuf> = args.records.iter().map(|path| record_path(path)).collect();
    let out = args.out.clone().unwrap_or_else(|| paths[0].with_file_name("report.html"));
    let targets = [Some(&out), args.csv.as_ref(), args.parquet.as_ref()];
    refuse_collisions(&paths, &targets.into_iter().flatten().collect::<Vec<_>>())?;
    let mut records = Vec::new();
    for (index, path) in paths.iter().enumerate() {
        patience.say(format!("reading record {} of {}: {}", index + 1, paths.len(), path.display()));
        let place = args.records[index].display().to_string();
        records.push((place, read(path).with_context(|| format!("read the record {}", path.display()))?));
    }
    let records: Vec<RecordAt<'_>> =
        records.iter().map(|(place, record)| RecordAt { place, record }).collect();
    let are_readouts = (args.csv.is_some() || args.parquet.is_some()) && are_readouts(&records)?;
    let mut files = Vec::new();
    patience.say(format!("making the report {}", out.display()));
    files.push((out.as_path(), "report", report::html(&records).into_bytes()));
    if let Some(path) = &args.csv {
        patience.say(format!("making the table {}", path.display()));
        let table = if are_readouts { intervals::readout::csv(&records) } else { intervals::csv(&records) };
        files.push((path, "intervals", table.into_bytes()));
    }
    if let Some(path) = &args.parquet {
        patience.say(format!("making the table {}", path.display()));
        let table =
            if are_readouts { intervals::readout::parquet(&records) } else { intervals::parquet(&records) };
        files.push((path, "intervals", table.context("make a Parquet file")?));
    }
    patience.say("writing".to_owned());
    write_all(&files)?;
    drop(patience);
    let all: Vec<&Record> = records.iter().map(|at| at.record).collect();
    incast_view::terminal::agreements(&all).iter().for_each(|line| note(line));
    for (path, what, _) in &files {
        note(&format!("{what}: {}", path.display()));
    }
    Ok(ExitCode::SUCCESS)
}

/// The report of one campaign, from its database, or from what was written of it.
fn of_campaign(args: &ReportArgs, dir: &Path) -> anyhow::Result<ExitCode> {
    if args.records.len() > 1 || args.csv.is_some() || args.parquet.is_some() {
        bail!(
            "{} is a campaign, and has a report of its own: name it alone, without --csv and --parquet (its database \
             {} holds every run)",
            dir.display(),
            incast_store::CAMPAIGN
        );
    }
    let out = args.out.clone().unwrap_or_else(|| dir.join("report.html"));
    refuse_collisions(&[dir.join(campaign::RESULT), dir.join(incast_store::CAMPAIGN)], &[&out])?;
    let found = campaign::read(dir)?;
    let page = report::campaign(&found, &dir.display().to_string());
    write_all(&[(&out, "report", page.into_bytes())])?;
    note(&format!("report: {}", out.display()));
    Ok(ExitCode::SUCCESS)
}

/// Writes the report of records that were just made; each with the place where it is.
pub(crate) fn write_page(records: &[(String, Record)], out: &Path) -> anyhow::Result<()> {
    let records: Vec<RecordAt<'_>> =
        records.iter().map(|(place, record)| RecordAt { place, record }).collect();
    write_all(&[(out, "report", report::html(&records).into_bytes())])?;
    note(&format!("report: {}", out.display()));
    Ok(())
}

/// Whether the intervals are those of readouts; they have other columns than those of flows.
fn are_readouts(records: &[RecordAt<'_>]) -> anyhow::Result<bool> {
    let first = |is_wanted: bool| records.iter().find(|at| at.record.readout.is_some() == is_wanted);
    match (first(true), first(false)) {
        (Some(readout), Some(flows)) => bail!(
            "{} is of a readout and {} is of flows, whose intervals have other columns: give --csv and --parquet for one kind at a time",
            readout.place,
            flows.place
        ),
        (readout, _) => Ok(readout.is_some()),
    }
}

/// A directory means the record in it.
fn record_path(path: &Path) -> PathBuf {
    if path.is_dir() { path.join("record.json") } else { path.to_owned() }
}

/// Refuses to write two things into one file, or anything over a record.
fn refuse_collisions(records: &[PathBuf], targets: &[&PathBuf]) -> anyhow::Result<()> {
    let whole = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    for (index, target) in targets.iter().enumerate() {
        if records.iter().any(|record| whole(record) == whole(target)) {
            bail!(
                "write {}: it is one of the records; choose another place with --out, --csv or --parquet",
                target.display()
            );
        }
        if targets[..index].iter().any(|other| whole(other) == whole(target)) {
            bail!(
                "write {}: it is named twice; give --out, --csv and --parquet a file each",
                target.display()
            );
        }
    }
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<Record> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| missing(path, error))?;
    file.take(RECORD_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len())? > RECORD_BYTES_MAX {
        bail!("it is larger than {} MiB, which no record is", RECORD_BYTES_MAX >> 20);
    }
    check_schema(&bytes)?;
    serde_json::from_slice(&bytes).context(
        "it says that it is a record, but one of its fields is not as this incast knows it; it was changed, or \
         written by a newer incast: use that one",
    )
}

/// Why there is no file, and what would mend it.
fn missing(path: &Path, error: std::io::Error) -> anyhow::Error {
    let in_a_directory =
        path.file_name().is_some_and(|name| name == "record.json") && path.parent().is_some_and(Path::is_dir);
    let absent = error.kind() == std::io::ErrorKind::NotFound;
    let help = match (absent, in_a_directory) {
        (true, true) => ": the directory holds no record; name one of a run, such as runs/<time>-<name>",
        (true, false) => ": name a record.json or the directory of a run, such as runs/<time>-<name>",
        _ => "",
    };
    anyhow::anyhow!("{error}{help}")
}

/// Whether it is a record at all, and one that this program knows.
fn check_schema(bytes: &[u8]) -> anyhow::Result<()> {
    /// All that is looked at first.
    #[derive(serde::Deserialize)]
    struct Head {
        schema: Option<serde_json::Value>,
    }
    let mend =
        "a record is the record.json that incast run and incast lab write, and serve and flood with --out";
    let head: Head = serde_json::from_slice(bytes)
        .map_err(|error| anyhow::anyhow!("it is not a record: {error}; {mend}"))?;
    match head.schema {
        Some(serde_json::Value::String(schema)) if schema == SCHEMA => Ok(()),
        Some(serde_json::Value::String(schema)) => {
            let schema = incast_view::text::cut(&incast_view::text::clean(&schema), 60);
            bail!(
                "its schema is {schema}, and this incast reads {SCHEMA}: use the incast that wrote it, or a newer one"
            )
        }
        _ => bail!("it is not a record: it has no \"schema\"; {mend}"),
    }
}

/// Writes every file beside its place, then renames them all.
fn write_all(files: &[(&Path, &str, Vec<u8>)]) -> anyhow::Result<()> {
    let mut beside = Vec::new();
    let written = files.iter().try_for_each(|(path, what, bytes)| {
        let temporary = temporary(path);
        beside.push(temporary.clone());
        write(&temporary, bytes)
            .with_context(|| format!("write the {what} {} (choose another place for it)", path.display()))
    });
    let renamed = written.and_then(|()| {
        files.iter().zip(&beside).try_for_each(|((path, what, _), temporary)| {
            fs::rename(temporary, path)
                .with_context(|| format!("write the {what} {} (choose another place for it)", path.display()))
        })
    });
    if renamed.is_err() {
        // Half a file is no file. Those that were renamed are whole.
        beside.iter().for_each(|temporary| drop(fs::remove_file(temporary)));
    }
    renamed
}

fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A name of our own beside `path`.
fn temporary(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}.new", std::process::id()))
}

/// An interval takes some 300 bytes: this is three million of them, 31 flows for a day in seconds.
const RECORD_BYTES_MAX: u64 = 1 << 30;
