//! What else can be done with labs: drawn, left standing, entered, cleaned up.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::Context as _;
use incast_core::scenario::Setting;
use incast_lab::{Found, Lab};

use super::links::Links;
use super::network_of;
use crate::output::note;
use crate::run::read;
use crate::signals::Stops;

/// Draws the network of a scenario, and builds nothing.
pub(super) fn plan(file: &Path, set: &[String]) -> anyhow::Result<ExitCode> {
    let scenario = read(file, &settings(set)?)?;
    network_of(&scenario)?;
    let drawn = scenario.describe_network().map(|network| incast_view::topology::text(&network));
    write!(std::io::stdout().lock(), "{}", drawn.unwrap_or_default()).context("write to standard output")?;
    Ok(ExitCode::SUCCESS)
}

/// Builds the network of a scenario and leaves it standing until Ctrl-C.
pub(super) fn stand(file: &Path, set: &[String]) -> anyhow::Result<ExitCode> {
    let stops = Stops::listen()?;
    let scenario = read(file, &settings(set)?)?;
    let lab = Lab::build(&scenario.name, &scenario.hosts, network_of(&scenario)?)?;
    let mut links = Links::start(&lab, &scenario)?;
    note(&format!("the lab {} stands; Ctrl-C takes it away. In another terminal:", scenario.name));
    for host in lab.hosts().iter().take(4) {
        note(&format!("  incast lab shell {} {}", scenario.name, host.name));
    }
    while stops.count() == 0 {
        std::thread::sleep(Duration::from_millis(50));
        links.held();
    }
    let (_, deaths) = links.end();
    let seconds = lab.take_down();
    note(&format!("the lab is gone ({:.0} ms)", seconds * 1e3));
    if let Some(death) = deaths.first() {
        anyhow::bail!("{death}");
    }
    Ok(ExitCode::SUCCESS)
}

/// Removes what labs left behind that were killed.
pub(super) fn clean() -> anyhow::Result<ExitCode> {
    let cleaned = incast_lab::clean()?;
    for lab in &cleaned {
        let what = match lab.groups.len() {
            0 => format!("the lab {} with {} namespaces", lab.id, lab.namespaces.len()),
            groups => format!("{groups} CPU quotas of {}", lab.scenario),
        };
        note(&format!("removed {what}"));
    }
    if cleaned.is_empty() {
        note("nothing was left behind");
    }
    Ok(ExitCode::SUCCESS)
}

/// Becomes a shell, or a command, on a host of a standing lab.
pub(super) fn shell(lab: &str, host: &str, command: &[String]) -> anyhow::Result<ExitCode> {
    let found = standing(lab)?;
    incast_lab::enter_host(&found, host)?;
    let shell = std::env::var("SHELL").unwrap_or_else(|_| "/bin/sh".into());
    let (program, args) = command.split_first().map_or((&shell, &[][..]), |(program, args)| (program, args));
    let prompt = format!("{host}# ");
    let failed = Command::new(program).args(args).env("PS1", prompt).env("INCAST_HOST", host).exec();
    Err(failed).with_context(|| format!("start {program}"))
}

/// The one lab that `name` means: a scenario's name, its file, or a lab's identifier.
fn standing(name: &str) -> anyhow::Result<Found> {
    let of_file = Path::new(name).is_file().then(|| read(Path::new(name), &[])).transpose()?;
    let name = of_file.as_ref().map_or(name, |scenario| &scenario.name);
    let mut found = incast_lab::find(Some(name));
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => {
            let others: Vec<String> = incast_lab::find(None).into_iter().map(|lab| lab.id).collect();
            let others = if others.is_empty() {
                "no lab stands".into()
            } else {
                format!("these do: {}", others.join(", "))
            };
            anyhow::bail!(
                "no lab of {name} stands ({others}); `incast lab stand FILE` builds one and leaves it standing"
            )
        }
        _ => {
            let ids: Vec<String> = found.into_iter().map(|lab| lab.id).collect();
            anyhow::bail!("several labs of {name} stand; say which: {}", ids.join(", "))
        }
    }
}

fn settings(set: &[String]) -> anyhow::Result<Vec<Setting>> {
    set.iter().map(|set| set.parse().map_err(|error| anyhow::anyhow!("--set: {error}"))).collect()
}
