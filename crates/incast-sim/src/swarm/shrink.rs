//! From a storm that fails to the smallest one that still does: what goes wrong is dropped one by one, counts
//! are halved, choices become the plainest.

use incast_core::scenario::FragmentCarrier;
use incast_core::time::Span;

use super::storm::Sizes;
use super::{Storm, check_storm};

/// Most storms that are tried.
const TRIES_MAX: u32 = 400;

/// The smallest storm found that fails, and how it does.
pub(super) fn smallest(storm: &Storm, what: &str) -> (Storm, String) {
    let (mut smallest, mut how) = (storm.clone(), what.to_owned());
    let mut tries = 0;
    loop {
        let mut is_smaller = false;
        for candidate in smaller(&smallest) {
            tries += 1;
            if tries > TRIES_MAX {
                return (smallest, how);
            }
            if let Err(what) = check_storm(&candidate) {
                (smallest, how) = (candidate, what);
                is_smaller = true;
                break;
            }
        }
        if !is_smaller {
            return (smallest, how);
        }
    }
}

/// Storms that are a little smaller, the most promising first.
fn smaller(storm: &Storm) -> Vec<Storm> {
    let mut candidates = Vec::new();
    let mut with = |change: &dyn Fn(&mut Storm)| {
        let mut candidate = storm.clone();
        change(&mut candidate);
        let peers = candidate.peers();
        candidate.troubles.retain(|planned| peers.contains(&planned.whom));
        if candidate != *storm {
            candidates.push(candidate);
        }
    };
    with(&|storm| storm.troubles.clear());
    for index in 0..storm.troubles.len() {
        with(&|storm| _ = storm.troubles.remove(index));
        with(&|storm| storm.troubles[index].lasts.0 /= 2);
    }
    with(&|storm| storm.events = (storm.events / 2).max(1));
    with(&|storm| storm.events = storm.events.saturating_sub(1).max(1));
    with(&|storm| storm.loss_percent = 0);
    with(&|storm| storm.sources = (storm.sources / 2).max(1));
    with(&|storm| storm.builders = (storm.builders / 2).max(1));
    with(&|storm| storm.nodes_of_builder = (storm.nodes_of_builder / 2).max(1));
    with(&|storm| storm.sinks = (storm.sinks / 2).max(1));
    with(&|storm| storm.packing = (storm.packing / 2).max(1));
    with(&|storm| storm.has_two_levels = false);
    with(&|storm| storm.is_pull = false);
    with(&|storm| storm.is_ordered = false);
    with(&|storm| storm.has_small_bounds = false);
    with(&|storm| storm.carrier = FragmentCarrier::Tcp);
    with(&|storm| storm.sizes = Sizes::Same(500));
    with(&|storm| storm.builder_policy = 0);
    with(&|storm| storm.node_policy = u8::from(storm.is_pull));
    with(&|storm| storm.spacing = 0);
    with(&|storm| storm.is_busy_uneven = false);
    with(&|storm| storm.busy = Span::ZERO);
    with(&|storm| storm.commit = Span::ZERO);
    with(&|storm| storm.disk_bytes_per_s = None);
    with(&|storm| storm.timing_delay = None);
    with(&|storm| storm.words_within = Span::ZERO);
    with(&|storm| storm.delay_within = Span(storm.delay_within.0 / 2));
    with(&|storm| storm.slots = 1);
    candidates.retain(|candidate| candidate.gap > Span::ZERO || candidate.builder_policy == 1);
    candidates
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_candidate_is_another_storm_without_troubles_of_strangers() {
        for seed in 0..50 {
            let storm = Storm::draw(seed);
            for candidate in smaller(&storm) {
                assert_ne!(candidate, storm, "seed {seed}");
                let peers = candidate.peers();
                assert!(
                    candidate.troubles.iter().all(|planned| peers.contains(&planned.whom)),
                    "seed {seed}"
                );
            }
        }
    }
}
