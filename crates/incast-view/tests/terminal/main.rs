//! Whole reports as a student sees them, and records that a report must survive.
//!
//! The expected reports stand in files beside this one, as they look in a terminal.

mod campaign;
mod readout;
#[path = "../support/readout_record.rs"]
mod readout_record;
mod records;
mod simulation;

use incast_core::record::{Flow, Messages, Record, Verdict};
use incast_view::terminal::show;
use incast_view::text::width;
use records::{everything, flow, hostile, hostile_values, small};

/// The report without its colours, as it goes to a file. It has no other escapes.
fn plain(record: &Record, width: usize) -> String {
    uncoloured(&show(record, width))
}

fn uncoloured(coloured: &str) -> String {
    let mut parts = coloured.split('\u{1b}');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (code, rest) = part.split_once('m').expect("every escape is a colour");
        let is_colour = |code: &str| code.chars().all(|digit| digit.is_ascii_digit() || digit == ';');
        assert!(code.strip_prefix('[').is_some_and(is_colour), "{code:?} is a colour");
        text.push_str(rest);
    }
    text
}

/// The lines of a report from the verdict to the end of the table of flows.
fn top(record: &Record, width: usize) -> Vec<String> {
    let is_table = |line: &String| !line.starts_with("all flows");
    plain(record, width).lines().map(str::to_owned).take_while(is_table).collect()
}

#[track_caller]
fn check(record: &Record, width: usize, expected: &str) {
    let shown = plain(record, width);
    assert_eq!(shown, expected, "shown:\n{shown}");
}

#[test]
fn small_record_at_120_columns() {
    check(&small(), 120, include_str!("small-120.txt"));
}

#[test]
fn small_record_at_80_columns() {
    check(&small(), 80, include_str!("small-80.txt"));
}

#[test]
fn one_of_everything_at_80_columns() {
    check(&everything(), 80, include_str!("everything-80.txt"));
}

#[test]
fn what_is_not_known_is_never_0() {
    let unknown = Record { flows: vec![Flow { message_bytes: 1, ..Flow::default() }], ..Record::default() };
    let shown = plain(&unknown, 200);
    assert_eq!(
        shown.lines().take(12).collect::<Vec<_>>(),
        [
            "interrupted: it was ended early",
            "",
            "flow  from -> to  transport  message  offered load  goodput  sent  received  lost  loss  duplicate  reordered  unexplained",
            "-     - -> -      -              1 B             -        -     -         -     -     -          -          -            -",
            "",
            "all flows  offered load -, goodput -, wire rate -",
            "           - delivered in -, loss -, dropped at full receiving sockets -",
            "account    sent ? = received once ? + lost ? + unexplained ?",
            "           received ? = once ? + duplicate ? + stale ?; reordered ?, late ?",
            "cost       - CPU seconds per GB, at 200 Gbit/s this would take - cores",
            "",
            "run        -",
        ],
        "{shown}"
    );
    let without = shown.replace("200 Gbit/s", "").replace("seed 0", "");
    assert!(!without.contains('0'), "{shown}");
    assert_eq!(top(&Record::default(), 80), ["interrupted: it was ended early", "", "no flows", ""]);
}

#[test]
fn of_200_flows_the_ends_are_shown() {
    let mut flows: Vec<Flow> =
        (0..200).map(|index| flow(&format!("f/{index}"), "x", 1000 + index * 37 % 200, 0)).collect();
    flows[150].goodput_bits_per_s = None;
    let lines = top(&Record { flows, ..Record::default() }, 80);
    let names: Vec<&str> = lines[3..24].iter().filter_map(|line| line.split(' ').next()).collect();
    let slowest = ["f/150", "f/0", "f/173", "f/146", "f/119", "f/92", "f/65", "f/38", "f/11", "f/184"];
    assert_eq!(names[..10], slowest);
    assert_eq!(lines[13], "... 180 flows between the 10 slowest and the 10 fastest are left out");
    assert_eq!((names[11], names[20]), ("f/70", "f/27"));
}

#[test]
fn forty_flows_are_all_shown_in_their_order() {
    let flows: Vec<Flow> = (0..40).rev().map(|index| flow(&format!("f/{index}"), "x", 1000, 0)).collect();
    let lines = top(&Record { flows, ..Record::default() }, 80);
    assert_eq!(lines.iter().filter(|line| line.starts_with("f/")).count(), 40);
    assert!(lines[3].starts_with("f/39 ") && lines[42].starts_with("f/0 "), "{lines:#?}");
}

#[test]
fn a_message_unaccounted_for_is_never_out_of_sight() {
    for width in [40, 60, 80, 100, 120] {
        let mut record = small();
        record.flows[1].messages.unexplained = Some(-77);
        let shown = plain(&record, width);
        assert!(shown.contains("-77"), "{width}:\n{shown}");
    }
}

#[test]
fn names_that_look_alike_when_cut_are_not_said_to_be_the_same() {
    let names = ["daq-cluster-a-node-01", "daq-cluster-b-node-01"];
    let flows = names.map(|name| flow("f", name, 1_000_000_000_000_000, 500_000_000_000_000)).to_vec();
    let lines = top(&Record { flows, ..Record::default() }, 80);
    let said = lines.iter().skip(5).fold(String::new(), |said, line| said + line);
    assert!(said.contains("too wide for 80 columns: from -> to"), "{said}");
}

#[test]
fn the_verdict_says_what_it_is_about() {
    let mut record = small();
    record.caveats.clear();
    let mut first_line = |verdict, states: &[Option<bool>]| {
        record.verdict = verdict;
        let expectation = record.expectations.first().cloned().unwrap_or_default();
        record.expectations = states
            .iter()
            .map(|met| {
                let mut one = expectation.clone();
                one.met = *met;
                one
            })
            .collect();
        plain(&record, 80).lines().next().unwrap_or_default().to_owned()
    };
    let (yes, no) = (Some(true), Some(false));
    assert_eq!(first_line(Verdict::Good, &[yes, yes]), "good: every expectation was met");
    let partly = "good: no expectation was missed, 1 could not be measured";
    assert_eq!(first_line(Verdict::Good, &[yes, None]), partly);
    assert_eq!(first_line(Verdict::Good, &[]), "good: it ran to its end; nothing was expected");
    assert_eq!(first_line(Verdict::Missed, &[no, yes]), "missed: 1 of 2 expectations");
    assert_eq!(first_line(Verdict::Missed, &[]), "missed: an expectation was missed");
    let incomplete = "incomplete: a process died, a peer vanished, or nobody answered";
    assert_eq!(first_line(Verdict::Incomplete, &[]), incomplete);
    assert_eq!(first_line(Verdict::Interrupted, &[]), "interrupted: it was ended early");
}

#[test]
fn a_hostile_record_neither_escapes_nor_overflows() {
    for record in hostile() {
        for page_width in [0, 1, 39, 40, 41, 57, 80, 99, 120, 200, usize::MAX] {
            let shown = plain(&record, page_width);
            for line in shown.lines() {
                assert!(width(line) <= page_width.max(40), "{page_width}: {line}");
                assert!(!line.contains(char::is_control), "{line:?}");
                assert!(!line.contains(['\u{202e}', '\u{200b}', '\u{feff}', '\u{2028}']), "{line:?}");
            }
            assert!(shown.lines().count() < 1500, "a report that nobody can read");
        }
    }
}

#[test]
fn numbers_at_their_ends_keep_their_places() {
    let count = Some(u64::MAX);
    let messages = Messages {
        sent: count,
        unique: count,
        lost: count,
        unexplained: Some(i64::MIN),
        ..Messages::default()
    };
    let mut record = small();
    record.totals.messages = messages;
    let shown = plain(&record, 120);
    let law = "\
account    sent 18 446 744 073 709 551 615 = received once 18 446 744 073 709 551 615 + lost 18 446 744 073 709 551 615
           + unexplained -9 223 372 036 854 775 808
";
    assert!(shown.contains(law), "{shown}");
}
