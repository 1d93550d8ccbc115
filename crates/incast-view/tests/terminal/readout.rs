//! What a terminal shows of a readout.

use incast_core::record::{CreditBook, Readout, ReadoutRole, Record, StoredFile};
use incast_view::terminal::{compare, show};
use incast_view::text::width;

use crate::readout_record::{badly, balance, hostile, named, well};
use crate::{check, hostile_values, plain, uncoloured};

/// A record of nothing but this readout.
fn of(readout: Readout) -> Record {
    Record { readout: Some(readout), ..Record::default() }
}

#[test]
fn a_readout_at_100_columns() {
    check(&well(), 100, include_str!("readout-100.txt"));
}

#[test]
fn a_readout_at_40_columns() {
    check(&well(), 40, include_str!("readout-40.txt"));
}

#[test]
fn a_readout_of_a_bad_day_at_100_columns() {
    check(&badly(), 100, include_str!("readout-bad-100.txt"));
}

#[test]
fn the_laws_are_printed_when_nothing_happened() {
    let shown = plain(&of(Readout::default()), 120);
    let law =
        "events     triggered 0 = stored 0 + rejected 0 + incomplete 0 + lost 0 + in flight 0 + residual 0\n";
    assert!(shown.contains(law), "{shown}");
    assert!(shown.contains("credits    none: no policy of this run gives any\n"), "{shown}");
    assert!(shown.contains("rates      - events/s, built -, stored -, running for -\n"), "{shown}");
    let with_credits = Readout { credits: Some(CreditBook::default()), ..Readout::default() };
    let law = "credits    granted 0 = spent 0 + held 0 + expired 0 + residual 0\n";
    assert!(plain(&of(with_credits), 120).contains(law));
}

#[test]
fn what_is_left_over_of_a_law_is_red_at_every_width() {
    for width in [40, 60, 100] {
        let mut record = well();
        let readout = record.readout.as_mut().unwrap();
        readout.events.residual = -77;
        let shown = show(&record, width);
        let line = shown.lines().find(|line| line.contains("-77")).expect("it is shown");
        assert!(line.contains("\u{1b}[31m") || line.contains("\u{1b}[1m\u{1b}[31m"), "{line:?}");
    }
}

#[test]
fn a_record_without_flows_says_nothing_of_messages() {
    let shown = plain(&well(), 100);
    for words in ["no flows", "goodput", "offered load", "received once", "unexplained", "CPU seconds per GB"]
    {
        assert!(!shown.contains(words), "{words}:\n{shown}");
    }
    // One that has both shows both.
    let mut both = well();
    both.flows = crate::small().flows;
    let shown = plain(&both, 100);
    assert!(shown.contains("events     triggered") && shown.contains("all flows"), "{shown}");
}

#[test]
fn of_a_hundred_roles_those_in_trouble_are_shown_and_the_others_counted() {
    let role = |index: u32| ReadoutRole {
        name: format!("n-{index}"),
        kind: if index < 60 { "source" } else { "node" }.into(),
        lives: 1,
        ..ReadoutRole::default()
    };
    let mut roles: Vec<ReadoutRole> = (0..100).map(role).collect();
    roles[97].deaths = vec!["killed by signal 9".into()];
    roles[98].faults = vec![named("late", 3)];
    let shown = plain(&of(Readout { roles, ..Readout::default() }), 100);
    let lines = shown.lines().filter(|line| line.starts_with("  n-") && line.contains("  1  "));
    assert_eq!(lines.count(), 40, "{shown}");
    assert!(shown.contains("60 more roles in the record: node 38, source 22"), "{shown}");
    assert!(shown.contains("  n-97  1 life, killed by signal 9\n"), "{shown}");
    assert!(shown.contains("  n-98  late 3\n"), "{shown}");
}

#[test]
fn of_many_files_the_first_are_shown() {
    let files = vec![StoredFile { path: "data/x.mdf".into(), ..StoredFile::default() }; 13];
    let shown = plain(&of(Readout { files, ..Readout::default() }), 80);
    assert_eq!(shown.matches("data/x.mdf").count(), 12);
    assert!(shown.contains("1 more file in the record"), "{shown}");
}

#[test]
fn a_hostile_readout_neither_escapes_nor_overflows() {
    for (text, float, count) in hostile_values().into_iter().step_by(3) {
        let record = hostile(&text, float, count);
        for page_width in [0, 57, 100, usize::MAX] {
            let shown = plain(&record, page_width);
            for line in shown.lines() {
                assert!(width(line) <= page_width.max(40), "{page_width}: {line}");
                assert!(!line.contains(char::is_control), "{line:?}");
                assert!(!line.contains(['\u{202e}', '\u{200b}', '\u{feff}', '\u{2028}']), "{line:?}");
            }
            assert!(shown.lines().count() < 1000, "a report that nobody can read");
        }
        let several = uncoloured(&compare(&[&record, &well()]));
        assert!(several.lines().all(|line| width(line) <= 120 && !line.contains(char::is_control)));
    }
}

#[test]
fn policies_stand_side_by_side() {
    let records = balance();
    let shown = uncoloured(&compare(&records.iter().collect::<Vec<_>>()));
    let expected = "
readouts side by side; times are from trigger to end
run           verdict  builders by  nodes by      events/s  dead time       p50       p99     p99.9  lost   Jain
round-robin   good     round-robin  round-robin      880.0     56.0 %   1.100 s   2.300 s   2.500 s     0   1.00
least-loaded  good     round-robin  least-loaded     1 950     1.00 %  2.100 ms  21.00 ms  48.00 ms     0  0.760
tokens        good     round-robin  tokens           1 999        0 %  1.500 ms  9.000 ms  31.00 ms     0  0.750
";
    assert_eq!(shown, expected, "{shown}");
}

#[test]
fn floods_and_readouts_are_compared_apart() {
    let (flood, built) = (crate::small(), well());
    let shown = uncoloured(&compare(&[&flood, &built]));
    assert_eq!(shown.matches("side by side").count(), 2, "{shown}");
    assert!(uncoloured(&compare(&[&flood])).contains("goodput"));
    assert!(!uncoloured(&compare(&[&built])).contains("goodput"));
}
