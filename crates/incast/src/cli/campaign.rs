//! What can be said after `incast campaign`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::VariantArgs;

/// `incast campaign`
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  incast campaign scenarios/bologna/multi-modal.toml --world sim --runs 200
  incast campaign scenarios/bologna/streaming.toml --world lab --runs 200 --variant base --variant tuned
  incast campaign SCENARIO.toml --runs 2600 --into bologna      ... killed? the same again with --resume
  incast campaign SCENARIO.toml --runs 2600 --precision 5%      enough when the mean is known to 5 %
  incast campaign bologna --show                                what is there, also while it is played
  incast report bologna                                         the same as a page

Run n has the seed of the scenario and n, from 0 on; variants take turns. Each run that came to its end is on disk
with all that it came to, in DIR/campaign.sqlite, and what all came to in DIR/campaign.json. Ctrl-C ends the campaign
after the current run, a second one at once; --resume goes on in either case.")]
pub(crate) struct CampaignArgs {
    /// The scenario file (TOML); with --show, the directory of a campaign
    #[arg(value_name = "SCENARIO|DIR")]
    pub(crate) place: PathBuf,
    /// Runs of each variant
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(crate) runs: u64,
    /// Where the runs take place
    #[arg(long, value_enum, default_value_t = World::Run)]
    pub(crate) world: World,
    #[command(flatten)]
    pub(crate) variants: VariantArgs,
    /// Directory of the campaign [default: runs/campaign-NAME of the scenario]
    #[arg(long, value_name = "DIR")]
    pub(crate) into: Option<PathBuf>,
    /// Go on with the campaign that is there
    #[arg(long)]
    pub(crate) resume: bool,
    /// Enough when half of the interval is at most so much of the mean lost fraction, for example 5%
    #[arg(long, value_name = "PERCENT", value_parser = part)]
    pub(crate) precision: Option<f64>,
    /// Confidence of all intervals
    #[arg(long, value_name = "PERCENT", default_value = "95%", value_parser = part)]
    pub(crate) confidence: f64,
    /// With --precision: fewer runs of a variant are never enough
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(2..=1_000_000))]
    pub(crate) runs_min: u64,
    /// Failed runs, which are tried again, before the campaign is given up
    #[arg(long, default_value_t = 10)]
    pub(crate) failures_max: u64,
    /// Simulations side by side; as many as there are cores otherwise
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_024))]
    pub(crate) jobs: Option<u32>,
    /// Key shared with the agents of the scenario
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// Play nothing: evaluate what is there
    #[arg(long)]
    pub(crate) show: bool,
    /// Print the result as JSON on standard output, and everything else on standard error
    #[arg(long)]
    pub(crate) json: bool,
}

/// Where runs take place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum World {
    /// Processes on this machine, or at agents
    Run,
    /// A lab on this machine, as root
    Lab,
    /// The simulator
    Sim,
}

impl World {
    /// Its name in the record.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Lab => "lab",
            Self::Sim => "sim",
        }
    }
}

/// A part of a whole: more than nothing and less than all.
fn part(text: &str) -> Result<f64, String> {
    let wrong = || format!("{text} is not between 0 % and 100 %; write it with its unit, for example 5%");
    let number = text.trim().strip_suffix('%').ok_or_else(wrong)?;
    let part = number.trim().parse::<f64>().map_err(|_| wrong())? / 100.0;
    if part > 0.0 && part < 1.0 { Ok(part) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_has_its_unit_and_lies_between_nothing_and_all() {
        assert_eq!(part("5%"), Ok(0.05));
        assert!(part("99.9 %").is_ok_and(|part| (part - 0.999).abs() < 1e-12));
        for wrong in ["0.05", "5", "0%", "100%", "-1%", "nan%", "%", "inf%"] {
            assert!(part(wrong).unwrap_err().contains("5%"), "{wrong}");
        }
    }
}
