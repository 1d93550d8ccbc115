//! The programs that the tests start, and the Debian packages that have them.
//!
//! As root on Debian (or a relative of it) the missing ones are installed. Anywhere else they are
//! named, and with them what will not run. What Debian does not have is in [`python`] and [`stamp_suite`].

mod python;
mod stamp_suite;

use std::process::Command;

use anyhow::Result;

use crate::project::{find_program, output, run};
use crate::steps::{Outcome, Steps};

/// A program that some of the tests start.
#[derive(Debug)]
struct Need {
    /// A program, a file by its whole path, or a module as `python3 -m MODULE` would run it.
    program: &'static str,
    package: &'static str,
    /// What does not run without it.
    used_by: &'static str,
}

const NEEDS: &[Need] = &[
    Need { program: "g++", package: "g++", used_by: "fuzz targets (libFuzzer is C++)" },
    Need { program: "python3", package: "python3", used_by: "tests against the programs of the lab sheet" },
    Need { program: "iperf3", package: "iperf3", used_by: "tests against stock iperf3" },
    Need { program: "ip", package: "iproute2", used_by: "tests in network namespaces" },
    Need { program: "ethtool", package: "ethtool", used_by: "tests in network namespaces" },
    Need { program: "nft", package: "nftables", used_by: "tests of losses in packet filters" },
    Need { program: "chrt", package: "util-linux", used_by: "tests of losses in starved rings" },
    Need { program: "setpriv", package: "util-linux", used_by: "tests of missing permissions" },
    Need { program: "ps", package: "procps", used_by: "tests that look for processes left behind" },
    Need { program: "chromium", package: "chromium", used_by: "tests of reports in a browser" },
    Need {
        program: "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
        package: "fonts-dejavu-core",
        used_by: "the text in pictures of reports",
    },
    Need { program: "python3 -m ensurepip", package: "python3-venv", used_by: "tests that read Parquet" },
];

/// Installs what is missing where that is possible, and notes in `steps` what cannot run.
pub(crate) fn prepare(steps: &mut Steps) {
    let missing = missing(is_there);
    if !missing.is_empty() {
        if is_root() && is_debian(&std::fs::read_to_string("/etc/os-release").unwrap_or_default()) {
            steps.run("install Debian packages", || install(&packages(&missing)));
        } else {
            println!(
                "These Debian packages are missing and only root on Debian installs them here: {}",
                packages(&missing).join(" ")
            );
        }
        for need in self::missing(is_there) {
            let why = format!("{} (package {}) is missing", need.program, need.package);
            steps.record_not_run(need.used_by, why);
        }
    }
    python::prepare(steps);
    stamp_suite::prepare(steps);
}

/// Whether there is such a program, file, or module of Python.
fn is_there(program: &str) -> bool {
    match program.strip_prefix("python3 -m ") {
        Some(module) => {
            let import = format!("import {module}");
            let asked = Command::new("python3").args(["-c", &import]).output();
            asked.is_ok_and(|asked| asked.status.success())
        }
        // A whole path stays what it is, whatever directory it is looked for in.
        None => find_program(program).is_some(),
    }
}

fn missing(is_there: impl Fn(&str) -> bool) -> Vec<&'static Need> {
    NEEDS.iter().filter(|need| !is_there(need.program)).collect()
}

fn packages(needs: &[&Need]) -> Vec<&'static str> {
    needs.iter().map(|need| need.package).collect()
}

fn install(packages: &[&str]) -> Result<Outcome> {
    let apt =
        |words: &[&str]| run(Command::new("apt-get").args(words).env("DEBIAN_FRONTEND", "noninteractive"));
    let install = [&["install", "-y", "--no-install-recommends"], packages].concat();
    // Without a mirror within reach the tests that can run still do.
    let done = apt(&["update"]).and_then(|()| apt(&install));
    Ok(done.map_or_else(|error| Outcome::NotRun(format!("{error:#}")), |()| Outcome::Passed))
}

fn is_root() -> bool {
    output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}

/// Whether the text of `/etc/os-release` is that of Debian or of a relative.
fn is_debian(os_release: &str) -> bool {
    let values = os_release.lines().filter_map(|line| line.split_once('='));
    let mut kinds = values.filter(|(name, _)| *name == "ID" || *name == "ID_LIKE");
    kinds.any(|(_, value)| value.trim_matches('"').split(' ').any(|kind| kind == "debian"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debian_and_its_relatives_are_known() {
        assert!(is_debian("NAME=\"Debian GNU/Linux\"\nID=debian\n"));
        assert!(is_debian("ID=mint\nID_LIKE=\"ubuntu debian\"\n"));
        assert!(!is_debian("ID=fedora\nHOME_URL=\"https://debian.org\"\n"));
        assert!(!is_debian(""));
    }

    #[test]
    fn programs_files_and_modules_are_found() {
        assert!(is_there("sh") && is_there("/etc/passwd"));
        assert!(!is_there("no-such-program") && !is_there("/no/such/file"));
        assert!(!is_there("python3 -m no_such_module"));
    }

    #[test]
    fn a_missing_program_names_its_package() {
        assert_eq!(packages(&missing(|program| program != "ip")), ["iproute2"]);
        assert!(missing(|_| true).is_empty());
    }
}
