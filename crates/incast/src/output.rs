//! Where results go: a table for people, JSON for programs, a file for later; and the exit code.

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use anstyle::{AnsiColor, Color, Style};
use anyhow::Context as _;
use incast_core::record::{Campaign, Record, Verdict};
use serde::Serialize;

use crate::cli::OutputArgs;
use crate::record_dir::RecordDir;

/// The colour of errors.
pub(crate) const ALARM: Style = Style::new().bold().fg_color(Some(Color::Ansi(AnsiColor::Red)));
/// Columns when nobody says how many there are.
const WIDTH_DEFAULT: usize = 120;

/// Shows the record and writes it; says how the program is to end.
pub(crate) fn deliver(
    record: &Record,
    args: &OutputArgs,
    dir: Option<&RecordDir>,
) -> anyhow::Result<ExitCode> {
    // Neither costs the other: a full disk leaves what is shown, a closed pipe leaves the file.
    let shown = show(record, args);
    if let Some(path) = dir.map(|dir| dir.write(record)).transpose()? {
        note(&format!("record: {}", path.display()));
    }
    shown.context("write the record to standard output")?;
    Ok(exit_code(record.verdict))
}

fn show(record: &Record, args: &OutputArgs) -> std::io::Result<()> {
    print(&incast_view::terminal::show(record, width(args.json)), record, args.json)
}

/// Shows what many runs came to.
pub(crate) fn show_campaign(campaign: &Campaign, json: bool) -> std::io::Result<()> {
    print(&incast_view::terminal::campaign(campaign, width(json)), campaign, json)
}

/// The table for people, or the same for programs with the table beside.
fn print(table: &str, of: &impl Serialize, json: bool) -> std::io::Result<()> {
    if !json {
        let mut out = anstream::stdout().lock();
        write!(out, "{table}")?;
        return out.flush();
    }
    // As with `note`.
    let _ = write!(anstream::stderr(), "{table}");
    let mut out = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, of)?;
    writeln!(out)?;
    out.flush()
}

/// Exit code of a verdict.
pub(crate) fn exit_code(verdict: Verdict) -> ExitCode {
    match verdict {
        Verdict::Good => ExitCode::SUCCESS,
        Verdict::Missed | Verdict::Tainted | Verdict::Incomplete | Verdict::Interrupted => ExitCode::from(1),
    }
}

/// The verdict on several runs: the worst of theirs.
pub(crate) fn worst(verdicts: &[Verdict]) -> Verdict {
    let order = [Verdict::Interrupted, Verdict::Incomplete, Verdict::Tainted, Verdict::Missed];
    order.into_iter().find(|verdict| verdicts.contains(verdict)).unwrap_or(Verdict::Good)
}

/// A line for the person at the terminal; never on standard output.
pub(crate) fn note(text: &str) {
    // A closed standard error is no reason to end.
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// Cells of a line of the terminal.
pub(crate) fn width(json: bool) -> usize {
    let terminal = if json { std::io::stderr().is_terminal() } else { std::io::stdout().is_terminal() };
    let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let size = rustix::termios::tcgetwinsize(std::io::stderr()).ok().map(|size| usize::from(size.ws_col));
    if terminal {
        size.filter(|columns| *columns > 0).or(columns).unwrap_or(WIDTH_DEFAULT)
    } else {
        columns.unwrap_or(WIDTH_DEFAULT)
    }
}
