//! `incast report`.

use std::path::PathBuf;

use clap::Args;

/// `incast report`
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  incast report runs/20261121T043638Z-first-light      report.html beside its record.json
  incast report runs/*                                 all records side by side, then each
  incast report a/record.json b/record.json --out compared.html
  incast report runs/LAB runs/SIM                      measured beside simulated, with the agreement
  incast report runs/campaign-streaming                what many runs of one scenario came to
  incast report runs/* --csv intervals.csv --parquet intervals.parquet
                                                       every interval of every flow, for analysis

The report is one file that needs nothing else: open it in any browser, print it, send it. What each
part of it shows, and the columns of the tables, are explained in docs/report.md.")]
pub(crate) struct ReportArgs {
    /// Records: a file, or a directory with a record.json in it
    #[arg(required = true, value_name = "RECORD")]
    pub(crate) records: Vec<PathBuf>,
    /// Where the report goes [default: report.html beside the first record]
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Also write the intervals of all flows, or of all readouts, as CSV
    #[arg(long, value_name = "FILE")]
    pub(crate) csv: Option<PathBuf>,
    /// Also write the intervals of all flows, or of all readouts, as Parquet
    #[arg(long, value_name = "FILE")]
    pub(crate) parquet: Option<PathBuf>,
}
