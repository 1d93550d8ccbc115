//! Whole readouts of the real roles in virtual time, thousands of small ones, each from its seed: with
//! roles that die and return, nodes that hang, full disks, and fragments lost, repeated and overtaken.
//!
//! After every step the laws hold. At the end every event is in exactly one place: what the account calls
//! stored is what is on the disks, no event is there twice, and none that was rejected.

#![expect(clippy::unwrap_used, reason = "a failure of the test itself")]

#[path = "support/readout_plans.rs"]
mod plans;
#[path = "support/readout_world.rs"]
mod world;

use std::collections::BTreeSet;

use incast_core::random::Random;
use incast_core::readout::role::{Nonsense, Order, RoleCounts, RunPlan};
use incast_core::readout::{EventNumber, Peer, SourceId};
use incast_core::time::{Span, Time};

use plans::{Plans, Weather};
use world::{World, verdict_of};

/// Says which seed it was when something in it fails.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {}: SEED={} cargo test -p incast-core --test readout_roles one", self.0, self.0);
        }
    }
}

/// As many storms as a second or two allow, or as the environment asks for.
fn seeds() -> u64 {
    std::env::var("SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(1_500)
}

fn at(ms: u64) -> Time {
    Time::ZERO + Span::from_ms(ms)
}

/// A run in which anything goes wrong.
fn storm(seed: u64) -> World {
    let mut random = Random::named(seed, "readout roles");
    let plans = Plans::new(seed, &mut random);
    let weather = Weather::new(&mut random);
    let mut world = World::new(plans, weather, random);
    trouble(&mut world);
    let stop = at(50 + world.below(250));
    world.order_at(stop, Peer::Trigger, Order::Stop);
    world
}

/// Deaths and full disks at random times.
fn trouble(world: &mut World) {
    let mortals: Vec<Peer> = world.peers().into_iter().filter(|peer| *peer != Peer::Trigger).collect();
    for _ in 0..world.weather.deaths {
        let index = usize::try_from(world.below(mortals.len() as u64)).unwrap();
        let dies = at(world.below(400));
        world.die_at(dies, mortals[index]);
    }
    for _ in 0..world.weather.full_disks {
        let sinks = world.plans.run.sinks.clone();
        let index = usize::try_from(world.below(sinks.len() as u64)).unwrap();
        let (full, until) = (world.below(300), world.below(300));
        world.fill_disk_at(at(full), sinks[index], at(full + until));
    }
    if world.below(3) == 0 {
        let pause = world.below(100);
        world.order_at(at(pause), Peer::Trigger, Order::Pause);
        world.order_at(at(pause + 20), Peer::Trigger, Order::Resume);
    }
}

/// Stops all, and lets it drain.
fn drain(world: &mut World) {
    world.run_until(at(60_000));
    if !world.is_done(Peer::Trigger) {
        let undone: Vec<_> = world.peers().into_iter().filter(|peer| !world.is_done(*peer)).collect();
        let counts: Vec<_> = undone.iter().filter_map(|peer| world.counts_of(*peer)).collect();
        panic!("it does not end by itself: {}, {undone:?}: {counts:#?}", world.account().totals());
    }
    world.is_stopped = true;
    for peer in world.peers() {
        world.order_at(world.now, peer, Order::Stop);
    }
    world.run_out(world.now + Span::from_s(20));
    for peer in world.peers() {
        assert!(world.is_done(peer), "{peer} has nothing left to do: {:?}", world.counts_of(peer));
    }
}

fn check_end(world: &World) {
    let totals = world.account().totals();
    assert_eq!((totals.residual(), totals.in_flight), (0, 0), "{totals}");
    let on_disk: BTreeSet<EventNumber> =
        world.disks.values().flat_map(|disk| disk.events.keys().copied()).collect();
    let events = world.disks.values().map(|disk| disk.events.len()).sum::<usize>();
    assert_eq!(on_disk.len(), events, "no event is on two disks");
    assert_eq!(on_disk.intersection(&world.rejected).count(), 0, "nothing rejected is on disk");
    assert_eq!(world.rejected.len() as u64, totals.rejected, "{totals}");
    let flagged = world.disks.values().flat_map(|disk| disk.events.iter());
    let flagged = flagged.filter(|(_, missing)| missing.is_some()).map(|(event, _)| *event);
    let incomplete: BTreeSet<EventNumber> = world.incomplete.iter().copied().chain(flagged).collect();
    assert_eq!(incomplete.len() as u64, totals.incomplete, "{totals}");
    let complete = on_disk.difference(&incomplete).count() as u64;
    assert_eq!(complete, totals.stored, "what is stored is on disk: {totals}");
    assert!(totals.never_triggered == 0, "{totals:?}");
}

fn check_storm(seed: u64) -> World {
    let _seed = Seed(seed);
    let mut world = storm(seed);
    drain(&mut world);
    check_end(&world);
    world
}

#[test]
fn every_event_of_every_storm_is_in_one_place() {
    let (mut deaths, mut revised, mut lost, mut stored) = (0, 0, 0, 0);
    for seed in 0..seeds() {
        let world = check_storm(seed);
        let totals = world.account().totals();
        deaths += world.deaths;
        revised += totals.revised;
        lost += totals.lost_events();
        stored += totals.stored;
    }
    // The storms are storms: what they are to test does happen.
    assert!(deaths > 1_000 && lost > 1_000 && stored > 10_000, "{deaths} {lost} {stored}");
    assert!(revised > 10, "{revised} events were found on disk after they were given up");
}

#[test]
fn one_seed_can_be_looked_at() {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    check_storm(seed);
}

#[test]
fn in_fair_weather_every_event_is_where_its_verdict_sends_it() {
    for seed in 0..200 {
        let _seed = Seed(seed);
        let mut random = Random::named(seed, "fair");
        let mut plans = Plans::new(seed, &mut random);
        plans.trigger.events_max = Some(60);
        plans.trigger.decision_timeout = Span::from_s(3);
        let mut world = World::new(plans, Weather::fair(), random);
        drain(&mut world);
        check_end(&world);
        let totals = world.account().totals();
        assert_eq!((totals.triggered, totals.lost_events(), totals.incomplete), (60, 0, 0), "{totals}");
        assert_eq!((totals.ended_twice, totals.revised), (0, 0), "{totals:?}");
        let accepted = (1_000..1_060).filter(|event| verdict_of(*event).streams() != 0);
        assert_eq!(totals.stored, accepted.count() as u64, "{totals}");
        for counts in world.counts() {
            let nonsense = match counts {
                RoleCounts::Trigger(counts) => counts.nonsense,
                RoleCounts::Source(counts) => counts.nonsense,
                RoleCounts::Builder(counts) => counts.nonsense,
                RoleCounts::Node(counts) => counts.nonsense,
                RoleCounts::Sink(counts) => counts.nonsense,
            };
            // At the start, a token may come before run control has told of its node.
            let is_early = |kind: &Nonsense| *kind == Nonsense::NotThere;
            assert!(nonsense.0.keys().all(is_early), "{nonsense:?}");
        }
    }
}

#[test]
fn the_end_of_a_run_at_any_moment_closes_the_account() {
    for seed in 0..500 {
        let _seed = Seed(seed);
        let mut world = storm(seed);
        let end = at(20 + world.below(500));
        world.run_until(end);
        world.is_stopped = true;
        let others: Vec<Peer> = world.peers().into_iter().filter(|peer| *peer != Peer::Trigger).collect();
        world.order_at(end, Peer::Trigger, Order::Stop);
        for peer in others {
            world.order_at(end + Span::from_ms(1), peer, Order::End);
        }
        world.run_out(end + Span::from_s(10));
        world.order_at(world.now, Peer::Trigger, Order::End);
        world.run_out(world.now + Span::from_ms(1));
        assert!(world.is_done(Peer::Trigger));
        check_end(&world);
    }
}

#[test]
fn each_source_is_asked_for_the_levels_that_it_has_and_events_are_whole_without_the_others() {
    for seed in 0..50 {
        let _seed = Seed(seed);
        let mut random = Random::named(seed, "levels");
        let plans = Plans::new(seed, &mut random);
        let without = [vec![SourceId(9)], vec![SourceId(3)]];
        let run = RunPlan { has_two_levels: true, without, ..plans.run.clone() };
        let mut plans = plans.with_run(run);
        plans.trigger.events_max = Some(60);
        plans.trigger.decision_timeout = Span::from_s(3);
        let mut world = World::new(plans, Weather::fair(), random);
        drain(&mut world);
        check_end(&world);
        let totals = world.account().totals();
        assert_eq!((totals.triggered, totals.lost_events()), (60, 0), "{totals}");
        let sent = |source: u16| match world.counts_of(Peer::Source(SourceId(source))) {
            Some(RoleCounts::Source(counts)) => (counts.assigned, counts.sent, counts.nonsense.0.len()),
            other => panic!("{other:?}"),
        };
        let [first, both, second] = [3, 4, 9].map(sent);
        assert_eq!(first.0 + second.0, both.0, "packets of the first level, and events of the second");
        assert!(second.0 > 0 && first.0 >= 15, "{first:?} {second:?}");
        for (assigned, sent, nonsense) in [first, both, second] {
            assert_eq!((sent, nonsense), (assigned, 0));
        }
        let mut built = 0;
        for counts in world.counts() {
            let RoleCounts::Builder(counts) = counts else { continue };
            let sources = |level: usize| -> Vec<u16> {
                counts.levels[level].by_source.iter().map(|(source, _)| source.0).collect()
            };
            assert_eq!((sources(0), sources(1)), (vec![3, 4], vec![4, 9]));
            // Small bounds may crowd one out; none waits for a source that has nothing of its level.
            assert!(counts.levels.iter().all(|level| level.builder.timed_out == 0), "{:#?}", counts.levels);
            built += 1;
        }
        assert_eq!(built, 2);
    }
}
