//! The settings of a host: checked anywhere, tuned and put back in a network namespace of the test's own.
//!
//! Tuning needs root: in CI it fails without, elsewhere it says so and passes. Nothing outside of the namespace is
//! changed, and it is gone afterwards.

#[path = "support/account.rs"]
mod account;
#[path = "support/coordinator.rs"]
mod coordinator;
#[path = "support/lab.rs"]
mod support;

use std::path::PathBuf;
use std::process::{Command, Output};

use incast_core::tune::{Finding, HostCheck, HostSettings, Offload};
use rustix::process::Signal;
use tempfile::TempDir;

use coordinator::{Ended, PATIENCE, Started, directory, incast, incast_in, start};
use support::{may_make_labs, output};

fn checks(text: &str) -> Vec<HostCheck> {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Asserts that standard error has all of these words, however it is broken into lines.
fn says(ended: &Ended, words: &[&str]) {
    let said = ended.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    words
        .iter()
        .for_each(|word| assert!(said.contains(word), "`{word}` is missing in what it said:\n{said}"));
}

#[test]
fn a_host_is_judged_by_a_rate_and_the_exit_code_says_so() {
    let words = ["host", "check", "--interface", "lo", "--json"];
    let ended = incast(words).ends_with(0);
    let [free] = &checks(&ended.stdout)[..] else { panic!("one host: {}", ended.stdout) };
    assert_eq!((free.schema.as_str(), free.asked.rate_bits_per_s), ("incast.host-check/1", None));
    assert!(free.judgements.len() > 30 && !free.host.is_empty(), "{free:?}");
    says(
        &ended,
        &["say --rate to have it judged", "net.core.rmem_max", "unknown: nobody tells", "lo rx ring"],
    );

    // Nobody's socket buffer holds ten seconds of 400 Gbit/s.
    let mut hard = incast(words.into_iter().chain(["--rate", "400Gbit/s", "--gap", "10s"]));
    let ended = hard.ends_with(1);
    let [check] = &checks(&ended.stdout)[..] else { panic!("one host: {}", ended.stdout) };
    let buffer = check.judgements.iter().find(|one| one.setting == "net.core.rmem_max").expect("it is there");
    assert_eq!(buffer.finding, Finding::Wrong);
    // The kernel's word for it has 32 bits, and one for the sign.
    let wanted = "at least 500000000000, and it is set to 2147483647 at most: ask for less";
    assert_eq!(buffer.wanted.as_deref(), Some(wanted));
    let command = buffer.command.as_deref().expect("what would mend it");
    assert!(command.ends_with("=2147483647"), "{command}");
    says(
        &ended,
        &["wrong: it cannot carry that", command, "400Gbit/s for 10s (no reader) are 500000000000 B"],
    );

    // A rate that any host carries, and nothing that is wrong by itself.
    let ended = incast(words.into_iter().chain(["--rate", "1kbit/s"])).wait();
    let wrong = checks(&ended.stdout)[0].count(Finding::Wrong);
    assert_eq!(ended.status.code(), Some(i32::from(wrong > 0)), "{}", ended.stderr);
}

#[test]
fn what_makes_no_sense_is_refused_with_what_does() {
    let cases: [(&[&str], &[&str]); 5] = [
        (&["host", "check", "--interface", "nosuch0"], &["there is no interface nosuch0 here", "lo"]),
        (&["host", "check", "--rate", "0bit/s"], &["--rate 0bit/s asks for nothing"]),
        (&["host", "check", "--gap", "61s"], &["--gap and --round-trip are at most 60s"]),
        (&["host", "tune"], &["say what the host is to carry", "--rate 10Gbit/s"]),
        (&["host", "check", "--rate", "1000"], &["1000", "for example"]),
    ];
    for (words, said) in cases {
        incast(words).ends_with(2).says(said);
    }
    let nothing = incast(["host", "restore", "--journal", "none"]).ends_with(0);
    nothing.says(&["nothing was changed: there is no none"]);
    let dir = directory(&[("journal", "nonsense\n")]);
    incast_in(dir, ["host", "restore", "--journal", "journal"])
        .ends_with(2)
        .says(&["journal is damaged: line 1", "nothing is put back by guessing"]);
}

#[test]
fn both_ends_of_a_path_are_checked() {
    let agent = incast(["agent", "--bind", "127.0.0.1:0"]);
    let address = agent.word_after("waiting for coordinators on ");
    let words = ["host", "check", "--rate", "1Mbit/s", "--gap", "1us", "--json", "--agent"];
    let ended = incast(words.into_iter().chain([address.as_str()])).wait();
    let [here, there] = &checks(&ended.stdout)[..] else { panic!("two hosts: {}", ended.stderr) };
    assert_eq!((&here.host, here.asked.rate_bits_per_s), (&there.host, there.asked.rate_bits_per_s));
    assert_eq!(
        there.settings.sysctls.get("net.core.rmem_max"),
        here.settings.sysctls.get("net.core.rmem_max")
    );
    drop(agent);
    incast(words.into_iter().chain([address.as_str()])).ends_with(2).says(&["check the host of the agent"]);
}

/// A namespace with a virtual cable in it, both ends.
struct Place {
    name: String,
    dir: TempDir,
}

impl Place {
    fn make(name: &str) -> Self {
        let name = format!("test-host-{name}-{}", std::process::id());
        let place = Self { name, dir: directory(&[]) };
        for words in [
            &["netns", "add", &place.name][..],
            &["-n", &place.name, "link", "add", "v0", "type", "veth", "peer", "name", "v1"],
            &["-n", &place.name, "link", "set", "v0", "txqueuelen", "100", "up"],
        ] {
            let done = output("ip", words);
            assert!(done.status.success(), "{done:?}");
        }
        place
    }

    fn journal(&self) -> PathBuf {
        self.dir.path().join("journal")
    }

    /// Starts `incast host` with these words in the namespace.
    fn host(&self, words: &[&str]) -> Started {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, env!("CARGO_BIN_EXE_incast"), "host"]).args(words);
        if words[0] != "check" {
            command.arg("--journal").arg(self.journal());
        }
        start(directory(&[]), command)
    }

    fn tune(&self) -> Started {
        self.host(&TUNE)
    }

    /// Everything that a tuner may change, without what changes by itself.
    fn settings(&self) -> HostSettings {
        let ended = self.host(&["check", "--interface", "v0", "--interface", "v1", "--json"]).ends_with(0);
        let mut settings = checks(&ended.stdout).remove(0).settings;
        settings.steal_fraction = None;
        settings.sysctls.retain(|name, _| !name.contains("conntrack_count"));
        settings
    }

    fn set(&self, words: &[&str]) -> Output {
        output("ip", &[&["-n", &self.name], words].concat())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = output("ip", &["netns", "delete", &self.name]);
    }
}

const TUNE: [&str; 7] = ["tune", "--interface", "v0", "--rate", "10Gbit/s", "--message", "8192B"];

#[test]
fn what_is_tuned_is_better_and_what_is_restored_is_as_it_was() {
    let Some(_one) = may_make_labs() else { return };
    let place = Place::make("tune");
    let before = place.settings();
    let dry = place.host(&[&TUNE[..], &["--dry-run"]].concat()).ends_with(0);
    assert!(dry.stdout.contains("sysctl -w net.ipv4.ipfrag_time=1"), "{}", dry.stdout);
    assert_eq!(place.settings(), before, "a dry run changes nothing");
    assert!(!place.journal().exists());

    // What belongs to the whole machine cannot be changed in here, and is told.
    let tuned = place.tune().wait();
    assert!(matches!(tuned.status.code(), Some(0 | 1)), "{}", tuned.stderr);
    tuned.says(&["net.ipv4.ipfrag_time: 30 -> 1", "v0 gro: off -> on", "incast host restore puts it back"]);
    let after = place.settings();
    assert_eq!(after.sysctls["net.ipv4.ipfrag_time"], "1");
    assert!(after.interfaces[0].offloads[&Offload::Gro]);
    assert_eq!(after.interfaces[1], before.interfaces[1], "only the interface that was named");
    let again = place.tune().wait();
    assert!(!again.stderr.contains(" -> "), "a second time there is nothing to do: {}", again.stderr);

    // Somewhere else the journal is not taken for one's own.
    let journal = place.journal().display().to_string();
    let elsewhere = incast(["host", "restore", "--journal", &journal]).ends_with(2);
    elsewhere.says(&["was written in another network namespace"]);
    assert_eq!(place.settings(), after);

    // What somebody else has changed since is left to him.
    assert!(place.set(&["link", "set", "v0", "txqueuelen", "77"]).status.success());
    let restored = place.host(&["restore"]).ends_with(0);
    let changed = before.interfaces[0].tx_queue_packets != after.interfaces[0].tx_queue_packets;
    assert_eq!(restored.stderr.contains("left alone: v0 tx_queue_len"), changed, "{}", restored.stderr);
    assert!(place.set(&["link", "set", "v0", "txqueuelen", "100"]).status.success());
    assert_eq!(place.settings(), before);
    assert!(!place.journal().exists());
    place.host(&["restore"]).ends_with(0).says(&["nothing was changed"]);
}

#[test]
fn a_tuner_that_is_killed_at_any_moment_leaves_what_can_be_put_back() {
    let Some(_one) = may_make_labs() else { return };
    let place = Place::make("kill");
    let before = place.settings();
    let lines = place.tune().wait().stderr.lines().filter(|line| line.contains(" -> ")).count();
    place.host(&["restore"]).ends_with(0);
    assert_eq!(place.settings(), before);
    assert!(lines >= 3, "{lines} changes");
    let mut killed = 0;
    for told in 0..=lines {
        let mut tuner = place.tune();
        // With every number of changes told, some more may have been made; once as early as can be.
        tuner.until("changes", PATIENCE, || {
            let so_far = tuner.stderr().matches(" -> ").count();
            (so_far >= told || so_far == lines).then_some(())
        });
        tuner.signal(Signal::KILL);
        killed += u32::from(tuner.wait().was_killed());
        place.host(&["restore"]).ends_with(0);
        assert_eq!(place.settings(), before, "killed after {told} changes");
        assert!(!place.journal().exists());
    }
    assert!(killed > 0, "every tuner had ended before it was killed");
}
