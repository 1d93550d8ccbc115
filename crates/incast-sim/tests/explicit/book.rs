//! The books close after every step, whatever is built and sent; and a run depends on its seed alone.

use std::collections::BTreeSet;

use incast_core::link::PathPlan;
use incast_core::random::Random;
use incast_core::scenario::{Matching, Queueing, SwitchModel};
use incast_core::time::{Span, Time};
use incast_core::units::Bytes;
use incast_sim::fabric::{
    ByteTime, End, Fabric, FabricPlan, LinkFault, LinkId, LinkSpec, News, SwitchId, SwitchSpec, Taken, Why,
};
use incast_sim::packet::{NicId, Packet};

use crate::net::Run;

const MODELS: [Queueing; 5] = [
    Queueing::Output,
    Queueing::SharedMemory { bytes: Bytes(12_000) },
    Queueing::InputFifo,
    Queueing::InputVirtual { matching: Matching::LongestFirst },
    Queueing::InputVirtual { matching: Matching::Islip },
];

fn below(random: &mut Random, bound: u64) -> u64 {
    random.next_u64() % bound
}

fn pick<T: Copy>(random: &mut Random, from: &[T]) -> T {
    from[place(below(random, from.len() as u64))]
}

fn place(number: u64) -> usize {
    usize::try_from(number).expect("small numbers")
}

fn id(number: u64) -> u32 {
    u32::try_from(number).expect("small numbers")
}

fn chance(random: &mut Random, one_in: u64) -> bool {
    below(random, one_in) == 0
}

/// Two or three switches in a chain, hosts at each; rates, lengths, queues, models and paths drawn.
fn random_plan(random: &mut Random, seed: u64) -> FabricPlan {
    let switches = 1 + below(random, 3);
    let hosts = 2 + below(random, 5);
    let at: Vec<u64> = (0..hosts).map(|_| below(random, switches)).collect();
    let mut cables: Vec<(End, End, String)> = Vec::new();
    let main = |switch: u64| End::Switch(SwitchId(id(switch)));
    for (host, switch) in (0..).zip(&at) {
        cables.push((End::Nic(NicId(host)), main(*switch), format!("{host}")));
    }
    for switch in 1..switches {
        cables.push((main(switch - 1), main(switch), format!("trunk {switch}")));
    }
    let mut links = Vec::new();
    for (near, far, name) in cables {
        let rate = [None, Some(1_000_000_000), Some(1_000_000_000), Some(10_000_000_000), Some(123_456_789)];
        let byte_time = ByteTime::of(pick(random, &rate));
        let travel = Span(below(random, 3_000_000));
        for (from, to, way) in [(near, far, format!("{name} there")), (far, near, format!("{name} back"))] {
            let path = PathPlan {
                delay: Span(below(random, 20_000_000)),
                jitter: Span(below(random, 5_000_000)),
                loss: 0.05,
                duplicate: 0.05,
                reorder: 0.05,
            };
            links.push(LinkSpec {
                from,
                to,
                byte_time,
                travel,
                queue_bytes: below(random, 20_000),
                path: chance(random, 4).then_some(path),
                bit_errors: if chance(random, 4) { 1e-6 } else { 0.0 },
                place: format!("queue of {way}"),
                way,
            });
        }
    }
    let find = |from: End, to: End| {
        let place = links.iter().position(|link| link.from == from && link.to == to);
        LinkId(id(place.expect("a chain joins all") as u64))
    };
    let route = |switch: u64, host: usize| {
        let there = at[host];
        let to = match there.cmp(&switch) {
            std::cmp::Ordering::Equal => End::Nic(NicId(id(host as u64))),
            std::cmp::Ordering::Less => main(switch - 1),
            std::cmp::Ordering::Greater => main(switch + 1),
        };
        Some(find(main(switch), to))
    };
    let specs = (0..switches).map(|switch| SwitchSpec {
        name: format!("switch {switch}"),
        model: SwitchModel {
            queueing: pick(random, &MODELS),
            latency: Span(below(random, 2) * 1_500_000),
            is_cut_through: chance(random, 2),
        },
        pauses: chance(random, 2),
        routes: (0..at.len()).map(|host| route(switch, host)).collect(),
    });
    let switches = specs.collect();
    let nics = (0..id(hosts)).map(|host| LinkId(2 * host)).collect();
    FabricPlan { seed, interval: Span::from_us(50), switches, links, nics }
}

/// What hosts and the book of the network know.
#[derive(Debug, Default, PartialEq)]
struct Totals {
    sent: u64,
    refused: u64,
    waiting: u64,
    left: u64,
    delivered: u64,
    dropped: u64,
}

/// Sends at random over a random network with random faults; the laws are checked after every step.
fn drive(plan: &FabricPlan, random: &mut Random, packets: u64) -> (Run, Totals, Time) {
    let mut run = Run::new(plan);
    let mut totals = Totals::default();
    let hosts = plan.nics.len() as u64;
    let mut now = Time::ZERO;
    for cargo in 0..packets {
        now += Span(below(random, 4) * below(random, 12_000_000));
        check_until(&mut run, now, &mut totals);
        if chance(random, 100) {
            let link = LinkId(id(below(random, plan.links.len() as u64)));
            let span = Span::from_us(30);
            let faults = [
                None,
                Some(LinkFault::Down),
                Some(LinkFault::Drop(0.3)),
                Some(LinkFault::Duplicate(0.3)),
                Some(LinkFault::Corrupt(0.3)),
                Some(LinkFault::Delay(span)),
                Some(LinkFault::Reorder(0.3, span)),
            ];
            run.fabric.handle_fault(now, link, pick(random, &faults));
        }
        let from = below(random, hosts);
        let to = (from + 1 + below(random, hosts - 1)) % hosts;
        let [from, to] = [from, to].map(|host| NicId(id(host)));
        let wire_bytes = id(84 + below(random, 1_455));
        totals.sent += 1;
        match run.fabric.handle_packet(now, from, Packet { to, wire_bytes, cargo }) {
            Taken::Dropped => totals.refused += 1,
            Taken::Waits => totals.waiting += 1,
            Taken::Leaves(at) => assert!(at >= now),
        }
        check(&run, now);
    }
    while let Some(at) = run.fabric.next_timeout() {
        now = now.max(at);
        check_until(&mut run, at, &mut totals);
    }
    (run, totals, now)
}

fn check_until(run: &mut Run, now: Time, totals: &mut Totals) {
    while let Some(at) = run.fabric.next_timeout().filter(|at| *at <= now) {
        while let Some(news) = run.fabric.poll(at) {
            match news {
                News::Delivered { .. } => totals.delivered += 1,
                News::Left { .. } => totals.left += 1,
                News::Dropped { .. } => totals.dropped += 1,
            }
            run.news.push((at, news));
        }
        check(run, at);
    }
}

/// Law 4 at every queue.
fn check(run: &Run, now: Time) {
    for counts in run.fabric.counts(now) {
        let dropped = |of: fn(&incast_sim::fabric::Died) -> u64| {
            counts.dropped.iter().map(|(_, died)| of(died)).sum::<u64>()
        };
        assert_eq!(
            counts.offered_packets,
            counts.forwarded_packets + dropped(|died| died.packets) + counts.queued_packets
        );
        assert_eq!(
            counts.offered_bytes,
            counts.forwarded_bytes + dropped(|died| died.bytes) + counts.queued_bytes
        );
    }
}

#[test]
fn the_books_close_after_every_step_of_random_networks() {
    let (mut waited, mut whys) = (0, BTreeSet::new());
    for seed in 0..150 {
        let mut random = Random::numbered(seed, "book", 0);
        let plan = random_plan(&mut random, seed);
        let (run, totals, end) = drive(&plan, &mut random, 400);
        let counts = run.fabric.counts(end);
        let copies: u64 = counts.iter().map(|counts| counts.copied_packets).sum();
        let held: u64 = counts.iter().map(|counts| counts.queued_packets).sum();
        let Totals { sent, refused, waiting, left, delivered, dropped } = totals;
        assert_eq!(held, 0, "seed {seed}: all that waited has gone on");
        assert_eq!(left, waiting, "seed {seed}: whoever waits hears of it");
        assert_eq!(sent + copies, refused + delivered + dropped, "seed {seed}");
        let hops: u64 = counts.iter().map(|counts| counts.forwarded_packets).sum();
        assert_eq!(hops, run.fabric.packet_hops(), "seed {seed}");
        waited += waiting;
        whys.extend(run.deaths().into_iter().map(|(_, _, why)| why));
    }
    // The networks had something of everything.
    assert!(waited > 100, "{waited}");
    let all = [Why::Full, Why::Memory, Why::Loss, Why::BitError, Why::LinkDown, Why::Fault];
    assert!(whys.into_iter().eq(all));
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in 0..20 {
        let runs = [0, 1].map(|_| {
            let mut random = Random::numbered(seed, "book", 1);
            let plan = random_plan(&mut random, seed);
            let (run, totals, end) = drive(&plan, &mut random, 300);
            (run.news, totals, run.fabric.counts(end), run.fabric.digest(), run.fabric.ties())
        });
        assert!(runs[0] == runs[1], "seed {seed}");
    }
}

/// The same network with its links declared in another order, and where each link of the one is in the other.
fn reordered(plan: &FabricPlan, random: &mut Random) -> (FabricPlan, Vec<LinkId>) {
    let mut order: Vec<usize> = (0..plan.links.len()).collect();
    for last in (1..order.len()).rev() {
        order.swap(last, place(below(random, last as u64 + 1)));
    }
    let mut places = vec![LinkId(0); order.len()];
    for (new, old) in order.iter().enumerate() {
        places[*old] = LinkId(id(new as u64));
    }
    let renamed = |link: LinkId| places[link.0 as usize];
    let mut other = plan.clone();
    other.links = order.iter().map(|old| plan.links[*old].clone()).collect();
    other.nics = plan.nics.iter().copied().map(renamed).collect();
    for switch in &mut other.switches {
        switch.routes = switch.routes.iter().map(|link| link.map(renamed)).collect();
    }
    (other, places)
}

#[test]
fn the_order_in_which_links_are_declared_changes_nothing() {
    let mut ties = 0;
    for seed in 0..60 {
        let mut random = Random::numbered(seed, "book", 2);
        let mut plan = random_plan(&mut random, seed);
        // Rates and lengths alike, so that much happens at one moment.
        for link in &mut plan.links {
            (link.byte_time, link.travel, link.path) = (ByteTime::of(Some(1_000_000_000)), Span(0), None);
        }
        let (other, places) = reordered(&plan, &mut random);
        let [one, other] = [plan, other].map(|plan| {
            let mut run = Run::new(&plan);
            let mut random = Random::numbered(seed, "book", 3);
            let hosts = plan.nics.len() as u64;
            for round in 0..100 {
                for from in 0..hosts {
                    let to = (from + 1 + below(&mut random, hosts - 1)) % hosts;
                    run.send(Time::from_ns(round * 12_304), id(from), id(to), 1_538, round);
                }
            }
            let end = run.finish();
            let delivered = run.deliveries();
            (delivered, run.fabric.counts(end), run.fabric.digest(), run.fabric.ties(), end)
        });
        ties += one.3;
        assert_eq!((one.0, one.2, one.3, one.4), (other.0, other.2, other.3, other.4), "seed {seed}");
        for (counts, at) in one.1.iter().zip(places) {
            assert_eq!(*counts, other.1[at.0 as usize], "seed {seed}");
        }
    }
    assert!(ties > 1_000, "{ties}");
}
