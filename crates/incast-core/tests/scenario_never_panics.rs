//! No text makes the reading of a scenario panic, run away, or point outside the text.

use incast_core::scenario::{Scenario, judge};
use proptest::prelude::*;

const FIRST_LIGHT: &str = include_str!("../../../scenarios/first-light.toml");

/// Reads `text`; what comes out must make sense, whatever went in.
fn check(text: &str) {
    match Scenario::parse(text) {
        Ok(scenario) => {
            assert!(!scenario.flows.is_empty() && scenario.flows.len() <= 4096);
            let has_part =
                |name: &String| scenario.flows.iter().any(|flow| flow.from == *name || flow.to == *name);
            assert!(scenario.hosts.iter().all(|host| has_part(&host.name)));
            assert!(scenario.flows.iter().all(|flow| flow.from != flow.to));
            assert!(
                scenario.flows.iter().all(|flow| flow.stop.after.is_some() || flow.stop.messages.is_some())
            );
            for plan in &scenario.expectations {
                assert_eq!(judge(plan, &incast_core::record::Record::default()).met, None);
            }
            assert_eq!(Scenario::parse(text).as_ref(), Ok(&scenario), "twice the same");
        }
        Err(errors) => {
            assert!(!errors.errors().is_empty());
            for error in errors.errors() {
                let line = text.split('\n').nth(error.line - 1).expect("a line of the text");
                assert!(error.column <= line.chars().count() + 1, "{error:?} in {line:?}");
                assert!(!error.message.contains('\n'));
            }
            let _ = errors.explained("fuzz").to_string();
        }
    }
}

/// Pieces of scenario files, right and wrong, that a random order makes into nearly right ones.
const PIECES: &[&str] = &[
    "incast = 1\n",
    "name = \"x\"\n",
    "[[host]]\n",
    "[[flow]]\n",
    "[[expect]]\n",
    "[flow]\n",
    "[host.x]\n",
    "[[host.x]]\n",
    "flow.name = 1\n",
    "flow = [",
    "host = {",
    "name = \"a\"",
    "from = \"x\"\n",
    "to = \"y\"\n",
    "count = 3\n",
    "count = 4096\n",
    "from = [\"x\", \"x-1\"]\n",
    "transport = \"udp\"\n",
    "message = \"16B\"\n",
    "load = \"1mHz\"\n",
    "load = \"18446744073709551615ps\"\n",
    "duration = \"1ps\"\n",
    "bytes = \"1B\"\n",
    "messages = 18446744073709551615\n",
    "name = \"y\"\n",
    "name = \"\\u0000\"\n",
    "what = \"lost\"\n",
    "equals = 1e308\n",
    "within = 0.5\n",
    "at_least = -inf\n",
    "flow = \"x\"\n",
    "source = \"ü\"\n",
    "]",
    "}",
    ",",
    "=",
    "'",
    "\"",
    "\"\"\"",
    "#",
    "\r\n",
    "\n",
    "\u{feff}",
    "\u{0}",
    "1979-05-27T07:32:00Z\n",
    "0x",
    "1_",
    ".",
];

proptest! {
    #[test]
    fn arbitrary_text(text in any::<String>()) {
        check(&text);
    }

    #[test]
    fn pieces_in_any_order(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..40)) {
        check(&pieces.concat());
    }

    #[test]
    fn a_good_file_with_a_part_replaced(at in 0..FIRST_LIGHT.len(), length in 0..40_usize, by in "\\PC{0,8}") {
        let start = FIRST_LIGHT.floor_char_boundary(at);
        let end = FIRST_LIGHT.floor_char_boundary((start + length).min(FIRST_LIGHT.len()));
        check(&format!("{}{by}{}", &FIRST_LIGHT[..start], &FIRST_LIGHT[end..]));
    }

    #[test]
    fn a_good_file_with_its_lines_shuffled(mut lines in Just(FIRST_LIGHT.lines().collect::<Vec<_>>()).prop_shuffle(), kept in 0..150_usize) {
        lines.truncate(kept);
        check(&lines.join("\n"));
    }
}

#[test]
fn the_largest_hostile_files_are_survived() {
    let head = "incast = 1\nname = \"t\"\n";
    let long_names = |prefix: &str| {
        (0..4000).map(|n| format!("{{name = \"{}{n}\"}},", prefix.repeat(60))).collect::<String>()
    };
    let hosts = format!("host = [{}]\n", long_names("a"));
    let strangers = format!("flow = [{{from = [{}]}}]\n", format!("\"{}\",", "b".repeat(60)).repeat(9000));
    let files = [
        "[".repeat(1 << 20),
        "=\n".repeat(1 << 19),
        "a=1\n".repeat(1 << 18),
        "a={".repeat(300_000),
        format!("{}=1\n", ["a"; 500_000].join(".")),
        (0..90_000).map(|n| format!("k{n} = 1\n")).collect(),
        format!("{head}{}", "[[flow]]\n".repeat(4096)),
        format!("{head}{}", "[[flow]]\n".repeat(110_000)),
        format!("{head}{hosts}{strangers}"),
        format!("{head}title = \"{}\"\nhost = 1", "\u{1b}".repeat(100_000)),
        format!("{head}{}{hosts}", "\"x\" = [".repeat(79)),
        format!("{head}seed = {}", "9".repeat(1_000_000)),
        format!("{head}[[host]]\nname = \"x\"\ncount = 4096\nagent = \"{}\"", "a".repeat(1_000_000)),
        format!("{head}[[host]]\nname = \"x\"\ncount = 4096\nagent = \"a:{}1\"", "0".repeat(1_000_000)),
        format!("{head}{}", "[[host]]\nname = \"x\"\ncount = 4096\n".repeat(20_000)),
    ];
    for file in files {
        check(&file);
    }
}
