//! Where the project lies, what cargo knows about it, and how programs are started in it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

/// The project that this tool belongs to.
#[derive(Debug)]
pub(crate) struct Project {
    root: PathBuf,
    /// `cargo metadata` of our own packages, without their dependencies.
    metadata: Value,
}

impl Project {
    /// Finds the project of the running `cargo xtask`.
    pub(crate) fn open() -> Result<Self> {
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR").context("start this tool as `cargo xtask`")?;
        let root =
            Path::new(&manifest).parent().context("the directory of xtask has no parent")?.to_path_buf();
        let mut project = Self { root, metadata: Value::Null };
        project.metadata = project.metadata_of(&["--no-deps"])?;
        Ok(project)
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Our own packages as `cargo metadata` describes them.
    pub(crate) fn packages(&self) -> Result<&Vec<Value>> {
        self.metadata["packages"].as_array().context("cargo metadata tells no packages")
    }

    /// Where cargo puts what it builds.
    pub(crate) fn target(&self) -> Result<&Path> {
        self.metadata["target_directory"]
            .as_str()
            .map(Path::new)
            .context("cargo metadata tells no target directory")
    }

    /// `cargo` with these words, to be run in the root of the project.
    pub(crate) fn cargo(&self, words: &[&str]) -> Command {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.args(words).current_dir(&self.root);
        command
    }

    /// What `cargo metadata` answers, with these words after it.
    pub(crate) fn metadata_of(&self, words: &[&str]) -> Result<Value> {
        let mut command = self.cargo(&["metadata", "--format-version=1", "--locked"]);
        let text = output(command.args(words))?;
        serde_json::from_str(&text).context("read the answer of cargo metadata")
    }
}

/// Runs `command` to its end, its output shown as it comes.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    println!("    {}", shown(command));
    let status = command.status().with_context(|| format!("start {}", shown(command)))?;
    if status.success() {
        return Ok(());
    }
    bail!("{}: {status}", shown(command))
}

/// Runs `command` to its end, without a word.
pub(crate) fn run_quietly(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("start {}", shown(command)))?;
    ensure!(status.success(), "{}: {status}", shown(command));
    Ok(())
}

/// Runs `command` to its end and gives what it wrote; what it complained about is shown.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let ended = command
        .stderr(std::process::Stdio::inherit())
        .output()
        .with_context(|| format!("start {}", shown(command)))?;
    ensure!(ended.status.success(), "{}: {}", shown(command), ended.status);
    Ok(String::from_utf8_lossy(&ended.stdout).into_owned())
}

/// The command as one would type it.
fn shown(command: &Command) -> String {
    let name = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy();
    let words = command.get_args().map(|word| word.to_string_lossy());
    std::iter::once(name).chain(words).collect::<Vec<_>>().join(" ")
}

/// The target triple of this machine.
pub(crate) fn host() -> Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = output(Command::new(rustc).arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc -vV tells no host")
}

/// Whether this is CI, where everything must run.
pub(crate) fn in_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false" && value != "0")
}

/// Where `program` lies on the search path, or in the directories of the system's administrator.
pub(crate) fn find_program(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    directories.map(|directory| directory.join(program)).find(|candidate| candidate.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_program_is_an_error_that_names_it() {
        assert!(run(&mut Command::new("true")).is_ok());
        let error = run(Command::new("sh").args(["-c", "exit 3"])).unwrap_err().to_string();
        assert_eq!(error, "sh -c exit 3: exit status: 3");
        let error = run(&mut Command::new("no-such-program")).unwrap_err().to_string();
        assert_eq!(error, "start no-such-program");
        assert!(output(&mut Command::new("false")).is_err());
        assert_eq!(output(Command::new("echo").arg("a")).unwrap(), "a\n");
    }

    #[test]
    fn programs_are_found() {
        assert!(find_program("sh").is_some());
        assert_eq!(find_program("no-such-program"), None);
    }
}
