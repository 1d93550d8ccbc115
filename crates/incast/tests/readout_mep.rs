//! Whole readouts whose fragments travel as LHCb's packets, and whose builders ask the trigger with LHCb's
//! requests: over UDP, raw IP and TCP.

#[path = "support/coordinator.rs"]
mod coordinator;

use incast_core::record::{ReadoutRole, Record, Verdict};
use incast_core::wire::mep_request::IP_PROTOCOL;
use socket2::{Domain, Protocol, Socket, Type};

use coordinator::run;

/// Two builders that ask by tokens; each kind of role has its host, if there are any.
fn scenario(carrier: &str, hosts: &[String]) -> String {
    let tables: String = hosts
        .iter()
        .enumerate()
        .map(|(index, address)| format!("[[host]]\nname = \"h{index}\"\naddress = \"{address}\"\n"))
        .collect();
    let on = |index: usize| {
        if hosts.is_empty() { String::new() } else { format!("host = \"h{index}\"\n") }
    };
    let [trigger, source, one, two, node, sink] = [0, 1, 2, 3, 4, 5].map(on);
    format!(
        "incast = 1\nname = \"mep\"\nseed = 3\ninterval = \"100ms\"\nduration = \"20s\"\n{tables}\
         [readout]\nfragments_over = \"{carrier}\"\npacking = 10\n\
         [trigger]\n{trigger}load = \"2kHz\"\npolicy = \"tokens\"\nevents = 2000\n\
         [[source]]\n{source}name = \"ru\"\ncount = 3\nfragment = \"100B..2KiB\"\n\
         [[builder]]\n{one}name = \"one\"\n[[builder]]\n{two}name = \"two\"\n\
         [[node]]\n{node}name = \"farm\"\ncount = 2\naccept = 0.5\n\
         [[sink]]\n{sink}"
    )
}

fn count(role: &ReadoutRole, name: &str) -> u64 {
    role.counts.iter().find(|counted| counted.name == name).map_or(0, |counted| counted.count)
}

/// Every event ended well, every credit is accounted for, and all of them were asked for by requests.
fn check(record: &Record, carrier: &str) {
    let readout = record.readout.as_ref().expect("it was a readout");
    let events = &readout.events;
    assert_eq!((record.verdict, readout.carrier.as_str()), (Verdict::Good, carrier));
    assert_eq!((events.triggered, events.residual, events.in_flight), (2000, 0, 0));
    assert_eq!((events.incomplete, events.lost, events.stored + events.rejected), (0, 0, 2000));
    let credits = readout.credits.as_ref().expect("the policy has credits");
    assert_eq!((credits.residual, credits.spent, credits.expired), (0, 200, 0));
    assert_eq!(credits.granted, credits.spent + credits.held);
    for role in &readout.roles {
        assert!(role.faults.is_empty(), "{}: {:?}", role.name, role.faults);
    }
    let of = |kind: &str, name: &str| {
        readout.roles.iter().filter(|role| role.kind == kind).map(|role| count(role, name)).sum::<u64>()
    };
    let asked = "requests for packets";
    assert!(of("builder", asked) >= of("trigger", asked), "what is on its way at the end is not taken");
    assert_eq!(of("trigger", asked), credits.granted);
    assert_eq!(of("trigger", "requests that take back earlier ones"), 2, "one of each builder, at its start");
}

#[test]
fn over_tcp_every_event_and_credit_is_accounted_for() {
    check(&run(&scenario("mep-tcp", &[])).record(0), "mep-tcp");
}

#[test]
fn over_udp_every_event_and_credit_is_accounted_for() {
    check(&run(&scenario("mep-udp", &[])).record(0), "mep-udp");
}

#[test]
fn over_ip_every_event_and_credit_is_accounted_for() {
    if may_open_raw_sockets() {
        // Every socket of an address gets what is sent to it: builders and trigger have one each, of this process.
        let [low, high, ..] = std::process::id().to_le_bytes();
        let hosts = [1, 2, 3, 4, 5, 6].map(|host| format!("127.{}.{low}.{}", 64 | (high & 63), 200 + host));
        check(&run(&scenario("mep-ip", &hosts)).record(0), "mep-ip");
    }
}

/// Raw sockets need root. Where the tests run without it this says so; it must not be so where it counts.
fn may_open_raw_sockets() -> bool {
    let protocol = Protocol::from(i32::from(IP_PROTOCOL));
    if Socket::new(Domain::IPV4, Type::RAW, Some(protocol)).is_ok() {
        return true;
    }
    assert!(std::env::var_os("CI").is_none(), "tests of raw IP need CAP_NET_RAW, and have to run in CI");
    eprintln!("NOT TESTED: raw IP needs CAP_NET_RAW");
    false
}
