//! `incast stamp` and `incast reflect`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use incast_core::stamp::Limits;
use incast_core::stamp::SenderPlan;
use incast_core::stamp::reflector::RATE_MAX;
use incast_core::time::Span;
use incast_core::units::Bytes;
use incast_core::wire::stamp::PORT;
use incast_core::wire::stamp::mac::MacKey;
use incast_core::wire::stamp::time::Format;

use super::OutputArgs;

/// Tests when nothing else ends a measurement.
const COUNT_DEFAULT: u64 = 100;
/// Size of a test when nobody says otherwise, if it holds all that belongs to it.
const PACKET_BYTES: usize = 64;

/// `incast stamp`
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  incast stamp X                                100 tests, 10 ms apart, to the reflector at X, port 862
  incast stamp X:8620 --gap 1ms --duration 1m   one in each millisecond
  incast stamp X --every 10s                    watch the path: a line every ten seconds, until Ctrl-C
  incast stamp X --every 10s --limit loss=0.1% --limit round-trip=5ms --json
                                                lines of JSON with their state; exit code 1 if a limit was missed
  incast stamp X --synchronised 1us             clocks agree (PTP): delays of each way, not estimates
  incast stamp X --plain --size 44B             a reflector that knows nothing beyond RFC 8762, or TWAMP Light

The other end is `incast reflect`, or any reflector of RFC 8762. Limits: loss, round-trip, forward, backward
(99th percentiles), variation (PDV, RFC 5481); they are for each window and for the whole.")]
pub(crate) struct StampArgs {
    /// Reflector: a name or an address, with or without :PORT (862 otherwise)
    pub(crate) reflector: String,
    /// Time from one test to the next
    #[arg(long, value_name = "TIME", default_value = "10ms")]
    pub(crate) gap: Span,
    /// End after so many tests [default: 100, unless --duration or --every is given]
    #[arg(long, value_name = "N")]
    pub(crate) count: Option<u64>,
    /// End after this time
    #[arg(long, value_name = "TIME", conflicts_with = "count")]
    pub(crate) duration: Option<Span>,
    /// Keep watching, and say how the path is this often
    #[arg(long, value_name = "TIME")]
    pub(crate) every: Option<Span>,
    /// A reply after this is late, and its test was lost until then
    #[arg(long, value_name = "TIME", default_value = "1s")]
    pub(crate) timeout: Span,
    /// Size of a test, without UDP and IP [default: 64B, or what it needs]
    #[arg(long, value_name = "SIZE")]
    pub(crate) size: Option<Bytes>,
    /// What the path has to keep; may be repeated
    #[arg(long, value_name = "NAME=MOST")]
    pub(crate) limit: Vec<Limit>,
    /// Both clocks agree this closely (PTP, one machine): delays are their differences
    #[arg(long, value_name = "TIME")]
    pub(crate) synchronised: Option<Span>,
    /// Key shared with the reflector: packets are authenticated (make one with `incast key`)
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// No extensions of RFC 8972: neither session id nor counters
    #[arg(long)]
    pub(crate) plain: bool,
    /// Format of timestamps
    #[arg(long, value_name = "ntp|ptp", default_value = "ntp", value_parser = format)]
    pub(crate) timestamps: Format,
    /// Differentiated services code point, 0 to 63
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=63))]
    pub(crate) dscp: Option<u8>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// `incast reflect`
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  incast reflect --port 8620                            for senders on this host
  incast reflect --bind 10.0.0.1 --key-file run.key     for others that have the key, on port 862 (as root)
  incast reflect --bind 10.0.0.1 --open                 for any STAMP or TWAMP Light sender
  incast reflect --bind 10.0.0.1 --open --stateless     without counts: nothing is kept of anybody

A reply is never longer than its test, and there is a bound on replies in a second. Ctrl-C ends it, and
it says what it did.")]
pub(crate) struct ReflectArgs {
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub(crate) bind: String,
    /// UDP port (0 takes a free one); below 1024 root is needed
    #[arg(long, default_value_t = PORT)]
    pub(crate) port: u16,
    /// Keep no count for each session; then senders cannot tell on which way a packet was lost
    #[arg(long)]
    pub(crate) stateless: bool,
    /// Replies in a second at most
    #[arg(long, value_name = "N", default_value_t = RATE_MAX, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub(crate) rate_max: u32,
    /// This host's clock is synchronised to UTC this closely
    #[arg(long, value_name = "TIME")]
    pub(crate) synchronised: Option<Span>,
    /// Key that senders must have; without one, only this host's are served
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// Serve senders of other hosts though there is no key
    #[arg(long)]
    pub(crate) open: bool,
    /// Print what it did as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// One limit as it was said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Limit {
    Loss(f64),
    RoundTrip(Span),
    Forward(Span),
    Backward(Span),
    Variation(Span),
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, most) =
            text.split_once('=').ok_or("say NAME=MOST, for example loss=0.1% or round-trip=5ms")?;
        let span = || most.parse::<Span>().map_err(|error| error.to_string());
        match name {
            "loss" => fraction(most).map(Self::Loss),
            "round-trip" => span().map(Self::RoundTrip),
            "forward" => span().map(Self::Forward),
            "backward" => span().map(Self::Backward),
            "variation" => span().map(Self::Variation),
            _ => Err(format!(
                "there is no limit `{name}`; allowed: loss, round-trip, forward, backward, variation"
            )),
        }
    }
}

fn fraction(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').unwrap_or_default().trim().parse::<f64>();
    let percent = number.ok().filter(|percent| (0.0..=100.0).contains(percent));
    percent
        .map(|percent| percent / 100.0)
        .ok_or_else(|| format!("`{text}`: say 0% to 100%, for example 0.1%"))
}

fn format(text: &str) -> Result<Format, String> {
    match text {
        "ntp" => Ok(Format::Ntp),
        "ptp" => Ok(Format::Ptp),
        _ => Err("allowed: ntp, ptp".into()),
    }
}

impl StampArgs {
    /// What the sender does.
    pub(crate) fn plan(&self, key: Option<MacKey>, ssid: u16) -> anyhow::Result<SenderPlan> {
        // Windows of a measurement that ends by itself are for its report.
        let window = self.every.unwrap_or(WINDOW).max(self.gap);
        let of_duration = self.duration.map(|duration| (duration.0 / self.gap.0.max(1)).max(1));
        let usual = (self.every.is_none()).then_some(COUNT_DEFAULT);
        let mut plan = SenderPlan {
            tests: self.count.or(of_duration).or(usual),
            gap: self.gap,
            timeout: self.timeout,
            window,
            packet_bytes: 0,
            ssid: if self.plain { 0 } else { ssid },
            format: self.timestamps,
            key,
            counters: !self.plain,
            synchronised_ns: self.synchronised.map(Span::as_ns),
        };
        let least = plan.packet_bytes_min();
        let usual = if least <= PACKET_BYTES - 4 { PACKET_BYTES } else { least };
        plan.packet_bytes = self.size.map_or(Ok(usual), |size| usize::try_from(size.0))?;
        plan.check().map_err(anyhow::Error::msg)?;
        Ok(plan)
    }

    /// What the path has to keep; of two limits of one name the last.
    pub(crate) fn limits(&self) -> Limits {
        let mut limits = Limits::default();
        for limit in &self.limit {
            match *limit {
                Limit::Loss(most) => limits.loss = Some(most),
                Limit::RoundTrip(most) => limits.round_trip = Some(most),
                Limit::Forward(most) => limits.forward = Some(most),
                Limit::Backward(most) => limits.backward = Some(most),
                Limit::Variation(most) => limits.variation = Some(most),
            }
        }
        limits
    }
}

/// Length of a window when nobody watches.
const WINDOW: Span = Span::from_s(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_with_their_units_and_what_is_wrong_is_said() {
        assert_eq!("loss=0.1%".parse(), Ok(Limit::Loss(0.001)));
        assert_eq!("round-trip=5ms".parse(), Ok(Limit::RoundTrip(Span::from_ms(5))));
        for wrong in ["loss", "loss=1", "loss=101%", "loss=-1%", "loss=nan%", "delay=1ms", "forward=5"] {
            assert!(wrong.parse::<Limit>().is_err(), "{wrong}");
        }
    }
}
