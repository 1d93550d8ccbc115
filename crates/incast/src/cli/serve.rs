//! `incast serve`.

use clap::Args;
use incast_core::load::Transport;
use incast_core::time::Span;
use incast_core::units::Bytes;

use super::{OutputArgs, ServerArgs, TraceArgs};

/// `incast serve`
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  incast serve                                        any number of senders from this host
  incast serve --bind 10.0.0.1 --key-file run.key     from other hosts, with a shared key
  incast serve --barrier 10 --once                    start ten senders together, then end
  incast serve --plain --transport tcp --message 1024B --port 6000 --once --json
                                                      count what the lab sheet's tcp_flood sends
  incast serve --iperf3 --once                        one test of a stock `iperf3 -c 127.0.0.1`
  incast serve --iperf3 --bind 10.0.0.1 --open        any number of iperf3 clients of other hosts, at once

With --once it ends, and prints its record, when the senders it waited for are done. In plain mode:
when the one TCP client has left, or after 2 s without a datagram. Ctrl-C ends it at any time.")]
pub(crate) struct ServeArgs {
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub(crate) bind: String,
    /// Port, for TCP and UDP alike (0 takes a free one) [default: 6000; with --iperf3 5201]
    #[arg(long)]
    pub(crate) port: Option<u16>,
    /// Speak the lab sheet's plain protocol: messages only, no control connection
    #[arg(long)]
    pub(crate) plain: bool,
    /// Speak iperf3: stock clients, several at once; what they send is counted by our rules
    #[arg(long, conflicts_with_all = ["plain", "transport", "message", "barrier", "key_file"])]
    pub(crate) iperf3: bool,
    /// Plain mode: what carries the messages
    #[arg(long, value_parser = plain_transport, default_value = "tcp", value_name = "tcp|udp")]
    pub(crate) transport: Transport,
    /// Plain mode: size of every message
    #[arg(long, value_name = "SIZE", default_value = "1024B")]
    pub(crate) message: Bytes,
    /// Plain mode and iperf3: length of a reported interval
    #[arg(long, value_name = "TIME", default_value = "1s")]
    pub(crate) interval: Span,
    /// End after one group of senders, and print its record
    #[arg(long)]
    pub(crate) once: bool,
    /// Start senders together, when N of them are ready
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) barrier: u32,
    /// Receive buffer to ask of the kernel
    #[arg(long, value_name = "SIZE")]
    pub(crate) receive_buffer: Option<Bytes>,
    /// Poll without sleeping: faster, and costs a core
    #[arg(long)]
    pub(crate) spin: bool,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    #[command(flatten)]
    pub(crate) trace: TraceArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// A transport of the plain protocol.
fn plain_transport(text: &str) -> Result<Transport, String> {
    let transport = super::flood::transport(text).ok().filter(|transport| !transport.is_raw());
    transport.ok_or_else(|| "the plain protocol is spoken over tcp and udp".into())
}

impl ServeArgs {
    /// The port to listen on.
    pub(crate) fn port(&self) -> u16 {
        let usual = if self.iperf3 { incast_core::iperf3::PORT } else { crate::endpoint::PORT_DEFAULT };
        self.port.unwrap_or(usual)
    }
}
