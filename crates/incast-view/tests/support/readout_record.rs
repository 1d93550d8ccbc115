//! Records of readouts, made up: one that went well, one that died all over, and hostile ones.
//!
//! The accounts close, so that what is shown of them can be checked; the numbers were never measured.

use incast_core::record::{
    Cpu, CreditBook, DeadTimes, EventBook, NamedCount, Readout, ReadoutInterval, ReadoutRole, Record,
    ScenarioSummary, StateEntered, StoredFile, TimeDistribution, Verdict,
};

pub(crate) fn named(name: &str, count: u64) -> NamedCount {
    NamedCount { name: name.into(), count }
}

fn role(name: &str, kind: &str, counts: &[(&str, u64)]) -> ReadoutRole {
    ReadoutRole {
        name: name.into(),
        kind: kind.into(),
        lives: 1,
        counts: counts.iter().map(|(name, count)| named(name, *count)).collect(),
        cpu: Some(Cpu { user_s: 0.25, system_s: 0.5, switches_voluntary: 3, switches_involuntary: 1 }),
        ..ReadoutRole::default()
    }
}

fn time(name: &str, count: u64, us: [f64; 4]) -> TimeDistribution {
    let [p50, p99, p999, max] = us.map(Some);
    TimeDistribution { name: name.into(), count, us_p50: p50, us_p99: p99, us_p999: p999, us_max: max }
}

/// Eight sources, a builder, four nodes and a sink; in so many slices of a quarter of a second, of which
/// the trigger was stopped in some.
fn intervals(slices: u32, is_dead: fn(u32) -> bool) -> Vec<ReadoutInterval> {
    (0..slices)
        .map(|index| {
            let events = if is_dead(index) { 125 } else { 500 };
            ReadoutInterval {
                start_s: 0.25 * f64::from(index),
                end_s: 0.25 * f64::from(index + 1),
                triggered: events,
                built: events,
                decided: events - 1,
                stored: events / 4,
                built_bytes_per_s: 32_768.0 * f64::from(u32::try_from(events).unwrap_or(0)),
                in_flight: 12,
                held: 8 + u64::from(index % 3),
                held_bytes: 65_536 * (1 + u64::from(index % 3)),
                credits: 32 - u64::from(index % 5),
                dead: is_dead(index),
            }
        })
        .collect()
}

fn states() -> Vec<StateEntered> {
    let entered = [
        ("idle", 0.0),
        ("configured", 0.125),
        ("armed", 0.25),
        ("running", 0.25),
        ("draining", 5.25),
        ("stopped", 5.5),
    ];
    entered.map(|(state, at_s)| StateEntered { state: state.into(), at_s }).into()
}

fn roles(decided: [u64; 4]) -> Vec<ReadoutRole> {
    let mut roles = vec![role("trigger", "trigger", &[("triggered", 10_000), ("packets", 10_000)])];
    let sources = (1..=8).map(|index| format!("ru-{index}"));
    roles.extend(sources.map(|name| role(&name, "source", &[("sent", 10_000), ("sent_bytes", 10_240_000)])));
    roles.push(role("builder", "builder", &[("built", 10_000), ("built_bytes", 81_920_000)]));
    for (index, decided) in (1..).zip(decided) {
        let counts = [("decided", decided), ("accepted", decided / 4)];
        roles.push(role(&format!("farm-{index}"), "node", &counts));
    }
    roles.push(role("sink", "sink", &[("stored", 2_487), ("syncs", 91)]));
    roles
}

/// A readout that went well.
pub(crate) fn readout() -> Readout {
    Readout {
        run: 17,
        protocol: "push".into(),
        carrier: "tcp".into(),
        packing_events: 1,
        builder_policy: "round-robin".into(),
        node_policy: "tokens".into(),
        replay: None,
        running_s: Some(5.0),
        events: EventBook { triggered: 10_000, stored: 2_487, rejected: 7_513, ..EventBook::default() },
        credits: Some(CreditBook { granted: 10_032, spent: 10_000, held: 32, ..CreditBook::default() }),
        dead_time: DeadTimes { fraction: Some(0.0), refused_triggers: Some(0), ..DeadTimes::default() },
        event_rate_per_s: Some(1_999.6),
        built_bytes_per_s: Some(16.38e6),
        stored_bytes: Some(20_373_504),
        fairness_jain: Some(0.9998),
        times: vec![
            time("trigger_to_end", 10_000, [1_480.0, 6_912.0, 10_240.0, 14_903.0]),
            time("build", 10_000, [210.0, 736.0, 1_408.0, 2_871.0]),
            time("decision", 10_000, [736.0, 4_736.0, 7_168.0, 11_002.0]),
            TimeDistribution { name: "first_request".into(), ..TimeDistribution::default() },
            time("store", 2_487, [480.0, 1_920.0, 2_816.0, 3_207.0]),
        ],
        states: states(),
        roles: roles([2_510, 2_496, 2_489, 2_505]),
        intervals: intervals(20, |_| false),
        files: vec![
            StoredFile {
                path: "data/run17-physics-0001.mdf".into(),
                sink: "sink".into(),
                stream: "physics".into(),
                records: 2_401,
                bytes: 19_668_992,
                ..StoredFile::default()
            },
            StoredFile {
                path: "data/run17-calibration-0001.mdf".into(),
                sink: "sink".into(),
                stream: "calibration".into(),
                records: 86,
                bytes: 704_512,
                ..StoredFile::default()
            },
        ],
    }
}

/// The record of [`readout`]: it has no flows.
pub(crate) fn well() -> Record {
    Record {
        world: "run".into(),
        scenario: ScenarioSummary {
            name: "readout".into(),
            title: Some("Eight sources, an event builder, four nodes and a sink".into()),
            seed: 1,
            ..ScenarioSummary::default()
        },
        readout: Some(readout()),
        verdict: Verdict::Good,
        ..Record::default()
    }
}

/// A readout in which nearly everything went wrong, and that accounts for all of it but one event.
pub(crate) fn badly() -> Record {
    let mut record = well();
    record.verdict = Verdict::Incomplete;
    record.scenario.variant = Some("a bad day".into());
    let mut readout = Readout {
        protocol: "pull".into(),
        carrier: "mep-udp".into(),
        packing_events: 32,
        replay: Some("OnlyHltBanks.mdf".into()),
        events: EventBook {
            triggered: 10_000,
            stored: 1_200,
            rejected: 7_513,
            incomplete: 1_204,
            lost: 79,
            in_flight: 3,
            residual: 1,
            lost_by: vec![named("no_room", 2), named("builder_died", 77)],
            missing: vec![named("ru-3", 1_200), named("ru-7", 4)],
            revised: 5,
            ended_twice: 2,
            never_triggered: 0,
        },
        credits: Some(CreditBook { granted: 10_032, spent: 9_990, held: 32, expired: 11, residual: -1 }),
        dead_time: DeadTimes {
            throttle_s: 0.5,
            nobody_s: 0.25,
            pause_s: 0.125,
            refused_triggers: Some(1_502),
            fraction: Some(0.15),
        },
        ..readout()
    };
    readout.intervals = intervals(20, |index| (6..9).contains(&index) || index == 15);
    let farm = readout.roles.iter_mut().find(|role| role.name == "farm-2");
    let farm = farm.expect("a node of that name");
    farm.lives = 3;
    farm.deaths = vec!["killed by signal 9".into(), "was silent for 15 s and was ended".into()];
    farm.faults = vec![named("decisions_of_another_life", 4), named("never", 0)];
    let builder = readout.roles.iter_mut().find(|role| role.kind == "builder").expect("a builder");
    builder.faults = vec![named("duplicate", 3), named("late", 1_500)];
    record.readout = Some(readout);
    record
}

/// Variants of one scenario in which one of four nodes is slow: round-robin waits for it, tokens do not.
pub(crate) fn balance() -> Vec<Record> {
    let variant = |policy: &str, rate, us: [f64; 4], dead: f64, decided: [u64; 4], jain| {
        let mut record = well();
        record.scenario.name = "slow-node".into();
        record.scenario.variant = Some(policy.into());
        let mut readout = Readout {
            node_policy: policy.into(),
            event_rate_per_s: Some(rate),
            fairness_jain: Some(jain),
            dead_time: DeadTimes {
                throttle_s: dead * 5.0,
                fraction: Some(dead),
                refused_triggers: Some(0),
                ..DeadTimes::default()
            },
            roles: roles(decided),
            ..readout()
        };
        readout.credits = readout.credits.filter(|_| policy == "tokens");
        if let Some(first) = readout.times.first_mut() {
            *first = time("trigger_to_end", 10_000, us);
        }
        if dead > 0.0 {
            readout.intervals = intervals(20, |index| index % 4 == 3);
        }
        record.readout = Some(readout);
        record
    };
    let even = [1_100, 1_100, 1_100, 1_100];
    vec![
        variant("round-robin", 880.0, [1.1e6, 2.3e6, 2.5e6, 2.6e6], 0.56, even, 1.0),
        variant(
            "least-loaded",
            1_950.0,
            [2_100.0, 21_000.0, 48_000.0, 61_000.0],
            0.01,
            [3_300, 3_300, 3_290, 110],
            0.76,
        ),
        variant(
            "tokens",
            1_999.0,
            [1_500.0, 9_000.0, 31_000.0, 42_000.0],
            0.0,
            [3_320, 3_310, 3_300, 70],
            0.75,
        ),
    ]
}

/// Every text is `text`, every number at its end, every list long.
pub(crate) fn hostile(text: &str, float: f64, count: u64) -> Record {
    let t = || text.to_owned();
    let (some, list) = (Some(float), vec![NamedCount { name: t(), count }; 30]);
    let times = ["trigger_to_end", text].map(|name| time(name, count, [float; 4]));
    let files = vec![
        StoredFile {
            path: t(),
            sink: t(),
            stream: t(),
            records: count,
            bytes: count,
            ..StoredFile::default()
        };
        30
    ];
    let readout = Readout {
        run: u32::MAX,
        protocol: t(),
        carrier: t(),
        packing_events: u16::MAX,
        builder_policy: t(),
        node_policy: t(),
        replay: Some(t()),
        running_s: some,
        events: hostile_events(&list, count),
        credits: Some(CreditBook {
            granted: count,
            spent: count,
            held: count,
            expired: count,
            residual: i64::MAX,
        }),
        dead_time: DeadTimes {
            throttle_s: float,
            nobody_s: float,
            pause_s: float,
            refused_triggers: Some(count),
            fraction: some,
        },
        event_rate_per_s: some,
        built_bytes_per_s: some,
        stored_bytes: Some(count),
        fairness_jain: some,
        times: times.into(),
        states: vec![StateEntered { state: t(), at_s: float }; 40],
        roles: vec![hostile_role(text, &list, float); 50],
        intervals: [(0.0, 1.0), (float, 2.0), (1.0, float), (3.0, 2.0)]
            .map(|(start_s, end_s)| hostile_interval(start_s, end_s, float, count))
            .into(),
        files,
    };
    let mut record = Record { readout: Some(readout), ..Record::default() };
    record.scenario.variant = Some(t());
    record
}

fn hostile_events(list: &[NamedCount], count: u64) -> EventBook {
    EventBook {
        triggered: count,
        stored: count,
        rejected: count,
        incomplete: count,
        lost: count,
        in_flight: count,
        residual: i64::MIN,
        lost_by: list.into(),
        missing: list.into(),
        revised: count,
        ended_twice: count,
        never_triggered: count,
    }
}

fn hostile_role(text: &str, list: &[NamedCount], float: f64) -> ReadoutRole {
    let mut counts = list.to_vec();
    counts.push(named("decided", u64::MAX));
    ReadoutRole {
        name: text.into(),
        kind: if text.is_empty() { "node" } else { text }.into(),
        host: Some(text.into()),
        lives: u32::MAX,
        deaths: vec![text.into(); 9],
        counts,
        faults: list.into(),
        cpu: Some(Cpu { user_s: float, system_s: float, switches_voluntary: 0, switches_involuntary: 0 }),
    }
}

fn hostile_interval(start_s: f64, end_s: f64, float: f64, count: u64) -> ReadoutInterval {
    ReadoutInterval {
        start_s,
        end_s,
        triggered: count,
        built: count,
        decided: 0,
        stored: count,
        built_bytes_per_s: float,
        in_flight: count,
        held: count,
        held_bytes: count,
        credits: count,
        dead: true,
    }
}
