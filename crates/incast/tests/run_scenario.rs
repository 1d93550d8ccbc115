//! `incast run` with scenario files, good and bad: what it measures, what it refuses, what it leaves.
//!
//! Rates are in the scenarios, and none is asserted: a busy machine is no fault of the program.

#[path = "support/account.rs"]
mod account;
#[path = "support/coordinator.rs"]
mod coordinator;

use std::fs;

use incast_core::caveat::CaveatKind;
use incast_core::record::Verdict;

use account::{assert_all_explained, flow};
use coordinator::{RUN, Started, caveats, directory, incast_in, read_record, run, scenario, schema_faults};

const FIRST_LIGHT: &str = include_str!("../../../scenarios/first-light.toml");

/// The first scenario, in a second instead of three, and with no demand on the machine's speed.
fn first_light() -> String {
    let edits = [
        ("duration = \"3s\"", "duration = \"1s\""),
        ("interval = \"500ms\"", "interval = \"250ms\""),
        ("\"100Mbit/s\"", "\"20Mbit/s\""),
        ("\"10Mbit/s\"", "\"2Mbit/s\""),
        ("within = 0.05", "within = 1.0"),
        ("at_least = 0.9", "at_least = 0.0"),
    ];
    edits.iter().fold(FIRST_LIGHT.to_owned(), |text, (old, new)| {
        assert!(text.contains(old), "the first scenario has no {old} any more");
        text.replace(old, new)
    })
}

#[test]
fn the_first_scenario_is_good_and_every_message_of_it_is_accounted_for() {
    let mut started = run(&first_light());
    let record = started.record(0);
    assert_eq!(record.verdict, Verdict::Good, "{:?}", record.expectations);
    assert_eq!((record.schema.as_str(), record.world.as_str()), ("incast.record/1", "run"));
    assert_eq!(record.scenario.text.as_deref(), Some(first_light().as_str()));
    assert_eq!(record.flows.len(), 8);
    assert!(record.expectations.iter().all(|expectation| expectation.met == Some(true)));
    assert_all_explained(&record);
    for flow in &record.flows {
        assert!(flow.messages.sent.is_some_and(|sent| sent > 0), "{}: {:?}", flow.name, flow.messages);
        assert!(flow.intervals.len() > 1, "{}: {:?}", flow.name, flow.intervals);
    }
    assert!(record.totals.fairness_jain.is_some() && record.totals.cpu.is_some(), "{:?}", record.totals);
}

#[test]
fn without_json_there_is_a_table_on_standard_output_and_the_place_of_the_record_on_standard_error() {
    let text = scenario(1, &[("source", "tcp")], "");
    let mut started =
        incast_in(directory(&[("scenario.toml", &text)]), ["run", "scenario.toml", "--out", "out"]);
    let ended = started.ends_with(0);
    assert!(ended.stdout.starts_with("good") && ended.stdout.contains("of-source"), "{}", ended.stdout);
    ended.says(&["of-source: source -> sink over tcp", "record: out/", "record.json"]);
    let records = started.records();
    assert_eq!(records.len(), 1);
    assert_all_explained(&read_record(&records[0]));
}

#[test]
fn an_expectation_that_cannot_be_met_is_missed_and_the_rest_is_judged() {
    let expect = |name: &str, what: &str| {
        format!("[[expect]]\nname = \"{name}\"\nwhat = \"{what}\"\nat_most = 0\nsource = \"the test\"\n")
    };
    let more = format!(
        "{}{}",
        expect("nothing arrives", "received"),
        expect("nothing is unexplained", "unexplained")
    );
    let record = run(&scenario(1, &[("source", "udp")], &more)).record(1);
    assert_eq!(record.verdict, Verdict::Missed);
    let met: Vec<_> =
        record.expectations.iter().map(|expectation| (expectation.name.as_str(), expectation.met)).collect();
    assert_eq!(met, [("nothing arrives", Some(false)), ("nothing is unexplained", Some(true))]);
    assert_eq!(record.expectations[0].source.as_deref(), Some("the test"));
    assert_all_explained(&record);
}

/// Runs what cannot be run: exit 2, these words on standard error, and nothing left behind.
fn refused(mut started: Started, words: &[&str]) {
    let ended = started.ends_with(2);
    ended.says(words);
    assert_eq!(ended.stdout, "", "nothing was measured");
    assert!(!started.out().exists(), "nothing is written");
    started.assert_nothing_left();
}

/// Where the only `fault` stands in `text`, as a compiler would say it.
fn place(text: &str, fault: &str) -> String {
    let (before, after) = text.split_once(fault).unwrap_or_else(|| panic!("no {fault} in\n{text}"));
    assert!(!after.contains(fault), "{fault} is there twice");
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("scenario.toml:{}:{column}", before.matches('\n').count() + 1)
}

#[test]
fn what_is_wrong_with_a_scenario_is_told_with_its_place_and_the_right_word() {
    let good = scenario(1, &[("source", "tcp")], "");
    // What is changed into what, where the fault is found, and what is said about it.
    let cases: [(&str, &str, &str, &[&str]); 8] = [
        ("duration =", "durration =", "durration", &["unknown key `durration`", "did you mean `duration`?"]),
        ("\"20Mbit/s\"", "\"20Mbot/s\"", "\"20Mbot", &["\"20Mbot/s\" is not a load", "1Gbit/s"]),
        ("to = \"sink\"", "to = \"sinc\"", "\"sinc\"", &["unknown host `sinc`", "did you mean `sink`?"]),
        ("\"tcp\"", "\"tpc\"", "\"tpc\"", &["unknown transport `tpc`", "did you mean `tcp`?"]),
        ("duration = \"1s\"", "duration = 17", "17", &["`duration` must be a text", "10s"]),
        ("duration = \"1s\"", "duration = \"0s\"", "\"0s\"", &["`duration` is 0s; allowed"]),
        ("incast = 1", "incast = 99", "99", &["`incast` is 99; allowed: 1"]),
        ("to = \"sink\"", "to = sink", "sink\ntransport", &["`sink` needs quotes"]),
    ];
    for (old, new, at, words) in cases {
        assert!(good.contains(old), "{old} is not in\n{good}");
        let text = good.replacen(old, new, 1);
        refused(run(&text), &[words, &[place(&text, at).as_str()]].concat());
    }
    // All faults at once, not only the first.
    let two = good.replace("duration =", "durration =").replace("\"tcp\"", "\"tpc\"");
    refused(run(&two), &[&place(&two, "durration"), &place(&two, "\"tpc\"")]);
}

#[test]
fn what_is_no_scenario_is_refused_by_its_name() {
    refused(run(""), &["scenario.toml:1:1", "`incast` is missing", "no [[flow]]"]);
    refused(incast_in(directory(&[]), RUN), &["read the scenario scenario.toml", "No such file"]);
    let dir = directory(&[]);
    fs::create_dir(dir.path().join("scenario.toml")).unwrap();
    refused(incast_in(dir, RUN), &["read the scenario scenario.toml", "directory"]);
    let dir = directory(&[]);
    let rubbish: Vec<u8> = (0..=255).rev().cycle().take(10_000).collect();
    fs::write(dir.path().join("scenario.toml"), rubbish).unwrap();
    refused(incast_in(dir, RUN), &["read the scenario scenario.toml", "UTF-8"]);
    // Text, but full of what a terminal would obey: it is shown, not obeyed.
    refused(run("\u{1b}[31m = \u{7}\u{0}\n"), &["scenario.toml:1:"]);
}

#[test]
fn flows_that_start_as_they_come_are_all_carried_out() {
    let hosts = [("one", "tcp"), ("two", "udp"), ("three", "tcp")];
    let text = scenario(1, &hosts, "").replacen("interval", "start = \"as-they-come\"\ninterval", 1);
    let record = run(&text).record(0);
    assert_eq!(record.flows.len(), 3);
    assert_all_explained(&record);
}

#[test]
fn two_receivers_keep_their_flows_apart() {
    let more = "[[host]]\nname = \"other-sink\"\n[[flow]]\nname = \"aside\"\nfrom = \"one\"\nto = \"other-sink\"\n\
                transport = \"udp\"\nload = \"2Mbit/s\"\n";
    let record = run(&scenario(1, &[("one", "tcp"), ("two", "udp")], more)).record(0);
    assert_all_explained(&record);
    assert_eq!(
        (flow(&record, "aside").to.as_str(), flow(&record, "of-two").to.as_str()),
        ("other-sink", "sink")
    );
    assert!(record.flows.iter().all(|flow| flow.messages.unique.is_some_and(|unique| unique > 0)));
}

#[test]
fn a_flow_without_batches_makes_a_system_call_for_each_message() {
    for (transport, load) in [("udp", "load = \"2Mbit/s\""), ("tcp", "load = \"20Mbit/s\"")] {
        let text = scenario(1, &[("source", transport)], "");
        assert!(text.contains(load), "{text}");
        let text = text.replace(load, "messages = 2000");
        let many = run(&text).record(0);
        let one = run(&format!("{text}send_batch = 1\nreceive_batch = 1\n")).record(0);
        assert_all_explained(&one);
        let [one, many] = [&one, &many].map(|record| flow(record, "of-source"));
        assert_eq!(one.messages.sent, Some(2000), "{transport}: {:?}", one.messages);
        assert!(one.batching.send_calls >= one.messages.sent, "{transport}: {:?}", one.batching);
        assert!(one.batching.receive_calls >= one.messages.received, "{transport}: {:?}", one.batching);
        assert!(many.batching.send_calls < Some(1000), "{transport}: {:?}", many.batching);
        // A thread that serves one flow tells what it cost, also where that has many streams.
        let spread = run(&format!("{text}streams = 4\n")).record(0);
        assert!(flow(&spread, "of-source").cpu.receiver.is_some(), "{transport}: {:?}", spread.flows);
    }
}

#[test]
fn a_setting_that_the_kernel_refuses_is_a_doubt_and_no_failure() {
    let cases = [
        ("sender_core = 1000", "core 1000"),
        ("receiver_core = 1001", "core 1001"),
        ("congestion = \"nosuch\"", "nosuch"),
    ];
    for (setting, word) in cases {
        let text = scenario(1, &[("source", "tcp")], setting);
        let record = run(&text).record(0);
        let doubts = caveats(&record, CaveatKind::SettingRefused);
        assert!(doubts.iter().any(|doubt| doubt.text.contains(word)), "{setting}: {:?}", record.caveats);
        assert_all_explained(&record);
    }
}

/// Two senders, one message each; a variant has more to say.
const VARIANTS: &str = r#"
[[variant]]
name = "three"
set = "flow.messages=3"
"#;

#[test]
fn every_variant_is_run_and_all_are_compared() {
    let text = scenario(1, &[("source", "tcp")], VARIANTS);
    let mut started =
        incast_in(directory(&[("scenario.toml", &text)]), ["run", "scenario.toml", "--out", "out"]);
    let ended = started.ends_with(0);
    ended.says(&["variant 1 of 2: base", "variant 2 of 2: three", "side by side", "report.html"]);
    assert_eq!(started.records().len(), 2, "{}", ended.stderr);
}

#[test]
fn one_variant_is_picked_by_its_name_and_values_are_set_from_outside() {
    let text = scenario(1, &[("source", "tcp")], VARIANTS);
    let files = || directory(&[("scenario.toml", &text)]);
    let mut picked =
        incast_in(files(), ["run", "scenario.toml", "--json", "--out", "out", "--variant", "three"]);
    let record = picked.record(0);
    assert_eq!(record.scenario.variant.as_deref(), Some("three"));
    assert_eq!(record.flows[0].messages.sent, Some(3));
    let mut set =
        incast_in(files(), ["run", "scenario.toml", "--json", "--out", "out", "--set", "flow.messages=5"]);
    assert_eq!(set.record(0).flows[0].messages.sent, Some(5));
    let mut unknown = incast_in(files(), ["run", "scenario.toml", "--variant", "four"]);
    unknown.ends_with(2).says(&["no variant four", "base, three"]);
}

#[test]
fn what_is_not_as_the_schema_says_is_noticed() {
    let record = serde_json::to_value(incast_core::record::Record::default()).unwrap();
    assert_eq!(schema_faults(&record), [""; 0]);
    let without = |path: &str, key: &str| {
        let mut record = record.clone();
        record.pointer_mut(path).and_then(|part| part.as_object_mut()).unwrap().remove(key).unwrap();
        record
    };
    let with = |path: &str, value: serde_json::Value| {
        let mut record = record.clone();
        *record.pointer_mut(path).unwrap() = value;
        record
    };
    let cases = [
        (without("", "flows"), "record: \"flows\" is missing"),
        (without("/totals", "messages"), "record.totals: \"messages\" is missing"),
        (with("/verdict", "splendid".into()), "record.verdict: fits 0 of 5"),
        (with("/totals/messages/lost", (-1).into()), "record.totals.messages.lost: -1 is less than 0"),
        (
            with("/totals/messages/lost", 1.5.into()),
            "record.totals.messages.lost: 1.5 is not [\"integer\",\"null\"]",
        ),
        (
            with("/incast", serde_json::json!({"version": "1", "commit": null, "colour": 1})),
            "record.incast.colour: the schema does not have it",
        ),
        (
            with("/caveats", serde_json::json!([{"kind": "nice", "text": "", "advice": ""}])),
            "record.caveats[0].kind: fits 0 of 33",
        ),
    ];
    for (record, fault) in cases {
        assert_eq!(schema_faults(&record), [fault]);
    }
}
