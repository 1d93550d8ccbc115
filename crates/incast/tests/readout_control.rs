//! Readouts that people control: `incast control`, Ctrl-C, scenarios that cannot be played, and strangers
//! who talk to the ports of a run.

#[path = "support/coordinator.rs"]
mod coordinator;
#[path = "support/readout.rs"]
mod support;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use coordinator::{PATIENCE, Started, caveats, incast, until};
use incast_core::caveat::CaveatKind;
use incast_core::readout::{BuilderId, Incarnation, Peer, RunNumber, SourceId};
use incast_core::record::Verdict;
use incast_net::key::Key;
use incast_net::readout::{FragmentCarrier, Mesh, MeshPlan};
use rustix::process::Signal;
use support::{
    System, assert_account, count, processes, readout, role, run_dir, said_by_control, until_state,
};

/// A run that nobody would wait for.
const LONG: &str = "60s";

fn say(dir: &Path, command: &str) -> String {
    said_by_control(dir, command).unwrap_or_else(|| panic!("incast control {command} failed"))
}

/// Waits until the status has this word in front.
fn until_status(started: &Started, dir: &Path, state: &str) -> String {
    started.until(&format!("status {state}"), PATIENCE, || {
        Some(say(dir, "status")).filter(|said| said.starts_with(state))
    })
}

#[test]
fn a_run_is_paused_resumed_and_stopped_over_its_control_connection() {
    let mut started = System { duration: LONG, ..System::default() }.start();
    let dir = until_state(&started, "running");
    say(&dir, "pause");
    until_status(&started, &dir, "paused");
    // To pause what is paused changes nothing.
    say(&dir, "pause");
    until(Duration::from_millis(500), || None::<()>);
    say(&dir, "resume");
    until_status(&started, &dir, "running");
    until(Duration::from_millis(300), || None::<()>);
    say(&dir, "stop");
    let record = started.record(0);
    assert_account(&record, &dir);
    let readout = readout(&record);
    let states: Vec<&str> = readout.states.iter().map(|state| state.state.as_str()).collect();
    assert_eq!(
        states,
        ["idle", "configured", "armed", "running", "paused", "running", "draining", "stopped"]
    );
    assert!(readout.dead_time.pause_s >= 0.4, "{:?}", readout.dead_time);
    assert!(
        readout.dead_time.refused_triggers.is_some_and(|refused| refused > 300),
        "{:?}",
        readout.dead_time
    );
    assert_eq!((readout.events.lost, readout.events.incomplete), (0, 0));
    let [paused, resumed] = ["paused", "draining"].map(|wanted| {
        readout.states.iter().find(|state| state.state == wanted).expect("it was entered").at_s
    });
    assert!(resumed > paused + 0.5);
    assert!(!dir.join("control.json").exists(), "who ended listens to nobody");
}

#[test]
fn a_paused_run_can_be_stopped() {
    let mut started = System { duration: LONG, ..System::default() }.start();
    let dir = until_state(&started, "running");
    say(&dir, "pause");
    until_status(&started, &dir, "paused");
    say(&dir, "stop");
    let record = started.record(0);
    assert_account(&record, &dir);
    assert_eq!(readout(&record).events.lost, 0);
}

#[test]
fn who_controls_what_is_no_run_is_told() {
    let dir = coordinator::directory(&[]);
    let ended = incast([Path::new("control"), dir.path(), Path::new("status")]).ends_with(2);
    ended.says(&["control.json", "is this the directory of a readout run"]);
    // A run that was killed leaves its door, behind which nobody is.
    let mut started = System { duration: LONG, ..System::default() }.start();
    let dir = until_state(&started, "running");
    started.signal(Signal::KILL);
    started.wait();
    incast([Path::new("control"), dir.as_path(), Path::new("stop")]).ends_with(2).says(&["reach the run at"]);
}

#[test]
fn ctrl_c_drains_the_run_and_closes_its_account() {
    let mut started = System { duration: LONG, ..System::default() }.start();
    let dir = until_state(&started, "running");
    started.signal(Signal::INT);
    let record = started.record(1);
    assert_eq!(record.verdict, Verdict::Interrupted);
    assert_account(&record, &dir);
    assert_eq!(readout(&record).events.lost, 0, "what was under way is finished");
    assert!(!caveats(&record, CaveatKind::Interrupted).is_empty());
}

#[test]
fn ctrl_c_twice_ends_at_once_with_an_account_and_nothing_left() {
    // A node that never answers in time: draining would take long.
    let system = System {
        duration: LONG,
        node: "count = 2\ntime = \"30s\"",
        readout: "drain = \"50s\"",
        ..System::default()
    };
    let mut started = system.start();
    let dir = until_state(&started, "running");
    let patience = Duration::from_secs(15);
    let mut presses = 0;
    until(patience, || {
        started.signal(Signal::INT);
        presses += 1;
        (!started.is_running()).then_some(())
    });
    assert!(!started.is_running(), "pressed {presses} times in {patience:?}; it said:\n{}", started.stderr());
    let record = started.record(1);
    assert_eq!(record.verdict, Verdict::Interrupted);
    assert_eq!(readout(&record).events.residual, 0);
    support::Disk::read(&dir, readout(&record).run);
}

#[test]
fn ctrl_c_at_any_moment_leaves_no_process_and_no_empty_directory() {
    for moment in [0, 5, 20, 60, 120, 240].map(Duration::from_millis) {
        let mut started = System { duration: LONG, ..System::default() }.start();
        until(moment, || None::<()>);
        started.signal(Signal::INT);
        let ended = started.wait();
        started.assert_nothing_left();
        let runs = std::fs::read_dir(started.out()).map_or(0, Iterator::count);
        match ended.status.code() {
            Some(1) => {
                let record = started.record(1);
                assert_account(&record, &run_dir(&started));
            }
            Some(2) => assert_eq!(runs, 0, "{moment:?}: {:?}", support::files_under(&started.out())),
            _ => assert!(ended.was_killed() && runs == 0, "{ended:?}"),
        }
    }
}

/// A run that cannot begin: exit 2, these words, and nothing left.
fn refused(system: System<'_>, words: &[&str]) {
    let mut started = system.start();
    let ended = started.ends_with(2);
    ended.says(words);
    assert_eq!(ended.stdout, "");
    let left = support::files_under(&started.out());
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(std::fs::read_dir(started.out()).map_or(0, Iterator::count), 0, "no directory is left");
    started.assert_nothing_left();
}

#[test]
fn what_cannot_be_played_is_said_with_what_where_and_how() {
    refused(System { node: "count = 2\nhost = \"mars\"", ..System::default() }, &["mars", "scenario.toml"]);
    refused(
        System { node: "count = 2\nprogram = [\"./no-such-program\"]", ..System::default() },
        &["node-", "no-such-program", "No such file"],
    );
    refused(
        System { node: "count = 2\nmodule = \"no-such.wasm\"", ..System::default() },
        &["node-", "no-such.wasm"],
    );
    refused(
        System { sink: "count = 1\ndirectory = \"/proc/nowhere\"", ..System::default() },
        &["sink-1", "/proc/nowhere"],
    );
    refused(
        System { more: "[[fault]]\nrole = \"nobody\"\nwhat = \"kill\"\nat = \"1s\"", ..System::default() },
        &["unknown role", "nobody"],
    );
}

/// The port on which a process listens.
fn port_of(pid: i32) -> SocketAddr {
    let table = std::fs::read_to_string(format!("/proc/{pid}/net/tcp")).expect("read its sockets");
    let files = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("read its files").flatten();
    let own: Vec<String> = files
        .filter_map(|file| std::fs::read_link(file.path()).ok())
        .map(|target| target.to_string_lossy().into_owned())
        .collect();
    let lines = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let mut ports = lines
        .filter(|fields| fields[3] == "0A" && own.contains(&format!("socket:[{}]", fields[9])))
        .filter_map(|fields| u16::from_str_radix(fields[1].rsplit_once(':')?.1, 16).ok());
    SocketAddr::from(([127, 0, 0, 1], ports.next().expect("it listens")))
}

/// Tries to be a source of a run whose key it does not have.
fn knock_with_a_wrong_key(builder: SocketAddr, life: u64, run: u32) {
    let (me, to) = (Peer::Source(SourceId(0)), Peer::Builder(BuilderId(0)));
    let plan = MeshPlan {
        me,
        life: Incarnation(life),
        run: RunNumber(run),
        key: Key::random().expect("draw a key"),
        listen: None,
        peers: [to].into(),
        fragments: FragmentCarrier::Tcp,
        queue_bytes_max: 1 << 20,
        fragment_bytes_max: 1 << 20,
    };
    let mut mesh = Mesh::open(plan).expect("open sockets");
    mesh.connect(to, Incarnation(1), builder, None);
    let mut events = Vec::new();
    let until = Instant::now() + Duration::from_millis(400);
    while Instant::now() < until {
        mesh.poll(Some(until), &mut events).expect("wait");
        assert!(events.is_empty(), "nobody lets it in: {} events", events.len());
    }
}

#[test]
fn who_has_a_wrong_key_is_refused_and_the_one_it_claims_to_be_is_not_disturbed() {
    let mut started = System { duration: "2500ms", ..System::default() }.start();
    let cast = processes(&started, [3, 1, 2, 1]);
    until_state(&started, "running");
    knock_with_a_wrong_key(port_of(cast.builders[0].number()), 5, 1);
    let record = started.record(0);
    assert_account(&record, &run_dir(&started));
    let events = &readout(&record).events;
    assert_eq!((events.lost, events.incomplete), (0, 0));
    let builder = role(&record, "builder-1");
    assert!(count(builder, "connections with a wrong key") >= 1, "{:?}", builder.faults);
    assert!(!caveats(&record, CaveatKind::PeerNonsense).is_empty());
}

#[test]
fn strangers_at_the_builder_disturb_nobody_and_are_counted() {
    let mut started = System { duration: "3s", ..System::default() }.start();
    let cast = processes(&started, [3, 1, 2, 1]);
    until_state(&started, "running");
    let builder = port_of(cast.builders[0].number());
    let mut strangers = Vec::new();
    for number in 0_u8..20 {
        let mut stranger = TcpStream::connect(builder).expect("connect");
        let garbage: Vec<u8> = (0..200_u8).map(|byte| byte.wrapping_mul(37).wrapping_add(number)).collect();
        match number % 4 {
            0 => drop(stranger.write_all(&garbage)),
            1 => drop(stranger.write_all(b"GET / HTTP/1.1\r\n\r\n")),
            // Hangs up without a word.
            2 => continue,
            // Says nothing and stays.
            _ => {}
        }
        strangers.push(stranger);
    }
    // Whoever speaks nonsense is hung up on.
    strangers[0].set_read_timeout(Some(PATIENCE)).expect("set a time-out");
    let mut bytes = Vec::new();
    let _ = strangers[0].read_to_end(&mut bytes);
    let record = started.record(0);
    assert_account(&record, &run_dir(&started));
    let events = &readout(&record).events;
    assert_eq!((events.lost, events.incomplete), (0, 0));
    let builder = role(&record, "builder-1");
    let refused: u64 = builder
        .faults
        .iter()
        .filter(|fault| fault.name.starts_with("connections"))
        .map(|fault| fault.count)
        .sum();
    assert!(refused >= 10, "{:?}", builder.faults);
    assert!(count(builder, "connections that spoke something else") >= 5, "{:?}", builder.faults);
    assert!(!caveats(&record, CaveatKind::PeerNonsense).is_empty());
}
