//! Builds and runs the fuzz targets of `fuzz/` on the stable toolchain.
//!
//! `cargo fuzz` asks for nightly only to pass `-Z` options. The coverage that libFuzzer needs is a
//! pass of LLVM, and stable rustc takes that by `-Cpasses` and `-Cllvm-args`. There is no address
//! sanitizer here: our parsers hold no unsafe code, so a fault shows as a panic.
//!
//! New inputs are kept in `fuzz/corpus/`, failing ones in `fuzz/artifacts/`; neither is committed.
//! `fuzz/seeds/` is, and holds a few inputs to begin with.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use crate::project::{self, Project};

/// Time over all targets in CI: enough to reach all branches of parsers this small.
pub(crate) const SMOKE: Duration = Duration::from_secs(60);

/// The manifest of the fuzz targets: a workspace of its own, because of its compiler flags.
pub(crate) const MANIFEST: &str = "fuzz/Cargo.toml";

/// Coverage as libFuzzer reads it: counters of edges, and the operands of comparisons.
const FLAGS: &str = "--cfg fuzzing -Ccodegen-units=1 -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";

/// A single input may take this long; the slowest honest one takes some milliseconds.
const INPUT_SECONDS_MAX: u32 = 10;

/// Runs every target for an equal share of `time`.
pub(crate) fn run(project: &Project, time: Duration) -> Result<()> {
    let targets = targets(project.root())?;
    let programs = build(project)?;
    let seconds = share(time, targets.len())?;
    let mut failed = Vec::new();
    for target in &targets {
        if let Err(error) = run_target(project.root(), &programs.join(target), target, seconds) {
            println!("    {error:#}");
            failed.push(target.as_str());
        }
    }
    if !failed.is_empty() {
        bail!("fuzz targets failed: {}; the inputs are in fuzz/artifacts", failed.join(", "));
    }
    Ok(())
}

/// Every file of the directory is a target, so none is forgotten.
fn targets(root: &Path) -> Result<Vec<String>> {
    let directory = root.join("fuzz/fuzz_targets");
    let files = std::fs::read_dir(&directory).with_context(|| format!("read {}", directory.display()))?;
    let mut targets = Vec::new();
    for file in files {
        let path = file?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            targets.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
    }
    targets.sort();
    Ok(targets)
}

/// Whole seconds for each of `targets`.
fn share(time: Duration, targets: usize) -> Result<u64> {
    let targets = u64::try_from(targets)?;
    ensure!(targets > 0, "there are no fuzz targets");
    let seconds = time.as_secs() / targets;
    // To libFuzzer, a time of 0 means for ever.
    ensure!(seconds > 0, "fuzz for at least {targets} seconds: one for each target");
    Ok(seconds)
}

/// Checks the lints of the targets, none of which may warn.
pub(crate) fn clippy(project: &Project) -> Result<()> {
    project::run(cargo(project, "clippy")?.args(["--", "-D", "warnings"]))
}

/// Builds all targets; gives the directory of their programs.
fn build(project: &Project) -> Result<PathBuf> {
    project::run(&mut cargo(project, "build")?)?;
    Ok(target_directory(project)?.join(project::host()?).join("release"))
}

/// `cargo` over the targets with the flags of coverage. They are given to clippy as well, so that
/// libFuzzer is built once for both.
fn cargo(project: &Project, word: &str) -> Result<Command> {
    let mut command = project.cargo(&[word, "--release", "--locked", "--manifest-path", MANIFEST]);
    // With a target named, build scripts and macros are built without the flags.
    command.args(["--target", &project::host()?, "--target-dir"]).arg(target_directory(project)?);
    command.env("RUSTFLAGS", FLAGS).env_remove("CARGO_ENCODED_RUSTFLAGS");
    Ok(command)
}

fn target_directory(project: &Project) -> Result<PathBuf> {
    Ok(project.target()?.join("fuzz"))
}

fn run_target(root: &Path, program: &Path, target: &str, seconds: u64) -> Result<()> {
    let directory = |kind: &str| root.join("fuzz").join(kind).join(target);
    let (corpus, artifacts, seeds) = (directory("corpus"), directory("artifacts"), directory("seeds"));
    for made in [&corpus, &artifacts] {
        std::fs::create_dir_all(made).with_context(|| format!("create {}", made.display()))?;
    }
    let mut command = Command::new(program);
    command.arg(format!("-max_total_time={seconds}")).arg(format!("-timeout={INPUT_SECONDS_MAX}"));
    command.arg(format!("-artifact_prefix={}/", artifacts.display()));
    command.args(["-verbosity=0", "-print_funcs=0", "-print_final_stats=1"]);
    // New inputs go to the first directory; the others are only read.
    command.arg(corpus);
    if seeds.is_dir() {
        command.arg(seeds);
    }
    let ended = command.current_dir(root).output().with_context(|| format!("start {}", program.display()))?;
    let said = String::from_utf8_lossy(&ended.stderr);
    // What libFuzzer says is long, and worth reading only when it has found something.
    ensure!(ended.status.success(), "{target}: {}\n{said}", ended.status);
    ensure!(!said.contains(BLIND), "{target} was built without coverage: rustc no longer takes the flags");
    let runs = executed(&said).with_context(|| format!("{target} did not say how much it ran:\n{said}"))?;
    println!("    {target:<10} {runs:>9} inputs in {seconds} s, no fault");
    Ok(())
}

/// What libFuzzer says, and goes on, when the program does not tell it which code was reached.
const BLIND: &str = "Is the code instrumented for coverage?";

/// How many inputs were run, from the last words of libFuzzer.
fn executed(said: &str) -> Option<u64> {
    let count = said.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"))?;
    count.trim().parse().ok().filter(|runs| *runs > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_shared_and_never_without_end() {
        assert_eq!(share(Duration::from_secs(60), 6).unwrap(), 10);
        assert_eq!(share(Duration::from_secs(11), 2).unwrap(), 5);
        assert!(share(Duration::from_secs(5), 6).is_err());
        assert!(share(Duration::from_secs(5), 0).is_err());
    }

    #[test]
    fn a_target_that_ran_nothing_is_no_success() {
        assert_eq!(executed("x\nstat::number_of_executed_units: 42\n"), Some(42));
        assert_eq!(executed("stat::number_of_executed_units: 0"), None);
        assert_eq!(executed("usage"), None);
    }

    #[test]
    fn a_target_that_fails_or_is_missing_is_an_error() {
        let root = std::env::temp_dir().join(format!("incast-xtask-{}", std::process::id()));
        let run = |program: &str| run_target(&root, Path::new(program), "none", 1);
        assert!(run("false").unwrap_err().to_string().contains("exit status: 1"));
        assert!(run("true").unwrap_err().to_string().contains("did not say how much it ran"));
        assert!(run("no-such-target").is_err());
        std::fs::remove_dir_all(&root).unwrap();
    }
}
