//! `incast runs`: what is in the catalogue.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use incast_store::{CATALOGUE, Catalogue, FileEntry, RunEntry};
use incast_view::text::clean;
use serde::Serialize;

use crate::cli::RunsArgs;

/// `incast runs`
pub(crate) fn runs(args: &RunsArgs) -> anyhow::Result<ExitCode> {
    if !args.dir.join(CATALOGUE).exists() {
        bail!(
            "open the catalogue {}: there is none; name the directory of the runs",
            args.dir.join(CATALOGUE).display()
        );
    }
    let catalogue = Catalogue::read(&args.dir)?;
    let mut text = String::new();
    if !args.json {
        text.push_str(&line("started", "run", "verdict", "files", "records", "bytes", "name"));
    }
    for run in catalogue.runs()? {
        let files = if args.files { Some(catalogue.files(run.run_id())?) } else { None };
        if args.json {
            text.push_str(&serde_json::to_string(&WithFiles { run: &run, files_of_run: files })?);
            text.push('\n');
        } else {
            text.push_str(&shown(&run, files.as_deref().unwrap_or_default()));
        }
    }
    std::io::stdout().lock().write_all(text.as_bytes()).context("write to standard output")?;
    Ok(ExitCode::SUCCESS)
}

#[derive(Serialize)]
struct WithFiles<'r> {
    #[serde(flatten)]
    run: &'r RunEntry,
    #[serde(skip_serializing_if = "Option::is_none")]
    files_of_run: Option<Vec<FileEntry>>,
}

fn shown(run: &RunEntry, files: &[FileEntry]) -> String {
    let started = jiff::Timestamp::from_nanosecond(i128::from(run.started_unix_ns));
    let started =
        started.map_or_else(|_| "?".to_owned(), |time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    let [number, of_files, records, bytes] =
        [run.run.into(), run.files, run.records, run.bytes].map(|number: u64| number.to_string());
    let mut text =
        line(&started, &number, run.verdict.name(), &of_files, &records, &bytes, &clean(&run.name));
    for reason in &run.reasons {
        text.push_str(&format!("    {}\n", clean(reason)));
    }
    for file in files {
        let range = match (file.first_event, file.last_event) {
            (Some(first), Some(last)) => format!(", events {first} to {last}"),
            _ => String::new(),
        };
        let FileEntry { sink, stream, path, records, bytes, .. } = file;
        text.push_str(&format!(
            "    {}: sink {sink}, stream {}, {records} records, {bytes} bytes{range}\n",
            clean(path),
            clean(stream)
        ));
    }
    text
}

fn line(
    started: &str,
    run: &str,
    verdict: &str,
    files: &str,
    records: &str,
    bytes: &str,
    name: &str,
) -> String {
    format!("{started:<20} {run:>10} {verdict:<11} {files:>6} {records:>10} {bytes:>14}  {name}\n")
}
