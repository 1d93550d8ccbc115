//! `incast host tune` and `restore`: changes what the check advises, each change written down before it is
//! made, and puts it back.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use incast_core::tune::{Change, HostCheck, OpenChange, PutBack};
use incast_host::journal::{Changed, Identity, JournalFault, JournalFile};
use incast_host::settings;

use super::check::here;
use super::knobs::HostKnobs;
use crate::cli::TuneArgs;
use crate::output::note;

/// Carries out `incast host tune`.
pub(crate) fn tune(args: &TuneArgs) -> anyhow::Result<ExitCode> {
    let asked = args.asked.asked()?;
    if asked.rate.is_none() {
        anyhow::bail!("say what the host is to carry, for example --rate 10Gbit/s");
    }
    let check = if args.interface.is_empty() {
        HostCheck::of(settings::read(&[]), &asked)
    } else {
        here(&args.interface, &asked)?
    };
    let changes: Vec<&Change> = check.changes().collect();
    if changes.is_empty() {
        note("there is nothing to change: incast host check says the rest");
        return Ok(ExitCode::SUCCESS);
    }
    if args.dry_run {
        for change in changes {
            anstream::println!("{}", change.knob.kind.command(&change.value));
        }
        return Ok(ExitCode::SUCCESS);
    }
    if !rustix::process::geteuid().is_root() {
        anyhow::bail!(
            "settings of a host are root's to change: run it with sudo, or with --dry-run to see what it would do"
        );
    }
    apply(&args.journal, &changes)
}

fn apply(path: &Path, changes: &[&Change]) -> anyhow::Result<ExitCode> {
    let identity = Identity::here().context("find out which start of the machine this is")?;
    let mut journal =
        JournalFile::open(path, &identity, "incast host tune").map_err(|fault| explained(path, fault))?;
    if journal.was_of_another_boot() {
        note(
            "the machine was started since its settings were last changed: what was written down then is void",
        );
    }
    let mut refused = 0;
    for change in changes {
        let changed = journal
            .change(&HostKnobs, change)
            .with_context(|| format!("write down {} in {}", change.knob, path.display()))?;
        match changed {
            Changed::Made { old, now } if now == change.value => {
                note(&format!("{}: {old} -> {now}", change.knob));
            }
            Changed::Made { old, now } => {
                note(&format!("{}: {old} -> {now} (asked for {})", change.knob, change.value));
            }
            Changed::AlreadySo => {}
            Changed::Refused(error) => {
                refused += 1;
                note(&format!("not changed: {}: {error}", change.knob));
            }
        }
    }
    if journal.open_changes().is_empty() {
        note("nothing was changed");
    } else {
        note(&format!("incast host restore puts it back; written down in {}", path.display()));
    }
    journal.close().context("remove the journal")?;
    Ok(ExitCode::from(u8::from(refused > 0)))
}

/// Carries out `incast host restore`.
pub(crate) fn restore(path: &Path) -> anyhow::Result<ExitCode> {
    let identity = Identity::here().context("find out which start of the machine this is")?;
    let found = JournalFile::find(path, &identity).map_err(|fault| explained(path, fault))?;
    let Some(mut journal) = found else {
        note(&format!("nothing was changed: there is no {}", path.display()));
        return Ok(ExitCode::SUCCESS);
    };
    if journal.was_of_another_boot() {
        note(
            "the machine was started since: its settings are those of its start, and there is nothing to put back",
        );
    }
    let ended =
        journal.put_back(&HostKnobs, 0).with_context(|| format!("write the journal {}", path.display()))?;
    let failed = tell_put_back(&ended);
    journal.close().context("remove the journal")?;
    Ok(ExitCode::from(u8::from(failed)))
}

/// Says what became of each change; whether any could not be put back.
pub(crate) fn tell_put_back(ended: &[(OpenChange, std::io::Result<PutBack>)]) -> bool {
    for (change, how) in ended {
        let OpenChange { knob, old, new, .. } = change;
        match how {
            Ok(PutBack::Restored) => note(&format!("{knob}: {old} again")),
            Ok(PutBack::Unchanged) => {}
            Ok(PutBack::Left) => note(&format!(
                "left alone: {knob} is no longer {new}: somebody else has changed it since; it was {old}"
            )),
            Ok(PutBack::Gone) => note(&format!("{knob} is gone, and its value with it")),
            Err(error) => note(&format!("not put back: {knob} to {old}: {error}")),
        }
    }
    ended.iter().any(|(_, how)| how.is_err())
}

/// A fault of the journal in words that say what to do.
pub(crate) fn explained(path: &Path, fault: JournalFault) -> anyhow::Error {
    let shown = path.display();
    match fault {
        JournalFault::Locked => anyhow::anyhow!(
            "somebody else is changing settings of this host: {shown} is locked; wait until it is done"
        ),
        JournalFault::OtherNetwork(number) => anyhow::anyhow!(
            "{shown} was written in another network namespace (number {number}): run it there (ls -Li /run/netns \
             tells numbers), or remove the file if that namespace is gone"
        ),
        JournalFault::Damaged(what) => anyhow::anyhow!(
            "{shown} is damaged: {what}; nothing is put back by guessing: mend that line by hand, or put back \
             what the file names and remove it"
        ),
        JournalFault::Io(error) => anyhow::Error::new(error).context(format!("open the journal {shown}")),
    }
}
