//! Paths, bit errors and faults in a whole fabric: nothing is lost from the accounts, and nothing else changes.

use incast_core::link::PathPlan;
use incast_core::random::Random;
use incast_core::time::{Span, Time};
use incast_sim::fabric::computed::Computed;
use incast_sim::fabric::{Fabric, FabricPlan, LinkFault, LinkId, News, Why};

use super::net::{ENDLESS, GBIT, Send, carry_on, drive, star};

const HOSTS: u32 = 6;

fn sends(seed: u64) -> Vec<Send> {
    let mut random = Random::named(seed, "sends");
    let mut at = Time::ZERO;
    let mut send = |cargo| {
        at += Span(random.next_u64() % 4_000_000);
        let host = |draw: u64| u32::try_from(draw % u64::from(HOSTS)).unwrap();
        let (from, to) = (host(random.next_u64()), host(random.next_u64()).min(1));
        Send { at, from, to, bytes: 200 + u32::try_from(random.next_u64() % 1_300).unwrap(), cargo }
    };
    (0..3_000).map(&mut send).collect()
}

/// Everything that happened, with its time; and the engine.
fn outcome(
    plan: &FabricPlan,
    sends: &[Send],
    faults: &[(Time, LinkId, Option<LinkFault>)],
) -> (Vec<(Time, News)>, Computed) {
    let mut fabric = Computed::new(plan);
    let mut told = Vec::new();
    let mut rest = sends.iter().copied().peekable();
    for (at, link, fault) in faults {
        let until = std::iter::from_fn(|| rest.next_if(|send| send.at <= *at));
        drive(&mut fabric, until, *at, |at, news| told.push((at, news)));
        fabric.handle_fault(*at, *link, *fault);
    }
    drive(&mut fabric, rest, Time(1_000_000_000_000), |at, news| told.push((at, news)));
    (told, fabric)
}

#[test]
fn a_path_that_does_nothing_changes_nothing() {
    for seed in 0..10 {
        let plain = star(HOSTS, GBIT, Span::from_us(3), 15_000);
        let mut with_paths = plain.clone();
        for link in with_paths.links.iter_mut().skip(seed % 2).step_by(2) {
            link.path = Some(PathPlan::default());
        }
        let sends = sends(seed as u64);
        // A fault that is over before it began anything, too.
        let none = [(Time::from_ns(1_000_000), LinkId(7), None)];
        let ((told, fabric), (as_path, other), (as_fault, third)) =
            (outcome(&plain, &sends, &[]), outcome(&with_paths, &sends, &[]), outcome(&plain, &sends, &none));
        let end = Time(1_000_000_000_000);
        for (news, engine) in [(as_path, other), (as_fault, third)] {
            let (mut news, mut expected) = (news, told.clone());
            // What happens in one picosecond at different places has no order.
            let key = |(at, news): &(Time, News)| (*at, format!("{news:?}"));
            news.sort_by_key(key);
            expected.sort_by_key(key);
            assert_eq!(news, expected, "seed {seed}");
            assert_eq!(engine.counts(end), fabric.counts(end), "seed {seed}");
            assert_eq!((engine.digest(), engine.ties()), (fabric.digest(), fabric.ties()), "seed {seed}");
        }
    }
}

#[test]
fn whatever_goes_wrong_the_accounts_are_closed() {
    for seed in 0..20 {
        let mut plan = star(HOSTS, GBIT, Span::from_us(20), 15_000);
        let mut random = Random::named(seed, "faults");
        let path = PathPlan {
            delay: Span::from_us(50),
            jitter: Span::from_us(20),
            loss: 0.02,
            duplicate: 0.02,
            reorder: 0.05,
        };
        plan.links[2].path = Some(path);
        plan.links[6].path = Some(path);
        plan.links[3].bit_errors = 1e-6;
        let mut at = Time::ZERO;
        let kinds = [
            Some(LinkFault::Down),
            None,
            Some(LinkFault::Drop(0.2)),
            Some(LinkFault::Duplicate(0.2)),
            Some(LinkFault::Corrupt(0.2)),
            Some(LinkFault::Delay(Span::from_us(30))),
            Some(LinkFault::Reorder(0.2, Span::from_us(30))),
        ];
        let mut draw = |below: u64| random.next_u64() % below;
        let faults: Vec<_> = (0..60)
            .map(|_| {
                at += Span(draw(200_000_000));
                let link = LinkId(u32::try_from(draw(12)).unwrap());
                (at, link, kinds[usize::try_from(draw(7)).unwrap()])
            })
            .collect();
        let sends = sends(seed);
        let (told, fabric) = outcome(&plan, &sends, &faults);
        let (again, same) = outcome(&plan, &sends, &faults);
        assert_eq!((&told, fabric.digest()), (&again, same.digest()), "seed {seed}: twice the same");
        let counts = fabric.counts(Time(1_000_000_000_000));
        let (mut lost, mut copied) = (0, 0);
        for queue in &counts {
            lost += queue.dropped.iter().chain(&queue.lost).map(|(_, died)| died.packets).sum::<u64>();
            copied += queue.copied_packets;
        }
        let delivered = told.iter().filter(|(_, news)| matches!(news, News::Delivered { .. })).count() as u64;
        assert!(lost > 50 && copied > 5, "seed {seed}: {lost} lost, {copied} copied");
        assert_eq!(sends.len() as u64 + copied, delivered + lost, "seed {seed}");
    }
}

#[test]
fn a_link_that_is_down_goes_on_sending_and_nothing_arrives() {
    let plan = star(2, GBIT, Span::from_us(100), ENDLESS);
    let mut fabric = Computed::new(&plan);
    // 1250 B are 10 us: at 55 us five have left, and the sixth is being sent. All six are lost, and those until
    // 95 us; the one that begins at 100 us comes through.
    let sends = (0..20).map(|cargo| Send { at: Time::ZERO, from: 0, to: 1, bytes: 1_250, cargo });
    drive(&mut fabric, sends, Time::from_ns(55_000), |_, news| panic!("{news:?}"));
    let mut told = Vec::new();
    fabric.handle_fault(Time::from_ns(55_000), LinkId(0), Some(LinkFault::Down));
    carry_on(&mut fabric, Time::from_ns(95_000), &mut |at, news| told.push((at, news)));
    assert!(told[..5].iter().all(|(at, _)| *at == Time::from_ns(55_000)), "{told:?}");
    fabric.handle_fault(Time::from_ns(95_000), LinkId(0), None);
    carry_on(&mut fabric, Time::from_ns(1_000_000), &mut |at, news| told.push((at, news)));
    let lost: Vec<u64> = told
        .iter()
        .filter_map(|(_, news)| match news {
            News::Dropped { packet, link: LinkId(0), why: Why::LinkDown } => Some(packet.cargo),
            _ => None,
        })
        .collect();
    assert_eq!(lost, (0..10).collect::<Vec<_>>());
    let delivered: Vec<_> = told
        .iter()
        .filter(|(_, news)| matches!(news, News::Delivered { .. }))
        .map(|(at, _)| at.as_ns())
        .collect();
    // Sent from 100 us on, each 10 us and two links, two travels.
    assert_eq!(delivered, (0..10).map(|n| 100_000 + n * 10_000 + 2 * 110_000).collect::<Vec<_>>());
}
