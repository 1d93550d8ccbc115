//! The wire by hand; long random runs are in `tests/fabric_*.rs`.

use super::*;
use crate::fabric::{ByteTime, Died, End, SwitchId};
use crate::packet::NicId;

const TRAVEL: Span = Span(100);
const LATENCY: Span = Span(10);

struct Bench {
    wire: Wire,
    meter: Meter,
    chain: Chain,
    news: VecDeque<News>,
}

fn bench(path: Option<PathPlan>, bit_errors: f64) -> Bench {
    let link = LinkSpec {
        from: End::Nic(NicId(0)),
        to: End::Switch(SwitchId(0)),
        byte_time: ByteTime::of(Some(1_000_000_000)),
        travel: TRAVEL,
        queue_bytes: 0,
        path,
        bit_errors,
        place: "nic of y".into(),
        way: "y -> main".into(),
    };
    let wire = Wire::new(&link, 7, LATENCY);
    Bench { wire, meter: Meter::new(Span::ZERO), chain: Chain::default(), news: VecDeque::new() }
}

impl Bench {
    fn fault(&mut self, now: u64, fault: Option<LinkFault>) {
        let Self { wire, meter, chain, news } = self;
        wire.handle_fault(Time(now), fault, &mut Told { link: LinkId(0), meter, chain, news });
    }

    fn send(&mut self, now: u64, cargo: u64) {
        let Self { wire, meter, chain, news } = self;
        wire.handle_start();
        let packet = Packet { to: NicId(1), wire_bytes: 1_000, cargo };
        wire.handle_sent(Time(now), packet, &mut Told { link: LinkId(0), meter, chain, news });
    }

    /// Time and cargo of everything that arrives.
    fn arrivals(&mut self) -> Vec<(u64, u64)> {
        let mut all = Vec::new();
        while let Some(at) = self.wire.next_timeout() {
            while let Some(packet) = self.wire.poll_arrived(at) {
                all.push((at.0, packet.cargo));
            }
        }
        all
    }

    fn lost(&self) -> Vec<(u64, Why)> {
        let of = |news: &News| match news {
            News::Dropped { packet, why, .. } => (packet.cargo, *why),
            other => panic!("{other:?}"),
        };
        self.news.iter().map(of).collect()
    }
}

#[test]
fn a_plain_wire_takes_its_travel_and_the_switch_s_latency() {
    let mut bench = bench(None, 0.0);
    bench.send(5, 1);
    assert_eq!(bench.arrivals(), [(115, 1)]);
}

#[test]
fn a_link_that_goes_down_loses_what_is_on_it_and_not_what_has_arrived() {
    let mut bench = bench(None, 0.0);
    bench.send(0, 1);
    bench.send(1, 2);
    // At 100 the first one is at the far end, and in the switch.
    bench.fault(100, Some(LinkFault::Down));
    bench.send(150, 3);
    bench.wire.handle_start();
    bench.fault(160, None);
    // Its first bits were lost, though the link is up again as it ends.
    let Bench { wire, meter, chain, news } = &mut bench;
    let packet = Packet { cargo: 4, ..Packet::default() };
    wire.handle_sent(Time(170), packet, &mut Told { link: LinkId(0), meter, chain, news });
    bench.send(180, 5);
    assert_eq!(bench.lost(), [(2, Why::LinkDown), (3, Why::LinkDown), (4, Why::LinkDown)]);
    assert_eq!(bench.arrivals(), [(110, 1), (290, 5)]);
    let lost = bench.meter.counts(Time(300)).lost;
    let died = Died { packets: 3, bytes: 2_000, first: Time(100), last: Time(170) };
    assert_eq!(lost, [(Why::LinkDown, died)]);
}

#[test]
fn faults_of_certainty_do_what_they_say() {
    let mut bench = bench(None, 0.0);
    bench.fault(0, Some(LinkFault::Drop(1.0)));
    bench.send(1, 1);
    bench.fault(2, Some(LinkFault::Corrupt(1.0)));
    bench.send(3, 2);
    assert_eq!(bench.lost(), [(1, Why::Fault), (2, Why::Fault)]);
    bench.fault(4, Some(LinkFault::Duplicate(1.0)));
    bench.send(5, 3);
    bench.fault(6, Some(LinkFault::Delay(Span(1_000))));
    bench.send(7, 4);
    // It is over, but nobody overtakes the one that was delayed.
    bench.fault(8, None);
    bench.send(9, 5);
    assert_eq!(bench.arrivals(), [(115, 3), (115, 3), (1_117, 4), (1_117, 5)]);
    assert_eq!(bench.meter.counts(Time(9)).copied_packets, 1);
    bench.fault(2_000, Some(LinkFault::Reorder(0.0, Span(500))));
    bench.send(2_001, 6);
    bench.fault(2_002, Some(LinkFault::Reorder(1.0, Span(500))));
    bench.send(2_003, 7);
    assert_eq!(bench.arrivals().len(), 2);
}

#[test]
fn one_that_overtakes_comes_before_those_held() {
    let plan = PathPlan { delay: Span(1_000), reorder: 0.3, ..PathPlan::default() };
    for (path, fault) in [(Some(plan), None), (None, Some(LinkFault::Reorder(0.3, Span(1_000))))] {
        let mut bench = bench(path, 0.0);
        bench.fault(0, fault);
        for cargo in 0..100 {
            bench.send(cargo, cargo);
        }
        let arrivals = bench.arrivals();
        // All within the delay of each other: the chosen are through at once, in order; the others later, in order.
        let early: Vec<_> = arrivals.iter().filter(|(at, cargo)| *at == cargo + 110).collect();
        let late: Vec<_> = arrivals.iter().filter(|(at, cargo)| *at == cargo + 1_110).collect();
        assert_eq!(early.len() + late.len(), 100);
        // Binomial, n = 100, p = 0.3: standard deviation 4.6; four of them.
        assert!(early.len().abs_diff(30) < 19, "{} of 100", early.len());
    }
}

#[test]
fn bit_errors_are_as_frequent_as_the_formula_says() {
    // 8000 bits at 1e-4: 1 - exp(-0.8) and a little more.
    let expected = 1.0 - (1.0_f64 - 1e-4).powi(8_000);
    assert!((error_probability(1e-4, 1_000) / expected - 1.0).abs() < 1e-9);
    assert_eq!((error_probability(0.0, 1_000), error_probability(1.0, 1)), (0.0, 1.0));
    // Where 1 - p is no longer told from 1.
    assert!((error_probability(1e-18, 1_000) / 8e-15 - 1.0).abs() < 1e-12);
    let mut bench = bench(None, 1e-4);
    for cargo in 0..10_000 {
        bench.send(cargo, cargo);
    }
    let lost = bench.news.len();
    // Binomial, n = 10000, p = 0.5507: standard deviation 50; five of them.
    assert!(lost.abs_diff(5_507) < 250, "{lost}");
    assert!(bench.lost().iter().all(|(_, why)| *why == Why::BitError));
}

#[test]
fn a_path_loses_copies_and_holds_as_the_link_of_the_core_does() {
    let plan = PathPlan { delay: Span(300), jitter: Span(50), loss: 0.2, duplicate: 0.1, reorder: 0.1 };
    let mut bench = bench(Some(plan), 0.0);
    let mut link = Link::new(plan, Random::named(7, "path"), NO_BOUND);
    for cargo in 0..2_000 {
        bench.send(cargo * 7, cargo);
        link.handle_packet(Time(cargo * 7), cargo, 1_000, |cargo| *cargo);
    }
    let mut expected: Vec<(u64, u64)> = std::iter::from_fn(|| link.poll_transmit(Time(u64::MAX)))
        .map(|departure| (departure.due.0 + TRAVEL.0 + LATENCY.0, departure.packet))
        .collect();
    let mut arrivals = bench.arrivals();
    expected.sort_unstable();
    arrivals.sort_unstable();
    assert_eq!(arrivals, expected);
    assert!(bench.lost().iter().all(|(_, why)| *why == Why::Loss) && bench.lost().len() > 300);
}
