//! An interface and its device: the link, rings, interrupts, flow control, offloads, queues.

use super::{AtLeast, round, rounded, without_rate};
use crate::time::Span;
use crate::tune::asked::Asked;
use crate::tune::judgement::{Finding, Judgement};
use crate::tune::knob::{CoalescingSetting, Knob, KnobKind, LinkAttribute, Offload, Side};
use crate::tune::settings::{HostSettings, InterfaceSettings};

pub(super) fn judge(one: &InterfaceSettings, settings: &HostSettings, asked: &Asked) -> Vec<Judgement> {
    let mut all = vec![speed(one, asked), duplex(one), mtu(one, asked)];
    all.extend(rings(one, settings, asked));
    all.extend(coalescing(one, asked));
    all.extend(pause(one));
    all.extend(offloads(one, asked));
    all.extend([tx_queue(one, asked), qdisc(one)]);
    all.extend(spread(one, settings, asked));
    all.extend(polling(one));
    all.push(numa(one));
    all
}

fn named(one: &InterfaceSettings, what: &str) -> String {
    format!("{} {what}", one.name)
}

fn mtu_of(one: &InterfaceSettings) -> u32 {
    one.mtu_bytes.unwrap_or(1500)
}

fn speed(one: &InterfaceSettings, asked: &Asked) -> Judgement {
    let value = one.speed_mbit_per_s.map(|speed| format!("{speed} Mbit/s"));
    let judgement = Judgement::new(named(one, "link"), value, "the link carries no more than its rate");
    let Some((rate, speed)) = asked.rate.zip(one.speed_mbit_per_s) else { return judgement };
    let is_enough = speed.saturating_mul(1_000_000) >= rate.0;
    judgement
        .found(if is_enough { Finding::Good } else { Finding::Wrong })
        .wanted(format!("at least {rate}"))
        .by_hand("use a faster card or cable, or ask for less")
}

fn duplex(one: &InterfaceSettings) -> Judgement {
    let half = one.duplex.as_deref() == Some("half");
    Judgement::new(named(one, "duplex"), one.duplex.clone(), "half duplex collides with what comes back")
        .found(if half { Finding::Wrong } else { Finding::Good })
        .wanted("full")
        .by_hand(format!("ethtool -s {} autoneg on", one.name))
}

/// Packets cost, not bytes: a core takes in a few hundred thousand a second.
fn mtu(one: &InterfaceSettings, asked: &Asked) -> Judgement {
    let value = one.mtu_bytes.map(|mtu| mtu.to_string());
    let setting = named(one, "mtu");
    let (Some(now), Some(jumbo)) = (asked.packets_per_s(mtu_of(one)), asked.packets_per_s(JUMBO)) else {
        return Judgement::new(setting, value, without_rate("packet rate = rate / packet size"));
    };
    let reason = format!(
        "packet rate = rate / packet size: {now} packets/s here, {jumbo} with jumbo frames of {JUMBO} B"
    );
    let many = now > PACKETS_PER_CORE && jumbo < now;
    Judgement::new(setting, value, reason)
        .found(if many { Finding::Advice } else { Finding::Good })
        .wanted(format!("{JUMBO}, if every switch and host on the way has it"))
        .by_hand(format!("ip link set dev {} mtu {JUMBO}", one.name))
}

/// The ring holds what comes until the driver's next round. Bologna 41: 256 and 4096 descriptors.
fn rings(one: &InterfaceSettings, settings: &HostSettings, asked: &Asked) -> Vec<Judgement> {
    let absent = "the driver tells of no ring";
    let Some(rings) = &one.rings else {
        return vec![
            Judgement::new(named(one, "rx ring"), None, absent),
            Judgement::new(named(one, "tx ring"), None, absent),
        ];
    };
    let late = one.coalescing.as_ref().map_or(0, |coalescing| u64::from(coalescing.rx_usecs));
    let wait = Span::from_ns(round(settings).as_ns() + Span::from_us(late).as_ns());
    let needed = asked.packets_in(wait, mtu_of(one));
    // What the device cannot have, no command gives.
    let reach = needed.map(|needed| rounded(needed).min(u64::from(rings.rx_max)));
    let is_short = needed > Some(u64::from(rings.rx_max));
    let formula = match needed {
        Some(needed) => {
            let short = if is_short { ", which is all that the device has" } else { "" };
            format!(
                "ring >= packet rate x (a round + its delay): {needed} packets in {wait}; it may have {}{short}",
                rings.rx_max
            )
        }
        None => without_rate("ring >= packet rate x (a round + its delay)"),
    };
    let setting = named(one, "rx ring");
    let value = Some(u64::from(rings.rx));
    // A full ring of the largest size is no mistake of whoever set it.
    let weight = if rings.rx >= rings.rx_max { Finding::Advice } else { Finding::Wrong };
    let rx = AtLeast { setting, value, needed, formula, weight }.judge();
    let knob = Knob::here(KnobKind::Ring { interface: one.name.clone(), side: Side::Rx });
    let rx = match reach {
        Some(reach) if reach > u64::from(rings.rx) => rx.mended_by(knob, reach.to_string()),
        _ => rx,
    };
    let tx = format!("{} of at most {}", rings.tx, rings.tx_max);
    vec![
        rx,
        Judgement::new(
            named(one, "tx ring"),
            Some(tx),
            "a sender waits in its socket when this is full: nothing is lost here",
        ),
    ]
}

/// An interrupt for each packet is what livelock is made of (bologna 36).
fn coalescing(one: &InterfaceSettings, asked: &Asked) -> Vec<Judgement> {
    let Some(found) = &one.coalescing else {
        return vec![Judgement::new(
            named(one, "coalescing"),
            None,
            "the driver tells of no interrupt coalescence",
        )];
    };
    let shown = format!(
        "{} us, {} packets, adaptive {}",
        found.rx_usecs,
        found.rx_frames,
        if found.adaptive_rx { "on" } else { "off" }
    );
    let every = !found.adaptive_rx && found.rx_usecs == 0 && found.rx_frames <= 1;
    let fast = asked.packets_per_s(mtu_of(one)).is_some_and(|packets| packets > PACKETS_OF_SINGLE_INTERRUPTS);
    let knob =
        Knob::here(KnobKind::Coalescing { interface: one.name.clone(), what: CoalescingSetting::RxUsecs });
    vec![
        Judgement::new(
            named(one, "coalescing"),
            Some(shown),
            "an interrupt for every packet starves whoever reads them",
        )
        .found(if every && fast { Finding::Wrong } else { Finding::Good })
        .mended_by(knob, "30"),
    ]
}

/// A pause frame makes the switch wait instead of the ring overflow.
fn pause(one: &InterfaceSettings) -> Vec<Judgement> {
    let Some(found) = &one.pause else {
        return vec![Judgement::new(named(one, "pause"), None, "the driver tells of no flow control")];
    };
    let word = |on: bool| if on { "on" } else { "off" };
    let shown = format!("rx {}, tx {}", word(found.rx), word(found.tx));
    let knob = Knob::here(KnobKind::Pause { interface: one.name.clone(), side: Side::Tx });
    vec![
        Judgement::new(
            named(one, "pause"),
            Some(shown),
            "tx: a full ring makes the switch wait and drops nothing; others behind the same port wait too",
        )
        .found(if found.tx { Finding::Good } else { Finding::Stated })
        .mended_by(knob, "on"),
    ]
}

/// What the device does, the cores need not.
fn offloads(one: &InterfaceSettings, asked: &Asked) -> Vec<Judgement> {
    let all = [
        (Offload::RxChecksum, "check sums of what comes, by the device"),
        (Offload::TxChecksum, "check sums of what leaves, by the device"),
        (Offload::Sg, "packets from several places of memory: segmentation needs it"),
        (Offload::Tso, "TCP hands over up to 64 KiB at once"),
        (Offload::Gso, "the stack is passed once per train, not once per packet"),
        (Offload::Gro, "the stack is passed once per train of what comes"),
    ];
    let fast = asked.rate.is_some_and(|rate| rate.0 >= RATE_OF_OFFLOADS);
    let one_of = |(offload, reason): (Offload, &str)| {
        let found = one.offloads.get(&offload).copied();
        let kind = KnobKind::Offload { interface: one.name.clone(), offload };
        let value = found.map(|on| if on { "on" } else { "off" }.to_owned());
        let finding = match found {
            Some(true) => Finding::Good,
            _ if fast => Finding::Advice,
            _ => Finding::Stated,
        };
        Judgement::new(kind.to_string(), value, reason).found(finding).mended_by(Knob::here(kind), "on")
    };
    all.map(one_of).into()
}

/// Bologna 41: 100 and 1600. A burst of a millisecond should fit.
fn tx_queue(one: &InterfaceSettings, asked: &Asked) -> Judgement {
    let setting = named(one, "txqueuelen");
    if one.qdisc.as_deref() == Some("noqueue") {
        let value = one.tx_queue_packets.map(|packets| packets.to_string());
        return Judgement::new(setting, value, "not used: the interface has no queue (noqueue)");
    }
    let needed = asked.packets_in(BURST, mtu_of(one));
    let formula = match needed {
        Some(needed) => format!("queue >= packet rate x {BURST}, a burst: {needed} packets"),
        None => without_rate("queue >= packet rate x 1 ms, a burst"),
    };
    let knob =
        Knob::here(KnobKind::Link { interface: one.name.clone(), attribute: LinkAttribute::TxQueueLen });
    let value = one.tx_queue_packets;
    AtLeast { setting, value, needed, formula, weight: Finding::Advice }
        .judge()
        .mended_by(knob, rounded(needed.unwrap_or_default()).to_string())
}

fn qdisc(one: &InterfaceSettings) -> Judgement {
    Judgement::new(named(one, "qdisc"), one.qdisc.clone(), "where packets wait for the device")
}

/// Whether the work of receiving is shared by the cores.
fn spread(one: &InterfaceSettings, settings: &HostSettings, asked: &Asked) -> Vec<Judgement> {
    let mut all = Vec::new();
    let cores = settings.cores.unwrap_or(1);
    let many = asked.packets_per_s(mtu_of(one)).is_some_and(|packets| packets > PACKETS_PER_CORE);
    let shown = one.channels.as_ref().map(|found| format!("{} of at most {}", found.rx, found.rx_max));
    let few = one.channels.as_ref().is_some_and(|found| many && found.rx < found.rx_max.min(cores));
    let wanted = one.channels.as_ref().map_or(1, |found| found.rx_max.min(cores));
    all.push(
        Judgement::new(
            named(one, "queues"),
            shown,
            format!("a core takes in some {PACKETS_PER_CORE} packets/s: more need several queues, and several flows"),
        )
        .found(if few { Finding::Advice } else { Finding::Good })
        .wanted(wanted.to_string())
        .by_hand(format!("ethtool -L {} rx {wanted}", one.name)),
    );
    for (what, begin) in [("RPS (cores of rx queues)", "rx"), ("XPS (cores of tx queues)", "tx")] {
        let masks: Vec<&str> = one
            .queues
            .iter()
            .filter(|queue| queue.name.starts_with(begin))
            .filter_map(|queue| queue.cpus.as_deref())
            .take(QUEUES_SHOWN)
            .collect();
        let value = (!masks.is_empty()).then(|| masks.join(" "));
        all.push(Judgement::new(named(one, what), value, "masks of cores; 0: where the interrupt is"));
    }
    let flows: Vec<String> = one
        .queues
        .iter()
        .filter_map(|queue| queue.flows)
        .take(QUEUES_SHOWN)
        .map(|flows| flows.to_string())
        .collect();
    let value = (!flows.is_empty()).then(|| flows.join(" "));
    all.push(Judgement::new(
        named(one, "RFS (flows of rx queues)"),
        value,
        "flows led to the core of their reader; 0: none",
    ));
    let irqs: Vec<String> = one
        .irqs
        .iter()
        .filter_map(|irq| Some(format!("{}: {}", irq.number, irq.cores.as_deref()?)))
        .take(QUEUES_SHOWN)
        .collect();
    let value = (!irqs.is_empty()).then(|| irqs.join(", "));
    all.push(Judgement::new(
        named(one, "interrupts"),
        value,
        "which cores serve them; pin them beside the readers",
    ));
    all
}

fn polling(one: &InterfaceSettings) -> Vec<Judgement> {
    let number = |value: Option<u64>| value.map(|value| value.to_string());
    let threaded = one.threaded.map(|on| if on { "on" } else { "off" }.to_owned());
    vec![
        Judgement::new(
            named(one, "gro_flush_timeout"),
            number(one.gro_flush_timeout_ns),
            "ns that joined packets may wait for more",
        ),
        Judgement::new(
            named(one, "napi_defer_hard_irqs"),
            number(one.napi_defer_hard_irqs),
            "empty rounds before interrupts come back; with gro_flush_timeout it replaces coalescence",
        ),
        Judgement::new(
            named(one, "threaded NAPI"),
            threaded,
            "a thread of the kernel takes packets in; it can be pinned",
        ),
    ]
}

fn numa(one: &InterfaceSettings) -> Judgement {
    // The kernel says -1 where there is only one.
    let value = one.numa_node.map(|node| if node < 0 { "only one".to_owned() } else { node.to_string() });
    Judgement::new(named(one, "NUMA node"), value, "readers are best on cores of the same node")
}

/// Packet rate that one core takes in with room to spare: half of the 500 000 to 1 000 000 a second that
/// published measurements of Linux's UDP path give.
const PACKETS_PER_CORE: u64 = 300_000;
/// Below this an interrupt for each packet does no harm (Mogul and Ramakrishnan, 1997: livelock from some
/// ten thousand a second on).
const PACKETS_OF_SINGLE_INTERRUPTS: u64 = 20_000;
/// From 1 Gbit/s on offloads are worth advice.
const RATE_OF_OFFLOADS: u64 = 1_000_000_000;
/// What is called a jumbo frame.
const JUMBO: u32 = 9000;
/// A burst of a sender.
const BURST: Span = Span::from_ms(1);
/// Most queues that are shown one by one.
const QUEUES_SHOWN: usize = 16;
