//! What can be said after `incast host`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use incast_core::time::Span;
use incast_core::tune::Asked;
use incast_core::units::{BitRate, Bytes};

/// `incast host`
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  incast host check                                  every setting that matters, as it is
  incast host check --rate 10Gbit/s                  judged by what 10 Gbit/s ask of it
  incast host check --rate 1Gbit/s --message 4096B --interface eth0 --json
  incast host check --rate 10Gbit/s --agent 10.0.0.2:7700 --key-file run.key
                                                     both ends of a path
  sudo incast host tune --rate 10Gbit/s --interface eth0 --dry-run
                                                     print what it would do
  sudo incast host tune --rate 10Gbit/s --interface eth0
                                                     do it, and write down what there was
  sudo incast host restore                           put everything back

Exit codes: 0 good; 1 something cannot carry the stated rate, or could not be changed; 2 could not run.")]
pub(crate) struct HostArgs {
    #[command(subcommand)]
    pub(crate) action: HostAction,
}

/// What can be done with the settings of a host.
#[derive(Subcommand, Debug)]
pub(crate) enum HostAction {
    /// Read every setting that matters and judge it by a rate; changes nothing
    Check(CheckArgs),
    /// Change what the check advises, and write down what there was
    Tune(TuneArgs),
    /// Put back what `tune`, `ladder` or a killed one of them has changed
    Restore {
        /// Where the changes were written down
        #[arg(long, value_name = "FILE", default_value = crate::host::JOURNAL)]
        journal: PathBuf,
    },
}

/// What is asked of the host.
#[derive(Args, Debug)]
pub(crate) struct AskedArgs {
    /// Payload that it is to carry; without a rate nothing is judged by one
    #[arg(long, value_name = "RATE")]
    pub(crate) rate: Option<BitRate>,
    /// Size of the messages
    #[arg(long, value_name = "SIZE", default_value = "1472B")]
    pub(crate) message: Bytes,
    /// Longest time for which a reader does not run
    #[arg(long, value_name = "TIME", default_value = "10ms")]
    pub(crate) gap: Span,
    /// Round trip of the path, for TCP
    #[arg(long, value_name = "TIME", default_value = "1ms")]
    pub(crate) round_trip: Span,
}

impl AskedArgs {
    /// What is asked, checked.
    pub(crate) fn asked(&self) -> anyhow::Result<Asked> {
        if self.rate == Some(BitRate(0)) {
            anyhow::bail!("--rate 0bit/s asks for nothing; leave it out to see the settings as they are");
        }
        if !(1..=MESSAGE_BYTES_MAX).contains(&self.message.0) {
            anyhow::bail!("--message {} is out of range: 1 B to 16 MiB", self.message);
        }
        if self.gap > SPAN_MAX || self.round_trip > SPAN_MAX {
            anyhow::bail!("--gap and --round-trip are at most {SPAN_MAX}");
        }
        let message_bytes = u32::try_from(self.message.0)?;
        Ok(Asked { rate: self.rate, message_bytes, gap: self.gap, round_trip: self.round_trip })
    }
}

/// `incast host check`
#[derive(Args, Debug)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) asked: AskedArgs,
    /// Look at this interface; several times for several; all but loopback otherwise
    #[arg(long, value_name = "NAME")]
    pub(crate) interface: Vec<String>,
    /// Also check the host of this agent; several times for several
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) agent: Vec<String>,
    /// Key that the agents have
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// Print a list of checks as JSON on standard output, and the tables on standard error
    #[arg(long)]
    pub(crate) json: bool,
}

/// `incast host tune`
#[derive(Args, Debug)]
pub(crate) struct TuneArgs {
    #[command(flatten)]
    pub(crate) asked: AskedArgs,
    /// Change this interface; without one, only settings of the whole host
    #[arg(long, value_name = "NAME")]
    pub(crate) interface: Vec<String>,
    /// Print what would be done, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Where what there was is written down
    #[arg(long, value_name = "FILE", default_value = crate::host::JOURNAL)]
    pub(crate) journal: PathBuf,
}

/// A message over TCP.
const MESSAGE_BYTES_MAX: u64 = 16 << 20;
/// Nobody is busy for longer, and no path is that long.
const SPAN_MAX: Span = Span::from_s(60);
