//! The scenarios that come with the program: each of them, and each of its variants, can be read.
//!
//! Whether they give what they expect is for whoever runs them: rates depend on the machine.

use std::fs;
use std::path::{Path, PathBuf};

use incast_core::scenario::{ReadoutPlan, Scenario};

/// Every file below `dir`.
fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("the scenarios").flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "toml") {
            found.push(path);
        }
    }
}

/// Every scenario with its file and the name of its variant.
fn all() -> Vec<(String, Scenario)> {
    let mut found = Vec::new();
    files(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios")), &mut found);
    let mut all = Vec::new();
    for path in found {
        let name = path.display().to_string();
        let text = fs::read_to_string(&path).expect(&name);
        let read = |settings: &[_]| {
            Scenario::parse_with(&text, settings)
                .unwrap_or_else(|errors| panic!("{}", errors.explained(&name)))
        };
        let base = read(&[]);
        let variants = base.variants.clone();
        all.push((name.clone(), base));
        all.extend(
            variants.iter().map(|variant| (format!("{name} {}", variant.name), read(&variant.settings))),
        );
    }
    all
}

#[test]
fn every_scenario_and_each_of_its_variants_can_be_read() {
    let all = all();
    let readouts = all.iter().filter(|(_, scenario)| scenario.readout.is_some()).count();
    assert!(
        all.len() - readouts > 20 && readouts > 20,
        "{} scenarios, {readouts} of them readouts",
        all.len()
    );
}

#[test]
fn where_there_is_a_network_every_role_is_on_a_host_of_it() {
    for (name, scenario) in all().iter().filter(|(_, scenario)| scenario.network.is_some()) {
        let mut roles = scenario.readout.iter().flat_map(ReadoutPlan::roles);
        let nowhere = roles.find(|(_, _, host)| host.is_none());
        assert_eq!(nowhere.map(|(_, role, _)| role), None, "{name}: in a lab every role is on a host");
    }
}

#[test]
fn the_policies_of_balance_differ_in_nothing_but_the_policy_and_what_it_needs_to_know() {
    for (name, scenario) in all().iter().filter(|(name, _)| name.contains("/balance/")) {
        let Some(readout) = &scenario.readout else { panic!("{name} has no readout") };
        assert_eq!(
            (readout.nodes.len(), readout.builders.len()),
            (8, 1),
            "{name}: eight nodes behind one builder"
        );
        assert!(scenario.expectations.len() >= 4, "{name}: the account, and what theory says");
    }
}
