//! `incast events` and `incast runs`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// `incast events`
#[derive(Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Examples:
  incast events runs/latest/sink-0/*.mdf                       one line for each event
  incast events check physics-0-000001.mdf                     check sums, index, contents
  incast events dump physics-0-000001.mdf --event 42           all banks of an event, in hex
  incast events filter *.mdf --events 100-199 --bank ODIN --out some.mdf
  incast events convert physics-0-000001.mdf --to jsonl | jq .banks

Files are those of incast's sinks or of LHCb (MDF). What is damaged is passed over, and said with its place on
standard error. Exit codes: 0 all of it is good; 1 something is damaged or wrong; 2 it could not be read.
The files are explained in docs/events.md."
)]
pub(crate) struct EventsArgs {
    /// What to do; without it, the events are listed
    #[command(subcommand)]
    pub(crate) action: Option<EventsAction>,
    #[command(flatten)]
    pub(crate) list: EventFilesArgs,
}

/// What can be done with event files.
#[derive(Subcommand, Debug)]
pub(crate) enum EventsAction {
    /// One line for each event: number, run, banks, bytes, streams, what is wrong with it
    #[command(after_help = "Example:\n  incast events list physics-0-000001.mdf --json | jq .event")]
    List(EventFilesArgs),
    /// Verify everything that can be: structure, check sums, index, contents that verify themselves
    #[command(after_help = "Example:\n  incast events check sink-0/*.mdf && echo all good")]
    Check(EventFilesArgs),
    /// Show the header and all banks of events in hex
    #[command(after_help = "Example:\n  incast events dump physics-0-000001.mdf --event 42 --event 43")]
    Dump(DumpArgs),
    /// Copy the events that fulfil all conditions into a new file, byte for byte
    #[command(after_help = "Examples:
  incast events filter *.mdf --events 100-199 --out some.mdf
  incast events filter a.mdf --stream 0 --source 3 --out some.mdf    with stream 0 and a bank of source 3

The new file has an index beside it, and is there whole or not at all.")]
    Filter(FilterArgs),
    /// Write events as JSON lines, or JSON lines as an event file
    #[command(after_help = "Examples:
  incast events convert a.mdf --to jsonl --out a.jsonl
  incast events convert a.jsonl --to mdf --out b.mdf        the same bytes as a.mdf

Several files are joined. Each line has the header of a record and its banks, data in hex.")]
    Convert(ConvertArgs),
}

/// Which files, and for whom.
#[derive(Args, Debug, Clone)]
pub(crate) struct EventFilesArgs {
    /// Files of events
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// For programs: a JSON object on each line
    #[arg(long)]
    pub(crate) json: bool,
}

/// `incast events dump`
#[derive(Args, Debug)]
pub(crate) struct DumpArgs {
    #[command(flatten)]
    pub(crate) files: EventFilesArgs,
    /// Only the event of this number; can be said several times
    #[arg(long = "event", value_name = "NUMBER")]
    pub(crate) events: Vec<u64>,
}

/// `incast events filter`
#[derive(Args, Debug)]
pub(crate) struct FilterArgs {
    /// Files of events
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Where the events go
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Only events of these numbers: 42 or 100-199; can be said several times
    #[arg(long, value_name = "RANGE", value_parser = range)]
    pub(crate) events: Vec<(u64, u64)>,
    /// Only events for one of these output streams, by number from 0
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(0..32))]
    pub(crate) stream: Vec<u32>,
    /// Only events with a bank of one of these types: a name, such as ODIN, or a number
    #[arg(long, value_name = "TYPE")]
    pub(crate) bank: Vec<String>,
    /// Only events with a bank of one of these sources
    #[arg(long, value_name = "ID")]
    pub(crate) source: Vec<u16>,
}

/// `incast events convert`
#[derive(Args, Debug)]
pub(crate) struct ConvertArgs {
    /// Files of events, or of JSON lines (called *.jsonl)
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// To what
    #[arg(long)]
    pub(crate) to: Format,
    /// Where it goes; JSON lines go to standard output otherwise
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// A format of event files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// JSON lines: one object for each event
    Jsonl,
    /// LHCb's Master Data File
    Mdf,
}

/// `incast runs`
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  incast runs                     the catalogue in runs/
  incast runs /data/daq --files   with the files of each run
  incast runs --json | jq .verdict

The catalogue is DIR/catalogue.sqlite, which any program can read; docs/events.md has its tables.")]
pub(crate) struct RunsArgs {
    /// Directory of the catalogue
    #[arg(value_name = "DIR", default_value = "runs")]
    pub(crate) dir: PathBuf,
    /// Also the files of every run
    #[arg(long)]
    pub(crate) files: bool,
    /// For programs: a JSON object on each line
    #[arg(long)]
    pub(crate) json: bool,
}

fn range(text: &str) -> Result<(u64, u64), String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let number = |text: &str| text.trim().parse::<u64>().map_err(|_| "write 42 or 100-199".to_owned());
    let (first, last) = (number(first)?, number(last)?);
    if first <= last { Ok((first, last)) } else { Err(format!("{first} is behind {last}")) }
}
