//! Random trees: nothing depends on the order in which links are declared, and engines agree.

use incast_core::link::PathPlan;
use incast_core::random::Random;
use incast_core::time::{Span, Time};
use incast_sim::fabric::computed::Computed;
use incast_sim::fabric::explicit::Explicit;
use incast_sim::fabric::{End, Fabric, FabricPlan, LinkFault, LinkId, News, QueueCounts, SwitchId};
use incast_sim::packet::NicId;

use super::net::{Send, drive, link, plan};

const END: Time = Time(1_000_000_000_000);

/// A tree of up to 6 switches and 12 hosts, with rates, lengths and queues of all kinds.
fn tree(random: &mut Random) -> FabricPlan {
    let mut draw = |below: u64| random.next_u64() % below;
    let small = |number: u64| u32::try_from(number).unwrap();
    let (switches, hosts) = (1 + small(draw(6)), 2 + small(draw(11)));
    let mut cables = Vec::new();
    for switch in 1..switches {
        cables.push((End::Switch(SwitchId(switch)), small(draw(switch.into()))));
    }
    for host in 0..hosts {
        cables.push((End::Nic(NicId(host)), small(draw(switches.into()))));
    }
    // Few different values, so that many packets meet in the same picosecond.
    let rates = [Some(1_000_000_000), Some(2_500_000_000), Some(10_000_000_000), None];
    let mut links = Vec::new();
    for (one, other) in cables {
        let other = End::Switch(SwitchId(other));
        for (from, to) in [(one, other), (other, one)] {
            let rate = rates[usize::try_from(draw(4)).unwrap()];
            let queue = if matches!(from, End::Nic(_)) { 40_000 } else { 1_000 + 500 * draw(40) };
            links.push(link(from, to, rate, Span::from_ns(draw(3) * 1_000), queue));
        }
    }
    plan(hosts, switches, Span::from_ns(draw(2) * 5_000), links)
}

/// Bursts, many of them at the same moment, of few different sizes.
fn sends(random: &mut Random, hosts: u64) -> Vec<Send> {
    let mut draw = |below: u64| random.next_u64() % below;
    let sizes = [64, 500, 1_000, 1_500];
    let mut sends: Vec<Send> = (0..600)
        .map(|cargo| Send {
            at: Time::from_ns(draw(200) * 1_000),
            from: u32::try_from(draw(hosts)).unwrap(),
            to: u32::try_from(draw(hosts).min(draw(hosts))).unwrap(),
            bytes: sizes[usize::try_from(draw(4)).unwrap()],
            cargo,
        })
        .collect();
    sends.sort_unstable();
    sends
}

/// A moment at which all queues are looked at, and where a fault may begin, or be over.
type Look = (Time, Option<(LinkId, Option<LinkFault>)>);

/// What there is to compare: news with their times, counts by place at some moments and at the end, hops, ties, digest.
type Outcome = (Vec<(Time, String)>, Vec<(String, QueueCounts)>, u64, u64, u64);

fn outcome(mut fabric: impl Fabric, plan: &FabricPlan, sends: &[Send], looks: &[Look]) -> Outcome {
    let (mut told, mut counts) = (Vec::new(), Vec::new());
    let mut heard = |at, news| {
        let what = match news {
            News::Dropped { packet, link, why } => {
                format!("{packet:?} dropped at {}: {why:?}", plan.links[link.0 as usize].place)
            }
            news => format!("{news:?}"),
        };
        told.push((at, what));
    };
    let mut look = |fabric: &dyn Fabric, now| {
        let places = plan.links.iter().map(|link| link.place.clone());
        let mut all: Vec<_> = places.zip(fabric.counts(now)).collect();
        all.sort_by(|one, other| one.0.cmp(&other.0));
        counts.extend(all);
    };
    let mut rest = sends.iter().copied().peekable();
    for (at, fault) in looks {
        let until = std::iter::from_fn(|| rest.next_if(|send| send.at <= *at));
        drive(&mut fabric, until, *at, &mut heard);
        if let Some((link, fault)) = fault {
            fabric.handle_fault(*at, *link, *fault);
        }
        look(&fabric, *at);
    }
    drive(&mut fabric, rest, END, &mut heard);
    look(&fabric, END);
    // What happens in one picosecond at different places has no order.
    told.sort_unstable();
    (told, counts, fabric.packet_hops(), fabric.ties(), fabric.digest())
}

/// Paths and bit errors on some links.
fn with_paths(plan: &mut FabricPlan, random: &mut Random) {
    for link in &mut plan.links {
        match random.next_u64() % 6 {
            0 => {
                link.path = Some(PathPlan {
                    delay: Span::from_us(random.next_u64() % 50),
                    jitter: Span(random.next_u64() % 20_000_000),
                    loss: 0.05,
                    duplicate: 0.05,
                    reorder: 0.1,
                });
            }
            1 => link.bit_errors = 1e-5,
            _ => {}
        }
    }
}

/// Moments to look at the queues, many of them moments of packets; with faults of all kinds and their ends, or without.
fn looks(random: &mut Random, links: usize, has_faults: bool) -> Vec<Look> {
    let mut at = Time::ZERO;
    let kinds = [
        None,
        Some(LinkFault::Down),
        Some(LinkFault::Drop(0.3)),
        Some(LinkFault::Duplicate(0.3)),
        Some(LinkFault::Corrupt(0.3)),
        Some(LinkFault::Delay(Span::from_us(30))),
        Some(LinkFault::Reorder(0.3, Span::from_us(30))),
    ];
    let mut draw = |below: usize| usize::try_from(random.next_u64() % below as u64).unwrap();
    let mut look = |_| {
        at += Span::from_us(draw(15) as u64);
        let fault = (LinkId(u32::try_from(draw(links)).unwrap()), kinds[draw(kinds.len())]);
        (at, has_faults.then_some(fault))
    };
    (0..40).map(&mut look).collect()
}

/// The same plan, its links in another order.
fn shuffled(plan: &FabricPlan, random: &mut Random) -> FabricPlan {
    let mut order: Vec<usize> = (0..plan.links.len()).collect();
    for last in (1..order.len()).rev() {
        order.swap(last, usize::try_from(random.next_u64() % (last as u64 + 1)).unwrap());
    }
    let now_at = |link: LinkId| {
        let place = order.iter().position(|old| *old == link.0 as usize).unwrap();
        LinkId(u32::try_from(place).unwrap())
    };
    let mut other = plan.clone();
    other.links = order.iter().map(|old| plan.links[*old].clone()).collect();
    other.nics = plan.nics.iter().map(|link| now_at(*link)).collect();
    for switch in &mut other.switches {
        switch.routes = switch.routes.iter().map(|link| link.map(now_at)).collect();
    }
    other
}

#[test]
fn the_order_in_which_links_are_declared_changes_nothing() {
    let mut ties = 0;
    for seed in 0..200 {
        let mut random = Random::named(seed, "trees");
        let plan = tree(&mut random);
        let sends = sends(&mut random, plan.nics.len() as u64);
        let one = outcome(Computed::new(&plan), &plan, &sends, &[]);
        ties += one.3;
        let other = shuffled(&plan, &mut random);
        assert_eq!(outcome(Computed::new(&other), &other, &sends, &[]), one, "seed {seed}");
    }
    assert!(ties > 500, "{ties} ties: it was hard enough");
}

#[test]
fn another_seed_draws_ties_in_another_order() {
    let mut random = Random::named(1, "trees");
    let plan = super::net::star(9, Some(1_000_000_000), Span::from_us(1), 3_000);
    let sends = sends(&mut random, 9);
    let one = outcome(Computed::new(&plan), &plan, &sends, &[]);
    let plan = FabricPlan { seed: 2, ..plan };
    assert_ne!(outcome(Computed::new(&plan), &plan, &sends, &[]).0, one.0);
}

/// Acceptance test 16: the fast engine is the one with an entry for every step, in every count at every look, in
/// every tie, and in the digest.
#[test]
fn the_fast_engine_does_what_the_explicit_one_does() {
    let mut ties = 0;
    for seed in 0..400 {
        let mut random = Random::named(seed, "engines");
        let mut plan = tree(&mut random);
        // Half of the trees are without, as nearly all networks are.
        if seed % 2 == 1 {
            with_paths(&mut plan, &mut random);
        }
        let looks = looks(&mut random, plan.links.len(), seed % 4 == 3);
        let sends = sends(&mut random, plan.nics.len() as u64);
        assert!(Computed::can(&plan));
        let fast = outcome(Computed::new(&plan), &plan, &sends, &looks);
        let explicit = outcome(Explicit::new(&plan), &plan, &sends, &looks);
        assert_eq!(fast.0, explicit.0, "seed {seed}: news");
        for (fast, explicit) in fast.1.iter().zip(&explicit.1) {
            assert_eq!(fast, explicit, "seed {seed}: counts");
        }
        assert_eq!((fast.2, fast.3), (explicit.2, explicit.3), "seed {seed}: hops and ties");
        assert_eq!(fast.4, explicit.4, "seed {seed}: digest");
        ties += fast.3;
    }
    assert!(ties > 1_000, "{ties} ties: it was hard enough");
}
