//! `incast events`: reads event files, and says, checks, shows, copies or converts what is in them.
//!
//! One record is in memory at a time. What is damaged is passed over and named with its place; it makes the
//! exit code 1, and never ends the reading.

mod check;
mod convert;
mod dump;
mod filter;
mod json_line;
mod list;
mod new_file;
mod row;
mod walk;

use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;

use crate::cli::{EventsAction, EventsArgs};
use crate::output::note;
use walk::Damage;

/// `incast events`
pub(crate) fn events(args: &EventsArgs) -> anyhow::Result<ExitCode> {
    let all_good = match &args.action {
        None => list::list(&args.list),
        Some(EventsAction::List(args)) => list::list(args),
        Some(EventsAction::Check(args)) => check::check(args),
        Some(EventsAction::Dump(args)) => dump::dump(args),
        Some(EventsAction::Filter(args)) => filter::filter(args),
        Some(EventsAction::Convert(args)) => convert::convert(args),
    };
    match all_good {
        Ok(true) => Ok(ExitCode::SUCCESS),
        Ok(false) => Ok(ExitCode::from(1)),
        // Whoever reads has seen enough.
        Err(error) if is_broken_pipe(&error) => Ok(ExitCode::SUCCESS),
        Err(error) => Err(error),
    }
}

/// Standard output, in large pieces.
fn stdout() -> BufWriter<io::StdoutLock<'static>> {
    BufWriter::new(io::stdout().lock())
}

/// Says what is damaged, on standard error.
fn say_damage(path: &Path, damage: &Damage) {
    note(&format!("{}: {damage}", path.display()));
}

/// Writes an object on a line.
fn write_line(out: &mut impl Write, object: &impl serde::Serialize) -> anyhow::Result<()> {
    serde_json::to_writer(&mut *out, object).map_err(io::Error::from).context(OUTPUT)?;
    out.write_all(b"\n").context(OUTPUT)
}

const OUTPUT: &str = "write to standard output";

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    causes.any(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
