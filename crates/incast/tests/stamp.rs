//! `incast stamp` and `incast reflect` as people use them, over loopback. What they find of a path that delays and loses
//! is in `lab_stamp.rs`.

#[path = "support/program.rs"]
mod program;

use std::net::UdpSocket;

use incast_core::caveat::CaveatKind;
use incast_core::record::{Record, Verdict};
use program::{Program, write_key};
use serde_json::Value;

/// A reflector on a port that the kernel chooses.
fn reflect(args: &[&str]) -> (Program, String) {
    let mut reflector = Program::incast(["reflect", "--port", "0", "--json"].iter().chain(args));
    let address = address(&mut reflector);
    (reflector, address)
}

fn address(reflector: &mut Program) -> String {
    reflector.wait_for_line(|line| Some(line.strip_prefix("reflecting on ")?.split(' ').next()?.to_owned()))
}

fn stamp(address: &str, args: &[&str]) -> Record {
    let words = ["stamp", address, "--json", "--timeout", "10s"];
    Program::incast(words.iter().chain(args)).record()
}

/// Ends a reflector and gives what it says that it did.
fn counts(reflector: Program) -> Value {
    reflector.interrupt();
    let ended = reflector.finish();
    ended.expect_code(0);
    ended.json()
}

#[test]
fn every_test_over_loopback_is_answered_and_both_ends_agree() {
    let (reflector, address) = reflect(&[]);
    let record = stamp(&address, &["--count", "300", "--gap", "1ms", "--synchronised", "1us"]);
    let report = record.stamp.expect("a path was watched");
    assert_eq!((report.sent, report.answered, report.lost, report.duplicate), (300, 300, 0, 0));
    assert_eq!(
        (report.lost_forward, report.lost_backward, report.lost_way_unknown),
        (Some(0), Some(0), Some(0))
    );
    assert_eq!((report.kernel_stamps, report.time_to_live), (300, Some(64)));
    // One clock, stamped before departure and at arrival: no delay can be negative.
    let (there, back) = (report.forward.expect("known"), report.backward.expect("known"));
    assert!(there.ns_min > 0 && back.ns_min > 0, "{there:?} {back:?}");
    assert!(report.clock.offset_ns.expect("known").unsigned_abs() < 1_000_000_000);
    let windows: u64 = report.windows.iter().map(|window| window.sent).sum();
    assert_eq!(windows, 300, "windows sum to the whole");
    let counts = counts(reflector);
    assert_eq!(
        (&counts["received"], &counts["answered"], &counts["sessions"]),
        (&300.into(), &300.into(), &1.into())
    );
}

#[test]
fn a_reflector_on_all_addresses_answers_from_the_one_that_is_asked() {
    let (_reflector, address) = reflect(&["--bind", "0.0.0.0"]);
    let (_, port) = address.rsplit_once(':').expect("a port");
    // The route back to 127.0.0.1 leaves from 127.0.0.1; who asked 127.0.0.2 would not hear it.
    let report = stamp(&format!("127.0.0.2:{port}"), &["--count", "20"]).stamp.expect("a path was watched");
    assert_eq!((report.answered, report.lost), (20, 0));
}

#[test]
fn a_key_lets_in_those_who_have_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let (key, other) = (write_key(dir.path(), "key"), write_key(dir.path(), "other"));
    let (reflector, address) = reflect(&["--key-file", &key]);
    let report = stamp(&address, &["--count", "20", "--key-file", &key]).stamp.expect("a path was watched");
    assert!(report.authenticated && report.answered == 20, "{report:?}");
    for wrong in [&["--key-file", &other][..], &[]] {
        let words = ["stamp", &address, "--json", "--count", "3", "--timeout", "200ms"];
        let record = Program::incast(words.iter().chain(wrong)).finish().record(1);
        assert_eq!(record.verdict, Verdict::Incomplete);
        assert!(record.caveats.iter().any(|caveat| caveat.kind == CaveatKind::NobodyListens));
    }
    let counts = counts(reflector);
    assert_eq!(
        (&counts["answered"], &counts["not_authentic"], &counts["too_short"]),
        (&20.into(), &3.into(), &3.into())
    );
}

#[test]
fn a_limit_that_is_missed_is_said_in_each_line_and_by_the_exit_code() {
    let (_reflector, address) = reflect(&[]);
    let watched = |limit: &str, code: i32| {
        let words =
            ["stamp", &address, "--every", "200ms", "--duration", "600ms", "--json", "--limit", limit];
        let ended = Program::incast(words).finish();
        ended.expect_code(code);
        let lines: Vec<Value> =
            ended.stdout.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
        assert!(lines.len() >= 2, "{lines:?}");
        assert_eq!(lines.iter().filter_map(|line| line["sent"].as_u64()).sum::<u64>(), 60);
        lines.iter().map(|line| line["state"].as_str().expect("a state").to_owned()).collect::<Vec<_>>()
    };
    assert!(watched("round-trip=10s", 0).iter().all(|state| state == "good"));
    let states = watched("round-trip=1ns", 1);
    assert_eq!(states[0], "worse");
    assert!(states[1..].iter().all(|state| state == "bad"), "{states:?}");
}

#[test]
fn rubbish_is_counted_and_answered_by_nothing_longer_than_itself() {
    let (reflector, address) = reflect(&[]);
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.connect(&address).expect("connect");
    socket.set_read_timeout(Some(program::PATIENCE)).expect("a timeout");
    let (mut answer, mut answered) = ([0; 2_000], 0);
    for bytes in [0, 1, 13, 40, 41, 44, 60, 61, 1_400] {
        socket.send(&vec![0xff; bytes]).expect("send");
        if bytes >= 41 {
            let came = socket.recv(&mut answer).expect("an answer");
            assert_eq!(came, bytes);
            answered += 1;
        }
    }
    let counts = counts(reflector);
    assert_eq!((&counts["answered"], &counts["too_short"]), (&answered.into(), &4.into()), "{counts}");
}

#[test]
fn what_cannot_be_asked_is_refused_with_advice() {
    for (words, said) in [
        (&["stamp", "127.0.0.1", "--gap", "1us"][..], "a gap of 1us"),
        (&["stamp", "127.0.0.1", "--size", "20B"], "a test of 20 B"),
        (&["stamp", "127.0.0.1", "--limit", "delay=1ms"], "allowed: loss, round-trip"),
        (&["stamp", "127.0.0.1", "--gap", "1ms", "--timeout", "1h"], "a time-out of"),
        (
            &["stamp", "127.0.0.1", "--gap", "1s", "--every", "10ms", "--count", "1", "--timeout", "0s"],
            "a time-out of 0s",
        ),
    ] {
        let ended = Program::incast(words).finish();
        ended.expect_code(2);
        assert!(ended.stderr.contains(said), "{words:?}: {}", ended.stderr);
    }
}
