//! `incast ask`.

use clap::Args;
use incast_core::exchange::asker::{OUTSTANDING_MAX, PEERS_MAX, ROUNDS_MAX};
use incast_core::exchange::terms::{DATAGRAM_BYTES_DEFAULT, SAMPLE_EVERY_DEFAULT};
use incast_core::exchange::{AskerPlan, Terms};
use incast_core::load::{Load, Spacing, Stop, Transport};
use incast_core::time::Span;
use incast_core::units::Bytes;

use super::{ClientArgs, OutputArgs};

/// How long it asks when nothing else ends it.
const DURATION_DEFAULT: Span = Span::from_s(10);

/// `incast ask`
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  incast ask X                                       64 B asked, 64 B answered over TCP, one at a time, for 10 s
  incast ask X --request 64B --response 2MB          as an event filter asks for events
  incast ask X --spin                                poll without sleeping, at both ends
  incast ask X Y Z --response 64kB --count 1000      the incast pattern: each round asks all, all answer together
  incast ask X --load 5kHz --outstanding 64          an open loop: times count from when each was meant to leave
  incast ask X --response 2MB --think 1s             after each answer a pause, and TCP's window after idle
  incast ask X --transport udp --response 100kB      in datagrams; what is lost is counted, its request times out
  incast ask X --new-connections                     a connection for every request

The other end is `incast answer`.")]
pub(crate) struct AskArgs {
    /// Answerers: names or addresses, with or without :PORT (6001 otherwise); each round asks all of them
    #[arg(required = true, num_args = 1..=PEERS_MAX)]
    pub(crate) servers: Vec<String>,
    /// What carries requests and responses
    #[arg(long, value_parser = super::flood::transport, default_value = "tcp", value_name = "tcp|udp")]
    pub(crate) transport: Transport,
    /// Size of every request
    #[arg(long, value_name = "SIZE", default_value = "64B")]
    pub(crate) request: Bytes,
    /// Size of every response
    #[arg(long, value_name = "SIZE", default_value = "64B")]
    pub(crate) response: Bytes,
    /// Rounds that may be open at once
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=i64::from(OUTSTANDING_MAX)))]
    pub(crate) outstanding: u32,
    /// Open loop: rounds per second (1kHz) or the time between them (100us); otherwise one after the other
    #[arg(long, value_name = "LOAD", default_value = "unlimited")]
    pub(crate) load: Load,
    /// Open loop, spacing of rounds: fixed, poisson or burst:N
    #[arg(long, value_name = "SPACING", default_value = "fixed")]
    pub(crate) spacing: Spacing,
    /// Time between an answer and the next request
    #[arg(long, value_name = "TIME", default_value = "0s")]
    pub(crate) think: Span,
    /// Time that an answerer works on a request
    #[arg(long, value_name = "TIME", default_value = "0s")]
    pub(crate) service: Span,
    /// End after this time [default: 10s unless a count is given]
    #[arg(long, value_name = "TIME")]
    pub(crate) duration: Option<Span>,
    /// End after this many rounds
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=ROUNDS_MAX))]
    pub(crate) count: Option<u64>,
    /// Give up a request after so long [default: 10s, over UDP 1s]
    #[arg(long, value_name = "TIME")]
    pub(crate) timeout: Option<Span>,
    /// A connection for every request, instead of one that is kept
    #[arg(long)]
    pub(crate) new_connections: bool,
    /// Poll without sleeping, at both ends: fast, and costs a core each
    #[arg(long)]
    pub(crate) spin: bool,
    /// UDP: largest datagram of a response
    #[arg(long, value_name = "SIZE", default_value_t = Bytes(DATAGRAM_BYTES_DEFAULT as u64), help_heading = "Sockets")]
    pub(crate) datagram: Bytes,
    /// TCP: congestion control of the answerer, for example cubic or bbr
    #[arg(long, value_name = "NAME", help_heading = "Sockets")]
    pub(crate) congestion: Option<String>,
    /// TCP: how often the state of a connection is recorded, beside each response
    #[arg(long, value_name = "TIME", default_value_t = SAMPLE_EVERY_DEFAULT, help_heading = "Sockets")]
    pub(crate) sample: Span,
    /// Pin the asking thread to a core
    #[arg(long, value_name = "N", help_heading = "Sockets")]
    pub(crate) core: Option<u32>,
    /// Seed of random spacing
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl AskArgs {
    /// What is to be agreed with the answerers, checked.
    pub(crate) fn terms(&self) -> anyhow::Result<Terms> {
        let size = |bytes: Bytes| u32::try_from(bytes.0).unwrap_or(u32::MAX);
        let terms = Terms {
            datagram_bytes: size(self.datagram),
            service: self.service,
            spin: self.spin,
            congestion: self.congestion.clone(),
            sample_every: self.sample,
            samples_max: Terms::samples_of_each(self.servers.len()),
            ..Terms::new(self.transport, size(self.request), size(self.response))
        };
        terms.check()?;
        let is_udp = self.transport == Transport::Udp;
        if is_udp && (self.congestion.is_some() || self.new_connections) {
            anyhow::bail!(
                "--congestion and --new-connections are settings of TCP; leave them out with --transport udp"
            );
        }
        Ok(terms)
    }

    /// When it asks, checked.
    pub(crate) fn plan(&self) -> anyhow::Result<AskerPlan> {
        if self.load == Load::Unlimited && self.spacing != Spacing::Fixed {
            anyhow::bail!("--spacing means nothing without --load: say how many rounds per second");
        }
        if self.load != Load::Unlimited && self.think != Span::ZERO {
            anyhow::bail!("--think is for a closed loop: with --load, rounds leave when they are due");
        }
        let default = if self.transport == Transport::Udp { Span::from_s(1) } else { Span::from_s(10) };
        let timeout = self.timeout.unwrap_or(default);
        if timeout == Span::ZERO {
            anyhow::bail!("--timeout 0 would give up every request at once");
        }
        let after = self.duration.or_else(|| self.count.is_none().then_some(DURATION_DEFAULT));
        Ok(AskerPlan {
            peers: self.servers.len(),
            outstanding: self.outstanding,
            load: self.load,
            spacing: self.spacing,
            think: self.think,
            stop: Stop { after, messages: self.count },
            timeout,
            seed: self.seed,
        })
    }
}
