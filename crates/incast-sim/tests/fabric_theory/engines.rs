//! Random trees: nothing depends on the order in which links are declared, and engines agree.

use incast_core::random::Random;
use incast_core::time::{Span, Time};
use incast_sim::fabric::computed::Computed;
use incast_sim::fabric::{End, Fabric, FabricPlan, LinkId, News, QueueCounts, SwitchId};
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
    let rates = [Some(1_000_000_000), Some(2_500_000_000), Some(10_000_000_000)];
    let mut links = Vec::new();
    for (one, other) in cables {
        let other = End::Switch(SwitchId(other));
        for (from, to) in [(one, other), (other, one)] {
            let rate = rates[usize::try_from(draw(3)).unwrap()];
            let queue = if matches!(from, End::Nic(_)) { 40_000 } else { 1_000 + draw(20_000) };
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

/// What there is to compare: news with their times, counts by place, ties and digest.
type Outcome = (Vec<(Time, String)>, Vec<(String, QueueCounts)>, u64, u64, u64);

fn outcome(mut fabric: impl Fabric, plan: &FabricPlan, sends: &[Send]) -> Outcome {
    let mut told = Vec::new();
    drive(&mut fabric, sends.iter().copied(), END, |at, news| {
        let what = match news {
            News::Dropped { packet, link, why } => {
                format!("{packet:?} dropped at {}: {why:?}", plan.links[link.0 as usize].place)
            }
            news => format!("{news:?}"),
        };
        told.push((at, what));
    });
    // What happens in one picosecond at different places has no order.
    told.sort_unstable();
    let places = plan.links.iter().map(|link| link.place.clone());
    let mut counts: Vec<_> = places.zip(fabric.counts(END)).collect();
    counts.sort_by(|one, other| one.0.cmp(&other.0));
    (told, counts, fabric.packet_hops(), fabric.ties(), fabric.digest())
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
        let one = outcome(Computed::new(&plan), &plan, &sends);
        ties += one.3;
        let other = shuffled(&plan, &mut random);
        assert_eq!(outcome(Computed::new(&other), &other, &sends), one, "seed {seed}");
    }
    assert!(ties > 500, "{ties} ties: it was hard enough");
}

#[test]
fn another_seed_draws_ties_in_another_order() {
    let mut random = Random::named(1, "trees");
    let plan = super::net::star(9, Some(1_000_000_000), Span::from_us(1), 3_000);
    let sends = sends(&mut random, 9);
    let one = outcome(Computed::new(&plan), &plan, &sends);
    let plan = FabricPlan { seed: 2, ..plan };
    assert_ne!(outcome(Computed::new(&plan), &plan, &sends).0, one.0);
}
