//! STAMP against the binary of another implementation, `stamp-suite` 1.0.0, over real sockets and both ways round:
//! open and authenticated, both formats of timestamps, extensions, counts.
//!
//! `cargo xtask test` builds it from the package registry, below the target directory. In CI these tests fail without it; elsewhere
//! they say so and pass.

#[path = "support/program.rs"]
mod program;

use std::fs;
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use incast_core::record::{StampReport, Verdict};
use program::{Program, say_not_run};
use serde_json::Value;

/// Where `cargo xtask test` puts it; the version is in the name, so that another one is not taken for it.
const PLACE: &str = "test-stamp-suite-1.0.0/bin/stamp-suite";

fn stamp_suite() -> Option<PathBuf> {
    let program = Path::new(env!("CARGO_BIN_EXE_incast"));
    // The program lies in `debug` or `release` of the target directory.
    let found = program.ancestors().map(|dir| dir.join(PLACE)).find(|candidate| candidate.is_file());
    assert!(
        found.is_some() || std::env::var_os("CI").is_none(),
        "tests against stamp-suite need it (`cargo xtask test` builds it), and CI must run them"
    );
    if found.is_none() {
        say_not_run("a test against stamp-suite needs it (`cargo xtask test` builds it)");
    }
    found
}

/// Starts a reflector of theirs on a port that is free, and waits until it listens.
fn their_reflector(suite: &Path, args: &[&str]) -> (Program, String) {
    let free = UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port");
    let mut command = Command::new(suite);
    let port = free.port().to_string();
    command.args(["--is-reflector", "--local-addr", "127.0.0.1", "--local-port", &port]).args(args);
    command.env_remove("RUST_LOG");
    let mut reflector = Program::start(command);
    reflector.wait_for_line(|line| line.contains("Reflector listening on").then_some(()));
    (reflector, free.to_string())
}

fn watch(reflector: &str, args: &[&str]) -> StampReport {
    let words = ["stamp", reflector, "--json", "--count", "50", "--gap", "5ms", "--timeout", "5s"];
    let record = Program::incast(words.iter().chain(args)).record();
    assert_eq!(record.verdict, Verdict::Good);
    let report = record.stamp.expect("a path was watched");
    assert_eq!((report.sent, report.answered, report.lost), (50, 50, 0), "{report:?}");
    assert_eq!((report.duplicate, report.faults.len()), (0, 0), "{report:?}");
    assert_eq!(report.round_trip.as_ref().map(|spread| spread.samples), Some(50));
    assert!(report.round_trip.as_ref().is_some_and(|spread| spread.ns_min > 0), "{report:?}");
    report
}

/// One machine has one clock: its offset from itself is nothing, within the error bar.
fn assert_one_clock(report: &StampReport) {
    let (offset, error) = (report.clock.offset_ns.expect("known"), report.clock.error_ns.expect("known"));
    assert!(offset.unsigned_abs() <= error, "{:?}", report.clock);
}

#[test]
fn our_sender_understands_their_reflector() {
    let Some(suite) = stamp_suite() else { return };
    let (stateful, address) = their_reflector(&suite, &["--stateful-reflector"]);
    let report = watch(&address, &["--size", "200B"]);
    assert_one_clock(&report);
    assert_eq!(report.reflector_counts.as_deref(), Some("counters"), "Direct Measurement of RFC 8972");
    assert_eq!(
        (report.lost_forward, report.lost_backward, report.time_to_live),
        (Some(0), Some(0), Some(64))
    );
    // Whatever the format of their own stamps is said to be, it is read from the packet.
    assert_one_clock(&watch(&address, &["--timestamps", "ptp"]));
    assert_one_clock(&watch(&address, &["--plain", "--size", "44B"]));
    drop(stateful);
    let (_stateless, address) = their_reflector(&suite, &["--clock-source", "PTP"]);
    assert_one_clock(&watch(&address, &[]));
}

#[test]
fn our_sender_and_their_reflector_prove_themselves_to_each_other() {
    let Some(suite) = stamp_suite() else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let (key, other) = (key_file(dir.path(), "key"), key_file(dir.path(), "other"));
    let (_reflector, address) = their_reflector(
        &suite,
        &["-A", "A", "--hmac-key-file", &key, "--stateful-reflector", "--verify-tlv-hmac"],
    );
    let report = watch(&address, &["--key-file", &key]);
    assert!(report.authenticated);
    assert_eq!(report.reflector_counts.as_deref(), Some("counters"), "its HMAC of the extensions was taken");
    let words = ["stamp", &address, "--json", "--count", "5", "--timeout", "200ms", "--key-file", &other];
    let record = Program::incast(words).finish().record(1);
    assert_eq!(record.stamp.map(|report| report.answered), Some(0));
    assert_eq!(record.verdict, Verdict::Incomplete);
}

#[test]
fn their_sender_understands_our_reflector() {
    let Some(suite) = stamp_suite() else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let key = key_file(dir.path(), "key");
    for (ours, theirs) in [
        (&[][..], &["--direct-measurement", "--ssid", "7", "--extra-padding", "100"][..]),
        (&["--stateless"], &["-K", "PTP"]),
        (&["--key-file", &key], &["-A", "A", "--hmac-key-file", &key, "--direct-measurement"]),
    ] {
        let words = ["reflect", "--port", "0", "--json"];
        let mut reflector = Program::incast(words.iter().chain(ours));
        let port = reflector.wait_for_line(|line| {
            line.strip_prefix("reflecting on 127.0.0.1:")?.split(' ').next()?.parse::<u16>().ok()
        });
        let mut command = Command::new(&suite);
        command.args([
            "-r",
            "127.0.0.1",
            "-p",
            &port.to_string(),
            "-c",
            "30",
            "-d",
            "5",
            "--output-format",
            "json",
        ]);
        let sender = Program::start({
            command.args(theirs);
            command
        });
        let ended = sender.finish();
        ended.expect_code(0);
        let said: Value =
            serde_json::from_str(ended.stdout.lines().last().expect("a summary")).expect("JSON");
        assert_eq!(
            (&said["packets_sent"], &said["packets_lost"]),
            (&30.into(), &0.into()),
            "{theirs:?}: {said}"
        );
        let measured = &said["measurements"];
        assert_eq!(measured["tlv_validation"]["rejected_replies"], 0, "{theirs:?}: {said}");
        assert_eq!(measured["tlv_validation"]["flags"]["malformed"], 0, "{theirs:?}: {said}");
        if theirs.contains(&"--direct-measurement") {
            let direct = &measured["direct_measurement"];
            assert_eq!(
                (&direct["forward_missing"], &direct["reverse_missing"]),
                (&0.into(), &0.into()),
                "{said}"
            );
            assert_eq!(measured["tlv_validation"]["flags"]["unrecognized"], 0, "{theirs:?}: {said}");
            let proofs = &measured["tlv_validation"]["hmac"];
            let keyed = !ours.is_empty();
            assert_eq!(proofs["verified"], if keyed { 30 } else { 0 }, "{said}");
        }
        reflector.interrupt();
        let told = reflector.finish();
        told.expect_code(0);
        assert_eq!(
            (&told.json()["received"], &told.json()["answered"]),
            (&30.into(), &30.into()),
            "{theirs:?}"
        );
    }
}

/// A key of `incast key`, readable by its owner alone: theirs takes no other.
fn key_file(dir: &Path, name: &str) -> String {
    let path = program::write_key(dir, name);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).expect("set its mode");
    path
}
