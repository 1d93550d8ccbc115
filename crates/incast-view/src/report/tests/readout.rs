//! Readouts on a page: one that went well, one of a bad day, policies side by side, hostile ones.

use incast_core::record::{Readout, ReadoutRole, Record};

use super::{assert_balanced, shown, star};
use crate::RecordAt;
use crate::report::html;
use readout_record::{badly, balance, hostile, named, well};

#[path = "../../../tests/support/readout_record.rs"]
mod readout_record;

fn side_by_side(records: &[&Record]) -> String {
    html(&records.iter().map(|record| RecordAt { place: "runs/a", record }).collect::<Vec<_>>())
}

fn check(page: &str, words: &[&str]) {
    assert_balanced(page);
    for words in words {
        assert!(page.contains(words), "{words} is missing in\n{page}");
    }
}

#[test]
fn everything_of_a_readout_is_there() {
    let page = shown(&badly());
    check(
        &page,
        &[
            "pull over mep-udp,",
            "32 events per packet,",
            "replay of OnlyHltBanks.mdf",
            "triggered 10 000</span> <span class=\"piece\">= stored 1 200",
            "+ residual -1",
            "all 10 000 events triggered",
            "those neither stored nor rejected alone, 1 287",
            "builder died",
            "ru-3",
            "An event counts for every source that it misses.",
            "taken for lost and found on disk 5, ended twice 2",
            "triggers refused 1 502",
            "from trigger to end",
            "6.912 ms",
            "The upright line is the fair share, 25.0 %",
            "only its last life is counted",
            "built 10 000, built 81.92 MB",
            "late 1 500, duplicate 3",
            "killed by signal 9; was silent for 15 s and was ended",
            "data/run17-calibration-0001.mdf",
            "events, thousand per second; shaded: the trigger was stopped",
            "payload built, MB/s",
            "held by builders",
            "bytes that builders hold, kB",
            "credits that policies hold",
            "the trigger was stopped: 1.500 s to 2.250 s",
        ],
    );
    // Four slices in two stretches, in each of five plots.
    assert_eq!(page.matches("class=\"shaded\"").count(), 10, "{page}");
}

#[test]
fn a_readout_without_flows_says_nothing_of_messages() {
    let page = shown(&well());
    check(&page, &["The readout", "Where the events went", "Over time", "Where it was made"]);
    for words in [
        "Nobody came",
        "All flows together",
        "Where the messages went",
        "goodput",
        "those neither",
        "shaded:",
    ] {
        assert!(!page.contains(words), "{words}:\n{page}");
    }
    assert!(!page.split_once("</style>").unwrap().1.contains("shaded"));
    // With flows it says both.
    let both = Record { readout: well().readout, ..star(2) };
    check(&shown(&both), &["Where the events went", "Where the messages went", "goodput of each flow"]);
}

#[test]
fn the_laws_are_there_when_nothing_happened() {
    let page = shown(&Record { readout: Some(Readout::default()), ..Record::default() });
    check(
        &page,
        &[
            "triggered 0</span>",
            "+ residual 0</span>",
            "none: no policy of this run gives any",
            "all 0 events",
        ],
    );
    assert!(!page.contains("NaN") && !page.contains("How the nodes shared") && !page.contains("Over time"));
}

#[test]
fn policies_stand_side_by_side_and_their_times_on_one_axis() {
    let records = balance();
    let page = side_by_side(&records.iter().collect::<Vec<_>>());
    check(
        &page,
        &[
            "3 records side by side",
            "href=\"#record-3\"",
            "How late the events were",
            "time from trigger to end, ms; the axis is logarithmic",
            "<b>1. round-robin</b>",
            "What the nodes decided, node by node",
            "<b>3. tokens</b>: 2 000 events/s",
            "equal shares make the others wait",
        ],
    );
    assert!(!page.contains("Flows in common") && !page.contains("Goodput of each record"), "{page}");
    // 2.5 s lies farther right than 31 ms, and none of nine bars is without length or beyond the end.
    let lengths: Vec<f64> = page
        .match_indices("class=\"late\"")
        .flat_map(|(at, _)| {
            let svg = page[at..].split_once("</svg>").unwrap().0;
            svg.split("<rect").skip(1).map(|rect| {
                let width = rect.split_once(" width=\"").unwrap().1.split_once('%').unwrap().0;
                width.parse::<f64>().unwrap()
            })
        })
        .collect();
    assert_eq!(lengths.len(), 9);
    assert!(lengths.iter().all(|length| *length > 0.0 && *length <= 100.0), "{lengths:?}");
    assert!(lengths[2] > lengths[8] + 20.0, "{lengths:?}");
}

#[test]
fn floods_and_readouts_stand_side_by_side() {
    let page = side_by_side(&[&star(2), &well(), &star(2)]);
    check(&page, &["How late the events were", "Flows in common", "Goodput of each record"]);
}

#[test]
fn of_many_roles_and_nodes_those_that_matter_are_not_folded() {
    let role = |index: u64| ReadoutRole {
        name: format!("n-{index}."),
        kind: "node".into(),
        lives: 1,
        counts: vec![named("decided", 1_000 - index)],
        ..ReadoutRole::default()
    };
    let mut roles: Vec<ReadoutRole> = (0..60).map(role).collect();
    roles[30].deaths = vec!["killed by signal 9".into()];
    let readout = Readout { roles, ..Readout::default() };
    let page = shown(&Record { readout: Some(readout), ..Record::default() });
    check(
        &page,
        &[
            "1 role of 60 died or counted faults.",
            "<summary>All 60 roles",
            "40 nodes between the 10 that decided least",
        ],
    );
    // Of those in the middle only the one that died stands outside of the fold.
    assert_eq!((page.matches("n-30.<").count(), page.matches("n-31.<").count()), (2, 1));
    assert_eq!(page.matches("n-59.<").count(), 2, "its share and its row");
}

#[test]
fn nothing_in_a_readout_becomes_markup_and_no_number_breaks_a_plot() {
    let text = "\"><script>alert(1)</script><img src=x onerror=alert(1)>'&\u{202e}\u{0}";
    for float in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, -1.0, 0.0, 5e-324, 1e-300] {
        for count in [0, 1, u64::MAX] {
            for text in [text, ""] {
                let record = hostile(text, float, count);
                let page = side_by_side(&[&record, &well(), &record]);
                assert_balanced(&page);
                let body = page.split_once("</style>").unwrap().1;
                for markup in
                    ["<script", "<img", "onerror=alert(1)>", "\u{202e}", "\u{0}", "NaN", "\"inf", ":inf"]
                {
                    assert!(!body.contains(markup), "{markup} with {float} and {count}");
                }
            }
        }
    }
}
