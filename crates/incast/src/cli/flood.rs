//! `incast flood`.

use clap::Args;
use incast_core::control::{SEND_BATCH_MAX, SendPlan};
use incast_core::load::{Direction, Load, Spacing, Stop, Transport};
use incast_core::time::Span;
use incast_core::units::Bytes;

use super::raw::RawArgs;
use super::{ClientArgs, OutputArgs, TraceArgs};

/// How long a flood lasts when nothing else ends it.
const DURATION_DEFAULT: Span = Span::from_s(10);

/// `incast flood`
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  incast flood X                                   TCP to port 6000 for 10 s, as fast as it goes
  incast flood X --transport udp --load 1Gbit/s    paced datagrams
  incast flood X --load 100kHz --message 64B       by message rate; or by gap: --load 12us
  incast flood X --streams 4 --spacing poisson     four sockets share the load
  incast flood X --reverse                         the server sends
  incast flood X --transport ethernet --vlan 100   raw frames on the same segment (root); also ip, xdp
  incast flood X:6000 --plain --transport udp --messages 100000 --json
                                                   to a program written from the lab sheet
  incast flood X --iperf3 --transport udp --load 1Gbit/s --message 1400B
                                                   to a stock `iperf3 -s`, port 5201")]
pub(crate) struct FloodArgs {
    /// Server: a name or an address, with or without :PORT (6000 otherwise, 5201 with --iperf3)
    pub(crate) server: String,
    /// What carries the messages
    #[arg(long, value_parser = transport, default_value = "tcp", value_name = "tcp|udp|ip|ethernet|xdp")]
    pub(crate) transport: Transport,
    /// Size of every message, counter included
    #[arg(long, value_name = "SIZE", default_value = "1024B")]
    pub(crate) message: Bytes,
    /// Intended load: unlimited, 1Gbit/s, 100kHz (messages per second) or 12us (gap)
    #[arg(long, value_name = "LOAD", default_value = "unlimited")]
    pub(crate) load: Load,
    /// Spacing of messages: fixed, poisson or burst:N
    #[arg(long, value_name = "SPACING", default_value = "fixed")]
    pub(crate) spacing: Spacing,
    /// Sockets that share the load
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=128))]
    pub(crate) streams: u32,
    /// End after this time [default: 10s unless another end is given]
    #[arg(long, value_name = "TIME")]
    pub(crate) duration: Option<Span>,
    /// End after this many messages
    #[arg(long, value_name = "N")]
    pub(crate) messages: Option<u64>,
    /// End after this much payload, rounded up to whole messages
    #[arg(long, value_name = "SIZE")]
    pub(crate) bytes: Option<Bytes>,
    /// The server sends, this end receives
    #[arg(long, conflicts_with_all = ["both", "plain"])]
    pub(crate) reverse: bool,
    /// Both ends send at once
    #[arg(long, conflicts_with = "plain")]
    pub(crate) both: bool,
    /// Speak the lab sheet's plain protocol: messages only, no control connection
    #[arg(long)]
    pub(crate) plain: bool,
    /// Speak iperf3, to a stock server; what it does not tell is unknown
    #[arg(long, conflicts_with_all = ["plain", "both", "key_file"])]
    pub(crate) iperf3: bool,
    /// Length of a reported interval
    #[arg(long, value_name = "TIME", default_value = "1s")]
    pub(crate) interval: Span,
    /// Send buffer to ask of the kernel
    #[arg(long, value_name = "SIZE", help_heading = "Sockets")]
    pub(crate) send_buffer: Option<Bytes>,
    /// Receive buffer to ask of the kernel (--reverse, --both)
    #[arg(long, value_name = "SIZE", help_heading = "Sockets")]
    pub(crate) receive_buffer: Option<Bytes>,
    /// TCP congestion control to ask for, for example cubic or bbr
    #[arg(long, value_name = "NAME", help_heading = "Sockets")]
    pub(crate) congestion: Option<String>,
    /// TCP: send small messages at once
    #[arg(long, help_heading = "Sockets")]
    pub(crate) no_delay: bool,
    /// Differentiated services code point
    #[arg(long, value_name = "0..63", value_parser = clap::value_parser!(u8).range(0..=63), help_heading = "Sockets")]
    pub(crate) dscp: Option<u8>,
    /// UDP: most messages per segmentation-offload datagram; 1 is one datagram per packet
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=128), help_heading = "Sockets")]
    pub(crate) segments_max: Option<u32>,
    /// Most messages given to the kernel by one system call, 1 to 8192
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(SEND_BATCH_MAX)), help_heading = "Sockets")]
    pub(crate) send_batch: Option<u32>,
    /// Spin instead of sleeping: messages leave at their moment, to nanoseconds; costs a core
    #[arg(long, help_heading = "Sockets")]
    pub(crate) spin: bool,
    /// Pin the data threads to a core
    #[arg(long, value_name = "N", help_heading = "Sockets")]
    pub(crate) core: Option<u32>,
    #[command(flatten)]
    pub(crate) raw: RawArgs,
    /// Seed of random spacing
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    #[command(flatten)]
    pub(crate) trace: TraceArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl FloodArgs {
    /// Which way messages travel.
    pub(crate) fn direction(&self) -> Direction {
        match (self.reverse, self.both) {
            (true, _) => Direction::Reverse,
            (_, true) => Direction::Both,
            _ => Direction::Forward,
        }
    }

    /// What is sent, checked.
    pub(crate) fn plan(&self) -> anyhow::Result<SendPlan> {
        let message_bytes = message_bytes(self.message, self.transport, self.plain)?;
        let by_bytes = self.bytes.map(|bytes| Stop::bytes(bytes, message_bytes).messages).unwrap_or_default();
        let messages = match (self.messages, by_bytes) {
            (Some(messages), Some(bytes)) => Some(messages.min(bytes)),
            (messages, bytes) => messages.or(bytes),
        };
        let after = self.duration.or_else(|| messages.is_none().then_some(DURATION_DEFAULT));
        let plan = SendPlan {
            transport: self.transport,
            message_bytes,
            streams: self.streams,
            load: self.load,
            spacing: self.spacing,
            stop: Stop { after, messages },
            start_after: Span::ZERO,
            interval: self.interval,
            seed: self.seed,
            spin: self.spin,
            send_buffer: self.send_buffer,
            congestion: self.congestion.clone(),
            no_delay: self.no_delay,
            dscp: self.dscp,
            segments_max: self.segments_max,
            send_batch: self.send_batch,
            raw: self.raw.plan(self.transport)?,
            probe: None,
        };
        if self.transport != Transport::Tcp && self.congestion.is_some() {
            let name = self.transport.name();
            anyhow::bail!("--congestion is a setting of TCP; leave it out with --transport {name}");
        }
        if self.transport.is_raw() && (self.plain || self.iperf3) {
            let (protocol, name) = (if self.plain { "plain" } else { "iperf3" }, self.transport.name());
            anyhow::bail!("--{protocol} is spoken over tcp and udp; leave it out with --transport {name}");
        }
        let is_counted = messages.is_some() && self.duration.is_none();
        if self.iperf3 && self.reverse && self.transport == Transport::Udp && is_counted {
            anyhow::bail!(
                "a number of datagrams from an iperf3 server may never be complete, since some may be lost; \
                 say --duration as well"
            );
        }
        if self.iperf3 && self.reverse && self.spacing != Spacing::Fixed {
            anyhow::bail!("--spacing is not for iperf3 to keep; leave it out with --reverse");
        }
        if messages == Some(0) {
            anyhow::bail!("--messages 0 or --bytes 0B sends nothing");
        }
        // A plain message may be as short as its counter; everything else obeys the same rules.
        let checked = SendPlan {
            message_bytes: message_bytes.max(incast_core::wire::probe::MESSAGE_BYTES_MIN),
            ..plan.clone()
        };
        checked.check()?;
        Ok(plan)
    }
}

/// A message size that fits its transport and its protocol.
pub(crate) fn message_bytes(size: Bytes, transport: Transport, plain: bool) -> anyhow::Result<u32> {
    let least = if plain { 8 } else { u64::from(incast_core::wire::probe::MESSAGE_BYTES_MIN) };
    let most = u64::from(transport.message_bytes_max());
    if !(least..=most).contains(&size.0) {
        anyhow::bail!("--message {size} is out of range: {least} B to {most} B over {}", transport.name());
    }
    Ok(u32::try_from(size.0)?)
}

/// Reads a transport as the command line writes it.
pub(crate) fn transport(text: &str) -> Result<Transport, String> {
    Transport::named(text).ok_or_else(|| "it is tcp, udp, ip, ethernet or xdp".into())
}
