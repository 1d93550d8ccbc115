//! Readouts whose roles are played by agents, on this machine.

#[path = "support/coordinator.rs"]
mod coordinator;
#[path = "support/readout.rs"]
mod support;

use coordinator::{Started, directory, incast, incast_in};
use incast_core::record::Verdict;
use rustix::process::Signal;
use support::{System, assert_account, readout, role, run_dir, runs_well, until_state};

/// An agent that listens, and its `ADDRESS:PORT`.
fn agent(key: &str) -> (Started, String) {
    let words = ["agent", "--bind", "127.0.0.1:0", "--key-file", "run.key"];
    let started = incast_in(directory(&[("run.key", key)]), words);
    let address = started.word_after("waiting for coordinators on ");
    (started, address)
}

/// Sources at the first agent, nodes at the second, all else here.
fn start(key: &str, [sources, nodes]: [&str; 2], system: System<'_>) -> Started {
    let source = format!("{}\nhost = \"pit\"", system.source);
    let node = format!("{}\nhost = \"farm\"", system.node);
    let [trigger, builder, sink] =
        [system.trigger, system.builder, system.sink].map(|table| format!("{table}\nhost = \"here\""));
    let hosts = format!(
        "{}\n[[host]]\nname = \"pit\"\nagent = \"{sources}\"\n[[host]]\nname = \"farm\"\nagent = \"{nodes}\"\n\
         [[host]]\nname = \"here\"\naddress = \"127.0.0.1\"",
        system.more
    );
    let system = System {
        trigger: &trigger,
        source: &source,
        builder: &builder,
        node: &node,
        sink: &sink,
        more: &hosts,
        ..system
    };
    let dir = directory(&[("scenario.toml", &system.text()), ("run.key", key)]);
    incast_in(dir, ["run", "scenario.toml", "--json", "--out", "out", "--key-file", "run.key"])
}

#[test]
fn roles_at_two_agents_and_here_are_one_readout() {
    let key = incast(["key"]).ends_with(0).stdout;
    let ((pit, one), (farm, two)) = (agent(&key), agent(&key));
    let mut started = start(&key, [&one, &two], System::default());
    let (record, _) = runs_well(&mut started);
    assert_eq!(role(&record, "source-1").host.as_deref(), Some("pit"));
    assert_eq!(role(&record, "node-2").host.as_deref(), Some("farm"));
    for agent in [pit, farm] {
        agent.until("its roles have ended", coordinator::PATIENCE, || agent.roles().is_empty().then_some(()));
    }
}

#[test]
fn a_node_killed_at_its_agent_is_started_there_again() {
    let key = incast(["key"]).ends_with(0).stdout;
    let ((_pit, one), (farm, two)) = (agent(&key), agent(&key));
    let system = System {
        node: "count = 2\ntime = \"1ms\"",
        duration: "2s",
        more: "[[fault]]\nrole = \"node-1\"\nwhat = \"kill\"\nat = \"500ms\"\nfor = \"100ms\"",
        ..System::default()
    };
    let mut started = start(&key, [&one, &two], system);
    let record = started.record(0);
    assert_account(&record, &run_dir(&started));
    assert_eq!(role(&record, "node-1").lives, 2);
    assert_eq!(readout(&record).events.lost, 0);
    assert_eq!(readout(&record).events.stored, readout(&record).events.triggered);
    farm.until("its roles have ended", coordinator::PATIENCE, || farm.roles().is_empty().then_some(()));
}

#[test]
fn an_agent_that_dies_takes_its_roles_and_the_run_ends_with_a_verdict() {
    let key = incast(["key"]).ends_with(0).stdout;
    let ((_pit, one), (mut farm, two)) = (agent(&key), agent(&key));
    let system = System { duration: "3s", readout: "drain = \"2s\"", ..System::default() };
    let mut started = start(&key, [&one, &two], system);
    until_state(&started, "running");
    farm.signal(Signal::KILL);
    assert!(farm.wait().was_killed());
    farm.assert_nothing_left();
    let ended = started.wait();
    let record = started.record(ended.status.code().expect("it ended by itself"));
    assert_account(&record, &run_dir(&started));
    assert!(matches!(record.verdict, Verdict::Incomplete | Verdict::Good), "{:?}", record.verdict);
    assert!(!role(&record, "node-1").deaths.is_empty() && !role(&record, "node-2").deaths.is_empty());
}
