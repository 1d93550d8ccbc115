//! Arrows point to core: which of our crates may depend on which.
//!
//! ```text
//!  incast -> { net, host, sim, lab, algorithm, store, view } -> core        xtask -> none of them
//! ```
//! Tests and build scripts count as well: a crate that needs another one to be tested needs it.

use serde_json::Value;

/// Every arrow between our crates that should not be.
pub(super) fn check(packages: &[Value]) -> Vec<String> {
    packages.iter().flat_map(check_package).collect()
}

fn check_package(package: &Value) -> Vec<String> {
    let name = package["name"].as_str().unwrap_or("?");
    let dependencies = package["dependencies"].as_array().into_iter().flatten();
    let names = dependencies.filter_map(|dependency| dependency["name"].as_str());
    let wrong = names.filter_map(|dependency| match dependency {
        _ if is_ours(dependency) && !may_depend(name, dependency) => {
            Some(format!("{name} depends on {dependency}: arrows point to incast-core"))
        }
        _ if dependency == ALONE.0 && is_ours(name) && name != ALONE.1 => {
            Some(format!("{name} depends on {dependency}: only {} does", ALONE.1))
        }
        _ => None,
    });
    wrong.collect()
}

fn is_ours(name: &str) -> bool {
    name == "incast" || name == "xtask" || name.starts_with("incast-")
}

fn may_depend(from: &str, to: &str) -> bool {
    match from {
        "incast" => MIDDLE.contains(&to) || to == CORE,
        _ if MIDDLE.contains(&from) => to == CORE,
        // The core, xtask, and any crate that has no place in the architecture yet.
        _ => false,
    }
}

const CORE: &str = "incast-core";
const MIDDLE: [&str; 7] = [
    "incast-net",
    "incast-host",
    "incast-sim",
    "incast-lab",
    "incast-algorithm",
    "incast-store",
    "incast-view",
];

/// A dependency that only one of our crates may have, and that crate: it is C inside.
const ALONE: (&str, &str) = ("rusqlite", "incast-store");

#[cfg(test)]
mod tests {
    use super::*;

    fn arrow(from: &str, to: &str) -> Vec<String> {
        let text = format!(r#"[{{"name":"{from}","dependencies":[{{"name":"{to}","kind":"dev"}}]}}]"#);
        check(&serde_json::from_str::<Vec<Value>>(&text).unwrap())
    }

    #[test]
    fn arrows_to_core_are_fine() {
        for (from, to) in [
            ("incast", "incast-net"),
            ("incast", "incast-core"),
            ("incast", "incast-sim"),
            ("incast-sim", "incast-core"),
            ("incast-net", "incast-core"),
            ("incast-core", "toml"),
            ("xtask", "anyhow"),
        ] {
            assert!(arrow(from, to).is_empty(), "{from} -> {to}");
        }
    }

    #[test]
    fn the_database_is_in_one_crate() {
        assert_eq!(arrow("incast", "rusqlite"), ["incast depends on rusqlite: only incast-store does"]);
    }

    #[test]
    fn other_arrows_are_found() {
        for (from, to) in [
            ("incast-core", "incast-host"),
            ("incast-net", "incast-host"),
            ("incast-core", "incast-sim"),
            ("incast-sim", "incast-net"),
            ("incast-view", "incast-sim"),
            ("incast-view", "incast"),
            ("incast-store", "incast-net"),
            ("incast-view", "incast-store"),
            ("incast", "xtask"),
            ("xtask", "incast-core"),
            ("incast-new", "incast-core"),
        ] {
            assert_eq!(arrow(from, to), [format!("{from} depends on {to}: arrows point to incast-core")]);
        }
    }
}
