//! The path under random traffic: what must hold whatever is lost, copied, overtaken or dropped.

use incast_core::link::{Fate, Link, LinkBounds, LinkCounts, PathPlan};
use incast_core::random::Random;
use incast_core::time::{Span, Time};
use proptest::prelude::*;

/// A packet: its number, and whether it is the copy.
type Packet = (u32, bool);

#[derive(Clone, Debug)]
enum Step {
    Packet {
        after_us: u64,
        bytes: u64,
    },
    /// The driver looks after a pause and fetches at most so many.
    Fetch {
        after_us: u64,
        packets: usize,
    },
}

#[derive(Debug, PartialEq)]
struct Story {
    out: Vec<(Packet, Time)>,
    fates: Vec<Fate<Packet>>,
    counts: LinkCounts,
    held: u64,
}

/// Plays `steps`; checks after each what needs no hindsight.
fn play(plan: PathPlan, bounds: LinkBounds, seed: u64, steps: &[Step]) -> Story {
    let mut link: Link<Packet> = Link::new(plan, Random::named(seed, "laws"), bounds);
    let (mut now, mut number) = (Time::ZERO, 0);
    let (mut out, mut fates) = (Vec::new(), Vec::new());
    for step in steps {
        match *step {
            Step::Packet { after_us, bytes } => {
                now += Span::from_us(after_us);
                let fate = link.handle_packet(now, (number, false), bytes, |(number, _)| (*number, true));
                number += 1;
                if let Fate::Held { departure, .. } = fate {
                    assert!(departure >= now, "nothing leaves before it came");
                }
                fates.push(fate);
            }
            Step::Fetch { after_us, packets } => {
                now += Span::from_us(after_us);
                for _ in 0..packets {
                    let announced = link.next_timeout();
                    let Some(departure) = link.poll_transmit(now) else {
                        assert!(announced.is_none_or(|at| at > now), "what is announced is given");
                        break;
                    };
                    assert_eq!(announced, Some(departure.due));
                    assert!(departure.due <= now, "nothing leaves early");
                    out.push((departure.packet, departure.due));
                }
            }
        }
        let counts = link.counts();
        assert!(link.held_packets() <= bounds.packets && link.held_bytes() <= bounds.bytes);
        assert_eq!(
            counts.packets + counts.copies,
            counts.forwarded + counts.lost + counts.dropped + link.held_packets()
        );
        assert_eq!((counts.packets, counts.forwarded), (fates.len() as u64, out.len() as u64));
        assert_eq!(link.next_timeout().is_none(), link.held_packets() == 0);
    }
    Story { out, fates, counts: *link.counts(), held: link.held_packets() }
}

/// Packets that left before one that came earlier: what a receiver with all numbers would see.
fn seen_overtaking(out: &[(Packet, Time)]) -> u64 {
    let originals: Vec<u32> =
        out.iter().filter(|(packet, _)| !packet.1).map(|(packet, _)| packet.0).collect();
    let overtakes = |index: usize| originals[index + 1..].iter().any(|later| *later < originals[index]);
    (0..originals.len()).filter(|index| overtakes(*index)).count() as u64
}

fn plans() -> impl Strategy<Value = PathPlan> {
    let probability = || prop_oneof![Just(0.0), Just(1.0), 0.0..0.5];
    (0..3_000_u64, 0..2_000_u64, probability(), probability(), probability()).prop_map(
        |(delay_us, jitter_us, loss, duplicate, reorder)| PathPlan {
            delay: Span::from_us(delay_us / 1_000 * delay_us),
            jitter: Span::from_us(jitter_us / 1_000 * jitter_us),
            loss,
            duplicate,
            reorder,
        },
    )
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (0..400_u64, 0..1_500_u64).prop_map(|(after_us, bytes)| Step::Packet { after_us, bytes }),
        1 => (0..2_000_u64, 0..20_usize).prop_map(|(after_us, packets)| Step::Fetch { after_us, packets }),
    ];
    prop::collection::vec(step, 0..300)
}

proptest! {
    #[test]
    fn the_laws_hold_and_the_seed_decides(
        plan in plans(),
        packets in 0..40_u64,
        bytes in 0..30_000_u64,
        seed in any::<u64>(),
        mut steps in steps(),
    ) {
        let bounds = LinkBounds { packets, bytes };
        let end = Step::Fetch { after_us: 1_000_000_000, packets: usize::MAX };
        steps.push(end);
        let story = play(plan, bounds, seed, &steps);
        prop_assert_eq!(story.held, 0, "all has left in the end");
        prop_assert!(story.out.windows(2).all(|pair| pair[0].1 <= pair[1].1), "by their departures");
        prop_assert_eq!(seen_overtaking(&story.out), story.counts.overtaking);
        prop_assert_eq!(&play(plan, bounds, seed, &steps), &story);
        // Each leaves as often as its fate says, a copy right behind its original.
        for (number, fate) in (0_u32..).zip(&story.fates) {
            let places: Vec<usize> =
                (0..story.out.len()).filter(|place| story.out[*place].0.0 == number).collect();
            match *fate {
                Fate::Held { copied, departure, .. } => {
                    prop_assert_eq!(places.len(), 1 + usize::from(copied));
                    prop_assert!(places.iter().all(|place| story.out[*place].1 == departure));
                    prop_assert!(!copied || (places[1] == places[0] + 1 && story.out[places[1]].0.1));
                }
                Fate::Lost(packet) | Fate::Dropped(packet) => {
                    prop_assert_eq!(packet, (number, false));
                    prop_assert!(places.is_empty());
                }
            }
        }
        if plan.reorder == 0.0 || plan.delay == Span::ZERO && plan.jitter == Span::ZERO {
            prop_assert_eq!(story.counts.overtaking, 0);
        }
    }
}

#[test]
fn what_is_asked_for_happens_about_as_often() {
    const PACKETS: u32 = 200_000;
    for (index, probability) in [0.001, 0.05, 0.5, 0.97].into_iter().enumerate() {
        let plan = PathPlan {
            delay: Span::from_ms(10),
            loss: probability,
            duplicate: probability,
            reorder: probability,
            ..PathPlan::default()
        };
        let bounds = LinkBounds { packets: u64::MAX, bytes: u64::MAX };
        let mut link = Link::new(plan, Random::named(index as u64, "often"), bounds);
        for number in 0..PACKETS {
            let now = Time::ZERO + Span::from_us(u64::from(number));
            link.handle_packet(now, (), 1, |()| ());
        }
        let counts = link.counts();
        let kept = counts.packets - counts.lost;
        for (what, seen, of) in [("lost", counts.lost, counts.packets), ("copies", counts.copies, kept)] {
            within_five_sigma(what, seen, of, probability);
        }
        // Nearly every chosen one has somebody to pass here.
        within_five_sigma("overtaking", counts.overtaking, kept, probability);
    }
}

/// Binomial: the mean is n p, its standard deviation the root of n p (1 - p).
fn within_five_sigma(what: &str, seen: u64, of: u64, probability: f64) {
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
    let (seen, of) = (seen as f64, of as f64);
    let (mean, sigma) = (of * probability, (of * probability * (1.0 - probability)).sqrt());
    // The first few chosen ones may have nobody to pass.
    assert!((seen - mean).abs() <= 5.0 * sigma + 50.0, "{what}: {seen} of {of} at {probability}");
}

#[test]
fn jitter_is_spread_evenly_when_nobody_waits_for_another() {
    let plan = PathPlan { jitter: Span::from_ms(8), ..PathPlan::default() };
    let bounds = LinkBounds { packets: 10, bytes: 10 };
    let mut link = Link::new(plan, Random::named(3, "even"), bounds);
    let mut eighths = [0_u64; 8];
    for number in 0..80_000 {
        let now = Time::ZERO + Span::from_ms(10 * number);
        let Fate::Held { departure, .. } = link.handle_packet(now, (), 1, |()| ()) else { panic!("room") };
        let eighth = departure.since(now).0 * 8 / (plan.jitter.0 + 1);
        eighths[usize::try_from(eighth).unwrap()] += 1;
        link.poll_transmit(departure).unwrap();
    }
    for seen in eighths {
        within_five_sigma("an eighth", seen, 80_000, 0.125);
    }
}
