//! The sequence tracker on small cases that can be counted by hand, and at its stated bounds.

use incast_core::sequence::{Arrival, Counts, LossRuns, ReorderingReport, SequenceTracker};

/// Feeds `arrivals` to a tracker whose sender began at 1 and compares what was counted with
/// `expected`, as in "unique 5 lost 1 runs 1+2"; counts that are not named are 0.
fn check(arrivals: &str, end: Option<u64>, expected: &str) {
    let mut tracker = SequenceTracker::new(1);
    for sequence in arrivals.split_whitespace() {
        tracker.record(sequence.parse().expect("a counter"));
    }
    tracker.finish(end);
    assert_eq!(shown(&tracker), expected, "arrivals {arrivals}, end {end:?}");
}

fn shown(tracker: &SequenceTracker) -> String {
    let counts = tracker.counts();
    assert_laws(&counts);
    let reordering = tracker.reordering();
    let n_reordering = reordering.to_record(counts.unique).n_reordering;
    let named = [
        ("unique", counts.unique.to_string()),
        ("duplicate", counts.duplicate.to_string()),
        ("late", counts.late.to_string()),
        ("stale", counts.stale.to_string()),
        ("lost", counts.lost.to_string()),
        ("implausible", counts.implausible.to_string()),
        ("runs", show_runs(tracker.loss_runs())),
        ("extents", reordering.extent_sum.to_string()),
        ("n", n_reordering.iter().map(u64::to_string).collect::<Vec<_>>().join("/")),
    ];
    let present = named.iter().filter(|(_, value)| !matches!(value.as_str(), "" | "0"));
    present.map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(" ")
}

/// Lengths of the runs, the shortest first, such as "1+1+3"; a range for a group of lengths.
fn show_runs(runs: &LossRuns) -> String {
    let lengths = runs.to_record().lengths.into_iter().flat_map(|entry| {
        let range = if entry.from == entry.to { entry.from.to_string() } else { format!("{}..", entry.from) };
        vec![range; usize::try_from(entry.runs).expect("few runs")]
    });
    lengths.collect::<Vec<_>>().join("+")
}

fn assert_laws(counts: &Counts) {
    assert_eq!(counts.received, counts.unique + counts.duplicate + counts.stale, "{counts:?}");
    assert_eq!(counts.reordered, counts.late, "{counts:?}");
}

#[test]
fn a_well_known_tool_hides_a_loss_behind_a_duplicate() {
    // Six sent, 4 lost, 5 twice. Received minus expected is 0, and so a tool that subtracts says: no loss.
    check("1 2 3 5 5 6", Some(7), "unique 5 duplicate 1 lost 1 runs 1");
}

#[test]
fn a_well_known_tool_misses_a_lost_tail() {
    // Six sent, the last three lost: no later message reveals it, only the sender's total does.
    check("1 2 3", Some(7), "unique 3 lost 3 runs 3");
    check("1 2 3", None, "unique 3");
}

#[test]
fn small_cases_count_as_by_hand() {
    let cases: &[(&str, Option<u64>, &str)] = &[
        ("", None, ""),
        ("", Some(1), ""),
        ("", Some(4), "lost 3 runs 3"),
        ("1 2 3", Some(4), "unique 3"),
        ("2", Some(3), "unique 1 lost 1 runs 1"),
        ("1 1 1", None, "unique 1 duplicate 2"),
        ("1 3 2", None, "unique 3 late 1 extents 1 n 1"),
        ("1 3 2 2", None, "unique 3 duplicate 1 late 1 extents 1 n 1"),
        // A late message in the middle splits a run.
        ("1 5 3", None, "unique 3 late 1 lost 2 runs 1+1 extents 1 n 1"),
        ("1 5 2", None, "unique 3 late 1 lost 2 runs 2 extents 1 n 1"),
        // RFC 4737 §5: 4 has three larger ones right before it, TCP would send it again.
        ("1 2 3 5 6 7 4 8", None, "unique 8 late 1 extents 3 n 1/1/1"),
        // 3 comes after 4 only in the sense of extent: the arrival right before it is smaller.
        ("1 4 2 3", None, "unique 4 late 2 extents 3 n 1"),
        ("4 3 2 1", None, "unique 4 late 3 extents 6 n 3/2/1"),
        // A duplicate has no place in the order: extent 2 and degree 2, not 3.
        ("1 3 3 4 2", None, "unique 4 duplicate 1 late 1 extents 2 n 1/1"),
        ("0 1", None, "unique 1 implausible 1"),
    ];
    for (arrivals, end, expected) in cases {
        check(arrivals, *end, expected);
    }
}

#[test]
fn every_kind_of_arrival_is_named() {
    let mut tracker = SequenceTracker::with_window(1, 64);
    let cases = [
        (1, Arrival::InOrder),
        (3, Arrival::Ahead),
        (2, Arrival::Late),
        (2, Arrival::Duplicate),
        (100, Arrival::Ahead),
        (37, Arrival::Late),
        (36, Arrival::Stale),
        (0, Arrival::Implausible),
    ];
    for (sequence, arrival) in cases {
        assert_eq!(tracker.record(sequence), arrival, "{sequence}");
    }
    assert_eq!(tracker.counts().received, 7);
}

#[test]
fn the_window_reaches_back_as_far_as_stated() {
    let window = SequenceTracker::WINDOW_MESSAGES;
    for highest in [window + 1, window + 64, 3 * window - 1, (1 << 40) - 1, 1 << 40] {
        let mut tracker = SequenceTracker::new(1);
        tracker.record(highest);
        assert_eq!(tracker.record(highest + 1 - window), Arrival::Late, "the last within, highest {highest}");
        assert_eq!(tracker.record(highest - window), Arrival::Stale, "the first below, highest {highest}");
        tracker.finish(None);
        assert_eq!(tracker.counts().lost, highest - 2);
        assert_eq!(tracker.loss_runs().runs(), 2, "a stale arrival gives nothing back, highest {highest}");
    }
}

#[test]
fn a_jump_costs_no_more_than_the_window() {
    let mut tracker = SequenceTracker::new(0);
    let jumps = 1_000;
    for jump in 1..=jumps {
        // Step by step this would take years.
        assert_eq!(tracker.record(jump * SequenceTracker::JUMP_MAX), Arrival::Ahead);
    }
    tracker.finish(None);
    assert_eq!(tracker.loss_runs().runs(), jumps);
    assert_eq!(tracker.loss_runs().longest(), SequenceTracker::JUMP_MAX);
    assert_eq!(tracker.counts().lost, jumps * (SequenceTracker::JUMP_MAX - 1) + 1);
}

#[test]
fn a_counter_beyond_the_largest_jump_is_counted_and_ignored() {
    let mut tracker = SequenceTracker::new(1);
    tracker.record(1);
    assert_eq!(tracker.record(2 + SequenceTracker::JUMP_MAX + 1), Arrival::Implausible);
    assert_eq!(tracker.record(2), Arrival::InOrder, "the stream goes on where it was");
    assert_eq!(tracker.record(3 + SequenceTracker::JUMP_MAX), Arrival::Ahead);
    assert_eq!(shown(&tracker), format!("unique 3 lost {} implausible 1", SequenceTracker::JUMP_MAX));
}

#[test]
fn the_largest_counters_overflow_nothing() {
    for first in [0, 1, u64::MAX - 130, u64::MAX - 2, u64::MAX - 1, u64::MAX] {
        for end in [None, Some(0), Some(first), Some(u64::MAX)] {
            let mut tracker = SequenceTracker::with_window(first, 64);
            for sequence in
                [u64::MAX, first, u64::MAX - 1, u64::MAX - 2, u64::MAX, 0, u64::MAX - 129, u64::MAX - 64]
            {
                tracker.record(sequence);
                assert_laws(&tracker.counts());
            }
            tracker.finish(end);
            assert_eq!(tracker.record(u64::MAX), Arrival::Implausible);
            let counts = tracker.counts();
            assert_eq!(counts.lost, tracker.loss_runs().total_messages(), "first {first}, end {end:?}");
            assert!(counts.implausible >= 3, "u64::MAX never counts as a message");
        }
    }
    let mut tracker = SequenceTracker::new(0);
    tracker.finish(Some(u64::MAX));
    assert_eq!((tracker.counts().lost, tracker.loss_runs().longest()), (u64::MAX, u64::MAX));
}

#[test]
fn finishing_twice_changes_nothing_and_closes_the_account() {
    let mut tracker = SequenceTracker::new(1);
    for sequence in [1, 2, 5] {
        tracker.record(sequence);
    }
    tracker.finish(Some(7));
    let expected = "unique 3 lost 3 runs 1+2";
    assert_eq!(shown(&tracker), expected);
    tracker.finish(Some(100));
    tracker.finish(None);
    assert_eq!(shown(&tracker), expected);
    for sequence in [3, 6, 7, u64::MAX] {
        assert_eq!(tracker.record(sequence), Arrival::Implausible, "{sequence} after the end");
    }
    assert_eq!(tracker.counts().received, 3);
}

#[test]
fn an_end_below_what_arrived_leaves_the_counts() {
    check("1 2 4 5", Some(3), "unique 4 lost 1 runs 1");
    check("1 2", Some(0), "unique 2");
}

#[test]
fn a_run_that_is_longer_than_the_window_is_one_run() {
    let window = SequenceTracker::WINDOW_MESSAGES;
    for length in [window - 1, window, window + 1, 2 * window + 63, 10 * window] {
        let mut tracker = SequenceTracker::new(1);
        for sequence in [1, length + 2, length + 3] {
            tracker.record(sequence);
        }
        tracker.finish(Some(length + 4 + length));
        let runs = tracker.loss_runs();
        assert_eq!((runs.runs(), runs.longest(), runs.total_messages()), (2, length, 2 * length), "{length}");
    }
}

#[test]
fn a_forgotten_gap_is_counted_as_unknown_extent() {
    // Every other message is missing. 1024 gaps are remembered, and 2000 are opened.
    let mut tracker = SequenceTracker::new(0);
    for sequence in (1..4_000).step_by(2) {
        tracker.record(sequence);
    }
    let (oldest_known, newest) = (2 * (2_000 - 1_024), 3_998);
    for sequence in [0, oldest_known - 2, oldest_known, newest] {
        assert_eq!(tracker.record(sequence), Arrival::Late);
    }
    let report = tracker.reordering();
    assert_eq!((report.reordered, report.extent_unknown), (4, 2));
    // The gap of `oldest_known` was opened by arrival 976, and it is arrival 2002; `newest` is the 2003rd after 1999.
    assert_eq!((report.extent_max, report.extent_sum), (2_002 - 976, 2_002 - 976 + 2_003 - 1_999));
}

#[test]
fn n_reordering_is_counted_up_to_its_cap() {
    let cap = u64::try_from(ReorderingReport::DEGREE_MAX).unwrap();
    for above in [1, cap - 1, cap, cap + 1, 10 * cap] {
        // Larger messages one by one and with gaps, so that each is a run of its own.
        let mut tracker = SequenceTracker::new(0);
        (1..=above).for_each(|step| assert_eq!(tracker.record(2 * step), Arrival::Ahead));
        tracker.record(0);
        let n_reordering = tracker.reordering().to_record(above + 1).n_reordering;
        let expected = usize::try_from(above.min(cap)).unwrap();
        assert_eq!(n_reordering, vec![1; expected], "{above} larger messages before one");
    }
}

#[test]
fn a_report_of_several_streams_is_their_sum() {
    let mut sum = ReorderingReport::default();
    let mut counts = Counts::default();
    for arrivals in [&[1, 3, 2][..], &[4, 3, 2, 1], &[1, 2, 3]] {
        let mut tracker = SequenceTracker::new(1);
        arrivals.iter().for_each(|sequence| assert_ne!(tracker.record(*sequence), Arrival::Stale));
        sum.add(&tracker.reordering());
        counts.add(&tracker.counts());
    }
    assert_laws(&counts);
    let record = sum.to_record(counts.unique);
    assert_eq!((record.ratio, record.extent_max, record.extent_mean), (0.4, 3, Some(7.0 / 4.0)));
    assert_eq!(record.n_reordering, [4, 2, 1]);
    let none = ReorderingReport::default().to_record(0);
    assert_eq!((none.ratio, none.extent_mean, none.n_reordering), (0.0, None, vec![]));
}

#[test]
#[should_panic(expected = "the window is a power of two")]
fn a_window_that_is_no_power_of_two_is_our_mistake() {
    let _ = SequenceTracker::with_window(1, 100);
}
