//! Readouts in virtual time over a courier that loses nothing: every event is where it belongs, in fair
//! weather and when roles die, hang and return; and the same run twice is the same.

#![expect(clippy::unwrap_used, reason = "a failure of the test itself")]

use std::collections::BTreeMap;

use incast_core::record::{NamedCount, Readout};
use incast_core::scenario::{Scenario, SimPlan};
use incast_core::time::{Span, Time};
use incast_sim::courier::Direct;
use incast_sim::world::readout::{ReadoutResult, ReadoutSetup, ReadoutWorld};

fn text(readout: &str, trigger: &str, builder: &str, more: &str) -> String {
    format!(
        "incast = 1\nname = \"r\"\nseed = 7\nduration = \"3s\"\n[readout]\n{readout}\n[trigger]\n{trigger}\n\
         [[source]]\nname = \"ru\"\ncount = 5\nfragment = \"1KiB\"\n[[builder]]\ncount = 2\n{builder}\n\
         [[node]]\nname = \"farm\"\ncount = 4\naccept = 0.25\ntime = \"1ms\"\n[[sink]]\n{more}\n"
    )
}

fn play(text: &str) -> ReadoutResult {
    let scenario = Scenario::parse(text).unwrap_or_else(|faults| panic!("{faults:?}\n{text}"));
    let plan = scenario.readout.unwrap();
    let sim = SimPlan { timing_delay: None, ..SimPlan::default() };
    let places = BTreeMap::new();
    let setup = ReadoutSetup::new(&plan, scenario.seed, &places, &sim);
    let mut world = ReadoutWorld::new(&setup, Direct::new(sim.direct_delay));
    world.run();
    assert!(world.now() < Time::ZERO + Span::from_s(60), "it comes to an end: {:?}", world.now());
    world.finish().0
}

fn count_of(counts: &[NamedCount], name: &str) -> u64 {
    counts.iter().filter(|count| count.name == name).map(|count| count.count).sum()
}

fn check_closed(readout: &Readout) {
    let events = &readout.events;
    assert_eq!((events.residual, events.in_flight, events.never_triggered), (0, 0, 0), "{events:?}");
    assert_eq!(readout.credits.as_ref().unwrap().residual, 0);
}

#[test]
fn in_fair_weather_every_event_is_stored_or_rejected() {
    for readout in ["", "packing = 4", "protocol = \"pull\"", "levels = 2", "fragments_over = \"mep-udp\""] {
        let levels = if readout == "levels = 2" { 2 } else { 1 };
        for policy in ["round-robin", "tokens", "least-loaded", "linear-shift"] {
            let trigger = format!("load = \"1kHz\"\nevents = 1000\npolicy = \"{policy}\"");
            // In pull mode nodes ask.
            let of_nodes = if readout.contains("pull") { "tokens" } else { policy };
            let builder = format!("policy = \"{of_nodes}\"");
            let ReadoutResult { readout, caveats, .. } = play(&text(readout, &trigger, &builder, ""));
            check_closed(&readout);
            let events = &readout.events;
            assert_eq!((events.triggered, events.lost, events.incomplete), (1000, 0, 0), "{readout:?}");
            assert_eq!(events.stored + events.rejected, 1000);
            // Each of two levels accepts with 0.25: mean and five standard deviations of a binomial.
            let (mean, most) = if levels == 2 { (62, 39) } else { (250, 69) };
            assert!(events.stored.abs_diff(mean) < most, "{events:?}");
            assert_eq!(caveats, [], "{policy} {readout:?}");
        }
    }
}

#[test]
fn what_a_role_does_when_others_die_hang_and_return_keeps_the_account_closed() {
    for role in ["ru-1", "builder-1", "farm-1", "sink"] {
        for (what, lasts) in [("kill", "300ms"), ("hang", "2500ms"), ("hang", "500ms")] {
            for readout in ["", "packing = 4", "protocol = \"pull\"", "levels = 2"] {
                let fault = format!(
                    "[[fault]]\nrole = \"{role}\"\nwhat = \"{what}\"\nat = \"200ms\"\nfor = \"{lasts}\""
                );
                let trigger = "load = \"1kHz\"";
                let ReadoutResult { readout, .. } =
                    play(&text(readout, trigger, "policy = \"tokens\"\nnode_lease = \"200ms\"", &fault));
                check_closed(&readout);
                let lives = readout.roles.iter().find(|one| one.name == role).unwrap().lives;
                assert_eq!(lives, if what == "kill" { 2 } else { 1 }, "{role} {what}");
                let third = &readout.intervals[2];
                assert!(third.decided > 100, "it goes on when the role is back: {:?}", readout.intervals);
            }
        }
    }
}

#[test]
fn the_same_run_twice_is_the_same() {
    let trigger = "load = \"3kHz\"\nspacing = \"poisson\"\npolicy = \"tokens\"";
    let fault = "[[fault]]\nrole = \"farm-1\"\nwhat = \"kill\"\nat = \"1s\"\nfor = \"1s\"";
    let text = text("packing = 3", trigger, "policy = \"tokens\"", fault);
    let (one, other) = (play(&text), play(&text));
    assert_eq!(one.digest, other.digest);
    assert_eq!(one.readout, other.readout);
}

#[test]
fn the_wait_of_an_event_is_made_of_its_ways() {
    // Assigned, fragment, event, answer, ask, granted, result: 20 us each; 1 ms of algorithm, 1 ms of disk;
    // and 20 us for the word that it is stored. Some 2.16 ms; a histogram says up to 1/16 more.
    let readout = play(&text("", "load = \"100Hz\"\nevents = 100", "", "")).readout;
    let stored = readout.times.iter().find(|times| times.name == "trigger_to_end").unwrap();
    let most = stored.us_max.unwrap();
    assert!((2_160.0 - 1.0..2_160.0 * 1.07).contains(&most), "{most} us");
    assert_eq!(count_of(&readout.roles[0].counts, "packets assigned"), 100);
}
