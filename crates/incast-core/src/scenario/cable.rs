//! What a cable is like: its rates, queues and MTU, and what happens on the way.
//!
//! A switch may say the same keys for all its cables. Rates are those of the wire: 24 B of preamble,
//! frame check and gap (IEEE 802.3) and 14 B of header go with every packet.

use std::net::Ipv4Addr;

use super::findings::quoted;
use super::model_network::{CableEnd, CablePlan};
use super::reader::Reader;
use crate::link::PathPlan;
use crate::time::Span;
use crate::units::{BIT_RATE_EXAMPLES, BYTES_EXAMPLES, BitRate, Bytes, SPAN_EXAMPLES};

/// What a switch says for all its cables.
#[derive(Clone, Debug, Default)]
pub(super) struct Defaults {
    rate: Option<BitRate>,
    port_rate: Option<BitRate>,
    queue: Option<Bytes>,
    port_queue: Option<Bytes>,
    mtu: Option<Bytes>,
    offloads: Option<bool>,
}

impl Defaults {
    /// Reads the keys that a `[[switch]]` and a `[[cable]]` share.
    pub(super) fn read(reader: &mut Reader<'_, '_>) -> Self {
        let rates = [RATE_MIN, RATE_MAX];
        let queues = [Bytes(1), QUEUE_MAX];
        Self {
            rate: reader.quantity_within("rate", BIT_RATE_EXAMPLES, rates),
            port_rate: reader.quantity_within("port_rate", BIT_RATE_EXAMPLES, rates),
            queue: reader.quantity_within("queue", BYTES_EXAMPLES, queues),
            port_queue: reader.quantity_within("port_queue", BYTES_EXAMPLES, queues),
            mtu: reader.quantity_within("mtu", BYTES_EXAMPLES, [MTU_MIN, MTU_MAX]),
            offloads: reader.flag("offloads"),
        }
    }
}

/// Reads everything about a cable but its ends and its address.
pub(super) fn read(reader: &mut Reader<'_, '_>, switch: &Defaults) -> CablePlan {
    let own = Defaults::read(reader);
    let mtu = own.mtu.or(switch.mtu).unwrap_or(MTU_DEFAULT);
    let rate = own.rate.or(switch.rate);
    // A cable has one rate unless somebody says two.
    let port_rate = own.port_rate.or(switch.port_rate).or(rate);
    let queue = own.queue.or(switch.queue);
    let port_queue = own.port_queue.or(switch.port_queue);
    let frame = Bytes(mtu.0 + FRAME_BYTES);
    if reader.has("queue") && rate.is_none() {
        reader.fault("queue", "a cable without a `rate` never queues: say how fast it is");
    }
    if reader.has("port_queue") && port_rate.is_none() {
        reader.fault("port_queue", "a port without a rate never queues: say `rate` or `port_rate`");
    }
    let burst = reader.quantity_within("burst", BYTES_EXAMPLES, [Bytes(1), QUEUE_MAX]);
    if reader.has("burst") && rate.is_none() && port_rate.is_none() {
        reader.fault("burst", "a cable without a rate sends all it has: say `rate` or `port_rate`");
    }
    let sizes = [("queue", queue), ("port_queue", port_queue), ("burst", burst)];
    for (key, size) in sizes.into_iter().filter(|(_, size)| size.is_some_and(|size| size < frame)) {
        let size = size.unwrap_or_default();
        let message = format!(
            "`{key}` of {size} does not hold one packet: with an MTU of {}B it takes {frame} on the wire",
            mtu.0
        );
        reader.fault(key, message);
    }
    let offloads = own.offloads.or(switch.offloads).unwrap_or(false);
    let path = read_path(reader);
    if offloads && path.is_some() {
        reader.fault(
            "offloads",
            "a cable with delay, jitter, loss, duplicate or reorder carries single packets: leave `offloads` out",
        );
    }
    CablePlan {
        from: CableEnd::Switch(0),
        to: 0,
        mtu_bytes: u32::try_from(mtu.0).unwrap_or(u32::MAX),
        rate,
        queue: queue.unwrap_or(QUEUE_DEFAULT).max(frame),
        port_rate,
        port_queue: port_queue.unwrap_or(PORT_QUEUE_DEFAULT).max(frame),
        burst,
        offloads,
        path,
        travel: reader.quantity_within("travel", SPAN_EXAMPLES, [Span::ZERO, TRAVEL_MAX]).unwrap_or_default(),
        bit_errors: bit_errors(reader),
        address: None,
    }
}

fn read_path(reader: &mut Reader<'_, '_>) -> Option<PathPlan> {
    let spans = [Span::ZERO, DELAY_MAX];
    let path = PathPlan {
        delay: reader.quantity_within("delay", SPAN_EXAMPLES, spans).unwrap_or_default(),
        jitter: reader.quantity_within("jitter", SPAN_EXAMPLES, spans).unwrap_or_default(),
        loss: probability(reader, "loss"),
        duplicate: probability(reader, "duplicate"),
        reorder: probability(reader, "reorder"),
    };
    if path.reorder > 0.0 && path.delay == Span::ZERO {
        reader.fault("reorder", "a packet overtakes those that are held: `reorder` needs a `delay`");
    }
    (path != PathPlan::default()).then_some(path)
}

fn probability(reader: &mut Reader<'_, '_>, key: &str) -> f64 {
    let value = reader.number(key, "a number from 0 to 1, for example 0.01", |_| None).unwrap_or(0.0);
    if !(0.0..=1.0).contains(&value) {
        reader.fault(key, format!("`{key}` is {value}; allowed: 0 to 1, a probability"));
        return 0.0;
    }
    value
}

/// Probability that a bit arrives wrong.
fn bit_errors(reader: &mut Reader<'_, '_>) -> f64 {
    let value = reader.number("bit_errors", "a number, for example 1e-12", |_| None).unwrap_or(0.0);
    if !(0.0..=BIT_ERRORS_MAX).contains(&value) {
        reader.fault(
            "bit_errors",
            format!("`bit_errors` is {value}; allowed: 0 to {BIT_ERRORS_MAX}, a probability for each bit"),
        );
        return 0.0;
    }
    value
}

/// The address that a cable states for its host.
pub(super) fn address(reader: &mut Reader<'_, '_>) -> Option<Ipv4Addr> {
    let text = reader.text("address")?.into_inner();
    let address = text.parse().ok();
    if address.is_none() {
        reader.fault("address", format!("{} is no IPv4 address; write for example 10.77.0.1", quoted(text)));
    }
    address
}

pub(super) const KEYS: &[&str] = &[
    "address",
    "bit_errors",
    "burst",
    "delay",
    "duplicate",
    "from",
    "jitter",
    "loss",
    "mtu",
    "name",
    "offloads",
    "port_queue",
    "port_rate",
    "queue",
    "rate",
    "reorder",
    "to",
    "travel",
];
/// What a packet takes on the wire beyond itself: 14 B header, 4 B check, 8 B preamble, 12 B gap.
const FRAME_BYTES: u64 = 38;
/// IEEE 802.3.
const MTU_DEFAULT: Bytes = Bytes(1500);
/// Every IPv4 host takes so much (RFC 791).
const MTU_MIN: Bytes = Bytes(576);
/// Largest that a virtual Ethernet pair has.
const MTU_MAX: Bytes = Bytes(65_535);
/// More than a sender's socket holds by default, so that the sender waits and its own queue does not drop.
const QUEUE_DEFAULT: Bytes = Bytes(4 << 20);
/// A port of a small switch.
const PORT_QUEUE_DEFAULT: Bytes = Bytes(128 << 10);
/// A queue of the kernel counts bytes in 32 bits.
const QUEUE_MAX: Bytes = Bytes(1 << 30);
const RATE_MIN: BitRate = BitRate(8_000);
/// Faster than any machine carries.
const RATE_MAX: BitRate = BitRate(10_000_000_000_000);
/// A minute is farther than anybody measures: the Moon and back is 2.6 s.
const DELAY_MAX: Span = Span::from_s(60);
/// Round the Earth, five times.
const TRAVEL_MAX: Span = Span::from_s(1);
/// Beyond this no packet of 1500 bytes arrives: IEEE 802.3 asks for less than 1e-10.
const BIT_ERRORS_MAX: f64 = 0.01;
