//! Runs whose hosts are played by `incast agent`: as they should go, and with everything that goes wrong.
//!
//! The agents listen on ports that the kernel chooses, on this machine.

#[path = "support/account.rs"]
mod account;
#[path = "support/coordinator.rs"]
mod coordinator;

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

use incast_core::caveat::CaveatKind;
use incast_core::record::Verdict;
use rustix::process::Signal;

use account::{assert_all_explained, assert_law_1, flow};
use coordinator::{PATIENCE, Started, caveats, directory, incast, incast_in, scenario};

/// An agent that listens, and its `ADDRESS:PORT`.
fn agent(key: &str) -> (Started, String) {
    let words = ["agent", "--bind", "127.0.0.1:0", "--key-file", "run.key"];
    let started = incast_in(directory(&[("run.key", key)]), words);
    let address = started.word_after("waiting for coordinators on ");
    (started, address)
}

fn new_key() -> String {
    incast(["key"]).ends_with(0).stdout
}

/// `[[host]]` tables of hosts that agents play.
fn played_by(hosts: &[(&str, &str)]) -> String {
    hosts.iter().fold(String::new(), |mut text, (host, agent)| {
        let _ = writeln!(text, "[[host]]\nname = \"{host}\"\nagent = \"{agent}\"");
        text
    })
}

/// Who says nothing for so long is given up.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// The receiver is a process of the coordinator's machine, which agents reach by this address.
const SINK_HERE: &str = "[[host]]\nname = \"sink\"\naddress = \"127.0.0.1\"\n";

fn run_with(key: &str, scenario: &str) -> Started {
    let dir = directory(&[("scenario.toml", scenario), ("run.key", key)]);
    incast_in(dir, ["run", "scenario.toml", "--json", "--out", "out", "--key-file", "run.key"])
}

/// A run that cannot begin: exit 2, these words, nothing measured and nothing left.
fn refused(mut started: Started, words: &[&str]) {
    let ended = started.ends_with(2);
    ended.says(words);
    assert_eq!(ended.stdout, "");
    let runs = std::fs::read_dir(started.out()).map_or(0, Iterator::count);
    assert_eq!(runs, 0, "a run that could not begin leaves no directory");
    started.assert_nothing_left();
}

/// A port of this machine at which nobody listens.
fn closed_port() -> String {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
        .to_string()
}

#[test]
fn hosts_at_two_agents_and_here_make_one_record() {
    let key = new_key();
    let ((_first, one), (_second, two)) = (agent(&key), agent(&key));
    let hosts = [("at-one", "tcp"), ("at-two", "udp"), ("also-at-two", "tcp"), ("here", "udp")];
    let agents = played_by(&[("sink", &one), ("at-one", &one), ("at-two", &two), ("also-at-two", &two)]);
    let record = run_with(&key, &scenario(1, &hosts, &agents)).record(0);
    assert_eq!(record.verdict, Verdict::Good);
    assert_all_explained(&record);
    assert_eq!(record.flows.len(), 4);
    // Both agents are on this machine, which is one host.
    assert_eq!(record.agents.len(), 1, "{:?}", record.agents);
    assert_eq!(record.agents[0].kernel, record.host.kernel);
    assert!(record.totals.cpu.is_some());
}

#[test]
fn another_key_is_refused_and_told() {
    let key = new_key();
    let (mut started, address) = agent(&key);
    let text = scenario(1, &[("source", "tcp")], &played_by(&[("source", &address), ("sink", &address)]));
    let wrong = ["agent", address.as_str(), "--key-file"];
    refused(run_with(&new_key(), &text), &wrong);
    // Without any key, too.
    let no_key = incast_in(directory(&[("scenario.toml", &text)]), coordinator::RUN);
    refused(no_key, &wrong);
    assert!(started.is_running() && started.roles().is_empty());
}

#[test]
fn an_agent_that_is_not_there_is_named() {
    let address = closed_port();
    let text = scenario(1, &[("source", "tcp")], &played_by(&[("source", &address), ("sink", &address)]));
    refused(run_with(&new_key(), &text), &["agent", &address, "refused"]);
}

#[test]
fn what_is_no_agent_is_named() {
    // Somebody who takes the connection and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let text = scenario(1, &[("source", "tcp")], &played_by(&[("source", &address), ("sink", &address)]));
    refused(run_with(&new_key(), &text), &["agent", &address, "said nothing"]);
    // A server with the right key, which speaks something else over the same channel.
    let key = new_key();
    let words = ["serve", "--port", "0", "--key-file", "run.key"];
    let mut server = incast_in(directory(&[("run.key", &key)]), words);
    let address = server.word_after("listening on ");
    let text = scenario(1, &[("source", "tcp")], &played_by(&[("source", &address), ("sink", &address)]));
    refused(run_with(&key, &text), &["agent", &address]);
    server.signal(Signal::INT);
    server.ends_with(0);
}

#[test]
fn an_agent_killed_in_mid_run_costs_its_own_flows_only() {
    let key = new_key();
    let ((stays, one), (mut dies, two)) = (agent(&key), agent(&key));
    let hosts = [("at-one", "tcp"), ("at-two", "tcp"), ("also-at-two", "udp"), ("here", "udp")];
    let agents = played_by(&[("at-one", &one), ("at-two", &two), ("also-at-two", &two)]);
    let mut started = run_with(&key, &scenario(4, &hosts, &format!("{SINK_HERE}{agents}")));
    started.until_data_flows();
    assert_eq!((started.roles().len(), stays.roles().len(), dies.roles().len()), (2, 1, 2));
    dies.signal(Signal::KILL);
    assert!(dies.wait().was_killed());
    dies.assert_nothing_left();
    let record = started.record(1);
    assert_eq!(record.verdict, Verdict::Incomplete);
    assert_law_1(&record);
    let deaths = caveats(&record, CaveatKind::RoleDied);
    assert_eq!(deaths.len(), 2, "{:?}", record.caveats);
    for (host, died) in [("at-one", false), ("at-two", true), ("also-at-two", true), ("here", false)] {
        let flow = flow(&record, &format!("of-{host}"));
        assert_eq!(flow.complete, !died, "{host}");
        assert_eq!(flow.messages.unexplained, (!died).then_some(0), "{host}: {:?}", flow.messages);
        assert!(flow.messages.received.is_some_and(|received| received > 0), "{host}: {:?}", flow.messages);
        let told = deaths.iter().any(|death| {
            death.text.starts_with(&format!("the sender of of-{host}: ")) && death.text.contains(&two)
        });
        assert_eq!(told, died, "{host}: {deaths:?}");
    }
    stays.until("its roles are gone", PATIENCE, || stays.roles().is_empty().then_some(()));
}

#[test]
fn an_agent_outlives_a_killed_coordinator_and_serves_the_next() {
    let key = new_key();
    let (mut agent, address) = agent(&key);
    let text = |seconds| {
        scenario(
            seconds,
            &[("one", "tcp"), ("two", "udp")],
            &played_by(&[("sink", &address), ("one", &address)]),
        )
    };
    let mut started = run_with(&key, &text(50));
    started.until_data_flows();
    assert_eq!((agent.roles().len(), started.roles().len()), (2, 1));
    started.signal(Signal::KILL);
    assert!(started.wait().was_killed());
    agent.until("its roles are gone", Duration::from_secs(3), || agent.roles().is_empty().then_some(()));
    started.assert_nothing_left();
    assert!(agent.is_running());
    let record = run_with(&key, &text(1)).record(0);
    assert_all_explained(&record);
    agent.signal(Signal::INT);
    agent.ends_with(0);
    agent.assert_nothing_left();
}

#[test]
fn ctrl_c_at_an_agent_ends_its_roles_and_the_run_says_so() {
    let key = new_key();
    let (mut agent, address) = agent(&key);
    let text = scenario(50, &[("one", "udp")], &format!("{SINK_HERE}{}", played_by(&[("one", &address)])));
    let mut started = run_with(&key, &text);
    started.until_data_flows();
    agent.signal(Signal::INT);
    agent.ends_with(0);
    agent.assert_nothing_left();
    let record = started.record(1);
    assert_eq!(record.verdict, Verdict::Incomplete);
    assert!(
        caveats(&record, CaveatKind::RoleDied).iter().any(|death| death.text.contains(&address)),
        "{:?}",
        record.caveats
    );
}

#[test]
fn an_agent_serves_several_coordinators_at_once() {
    let key = new_key();
    let (mut agent, address) = agent(&key);
    let text =
        scenario(2, &[("one", "tcp"), ("two", "udp")], &played_by(&[("sink", &address), ("one", &address)]));
    let runs = [(); 3].map(|()| run_with(&key, &text));
    for mut started in runs {
        assert_all_explained(&started.record(0));
    }
    assert!(agent.is_running());
    agent.until("its roles are gone", PATIENCE, || agent.roles().is_empty().then_some(()));
}

#[test]
fn a_coordinator_that_hangs_loses_its_roles_at_the_agent() {
    let key = new_key();
    let (mut agent, address) = agent(&key);
    let text = scenario(50, &[("one", "udp")], &format!("{SINK_HERE}{}", played_by(&[("one", &address)])));
    let mut started = run_with(&key, &text);
    started.until_data_flows();
    started.signal(Signal::STOP);
    agent.until("its role is gone", SILENCE_MAX + PATIENCE, || agent.roles().is_empty().then_some(()));
    started.signal(Signal::CONT);
    let record = started.record(1);
    assert_eq!(record.verdict, Verdict::Incomplete);
    assert!(!caveats(&record, CaveatKind::RoleDied).is_empty());
    assert_law_1(&record);
    assert!(agent.is_running());
}

#[test]
fn an_agent_that_hangs_is_given_up_and_the_others_stand() {
    let key = new_key();
    let (agent, address) = agent(&key);
    let text = scenario(
        4,
        &[("one", "tcp"), ("here", "tcp")],
        &format!("{SINK_HERE}{}", played_by(&[("one", &address)])),
    );
    let mut started = run_with(&key, &text);
    started.until_data_flows();
    agent.signal(Signal::STOP);
    let record = started.record(1);
    assert_eq!(record.verdict, Verdict::Incomplete);
    assert_law_1(&record);
    assert!(flow(&record, "of-here").complete, "{:?}", record.caveats);
    let deaths = caveats(&record, CaveatKind::RoleDied);
    assert!(deaths.len() == 1 && deaths[0].text.starts_with("the sender of of-one: "), "{deaths:?}");
}

#[test]
fn rubbish_does_not_end_an_agent() {
    let key = new_key();
    let (mut agent, address) = agent(&key);
    let greeting = incast_core::wire::preface::CONTROL;
    let rubbish: [Vec<u8>; 7] = [
        Vec::new(),
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        greeting[..3].to_vec(),
        greeting.to_vec(),
        [&greeting[..], &[0xff; 2]].concat(),
        [&greeting[..], &[0, 48], &[7; 48]].concat(),
        vec![0; 1 << 20],
    ];
    let mut silent = Vec::new();
    for bytes in &rubbish {
        let mut connection = TcpStream::connect(&address).unwrap();
        // It may be turned away before it has said everything.
        let _ = connection.write_all(bytes).and_then(|()| connection.shutdown(Shutdown::Write));
        silent.push(TcpStream::connect(&address).unwrap());
    }
    let words = ["flood", &address, "--key-file", "run.key", "--messages", "1"];
    incast_in(directory(&[("run.key", &key)]), words).ends_with(2).says(&[&address]);
    let text = scenario(1, &[("one", "tcp")], &played_by(&[("sink", &address), ("one", &address)]));
    assert_all_explained(&run_with(&key, &text).record(0));
    assert!(agent.is_running());
    agent.until("it has told what it was told", PATIENCE, || {
        agent.stderr().contains("it spoke no incast").then_some(())
    });
    drop(silent);
}

#[test]
fn an_agent_whose_port_is_taken_says_so() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    incast(["agent", "--bind", &address]).ends_with(2).says(&["bind", &address, "in use"]);
}

#[test]
fn a_key_that_is_none_is_refused_with_its_place() {
    let dir = directory(&[("run.key", "not a key\n")]);
    incast_in(dir, ["agent", "--bind", "127.0.0.1:0", "--key-file", "run.key"])
        .ends_with(2)
        .says(&["run.key"]);
    incast(["agent", "--bind", "127.0.0.1:0", "--key-file", "nosuch.key"])
        .ends_with(2)
        .says(&["read key file nosuch.key: no such file or directory\n"]);
}
