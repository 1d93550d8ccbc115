//! Processes of a run that die, hang or are told to stop: the others' accounts stand, and nothing is left.
//!
//! Each run is left alone until messages move in every flow, so that what follows happens in its
//! midst. Which flow a process plays is learned from the record, not assumed.

#[path = "support/account.rs"]
mod account;
#[path = "support/coordinator.rs"]
mod coordinator;

use std::time::{Duration, Instant};

use incast_core::caveat::CaveatKind;
use incast_core::record::{Flow, Record, Verdict};
use rustix::process::Signal;

use account::{assert_all_explained, assert_law_1};
use coordinator::{Process, Started, caveats, read_record, run, scenario, until};

const TCP_AND_UDP: [(&str, &str); 4] = [("one", "tcp"), ("two", "tcp"), ("three", "udp"), ("four", "udp")];
/// Long enough to be caught in its midst on a busy machine, when it must end by itself afterwards.
const SHORT_S: u32 = 4;
/// Never reached: the run is ended before.
const LONG_S: u32 = 50;
/// A role that says nothing for so long is ended.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// A run of the given flows in its midst.
fn under_way(seconds: u32, hosts: &[(&str, &str)]) -> Started {
    let started = run(&scenario(seconds, hosts, ""));
    started.until_data_flows();
    assert_eq!((started.receivers().len(), started.senders().len()), (1, hosts.len()));
    started
}

/// The one death that the record tells of: what died, and how.
fn only_death(record: &Record) -> (String, String) {
    let deaths = caveats(record, CaveatKind::RoleDied);
    assert_eq!(deaths.len(), 1, "{:?}", record.caveats);
    let (who, how) = deaths[0].text.split_once(": ").expect("who, and how");
    (who.to_owned(), how.to_owned())
}

/// Asserts that the flow of the sender that died is incomplete, and that all others are whole.
fn assert_only_its_flow_suffers(record: &Record, hosts: &[(&str, &str)], died: &str) {
    assert_law_1(record);
    let name = died.strip_prefix("the sender of ").unwrap_or_else(|| panic!("{died} is no sender"));
    let (lame, whole): (Vec<&Flow>, Vec<&Flow>) = record.flows.iter().partition(|flow| flow.name == name);
    assert_eq!((lame.len(), whole.len()), (1, hosts.len() - 1), "{died}");
    assert!(!lame[0].complete, "{:?}", lame[0]);
    assert!(lame[0].messages.received.is_some_and(|received| received > 0), "{:?}", lame[0].messages);
    assert_eq!(
        (lame[0].messages.sent, lame[0].messages.unexplained),
        (None, None),
        "its total was never told"
    );
    for flow in whole {
        assert!(flow.complete, "{}: {:?}", flow.name, record.caveats);
        assert_eq!(flow.messages.unexplained, Some(0), "{}: {:?}", flow.name, flow.messages);
    }
}

fn sender_killed(hosts: &[(&str, &str)]) {
    let mut started = under_way(SHORT_S, hosts);
    started.senders()[1].signal(Signal::KILL);
    let record = started.record(1);
    assert_eq!(record.verdict, Verdict::Incomplete);
    let (who, how) = only_death(&record);
    assert_eq!(how, "was killed by signal 9");
    assert_only_its_flow_suffers(&record, hosts, &who);
}

#[test]
fn a_killed_tcp_sender_costs_its_own_flow_only() {
    sender_killed(&[("one", "tcp"), ("two", "tcp"), ("three", "tcp")]);
}

#[test]
fn a_killed_udp_sender_costs_its_own_flow_only() {
    sender_killed(&[("one", "udp"), ("two", "udp"), ("three", "udp")]);
}

#[test]
fn a_killed_receiver_ends_its_senders_with_what_they_know() {
    let mut started = under_way(LONG_S, &TCP_AND_UDP);
    started.receivers()[0].signal(Signal::KILL);
    let record = started.record(1);
    assert_eq!(record.verdict, Verdict::Incomplete);
    assert_eq!(only_death(&record), ("the receiver on sink".into(), "was killed by signal 9".into()));
    assert_law_1(&record);
    for flow in &record.flows {
        assert!(!flow.complete, "{flow:?}");
        assert!(flow.messages.sent.is_some_and(|sent| sent > 0), "{}: {:?}", flow.name, flow.messages);
        assert_eq!(
            (flow.messages.received, flow.goodput_bits_per_s),
            (None, None),
            "{}: nobody can tell",
            flow.name
        );
    }
}

#[test]
fn a_stopped_sender_is_noticed_ended_and_reaped() {
    let hosts = [("one", "tcp"), ("two", "udp"), ("three", "udp")];
    let mut started = under_way(SHORT_S, &hosts);
    started.senders()[2].signal(Signal::STOP);
    // Its silence, what the others still have to say, and what a busy machine needs for it.
    let _ = started.wait_within(SILENCE_MAX + Duration::from_secs(20));
    let record = started.record(1);
    assert_eq!(record.verdict, Verdict::Incomplete);
    let (who, how) = only_death(&record);
    assert_eq!(how, "said nothing for 10 s and was ended");
    assert_only_its_flow_suffers(&record, &hosts, &who);
}

#[test]
fn a_killed_coordinator_takes_its_roles_along_and_leaves_a_record() {
    let mut started = under_way(LONG_S, &TCP_AND_UDP);
    let roles = started.roles();
    started.signal(Signal::KILL);
    let ended = started.wait();
    assert!(ended.was_killed() && ended.stdout.is_empty(), "{ended:?}");
    started.until("its roles are gone", Duration::from_secs(3), || {
        roles.iter().all(|role| !role.is_alive()).then_some(())
    });
    started.assert_nothing_left();
    let records = started.records();
    assert_eq!(records.len(), 1);
    let record = read_record(&records[0]);
    assert_eq!(record.verdict, Verdict::Interrupted);
    assert_eq!(record.flows.len(), TCP_AND_UDP.len());
    for flow in &record.flows {
        let messages = &flow.messages;
        assert!(messages.received.is_some_and(|received| received > 0) && !flow.complete, "{flow:?}");
        assert_eq!(
            messages.received,
            sum([messages.unique, messages.duplicate, messages.stale]),
            "{messages:?}"
        );
        assert_eq!(messages.unexplained, None, "what is under way is not lost yet");
    }
    assert!(!caveats(&record, CaveatKind::Interrupted).is_empty());
}

fn sum(counts: [Option<u64>; 3]) -> Option<u64> {
    counts.into_iter().sum()
}

fn asked_to_end(signal: Signal) {
    let mut started = under_way(LONG_S, &TCP_AND_UDP);
    started.signal(signal);
    let record = started.record(1);
    assert_eq!(record.verdict, Verdict::Interrupted);
    assert_all_explained(&record);
    assert!(!caveats(&record, CaveatKind::Interrupted).is_empty());
    assert!(caveats(&record, CaveatKind::RoleDied).is_empty(), "{:?}", record.caveats);
}

#[test]
fn ctrl_c_closes_every_account() {
    asked_to_end(Signal::INT);
}

#[test]
fn being_asked_to_terminate_is_like_ctrl_c() {
    asked_to_end(Signal::TERM);
}

#[test]
fn who_presses_ctrl_c_again_does_not_wait_for_a_role_that_hangs() {
    let mut started = under_way(LONG_S, &[("one", "tcp"), ("two", "udp")]);
    let stuck: Process = started.senders()[0];
    stuck.signal(Signal::STOP);
    // Two signals that come at once may count as one: it is pressed until it helps.
    let patience = SILENCE_MAX / 2;
    started.signal(Signal::INT);
    let mut presses = 1;
    until(patience, || {
        started.signal(Signal::INT);
        presses += 1;
        (!started.is_running()).then_some(())
    });
    assert!(!started.is_running(), "pressed {presses} times in {patience:?}; it said:\n{}", started.stderr());
    let record = started.record(1);
    assert_eq!(record.verdict, Verdict::Interrupted);
    assert!(!stuck.is_alive());
}

/// Runs a scenario and sends the signal at many moments: while roles start, while they get ready, after.
fn at_any_moment(signal: Signal) -> Vec<Started> {
    let text = scenario(LONG_S, &TCP_AND_UDP, "");
    let moments = [0, 2, 4, 6, 8, 12, 16, 24, 32, 64, 128, 256].map(Duration::from_millis);
    let signalled = |moment: Duration| {
        let mut started = run(&text);
        let start = Instant::now();
        until(moment * 2, || (start.elapsed() >= moment).then_some(()));
        started.signal(signal);
        started.wait();
        started.assert_nothing_left();
        started
    };
    moments.into_iter().map(signalled).collect()
}

#[test]
fn ctrl_c_at_any_moment_leaves_no_process_and_no_empty_directory() {
    for mut started in at_any_moment(Signal::INT) {
        let ended = started.wait();
        let runs = std::fs::read_dir(started.out()).map_or(0, Iterator::count);
        match ended.status.code() {
            Some(1) => assert_eq!(started.record(1).verdict, Verdict::Interrupted),
            Some(2) => assert_eq!(runs, 0, "what was not measured leaves nothing"),
            // It was not listening yet.
            _ => assert!(ended.was_killed() && runs == 0, "{ended:?}"),
        }
    }
}

#[test]
fn a_coordinator_killed_at_any_moment_leaves_no_process_and_no_half_record() {
    for started in at_any_moment(Signal::KILL) {
        assert!(started.records().iter().all(|text| read_record(text).verdict == Verdict::Interrupted));
    }
}
