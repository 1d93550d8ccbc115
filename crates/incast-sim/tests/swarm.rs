//! Storms of readouts, each from its seed: every law after every step, and every event in one place at the end.

use incast_sim::swarm::{Storm, Summary, check, check_storm};

/// As many storms as some seconds allow, or as the environment asks for.
fn seeds() -> u64 {
    std::env::var("SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(300)
}

#[test]
fn every_event_of_every_storm_is_in_one_place() {
    let mut all = Summary::default();
    for seed in 0..seeds() {
        let summary = match check(seed) {
            Ok(summary) => summary,
            Err(failure) => panic!("{failure}"),
        };
        all.stored += summary.stored;
        all.lost += summary.lost;
        all.deaths += summary.deaths;
    }
    // The storms are storms: what they are to test does happen.
    assert!(all.deaths > 100 && all.lost > 100 && all.stored > 1_000, "{all:?}");
}

#[test]
fn the_same_storm_twice_is_the_same() {
    for seed in 0..40 {
        let storm = Storm::draw(seed);
        assert_eq!(check_storm(&storm), check_storm(&storm), "seed {seed}");
    }
}

#[test]
fn one_seed_can_be_looked_at() {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    if let Err(failure) = check(seed) {
        panic!("{failure}");
    }
}
