//! A link between two hosts in network namespaces: what it says it did to packets is what the hosts
//! see, to the packet.
//!
//! Needs root, `iproute2`, `ethtool` and `ping`. In CI it fails without them; elsewhere it says so and
//! passes.

#[path = "../examples/support/three.rs"]
mod three;

use std::io::Write as _;
use std::net::UdpSocket;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use incast_core::link::PathPlan;
use incast_core::record::LinkReport;
use incast_core::time::Span;
use incast_lab::link::LinkWatch;
use three::{A, B, Three, inside, plan, run};

/// Whether this process may make namespaces; if not, it says so.
fn may_make_namespaces() -> bool {
    if rustix::process::geteuid().is_root() {
        return true;
    }
    assert!(std::env::var_os("CI").is_none(), "tests in namespaces need root, and CI must run them");
    // Past the harness, which shows nothing of a test that passes.
    let _ = writeln!(std::io::stderr(), "NOT RUN: a link in network namespaces needs root");
    false
}

/// Every packet is somewhere.
fn assert_closed(report: &LinkReport) {
    assert_eq!(
        report.packets + report.duplicated_packets,
        report.forwarded_packets + report.lost_packets + report.dropped_packets + report.held_packets,
        "{report:?}"
    );
}

/// Sends `count` numbered messages of `bytes` bytes, and waits until none of them is on the path.
fn send_through(from: &UdpSocket, watch: &LinkWatch, count: u64, bytes: usize) {
    let mut message = vec![0; bytes];
    for number in 0..count {
        message[..8].copy_from_slice(&number.to_be_bytes());
        assert_eq!(from.send(&message).expect("send"), bytes);
    }
    let begun = Instant::now();
    until(|| watch.packets()[0] >= count || begun.elapsed() > PATIENCE);
    let mark = watch.mark();
    until(|| watch.is_empty_since(&mark) || begun.elapsed() > PATIENCE);
    assert!(watch.packets()[0] >= count && watch.is_empty_since(&mark), "the link did not get done");
}

fn until(done: impl Fn() -> bool) {
    while !done() {
        std::thread::yield_now();
    }
}

/// The numbers of what has arrived, in its order, until nothing more comes.
fn arrived(at: &UdpSocket) -> Vec<u64> {
    at.set_read_timeout(Some(Duration::from_millis(300))).expect("a timeout");
    let mut message = [0; 65_535];
    let next =
        || at.recv(&mut message).ok().map(|_| u64::from_be_bytes(*message.first_chunk().expect("8 bytes")));
    std::iter::from_fn(next).collect()
}

/// So many messages from a to b over a path; what b got, and what the link says of it.
fn flood(path: PathPlan, count: u64) -> (Vec<u64>, LinkReport) {
    let three = Three::new(1_500);
    let (a, b) = three.udp_pair();
    let (mut reports, ()) = three.carry(&plan(path, 1_500), |watch| send_through(&a, watch, count, 100));
    for report in &reports {
        assert_closed(report);
        assert_eq!((report.held_packets, report.dropped_packets), (0, 0), "{report:?}");
    }
    let numbers = arrived(&b);
    let report = reports.swap_remove(0);
    assert_eq!((report.way.as_str(), reports[0].way.as_str()), ("a -> b", "b -> a"));
    assert_eq!(reports[0].packets, 0, "nobody answers");
    assert_eq!(report.packets, count, "and nothing else is on the cable");
    assert_eq!(report.forwarded_packets, numbers.len() as u64);
    (numbers, report)
}

#[test]
fn a_delay_each_way_is_twice_in_the_round_trip() {
    if !may_make_namespaces() {
        return;
    }
    let three = Three::new(1_500);
    let path = PathPlan { delay: Span::from_ms(70), ..PathPlan::default() };
    let (reports, said) = three
        .carry(&plan(path, 1_500), |_| run(&format!("ip netns exec {} ping -c 25 -i 0.02 {B}", three.a)));
    let after = |word: &str| -> f64 {
        let text = word.split(' ').next().unwrap_or_default();
        text.parse().unwrap_or_else(|_| panic!("{text} is no time: {said}"))
    };
    let mut times: Vec<f64> = said.split("time=").skip(1).map(after).collect();
    times.sort_by(f64::total_cmp);
    assert_eq!(times.len(), 25, "{said}");
    assert!(times[0] >= 140.0 && times[12] < 150.0, "{times:?}");
    for report in reports {
        assert_closed(&report);
        assert_eq!((report.packets, report.forwarded_packets), (25, 25), "{report:?}");
        // 70 ms in which one came every 20 ms.
        assert!((3..=5).contains(&report.held_packets_max), "{report:?}");
        assert!(report.late_us_p50.is_some_and(|late| late < 5_000.0), "{report:?}");
    }
}

#[test]
fn what_does_not_arrive_is_what_was_lost_on_purpose() {
    if !may_make_namespaces() {
        return;
    }
    let path =
        PathPlan { delay: Span::from_ms(3), jitter: Span::from_ms(2), loss: 0.05, ..PathPlan::default() };
    let (numbers, report) = flood(path, 20_000);
    assert_eq!(20_000 - numbers.len() as u64, report.lost_packets);
    // 1000 expected, standard deviation 31.
    assert!((850..1_150).contains(&report.lost_packets), "{report:?}");
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "in order, and once each");
    assert_eq!((report.duplicated_packets, report.reordered_packets), (0, 0));
}

#[test]
fn what_arrives_twice_is_what_was_copied() {
    if !may_make_namespaces() {
        return;
    }
    let (numbers, report) = flood(PathPlan { duplicate: 0.1, ..PathPlan::default() }, 5_000);
    let twice = numbers.windows(2).filter(|pair| pair[0] == pair[1]).count() as u64;
    assert_eq!((numbers.len() as u64, twice), (5_000 + report.duplicated_packets, report.duplicated_packets));
    // 500 expected, standard deviation 21.
    assert!((380..620).contains(&twice), "{report:?}");
}

#[test]
fn what_overtakes_is_seen_to_overtake() {
    if !may_make_namespaces() {
        return;
    }
    let path = PathPlan { delay: Span::from_ms(20), reorder: 0.02, loss: 0.01, ..PathPlan::default() };
    let (numbers, report) = flood(path, 5_000);
    let mut lowest_behind = u64::MAX;
    let overtook = numbers.iter().rev().filter(|number| {
        let passed_another = **number > lowest_behind;
        lowest_behind = lowest_behind.min(**number);
        passed_another
    });
    assert_eq!(overtook.count() as u64, report.reordered_packets);
    assert!(report.reordered_packets > 20, "{report:?}");
}

#[test]
fn a_frame_of_any_size_and_protocol_passes_as_it_is() {
    if !may_make_namespaces() {
        return;
    }
    let three = Three::new(65_535);
    let path = PathPlan { delay: Span::from_ms(1), ..PathPlan::default() };
    let (reports, ()) = three.carry(&plan(path, 65_535), |_| {
        let (a, b) = three.udp_pair();
        for (from, to) in [(&a, &b), (&b, &a)] {
            to.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
            for bytes in [0, 1, 17, 18, 1_472, 1_473, 40_000, 65_507] {
                let message: Vec<u8> =
                    (0..bytes).map(|byte: u32| byte.wrapping_mul(0x9e37).to_be_bytes()[1]).collect();
                assert_eq!(from.send(&message).expect("send"), message.len());
                let mut buffer = vec![0xff; 65_536];
                let came = to.recv(&mut buffer).expect("it arrives");
                assert!(buffer[..came] == message, "{bytes} bytes");
            }
        }
        // ARP: nobody knows anybody any more.
        for (space, peer) in [(&three.a, B), (&three.b, A)] {
            run(&format!("ip -n {space} neighbour delete {peer} dev e0"));
        }
        run(&format!("ip netns exec {} ping -c 1 -W 5 {B}", three.a));
        for (space, own) in [(&three.a, "fd00::1"), (&three.b, "fd00::2")] {
            run(&format!("ip netns exec {space} sysctl -q -w net.ipv6.conf.e0.disable_ipv6=0"));
            run(&format!("ip -n {space} -6 address add {own}/64 dev e0 nodad"));
        }
        run(&format!("ip netns exec {} ping -6 -c 2 -W 5 fd00::2", three.a));
    });
    for report in &reports {
        assert_closed(report);
        assert_eq!(report.dropped_packets, 0, "{report:?}");
        assert!(report.held_bytes_max >= 65_549, "{report:?}");
    }
}

#[test]
fn what_is_held_at_the_end_is_said() {
    if !may_make_namespaces() {
        return;
    }
    let three = Three::new(1_500);
    let (a, b) = three.udp_pair();
    let path = PathPlan { delay: Span::from_s(60), duplicate: 1.0, ..PathPlan::default() };
    let (reports, ()) = three.carry(&plan(path, 1_500), |watch| {
        (0..100).for_each(|_| assert_eq!(a.send(&[0; 100]).expect("send"), 100));
        let begun = Instant::now();
        until(|| watch.held_packets() == 200 || begun.elapsed() > PATIENCE);
        let mark = watch.mark();
        assert!(!watch.is_empty_since(&mark));
    });
    assert_closed(&reports[0]);
    assert_eq!((reports[0].packets, reports[0].held_packets, reports[0].held_packets_max), (100, 200, 200));
    assert_eq!((reports[0].held_bytes_max, reports[0].late_us_p50), (200 * 142, None));
    assert!(arrived(&b).is_empty());
}

#[test]
fn what_was_not_read_is_held_or_dropped() {
    if !may_make_namespaces() {
        return;
    }
    let three = Three::new(1_500);
    let (a, b) = three.udp_pair();
    // More than the kernel has room for, while nobody reads.
    let link = three.open_link(&plan(PathPlan::default(), 1_500));
    (0..80_000_u32).for_each(|_| assert_eq!(a.send(&[0; 1_472]).expect("send"), 1_472));
    let reports = link.run(&AtomicBool::new(true)).expect("the link works");
    assert_closed(&reports[0]);
    assert_eq!((reports[0].packets, reports[0].forwarded_packets), (80_000, 0));
    assert!(reports[0].dropped_packets > 1_000 && reports[0].held_packets > 40_000, "{:?}", reports[0]);
    assert!(arrived(&b).is_empty());
}

#[test]
fn an_interface_that_is_not_there_is_named() {
    if !may_make_namespaces() {
        return;
    }
    let three = Three::new(1_500);
    let absent = incast_lab::link::LinkPlan { far: "absent".into(), ..plan(PathPlan::default(), 1_500) };
    let error = inside(&three.link, || incast_lab::link::open(&absent)).expect_err("there is none");
    assert!(error.to_string().contains("absent"), "{error}");
}

/// Longer than any busy machine needs.
const PATIENCE: Duration = Duration::from_secs(30);
