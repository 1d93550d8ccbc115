//! What the program says about itself: key, schema, completions, manual pages.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::CommandFactory as _;
use incast_core::record::{Campaign, Record};
use incast_net::key::Key;

use crate::cli::{Cli, Document};

/// `incast key`
pub(crate) fn key(file: Option<&Path>) -> anyhow::Result<ExitCode> {
    let key =
        Key::random().map_err(|error| anyhow::anyhow!("the kernel gives no random numbers: {error}"))?;
    let text = format!("{}\n", key.to_text());
    let Some(path) = file else { return print(&text) };
    // A key that is there already may be in use: it is never written over.
    let mut options = std::fs::OpenOptions::new();
    let written = options.write(true).create_new(true).mode(0o600).open(path).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.with_context(|| format!("write the key file {}", path.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// `incast schema`
pub(crate) fn schema(of: Document) -> anyhow::Result<ExitCode> {
    // Of what is written: every field is there, and unknown is null. What reads is more patient.
    let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
    let generator = settings.into_generator();
    let schema = match of {
        Document::Record => generator.into_root_schema_for::<Record>(),
        Document::Campaign => generator.into_root_schema_for::<Campaign>(),
    };
    print(&format!("{}\n", serde_json::to_string_pretty(&schema)?))
}

/// `incast completions`
pub(crate) fn completions(shell: clap_complete::Shell) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "incast", &mut script);
    print(&String::from_utf8(script)?)
}

/// `incast man`
pub(crate) fn man(dir: &Path) -> anyhow::Result<ExitCode> {
    std::fs::create_dir_all(dir).with_context(|| format!("create {}", dir.display()))?;
    clap_mangen::generate_to(Cli::command(), dir)
        .with_context(|| format!("write manual pages into {}", dir.display()))?;
    Ok(ExitCode::SUCCESS)
}

fn print(text: &str) -> anyhow::Result<ExitCode> {
    std::io::stdout().lock().write_all(text.as_bytes()).context("write to standard output")?;
    Ok(ExitCode::SUCCESS)
}
