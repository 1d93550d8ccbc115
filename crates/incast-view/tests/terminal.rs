//! Whole reports as a student sees them, and records that a report must survive.

mod records;

use incast_core::record::{Flow, Record};
use incast_view::terminal::show;
use incast_view::text::width;
use records::{everything, flow, hostile, small};

/// The report without its colours, as it goes to a file.
fn plain(record: &Record, width: usize) -> String {
    let coloured = show(record, width);
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

#[track_caller]
fn check(record: &Record, width: usize, expected: &str) {
    let shown = plain(record, width);
    assert_eq!(shown, expected.strip_prefix('\n').unwrap(), "shown:\n{shown}");
}

#[test]
fn small_record_at_120_columns() {
    check(&small(), 120, include_str!("small-120.txt"));
}
#[test]
fn dump() {
    println!("{}", plain(&small(), 120));
    println!("{}", plain(&small(), 80));
    println!("{}", plain(&everything(), 80));
    println!("{}", plain(&Record::default(), 80));
    println!("{}", plain(&Record { flows: vec![Flow::default(); 2], ..Record::default() }, 80));
    println!("{}", plain(&hostile()[0], 80));
    println!("{}", plain(&hostile()[3], 80));
    let many = Record {
        flows: (0..45).map(|i| flow(&format!("f/{i}"), "x", 1000 * (i * 7 % 45), 0)).collect(),
        ..Record::default()
    };
    println!("{}", plain(&many, 80));
    assert!(width("") == 0);
    println!("{}", show(&small(), 120));
}
