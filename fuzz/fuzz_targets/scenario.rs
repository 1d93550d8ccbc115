//! Any text at all as a scenario file: it is read or refused, and the refusal can be printed.

#![no_main]

use incast_core::scenario::Scenario;
use libfuzzer_sys::fuzz_target;

/// A first input, of which the others are made: it must be a good one.
const GOOD: &str = include_str!("../seeds/scenario/small.toml");

fuzz_target!(init: assert!(Scenario::parse(GOOD).is_ok()), |text: &str| {
    match Scenario::parse(text) {
        Ok(scenario) => {
            // What was read says where it came from, and means the same when it is read again.
            assert_eq!(scenario.text, text);
            assert_eq!(Scenario::parse(&scenario.text), Ok(scenario));
        }
        Err(errors) => {
            assert!(!errors.errors().is_empty());
            let (lines, explained) = (errors.lines("f").to_string(), errors.explained("f").to_string());
            // Control characters of a hostile file do not reach the terminal.
            assert!((lines + &explained).chars().all(|c| c == '\n' || !c.is_control()));
        }
    }
});
