//! Campaigns made by hand and by lot, whose answers are known.

use super::*;
use crate::campaign::compare;
use crate::random::Random;
use crate::record::LossStage;
use crate::stats::quantile::normal_two_sided;

const SENT: u64 = 1_000_000;

fn run(number: u64, lost: u64) -> RunOutcome {
    RunOutcome {
        number,
        sent: SENT,
        lost,
        sent_bits: SENT * 32_768,
        verdict: Verdict::Good,
        ..RunOutcome::default()
    }
}

fn runs(lost: impl IntoIterator<Item = u64>) -> Vec<RunOutcome> {
    (0..).zip(lost).map(|(number, lost)| run(number, lost)).collect()
}

/// Poisson, by the product of uniforms (Knuth).
fn poisson_lot(random: &mut Random, mean: f64) -> u64 {
    let (mut count, mut left) = (0, (-mean).exp());
    loop {
        left /= random.unit();
        if left >= 1.0 {
            return count;
        }
        count += 1;
    }
}

fn asked(precision: f64, runs_min: u64) -> CampaignAsked {
    CampaignAsked { runs: 1_000, precision: Some(precision), confidence: 0.95, runs_min, failures_max: 1 }
}

#[test]
fn the_tuned_receiver_of_bologna_has_its_bit_error_rate() {
    // Slide 43: 4 of 2.0e10 datagrams of 4096 B, 2.0e-10, and a bit error rate of 6.2e-15 (6.1 by division).
    let mut all = runs([0; 20_000]);
    all[7].lost = 4;
    let found = variant(None, &all, &[], 0.95);
    assert_eq!((found.sent, found.lost, found.message_bits), (20_000_000_000, 4, Some(32_768.0)));
    assert!((found.lost_fraction.unwrap() / 2.0e-10 - 1.0).abs() < 1e-12);
    assert!((found.bit_error_rate.unwrap() / 6.1035e-15 - 1.0).abs() < 1e-4, "{:?}", found.bit_error_rate);
    assert_eq!(found.one_in, Some(5e9));
    // 9.1535 is the upper 95 % limit of a Poisson count of 4 (table of Garwood).
    assert!((found.upper_limit.unwrap() / 9.1535 * 2e10 - 1.0).abs() < 1e-4);
    assert_eq!(found.dispersion, None, "four losses are too few to tell");
}

#[test]
fn nothing_lost_has_an_upper_limit_and_nothing_else() {
    let found = variant(None, &runs([0; 20_000]), &[], 0.95);
    assert_eq!((found.lost_fraction, found.one_in, found.bit_error_rate), (Some(0.0), None, Some(0.0)));
    assert!((found.upper_limit.unwrap() / 1.4979e-10 - 1.0).abs() < 1e-4);
    assert!((found.bit_error_rate_upper_limit.unwrap() / 4.571e-15 - 1.0).abs() < 1e-3);
    assert_eq!(found.distribution.runs_without_loss, 20_000);
    assert_eq!((found.drift, found.comb), (None, None));
    let interval = found.interval.unwrap();
    assert!(interval.from <= 0.0 && (interval.to * 2e10 - 3.6889).abs() < 1e-3, "{interval:?}");
    assert!(!is_precise(&runs([0; 20_000]), &asked(0.5, 2)), "there is no mean to be precise about");
}

#[test]
fn no_run_at_all_says_nothing_and_does_not_panic() {
    let found = variant(Some("none"), &[], &[], 0.95);
    assert_eq!((found.runs, found.lost_fraction, &found.interval, found.upper_limit), (0, None, &None, None));
    let unsent = variant(None, &[RunOutcome::default()], &[], 0.95);
    assert_eq!((unsent.runs, unsent.lost_fraction), (1, None));
    assert_eq!(compare(&found, &unsent, 0.95), None);
}

#[test]
fn independent_losses_are_quoted_exactly_and_heaps_by_runs() {
    let mut random = Random::named(1, "independent");
    let independent = runs((0..300).map(|_| poisson_lot(&mut random, 50.0)));
    let found = variant(None, &independent, &[], 0.95);
    assert_eq!(
        (&*found.dispersion.as_ref().unwrap().judged, &*found.interval.unwrap().method),
        ("independent", "clopper-pearson")
    );
    // With independent losses the two ways come to the same.
    let width = |interval: &CampaignInterval| interval.to - interval.from;
    assert!(
        (width(&found.intervals[2]) / width(&found.intervals[0]) - 1.0).abs() < 0.15,
        "{:?}",
        found.intervals
    );
    let mut random = Random::named(1, "heaps");
    let heaps = runs((0..300).map(|_| 10 * poisson_lot(&mut random, 5.0)));
    let found = variant(None, &heaps, &[], 0.95);
    assert_eq!(
        (&*found.dispersion.as_ref().unwrap().judged, &*found.interval.unwrap().method),
        ("over", "heaps")
    );
    // Heaps of ten: ten times the variance, and so an interval sqrt(10) wider.
    assert!((width(&found.intervals[2]) / width(&found.intervals[0]) / 10.0_f64.sqrt() - 1.0).abs() < 0.15);
}

#[test]
fn the_quoted_interval_holds_what_is_true_as_often_as_it_says() {
    for (heap, mean, count) in [(1, 20.0, 40), (10, 20.0, 40), (1_000, 0.02, 300), (1_000, 0.1, 300)] {
        let held = (0..300).filter(|seed| {
            let mut random = Random::named(*seed, "coverage");
            let all = runs((0..count).map(|_| heap * poisson_lot(&mut random, mean)));
            let found = variant(None, &all, &[], 0.95);
            let truth = heap as f64 * mean / SENT as f64;
            let interval = found.interval.unwrap();
            assert!(found.upper_limit.unwrap() <= interval.to || found.lost == 0);
            interval.from <= truth && truth <= interval.to
        });
        // 95 % of 300 are 285, and four standard deviations of that number are 15.
        assert!(held.count() >= 270, "heaps of {heap}, {mean} a run");
    }
}

#[test]
fn the_limit_of_heaps_is_not_that_of_independent_losses() {
    // Five heaps of 1000 in 300 runs: 5 have a one-sided limit of 10.51 (table of Garwood), and 5000 one of 5118.
    let heaps = runs((0..300).map(|run| if run % 60 == 0 { 1_000 } else { 0 }));
    let found = variant(None, &heaps, &[], 0.95);
    let limit = found.upper_limit.unwrap() * 300.0 * SENT as f64 / 1_000.0;
    assert!((limit / 10.51 - 1.0).abs() < 0.02, "{limit}");
    let rate = found.bit_error_rate_upper_limit.unwrap() / found.bit_error_rate.unwrap();
    assert!((rate / 10.51 * 5.0 - 1.0).abs() < 0.02, "{rate}");
}

#[test]
fn it_is_enough_when_the_interval_is_narrow_and_not_before_the_least_number() {
    let mut random = Random::named(2, "precision");
    let lots: Vec<u64> = (0..400).map(|_| poisson_lot(&mut random, 10.0)).collect();
    // Half of the interval over the mean is 1.96 / sqrt(10 n): 5 % at 154 runs, and a little more as it is exact.
    let enough = (1..400).find(|count| is_precise(&runs(lots[..*count].iter().copied()), &asked(0.05, 30)));
    let by_hand = (normal_two_sided(0.95) / 0.05).powi(2) / 10.0;
    let enough = enough.unwrap() as f64;
    assert!((enough / by_hand - 1.0).abs() < 0.15, "{enough} and by hand {by_hand}");
    assert!(!is_precise(&runs(lots.clone()), &asked(0.05, 401)));
    let never = CampaignAsked { precision: None, ..asked(0.05, 2) };
    assert!(!is_precise(&runs(lots), &never));
}

#[test]
fn each_peak_has_the_stage_that_made_it() {
    let mut random = Random::named(3, "stages");
    let mut all = Vec::new();
    for number in 0..600 {
        // A third of the runs lose 30 at a socket, a third 280 at a port, a third nothing.
        let (place, stage, base) = [
            ("Udp.RcvbufErrors", "socket_buffer", 30),
            ("port of main to x", "switch_port", 280),
            ("", "", 0),
        ][number % 3];
        let lost = if base > 0 { base + poisson_lot(&mut random, 4.0) } else { 0 };
        let stages =
            vec![LossStage { stage: stage.into(), place: place.into(), packets: 3 * lost, messages: lost }];
        all.push(RunOutcome { stages, unexplained: Some(0), ..run(number as u64, lost) });
    }
    let found = variant(None, &all, &[], 0.95);
    let made: Vec<_> = found
        .peaks
        .iter()
        .map(|peak| peak.stages.first().map(|stage| (&*stage.stage, stage.share)))
        .collect();
    assert_eq!(
        made,
        [None, Some(("socket_buffer", Some(1.0))), Some(("switch_port", Some(1.0)))],
        "{:?}",
        found.peaks
    );
    assert_eq!(found.peaks.iter().map(|peak| peak.runs).collect::<Vec<_>>(), [200; 3]);
    let one_in = found.peaks[1].one_in.unwrap();
    assert!((one_in * 34.0 / 1e6 - 1.0).abs() < 0.03, "{one_in}");
    assert_eq!(
        (&*found.stages[0].stage, found.stages[0].runs, found.unexplained),
        ("switch_port", 200, Some(0))
    );
}

#[test]
fn runs_that_lose_nothing_are_a_peak_of_their_own_only_if_they_stand_out() {
    // Most lose nothing and a few lose anything between ten and ten thousand: no kernel smears both.
    let mut random = Random::named(6, "apart");
    let mut few = runs((0..120).map(|run| if run % 10 == 0 { 10 + random.next_u64() % 10_000 } else { 0 }));
    few[0].stages = vec![LossStage {
        stage: "link".into(),
        place: "a".into(),
        packets: few[0].lost,
        messages: few[0].lost,
    }];
    let found = variant(None, &few, &[], 0.95);
    let first = &found.peaks[0];
    assert_eq!((first.one_in, first.runs, first.stages.len()), (None, 108, 0), "{:?}", found.peaks);
    assert!(
        found.peaks[1..].iter().all(|peak| peak.from > 0.0 && peak.one_in.is_some()),
        "{:?}",
        found.peaks
    );
    // With one lost in a run on average, none is as frequent as one: it is the flank of one hump.
    let mut random = Random::named(7, "hump");
    let hump = runs((0..300).map(|_| poisson_lot(&mut random, 1.0)));
    assert_eq!(variant(None, &hump, &[], 0.95).peaks.len(), 1);
}

#[test]
fn a_drift_is_seen_with_its_halves() {
    let mut random = Random::named(4, "drift");
    let rising = runs((0..200).map(|number| poisson_lot(&mut random, 20.0 + f64::from(number) / 10.0)));
    let found = variant(None, &rising, &[], 0.95).drift.unwrap();
    assert_eq!(found.judged, "rising");
    assert!(found.second_half > found.first_half && found.difference.unwrap().from > 0.0);
    let mut random = Random::named(5, "drift");
    let steady = runs((0..200).map(|_| poisson_lot(&mut random, 30.0)));
    assert_eq!(variant(None, &steady, &[], 0.95).drift.unwrap().judged, "none");
}

#[test]
fn a_doubt_is_counted_by_runs_and_said_once() {
    let mut all = runs([0, 0, 0]);
    for number in [1, 2] {
        let doubt = |text: &str| Caveat::new(CaveatKind::HostBusy, text, "stop it");
        all[number].caveats = vec![doubt(&format!("first of {number}")), doubt("second")];
    }
    let found = variant(None, &all, &[], 0.95);
    assert_eq!(
        found.doubts,
        [Caveat::new(CaveatKind::HostBusy, "in 2 of 3 runs; in run 1: first of 1", "stop it")]
    );
}
