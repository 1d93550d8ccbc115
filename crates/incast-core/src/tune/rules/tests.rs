//! The rules by table: what was read, what is asked, and what must be said of it.

use std::collections::BTreeMap;

use super::*;
use crate::tune::knob::Offload;
use crate::tune::settings::{Channels, Coalescing, IdleState, InterfaceSettings, Pause, Queue, Rings};
use crate::units::BitRate;

/// A host whose every setting is known and, for 10 Gbit/s in packets of 1500 B, too small where it can be.
fn host() -> HostSettings {
    let sysctls = [
        ("net.core.rmem_max", "212992"),
        ("net.core.wmem_max", "212992"),
        ("net.core.rmem_default", "212992"),
        ("net.core.netdev_max_backlog", "1000"),
        ("net.core.netdev_budget", "300"),
        ("net.core.netdev_budget_usecs", "2000"),
        ("net.ipv4.tcp_rmem", "4096\t131072\t1000000"),
        ("net.ipv4.tcp_wmem", "4096 16384 4194304"),
        ("net.ipv4.ipfrag_high_thresh", "4194304"),
        ("net.ipv4.ipfrag_time", "30"),
        ("net.netfilter.nf_conntrack_count", "95"),
        ("net.netfilter.nf_conntrack_max", "100"),
    ];
    HostSettings {
        host: "x".into(),
        sysctls: sysctls.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        cores: Some(8),
        clocksource: Some("hpet".into()),
        clocksources: vec!["tsc".into(), "hpet".into()],
        governors: BTreeMap::from([(0, "powersave".to_owned()), (1, "performance".to_owned())]),
        idle_states: Some(vec![IdleState { name: "C6".into(), exit_us: 133 }]),
        steal_fraction: Some(0.05),
        irqbalance: Some(true),
        interfaces: vec![InterfaceSettings {
            name: "eth0".into(),
            driver: Some("ixgbe".into()),
            mtu_bytes: Some(1500),
            speed_mbit_per_s: Some(1000),
            duplex: Some("half".into()),
            tx_queue_packets: Some(100),
            qdisc: Some("pfifo_fast".into()),
            rings: Some(Rings { rx: 256, rx_max: 4096, tx: 256, tx_max: 4096 }),
            coalescing: Some(Coalescing { rx_usecs: 0, rx_frames: 1, adaptive_rx: false }),
            pause: Some(Pause { rx: false, tx: false }),
            channels: Some(Channels { rx: 1, rx_max: 8 }),
            offloads: BTreeMap::from([(Offload::Gro, false), (Offload::Gso, true)]),
            queues: vec![Queue { name: "rx-0".into(), cpus: Some("ff".into()), flows: Some(0) }],
            ..InterfaceSettings::default()
        }],
        ..HostSettings::default()
    }
}

fn asked(rate: Option<u64>, message_bytes: u32) -> Asked {
    let rate = rate.map(BitRate);
    Asked { rate, message_bytes, gap: Span::from_ms(10), round_trip: Span::from_ms(1) }
}

fn of<'a>(all: &'a [Judgement], setting: &str) -> &'a Judgement {
    let found: Vec<&Judgement> = all.iter().filter(|judgement| judgement.setting == setting).collect();
    assert_eq!(found.len(), 1, "{setting}");
    found[0]
}

const TEN_GIGABIT: Option<u64> = Some(10_000_000_000);

/// Setting, finding, what is wanted, and the command.
const EXPECTED: &[(&str, Finding, Option<&str>, Option<&str>)] = &[
    (
        "eth0 link",
        Finding::Wrong,
        Some("at least 10Gbit/s"),
        Some("use a faster card or cable, or ask for less"),
    ),
    ("eth0 duplex", Finding::Wrong, Some("full"), Some("ethtool -s eth0 autoneg on")),
    ("eth0 rx ring", Finding::Wrong, Some("at least 1699"), Some("ethtool -G eth0 rx 2048")),
    ("eth0 coalescing", Finding::Wrong, None, Some("ethtool -C eth0 rx-usecs 30")),
    ("eth0 pause", Finding::Stated, None, None),
    ("eth0 gro", Finding::Advice, None, Some("ethtool -K eth0 gro on")),
    ("eth0 gso", Finding::Good, None, None),
    ("eth0 tso", Finding::Unknown, None, None),
    ("eth0 txqueuelen", Finding::Advice, Some("at least 850"), Some("ip link set dev eth0 txqueuelen 1024")),
    ("eth0 queues", Finding::Advice, Some("8"), Some("ethtool -L eth0 rx 8")),
    ("eth0 NUMA node", Finding::Unknown, None, None),
    (
        "net.core.netdev_max_backlog",
        Finding::Wrong,
        Some("at least 8492"),
        Some("sysctl -w net.core.netdev_max_backlog=16384"),
    ),
    (
        "net.core.netdev_budget",
        Finding::Advice,
        Some("at least 1699"),
        Some("sysctl -w net.core.netdev_budget=2048"),
    ),
    (
        "net.core.rmem_max",
        Finding::Wrong,
        Some("at least 12500000"),
        Some("sysctl -w net.core.rmem_max=16777216"),
    ),
    (
        "net.core.wmem_max",
        Finding::Wrong,
        Some("at least 1250000"),
        Some("sysctl -w net.core.wmem_max=2097152"),
    ),
    (
        "net.ipv4.tcp_rmem (most)",
        Finding::Wrong,
        Some("at least 2500000"),
        Some("sysctl -w net.ipv4.tcp_rmem=\"4096 131072 4194304\""),
    ),
    ("net.ipv4.tcp_wmem (most)", Finding::Good, Some("at least 2500000"), None),
    ("net.ipv4.ipfrag_time", Finding::Stated, None, None),
    ("net.core.wmem_default", Finding::Unknown, None, None),
    (
        "clocksource",
        Finding::Advice,
        Some("tsc"),
        Some("echo tsc > /sys/devices/system/clocksource/clocksource0/current_clocksource"),
    ),
    (
        "governor of core 0",
        Finding::Advice,
        Some("performance"),
        Some("echo performance > /sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
    ),
    ("deepest sleep", Finding::Advice, Some("at most 10 us"), Some("cpupower idle-set -D 10")),
    ("steal", Finding::Advice, Some("at most 1 %"), Some("give this virtual machine cores of its own")),
    ("irqbalance", Finding::Advice, None, Some("systemctl stop irqbalance")),
    ("packet filter", Finding::Unknown, None, None),
    (
        "connection tracking",
        Finding::Wrong,
        Some("below 90 %"),
        Some("sysctl -w net.netfilter.nf_conntrack_max=200"),
    ),
];

#[test]
fn every_setting_is_judged_by_its_formula() {
    let all = judge(&host(), &asked(TEN_GIGABIT, 1472));
    for (setting, finding, wanted, command) in EXPECTED {
        let judgement = of(&all, setting);
        let found = (judgement.finding, judgement.wanted.as_deref(), judgement.command.as_deref());
        assert_eq!(found, (*finding, *wanted, *command), "{judgement:?}");
        assert!(!judgement.reason.is_empty());
    }
    // The formula is printed with its numbers.
    let reason = &of(&all, "net.core.rmem_max").reason;
    assert_eq!(reason, "buffer >= rate x time: 10Gbit/s for 10ms (no reader) are 12500000 B");
}

#[test]
fn nothing_that_a_rate_decides_is_wrong_without_one() {
    let all = judge(&host(), &asked(None, 1472));
    let wrong: Vec<&str> = all
        .iter()
        .filter(|judgement| judgement.finding == Finding::Wrong)
        .map(|judgement| judgement.setting.as_str())
        .collect();
    assert_eq!(wrong, ["eth0 duplex", "connection tracking"]);
    assert!(of(&all, "net.core.rmem_max").reason.ends_with("say --rate to have it judged"));
}

#[test]
fn what_nobody_tells_is_unknown_and_never_wrong() {
    let nothing = HostSettings {
        interfaces: vec![InterfaceSettings { name: "e0".into(), ..InterfaceSettings::default() }],
        ..HostSettings::default()
    };
    let all = judge(&nothing, &asked(TEN_GIGABIT, 8192));
    assert!(all.len() > 30, "{}", all.len());
    for judgement in &all {
        assert_eq!((judgement.finding, &judgement.value), (Finding::Unknown, &None), "{judgement:?}");
        assert_eq!((&judgement.command, &judgement.change), (&None, &None), "{judgement:?}");
    }
}

#[test]
fn what_is_mended_is_good_afterwards() {
    let mut host = host();
    let asked = asked(TEN_GIGABIT, 8192);
    let before = judge(&host, &asked);
    assert_eq!(of(&before, "net.ipv4.ipfrag_high_thresh").finding, Finding::Wrong);
    assert_eq!(of(&before, "net.ipv4.ipfrag_time").finding, Finding::Advice);
    for change in before.iter().filter_map(|judgement| judgement.change.as_ref()) {
        match &change.knob.kind {
            KnobKind::Sysctl { name } => {
                host.sysctls.insert(name.clone(), change.value.clone());
            }
            KnobKind::Ring { .. } => {
                host.interfaces[0].rings.as_mut().unwrap().rx = change.value.parse().unwrap();
            }
            KnobKind::Coalescing { .. } => {
                host.interfaces[0].coalescing.as_mut().unwrap().rx_usecs = change.value.parse().unwrap();
            }
            KnobKind::Link { .. } => {
                host.interfaces[0].tx_queue_packets = Some(change.value.parse().unwrap());
            }
            KnobKind::Offload { offload, .. } => {
                host.interfaces[0].offloads.insert(*offload, true);
            }
            KnobKind::Governor { core } => {
                host.governors.insert(*core, change.value.clone());
            }
            KnobKind::Clocksource => host.clocksource = Some(change.value.clone()),
            other => panic!("nobody asked for {other}"),
        }
    }
    let after = judge(&host, &asked);
    let left: Vec<&str> = after
        .iter()
        .filter(|judgement| judgement.change.is_some())
        .map(|judgement| judgement.setting.as_str())
        .collect();
    assert_eq!(left, [] as [&str; 0], "one pass mends everything that it can");
}

#[test]
fn a_ring_is_never_asked_to_be_more_than_the_device_has() {
    let mut host = host();
    host.interfaces[0].rings = Some(Rings { rx: 512, rx_max: 512, tx: 1, tx_max: 1 });
    let all = judge(&host, &asked(TEN_GIGABIT, 64));
    let ring = of(&all, "eth0 rx ring");
    assert_eq!((ring.finding, &ring.change), (Finding::Advice, &None), "nothing can be done: {ring:?}");
    assert!(ring.reason.ends_with("it may have 512, which is all that the device has"), "{}", ring.reason);
}

#[test]
fn the_backlog_is_judged_only_where_packets_wait_in_it() {
    let mut host = host();
    host.interfaces[0].queues[0].cpus = Some("00,00000000".into());
    let all = judge(&host, &asked(TEN_GIGABIT, 1472));
    assert_eq!(of(&all, "net.core.netdev_max_backlog").finding, Finding::Stated);
    host.interfaces[0].driver = Some("veth".into());
    let all = judge(&host, &asked(TEN_GIGABIT, 1472));
    assert_eq!(of(&all, "net.core.netdev_max_backlog").finding, Finding::Wrong);
}

#[test]
fn no_advice_is_more_than_the_kernel_holds() {
    // A rate of the future, in the smallest messages, and a reader who is away for a while.
    for (rate, gap_ms) in [(10_000_000_000_000, 50), (u64::MAX, 10_000), (1_000_000_000_000, 1)] {
        let asked =
            Asked { gap: Span::from_ms(gap_ms), round_trip: Span::from_ms(gap_ms), ..asked(Some(rate), 1) };
        let mut changes = 0;
        for judgement in judge(&host(), &asked) {
            let Some(change) = &judgement.change else { continue };
            let numbers = change.value.split_whitespace().filter_map(|word| word.parse::<u64>().ok());
            assert!(numbers.max().is_none_or(|most| most <= 2_147_483_647), "{judgement:?}");
            changes += 1;
        }
        assert!(changes > 5, "{changes}");
    }
    let far = judge(&host(), &Asked { gap: Span::from_ms(100), ..asked(Some(10_000_000_000_000), 1472) });
    let buffer = of(&far, "net.core.rmem_max");
    assert_eq!(buffer.change.as_ref().unwrap().value, "2147483647");
    assert!(
        buffer.wanted.as_ref().unwrap().ends_with("it is set to 2147483647 at most: ask for less"),
        "{buffer:?}"
    );
}
