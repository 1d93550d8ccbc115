//! PAUSE: nothing is lost with the headroom of the formula, something with two frames less; and who else waits.

use incast_core::random::Random;
use incast_core::scenario::{Matching, Queueing, SwitchModel};
use incast_core::time::{Span, Time};
use incast_core::units::Bytes;
use incast_sim::fabric::explicit::{LARGEST_FRAME_BYTES, PausedWay, headroom, reaction};
use incast_sim::fabric::{ByteTime, End, Fabric, FabricPlan, LinkId, LinkSpec, SwitchId, SwitchSpec, Taken};
use incast_sim::packet::NicId;

use crate::net::{Run, Star, port};

const FRAME: u32 = LARGEST_FRAME_BYTES;

#[test]
fn headroom_is_the_sum_of_what_can_still_come() {
    // 10 Gb/s, 100 m of 5 ns/m, Ethernet frames: two frames, 84 B of PAUSE frame, its wait for a frame, 60 quanta of
    // 64 B, 1 us of cable there and back at 1.25 B/ns, 0.8 us of switch.
    let byte_time = ByteTime::of(Some(10_000_000_000));
    let way = PausedWay {
        byte_time,
        back_byte_time: byte_time,
        travel: Span::from_us(1),
        latency: Span::from_ns(800),
        frame_bytes: FRAME,
    };
    assert_eq!(headroom(way), 2 * 1_538 + 84 + 1_538 + 60 * 64 + 1_250 + 1_000);
    // Annex 31B.3.7 by rate: 2 quanta of 512 ns at 1 Gb/s, 394 of 5.12 ns at 100 Gb/s.
    assert_eq!(reaction(ByteTime::of(Some(1_000_000_000))), Span::from_ns(1_024));
    assert_eq!(reaction(ByteTime::of(Some(100_000_000_000))), Span(394 * 5_120));
}

/// Packets lost when a host sends without end into a port that hardly drains, over all phases of the traffic
/// the other way, behind whose frames PAUSE frames wait. `less` of the headroom is missing.
fn lost(rate: u64, travel: Span, latency: Span, queueing: Queueing, less: u64) -> usize {
    let byte_time = ByteTime::of(Some(rate));
    let way = PausedWay {
        byte_time,
        back_byte_time: byte_time,
        travel: travel + travel,
        latency,
        frame_bytes: FRAME,
    };
    let model = SwitchModel { latency, queueing, is_cut_through: false };
    let star = Star { rate: Some(rate), travel, model, pauses: true, ..Star::new(3) };
    let frame = byte_time.span(FRAME.into());
    let phases = 12;
    let mut lost = 0;
    for phase in 0..phases {
        let mut plan = star.plan();
        plan.links[port(0).0 as usize].queue_bytes = headroom(way) - less;
        plan.links[port(1).0 as usize].byte_time = ByteTime::of(Some(rate / 500));
        let mut run = Run::new(&plan);
        let begin = Time(frame.0 * phase / phases);
        for cargo in 0..100 {
            run.send(Time::ZERO, 0, 1, FRAME, cargo);
        }
        for cargo in 100..200 {
            run.send(begin, 2, 0, FRAME, cargo);
        }
        run.finish();
        assert_eq!(run.deliveries().len() + run.deaths().len(), 200);
        lost += run.deaths().len();
    }
    lost
}

#[test]
fn nothing_is_lost_with_the_headroom_of_the_formula_and_something_with_two_frames_less() {
    let models = [
        Queueing::Output,
        Queueing::InputFifo,
        Queueing::InputVirtual { matching: Matching::LongestFirst },
        Queueing::InputVirtual { matching: Matching::Islip },
    ];
    for queueing in models {
        for (rate, travel, latency) in [
            (1_000_000_000, Span::ZERO, Span::ZERO),
            (1_000_000_000, Span::from_us(5), Span::from_us(3)),
            (10_000_000_000, Span::from_us(50), Span::from_ns(700)),
        ] {
            let lost = |less| lost(rate, travel, latency, queueing, less);
            assert_eq!(lost(0), 0, "{queueing:?} at {rate}");
            assert!(lost(2 * u64::from(FRAME)) > 0, "{queueing:?} at {rate}");
        }
    }
}

/// K sources that send a share to one hot port and the rest to a port of their own each: what the hot port and each
/// victim get of their rates.
fn shares(sources: u32, hot_per_mille: u64, queueing: Queueing) -> (f64, f64) {
    let model = SwitchModel { queueing, latency: Span::from_us(2), is_cut_through: false };
    let star = Star {
        travel: Span::from_ns(500),
        port_bytes: 131_072,
        model,
        pauses: true,
        ..Star::new(2 * sources + 1)
    };
    let mut run = Run::new(&star.plan());
    let mut random = Random::named(5, "shares");
    for cargo in 0..12_000_u64 {
        for source in 0..sources {
            let is_hot = random.next_u64() % 1_000 < hot_per_mille;
            let to = if is_hot { 2 * sources } else { sources + source };
            run.send(Time::ZERO, source, to, FRAME, cargo);
        }
    }
    // In steady state: neither filling nor running out.
    let mut sent = |ms: u64| -> Vec<u64> {
        let at = Time::from_ns(ms * 1_000_000);
        run.advance(at);
        assert_eq!(run.deaths(), []);
        run.fabric.counts(at).into_iter().map(|counts| counts.busy_ps).collect()
    };
    let (from, until) = (sent(20), sent(140));
    let busy = |host: u32| {
        let link = port(host).0 as usize;
        Span(until[link] - from[link]).as_s_f64() / 0.120
    };
    let victims: f64 = (sources..2 * sources).map(busy).sum();
    (busy(2 * sources), victims / f64::from(sources))
}

#[test]
fn victims_get_what_the_head_of_the_line_leaves_them() {
    // The hot port is full, so each source sends 1 / (K f) in all, and (1 - f) / (K f) of it to its victim.
    for (sources, hot_per_mille, expected) in [(4, 500, 0.25), (8, 250, 0.375)] {
        let (hot, victim) = shares(sources, hot_per_mille, Queueing::Output);
        assert!(hot > 0.98, "the hot port is full: {hot}");
        assert!((victim / expected - 1.0).abs() < 0.02, "{victim}, {expected} expected");
    }
}

#[test]
fn a_host_that_must_wait_is_told_when_a_packet_has_left() {
    let star = Star { port_bytes: 20_000, pauses: true, ..Star::new(2) };
    let mut plan = star.plan();
    plan.links[port(1).0 as usize].byte_time = ByteTime::of(Some(10_000_000));
    let mut run = Run::new(&plan);
    assert_eq!(run.send(Time::ZERO, 0, 1, FRAME, 0), Taken::Leaves(Time::from_ns(8 * 1_538)));
    for cargo in 1..40 {
        assert_eq!(run.send(Time::ZERO, 0, 1, FRAME, cargo), Taken::Waits);
    }
    // The switch holds what it can and the rest waits in the host's card.
    run.advance(Time::from_ns(5_000_000));
    let held = run.fabric.queued_bytes(Time::from_ns(5_000_000), NicId(0));
    assert!(held > 20 * u64::from(FRAME), "{held} B in the card");
    run.finish();
    let left: Vec<_> = run
        .news
        .iter()
        .filter_map(|(_, news)| match news {
            incast_sim::fabric::News::Left { nic, packet } => Some((*nic, packet.cargo)),
            _ => None,
        })
        .collect();
    assert!(left.into_iter().eq((1..40).map(|cargo| (NicId(0), cargo))));
    assert_eq!((run.deliveries().len(), run.deaths().len()), (40, 0));
}

#[test]
fn a_switch_pauses_a_switch_which_pauses_its_hosts() {
    // Two hosts at the first switch, a slow one at the second.
    let mut plan = chain();
    let slow = plan.links.iter().position(|link| link.way == "second -> 2").expect("it is there");
    plan.links[slow].byte_time = ByteTime::of(Some(50_000_000));
    let mut run = Run::new(&plan);
    for cargo in 0..200 {
        for host in 0..2 {
            run.send(Time::ZERO, host, 2, FRAME, cargo);
        }
    }
    // 30 ms of 50 Mb/s are 122 frames; the two memories hold less than 2 x 20 and 20 kB: the hosts keep the rest.
    run.advance(Time::from_ns(30_000_000));
    let kept: u64 = (0..2).map(|host| run.fabric.queued_bytes(Time::from_ns(30_000_000), NicId(host))).sum();
    assert!(kept > (400 - 122 - 50) * u64::from(FRAME), "{kept} B in the cards");
    run.finish();
    assert_eq!((run.deliveries().len(), run.deaths().len()), (400, 0));
}

/// Hosts 0 and 1, a switch, a second switch, host 2; ports with 20 kB.
fn chain() -> FabricPlan {
    let [first, second] = [0, 1].map(|id| End::Switch(SwitchId(id)));
    let host = |id| End::Nic(NicId(id));
    let cables =
        [(host(0), first, "0", "first"), (host(1), first, "1", "first"), (host(2), second, "2", "second")];
    let cables = cables.into_iter().chain([(first, second, "first", "second")]);
    let ways = cables.flat_map(|(a, b, near, far)| {
        [(a, b, format!("{near} -> {far}")), (b, a, format!("{far} -> {near}"))]
    });
    let links: Vec<_> = ways
        .map(|(from, to, way)| LinkSpec {
            from,
            to,
            byte_time: ByteTime::of(Some(1_000_000_000)),
            travel: Span::from_us(1),
            queue_bytes: if matches!(from, End::Nic(_)) { u64::MAX / 2 } else { 20_000 },
            path: None,
            bit_errors: 0.0,
            place: format!("queue of {way}"),
            way,
        })
        .collect();
    let way = |name: &str| {
        let place = links.iter().position(|link| link.way == name)?;
        u32::try_from(place).ok().map(LinkId)
    };
    let switch = |name: &str, routes: [&str; 3]| SwitchSpec {
        name: name.into(),
        model: SwitchModel::default(),
        pauses: true,
        routes: routes.map(&way).into(),
    };
    let switches = vec![
        switch("first", ["first -> 0", "first -> 1", "first -> second"]),
        switch("second", ["second -> first", "second -> first", "second -> 2"]),
    ];
    let nics = ["0 -> first", "1 -> first", "2 -> second"].map(&way);
    let nics = nics.into_iter().flatten().collect();
    FabricPlan { seed: 1, interval: Span::from_ms(1), switches, links, nics }
}

#[test]
fn a_ring_of_switches_that_wait_for_each_other_does_not_stand_for_ever() {
    // Three switches with a host each; everything goes the same way round, two trunks far: each trunk waits for the
    // next. No scenario can say so, networks are trees; a run must end all the same.
    let switch = |id: u32| End::Switch(SwitchId(id % 3));
    let nic = |id: u32| End::Nic(NicId(id));
    let ends = (0..3).flat_map(|id| {
        let next = id + 1;
        [(nic(id), switch(id)), (switch(id), nic(id)), (switch(id), switch(next)), (switch(next), switch(id))]
    });
    let links: Vec<_> = ends
        .map(|(from, to)| LinkSpec {
            from,
            to,
            byte_time: ByteTime::of(Some(1_000_000_000)),
            travel: Span::ZERO,
            queue_bytes: if matches!(from, End::Nic(_)) { u64::MAX / 2 } else { 12_000 },
            path: None,
            bit_errors: 0.0,
            place: format!("queue of {from:?} {to:?}"),
            way: format!("{from:?} {to:?}"),
        })
        .collect();
    let switches = (0..3).map(|id| SwitchSpec {
        name: format!("{id}"),
        model: SwitchModel::default(),
        pauses: true,
        routes: (0..3).map(|host| Some(LinkId(4 * id + if host == id { 1 } else { 2 }))).collect(),
    });
    let nics = (0..3).map(|id| LinkId(4 * id)).collect();
    let plan = FabricPlan { seed: 1, interval: Span::from_ms(1), switches: switches.collect(), links, nics };
    let mut run = Run::new(&plan);
    for cargo in 0..100 {
        for host in 0..3 {
            run.send(Time::ZERO, host, (host + 2) % 3, FRAME, cargo);
        }
    }
    run.advance(Time::from_ns(150_000_000));
    assert!(run.deliveries().len() < 300, "a ring that never stood proves nothing");
    run.finish();
    assert_eq!(run.deliveries().len() + run.deaths().len(), 300);
    assert!(!run.deaths().is_empty(), "what broke the ring is counted");
}

#[test]
fn a_shared_memory_with_headroom_for_all_its_ports_loses_nothing() {
    // Three hosts into a slow port; the ports' own limits never count, and the mark of the whole is at 10 kB.
    let byte_time = ByteTime::of(Some(1_000_000_000));
    let way = PausedWay {
        byte_time,
        back_byte_time: byte_time,
        travel: Span::from_us(4),
        latency: Span::ZERO,
        frame_bytes: FRAME,
    };
    for (bytes, is_enough) in [(4 * headroom(way) + 10_000, true), (headroom(way), false)] {
        let queueing = Queueing::SharedMemory { bytes: Bytes(bytes) };
        let model = SwitchModel { queueing, ..SwitchModel::default() };
        let star = Star { travel: Span::from_us(2), model, pauses: true, ..Star::new(4) };
        let mut plan = star.plan();
        plan.links[port(3).0 as usize].byte_time = ByteTime::of(Some(50_000_000));
        let mut run = Run::new(&plan);
        for cargo in 0..100 {
            for host in 0..3 {
                run.send(Time::ZERO, host, 3, FRAME, cargo);
            }
        }
        run.finish();
        assert_eq!(run.deaths().is_empty(), is_enough, "{bytes} B");
        assert_eq!(run.deliveries().len() + run.deaths().len(), 300);
    }
}
