//! `incast probe`.

use std::path::PathBuf;

use clap::Args;
use incast_core::load::Transport;
use incast_core::probe::ProbeSweep;
use incast_core::probe::values::Values;
use incast_core::scenario::{PROBE_DURATION_DEFAULT, WARM_UP_DEFAULT};
use incast_core::time::Span;
use incast_core::units::Bytes;

use super::flood::{message_bytes, transport};
use super::{ClientArgs, OutputArgs};

/// `incast probe`
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  incast probe X                                      three sizes, six gaps, half a second each
  incast probe X --message 64B..1472B --gap 0..100us  eight values of each, evenly spaced
  incast probe X --message 64B,1472B --gap 10us..1ms*2 --repetitions 5
                                                      gaps that double: 10us, 20us, 40us, ... 1ms
  incast probe X --message 1024B --gap 10us..50us+10us --messages 10000 --csv points.csv
                                                      steps of 10us; a table of the points
X runs a plain `incast serve`. A gap of 0 is as fast as messages can leave.")]
pub(crate) struct ProbeArgs {
    /// Server: a name or an address, with or without :PORT (6000 otherwise)
    pub(crate) server: String,
    /// What carries the messages
    #[arg(long, value_parser = transport, default_value = "udp", value_name = "udp")]
    pub(crate) transport: Transport,
    /// Message sizes: a list, FROM..TO, FROM..TO+STEP or FROM..TO*FACTOR; at least 24B
    #[arg(long, value_name = "SIZES", default_value = "64B,512B,1472B")]
    pub(crate) message: Values<Bytes>,
    /// Times from the start of one message to that of the next, written the same way
    #[arg(long, value_name = "GAPS", default_value = "0,10us,20us,30us,50us,100us")]
    pub(crate) gap: Values<Span>,
    /// Messages of each point, after its warm-up
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub(crate) messages: Option<u64>,
    /// Time of each point, after its warm-up [default: 500ms unless --messages is given]
    #[arg(long, value_name = "TIME")]
    pub(crate) duration: Option<Span>,
    /// Messages at the start of each point that are not counted
    #[arg(long, value_name = "N", default_value_t = WARM_UP_DEFAULT, value_parser = clap::value_parser!(u64).range(0..=1_000_000_000))]
    pub(crate) warm_up: u64,
    /// How often each point is played
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) repetitions: u32,
    /// Sleep between messages instead of spinning: costs no core, and messages leave late by tens of microseconds
    #[arg(long)]
    pub(crate) sleep: bool,
    /// Pin the sending thread to a core
    #[arg(long, value_name = "N")]
    pub(crate) core: Option<u32>,
    /// Seed of the order in which points are played
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Write the points as a table: comma-separated, a line for each
    #[arg(long, value_name = "FILE")]
    pub(crate) csv: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl ProbeArgs {
    /// Which points are played, checked.
    pub(crate) fn sweep(&self) -> anyhow::Result<ProbeSweep> {
        if self.transport != Transport::Udp {
            anyhow::bail!(
                "--transport {}: a probe times datagrams, each by itself; leave it out, or use `incast flood`",
                self.transport.name()
            );
        }
        let least = incast_core::wire::probe::PROBE_MESSAGE_BYTES_MIN;
        let mut sizes = Vec::new();
        for size in &self.message.0 {
            if size.0 < u64::from(least) {
                anyhow::bail!(
                    "--message {size} is out of range: at least {least} B, since a message carries its departure"
                );
            }
            sizes.push(message_bytes(*size, self.transport, false)?);
        }
        if self.duration.is_some_and(|duration| duration < Span::from_ms(1)) {
            anyhow::bail!("--duration: a point takes at least 1ms");
        }
        let sweep = ProbeSweep {
            message_bytes: sizes,
            gaps: self.gap.0.clone(),
            repetitions: self.repetitions,
            warm_up_messages: self.warm_up,
            messages: self.messages,
            duration: self.duration.or_else(|| self.messages.is_none().then_some(PROBE_DURATION_DEFAULT)),
            seed: self.seed,
        };
        match sweep.fault() {
            Some(fault) => anyhow::bail!("{fault}"),
            None => Ok(sweep),
        }
    }
}
