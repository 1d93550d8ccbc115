//! `incast answer`.

use clap::Args;

use super::{OutputArgs, ServerArgs};
use crate::endpoint::ANSWER_PORT_DEFAULT;

/// `incast answer`
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  incast answer                                       any number of askers from this host
  incast answer --bind 10.0.0.1 --key-file run.key    from other hosts, with a shared key
  incast answer --once 3 --json                       end when three askers are done, and print the record

Sizes, transport and service time are the asker's to say (`incast ask --help`). Ctrl-C ends it.")]
pub(crate) struct AnswerArgs {
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub(crate) bind: String,
    /// Port (0 takes a free one); over UDP each asker is told a port of its own
    #[arg(long, default_value_t = ANSWER_PORT_DEFAULT)]
    pub(crate) port: u16,
    /// End after so many askers
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "1", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) once: Option<u32>,
    /// Poll without sleeping, whatever the asker says
    #[arg(long)]
    pub(crate) spin: bool,
    /// TCP congestion control of every connection from its first segment on
    #[arg(long, value_name = "NAME")]
    pub(crate) congestion: Option<String>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}
