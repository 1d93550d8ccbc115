//! `incast campaign` in the simulator: killed at any moment and resumed, it comes to what it comes to undisturbed;
//! what is asked for is refused in words where it makes no sense.

#[path = "support/campaign.rs"]
mod campaign;
#[path = "support/coordinator.rs"]
mod coordinator;
#[path = "support/sim.rs"]
mod support;

use std::fs;

use campaign::*;
use coordinator::directory;
use incast_core::random::Random;
use incast_core::record::{Campaign, Verdict};
use rustix::process::Signal;

/// A port that takes half of what comes: each run loses something else, by its seed.
fn scenario() -> String {
    format!("{}\n[[variant]]\nname = \"fuller\"\nset = [\"y.load=95Mbit/s\"]\n", support::SMALL)
}

#[test]
fn two_hundred_runs_survive_five_kills_and_come_to_what_they_come_to_undisturbed() {
    // So long that a kill comes in the middle of a run.
    let dir = directory(&[("scenario.toml", &scenario().replace("40ms", "120ms"))]);
    let words = |into: &'static str| ["--world", "sim", "--runs", "100", "--jobs", "2", "--into", into];
    let began = std::time::Instant::now();
    let whole = finished(&mut start(dir.path(), &words("whole")), 0);
    let took = began.elapsed();
    assert_eq!((whole.end.as_str(), whole.runs_finished, whole.runs_died), ("all", 200, 0));

    let mut random = Random::named(u64::from(std::process::id()), "kills");
    for kill in 0..5 {
        let mut started = start(dir.path(), &[&words("killed")[..], &["--resume"]].concat());
        // At a random moment of a tenth of the time that all of it takes: five of them are half of it at most.
        std::thread::sleep(took.mul_f64(0.1 * random.unit()));
        started.signal(Signal::KILL);
        assert!(started.wait_within(PATIENCE).was_killed(), "it had not ended before kill {kill}");
        started.assert_nothing_left();
        assert!(finished_runs(&dir.path().join("killed")) < 200, "kill {kill} came when all was done");
    }
    let resumed = finished(&mut start(dir.path(), &[&words("killed")[..], &["--resume"]].concat()), 0);
    assert_eq!(resumed.runs_finished, 200, "none is lost, and the database forbids that one is there twice");
    assert!(
        (1..=10).contains(&resumed.runs_died),
        "five kills, at most two under way at each: {}",
        resumed.runs_died
    );
    assert_eq!(resumed.variants, whole.variants);
    assert_eq!(resumed.comparisons, whole.comparisons);
    // What is shown of the database is what was written when it ended.
    let shown = finished(&mut show(dir.path(), "killed"), 0);
    assert_eq!(Campaign { host: resumed.host.clone(), ..shown }, resumed);
}

#[test]
fn how_many_simulations_go_side_by_side_changes_nothing_also_with_a_stop_rule() {
    let dir = directory(&[("scenario.toml", &scenario())]);
    let words = |into, jobs| {
        [
            "--world",
            "sim",
            "--runs",
            "60",
            "--runs-min",
            "5",
            "--precision",
            "2%",
            "--variant",
            "base",
            "--into",
            into,
            "--jobs",
            jobs,
        ]
    };
    let one = finished(&mut start(dir.path(), &words("one", "1")), 0);
    let three = finished(&mut start(dir.path(), &words("three", "3")), 0);
    assert_eq!((one.end.as_str(), three.end.as_str()), ("precise", "precise"));
    assert_eq!(one.variants, three.variants);
    let runs = one.variants[0].runs;
    assert!((5..60).contains(&runs), "{runs}");
    let interval = one.variants[0].interval.as_ref().expect("it is precise");
    let mean = one.variants[0].lost_fraction.expect("messages were sent");
    assert!((interval.to - interval.from) / 2.0 <= 0.02 * mean, "{interval:?} around {mean}");
    // By hand: half of what is sent at 180 Mbit/s does not fit into a port of 100.
    assert!((0.3..0.6).contains(&mean), "{mean}");
}

#[test]
fn more_runs_can_be_asked_for_and_what_is_known_is_not_played_again() {
    let dir = directory(&[("scenario.toml", &scenario())]);
    let words = |runs| ["--world", "sim", "--variant", "base", "--into", "c", "--resume", "--runs", runs];
    let few = finished(&mut start(dir.path(), &words("4")), 0);
    let more = finished(&mut start(dir.path(), &words("6")), 0);
    assert_eq!((few.runs_finished, more.runs_finished), (4, 6));
    assert_eq!(few.variants[0].lost_fractions, more.variants[0].lost_fractions[..4]);
    let again = start(dir.path(), &words("6"));
    let mut again = again;
    let seen = finished(&mut again, 0);
    assert!(again.stderr().contains("6 runs are finished"), "{}", again.stderr());
    assert_eq!(seen.variants, more.variants);
}

#[test]
fn what_is_set_on_the_command_line_holds_for_the_variants_that_are_named() {
    let dir = directory(&[("scenario.toml", &scenario())]);
    let words = ["--world", "sim", "--runs", "1", "--into", "c", "--set", "y.load=91Mbit/s", "--variant"];
    let both = [&words[..], &["base", "--variant", "fuller"]].concat();
    let found = finished(&mut start(dir.path(), &both), 0);
    let names: Vec<_> = found.variants.iter().filter_map(|variant| variant.name.as_deref()).collect();
    assert_eq!(names, ["y.load=91Mbit_s", "fuller-y.load=91Mbit_s"]);
    // What the variant sets is what the command line sets, which comes last.
    assert_eq!(found.variants[0].lost_fractions, found.variants[1].lost_fractions);
    refused(dir.path(), &[&words[..], &["nosuch"]].concat(), &["no variant nosuch", "base, fuller"]);
}

#[test]
fn an_end_by_hand_keeps_the_current_run_and_says_that_it_is_not_whole() {
    let dir = directory(&[("scenario.toml", &scenario())]);
    let words = ["--world", "sim", "--runs", "100000", "--variant", "base", "--into", "c", "--jobs", "1"];
    let mut started = start(dir.path(), &words);
    started.until("some runs", PATIENCE, || (finished_runs(&dir.path().join("c")) >= 3).then_some(()));
    started.signal(Signal::INT);
    let stopped = finished(&mut started, 1);
    assert_eq!(
        (stopped.end.as_str(), stopped.verdict, stopped.runs_died),
        ("stopped", Verdict::Interrupted, 0)
    );
    assert!(stopped.runs_finished >= 3 && stopped.runs_finished < 100_000);
    assert!(stopped.caveats.iter().any(|caveat| caveat.advice.contains("--resume")), "{:?}", stopped.caveats);
}

#[test]
fn another_scenario_other_settings_and_a_second_player_are_refused() {
    let dir = directory(&[("scenario.toml", &scenario())]);
    let base = ["--world", "sim", "--runs", "2", "--into", "c"];
    finished(&mut start(dir.path(), &[&base[..], &["--variant", "base"]].concat()), 0);
    let again = [&base[..], &["--resume"]].concat();
    refused(dir.path(), &[&base[..], &["--variant", "base"]].concat(), &["--resume", "--into"]);
    refused(dir.path(), &again, &["was base, and is base, fuller", "--into"]);
    refused(
        dir.path(),
        &[&again[..], &["--set", "y.load=91Mbit/s"]].concat(),
        &["was base, and is y.load=91Mbit_s (y.load=91Mbit/s)"],
    );
    let other = scenario().replace("seed = 7", "seed = 8");
    fs::write(dir.path().join("scenario.toml"), other).expect("write");
    refused(dir.path(), &[&again[..], &["--variant", "base"]].concat(), &["the scenario file has changed"]);
    let mut player = start(dir.path(), &["--world", "sim", "--runs", "100000", "--into", "d"]);
    player.until("a run", PATIENCE, || (finished_runs(&dir.path().join("d")) > 0).then_some(()));
    refused(
        dir.path(),
        &["--world", "sim", "--runs", "100000", "--into", "d", "--resume"],
        &["another process plays"],
    );
    // Who reads is not refused.
    let seen = finished(&mut show(dir.path(), "d"), 1);
    assert_eq!((seen.end.as_str(), seen.verdict), ("unfinished", Verdict::Interrupted));
    player.signal(Signal::KILL);
    player.wait_within(PATIENCE);
}

#[test]
fn nonsense_is_refused_before_anything_is_played() {
    let probe = concat!(
        "incast = 1\nname = \"probe\"\nhost = [{name = \"x\"}, {name = \"y\"}]\n[probe]\ngap = \"20us\"\n",
        "[[flow]]\nname = \"f\"\nfrom = \"y\"\nto = \"x\"\ntransport = \"udp\"\n"
    );
    let search = format!("{}\n[search]\n", scenario());
    let files = [("scenario.toml", &*scenario()), ("search.toml", &search), ("probe.toml", probe)];
    let dir = directory(&files);
    refused(dir.path(), &["--world", "sim", "--precision", "0.05"], &["5%"]);
    refused(dir.path(), &["--world", "sim", "--confidence", "100%"], &["between 0 % and 100 %"]);
    refused(dir.path(), &["--world", "sim", "--runs", "0"], &["0"]);
    refused_at(dir.path(), "search.toml", &["--world", "sim"], &["[search]"]);
    refused_at(dir.path(), "probe.toml", &["--world", "run"], &["[probe]", "many runs already"]);
    refused_at(dir.path(), ".", &["--world", "sim"], &["is a directory", "--show"]);
    refused_at(dir.path(), ".", &["--show"], &["there is no campaign in"]);
    assert!(!dir.path().join("runs").exists(), "nothing was begun");
}

#[test]
fn a_damaged_database_is_refused_in_words_and_the_report_of_a_whole_one_is_a_page() {
    let dir = directory(&[("scenario.toml", &scenario())]);
    let words = ["--world", "sim", "--runs", "12", "--into", "c"];
    finished(&mut start(dir.path(), &words), 0);
    let page = report(dir.path(), "c");
    for piece in ["lost fraction of a run", "1/", "fuller", "switch port", "not above", "Mann-Kendall"] {
        assert!(page.contains(piece), "the page lacks {piece}");
    }
    assert!(!page.contains("<script"), "nothing runs on it");
    let path = dir.path().join("c/campaign.sqlite");
    // A bit flips in the text of what was asked for, and the file stays a database.
    let whole = fs::read(&path).expect("the database");
    let text = b"\"confidence\":0.95";
    let place = whole.windows(text.len()).position(|bytes| bytes == text).expect("what was asked for");
    let mut flipped = whole.clone();
    flipped[place + text.len() - 4] = b'8';
    fs::write(&path, flipped).expect("write");
    refused_at(dir.path(), "c", &["--show"], &["its confidence is 8.95", "is damaged"]);
    let mut bytes = whole;
    let end = bytes.len().min(12_288);
    bytes[4_096..end].fill(0xa5);
    fs::write(&path, bytes).expect("write");
    refused(dir.path(), &[&words[..], &["--resume"]].concat(), &["is damaged", "begin anew"]);
    // Without the database there is what was written of it.
    fs::remove_file(&path).expect("remove");
    assert_eq!(finished(&mut show(dir.path(), "c"), 0).runs_finished, 24);
}
