//! ns-3: installed from PyPI into a virtual environment under target, and a program over its libraries.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::project;

/// The version that simulation speeds are quoted of.
const VERSION: &str = "ns3==3.44.*";
/// The libraries that the program needs.
const LIBRARIES: [&str; 5] = ["core", "network", "internet", "point-to-point", "traffic-control"];

/// Installs and compiles what is not there yet; why not, if it cannot be.
pub(super) fn program(root: &Path, target: &Path) -> Result<PathBuf> {
    let place = target.join("bench-sim");
    std::fs::create_dir_all(&place)?;
    let environment = place.join("ns3");
    let package = match installed(&environment) {
        Some(package) => package,
        None => install(&environment).context("install ns-3 from PyPI")?,
    };
    let program = place.join("ns3-bench");
    let libraries = package.join("lib64");
    let mut compile = Command::new("c++");
    compile
        .args(["-O3", "-std=c++20", "-DNDEBUG", "-o"])
        .arg(&program)
        .arg("-isystem")
        .arg(package.join("include"));
    compile.arg(root.join("xtask/src/bench/sim/ns3.cpp")).arg("-L").arg(&libraries);
    compile.arg(format!("-Wl,-rpath,{}", libraries.display()));
    compile.args(LIBRARIES.map(|name| format!("-lns3.44-{name}")));
    project::run(&mut compile).context("compile a program over ns-3")?;
    Ok(program)
}

fn install(environment: &Path) -> Result<PathBuf> {
    project::run(Command::new("python3").args(["-m", "venv"]).arg(environment))?;
    // Its headers and libraries alone: cppyy, for Python, is large and not needed.
    let pip = environment.join("bin/pip");
    project::run(Command::new(pip).args(["install", "--quiet", "--no-deps", VERSION]))?;
    installed(environment).context("the package has no libraries")
}

/// Where the package lies in the environment.
fn installed(environment: &Path) -> Option<PathBuf> {
    let versions = std::fs::read_dir(environment.join("lib")).ok()?.flatten();
    let mut packages = versions.map(|version| version.path().join("site-packages/ns3"));
    packages.find(|package| package.join("lib64/libns3.44-core.so").is_file())
}
