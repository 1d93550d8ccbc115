//! Settings that a scenario asks for beyond its namespaces' own: those of the whole machine, which are written
//! down and put back, and those of interfaces, which go with the lab.

use std::io;
use std::path::Path;

use anyhow::Context as _;
use incast_core::scenario::Scenario;
use incast_core::tune::{Change, Knob, KnobKind};
use incast_host::journal::{Changed, Identity, JournalFault, JournalFile, Knobs as _};
use incast_lab::Lab;

use crate::host::{HostKnobs, JOURNAL, explained, tell_put_back};
use crate::output::note;

/// Settings of the machine that are changed for a while. Dropping them puts them back as well; what a killed
/// process left, [`put_back_of_the_dead`] and `incast host restore` do.
pub(crate) struct MachineSettings {
    /// The journal, and its last change before ours.
    journal: Option<(JournalFile, u32)>,
}

impl MachineSettings {
    /// Sets what the scenario's `[machine]` says.
    pub(crate) fn set(scenario: &Scenario) -> anyhow::Result<Self> {
        if scenario.machine_sysctls.is_empty() {
            return Ok(Self { journal: None });
        }
        let path = Path::new(JOURNAL);
        let identity = Identity::here().context("find out which start of the machine this is")?;
        let by = format!("the scenario {}", scenario.name);
        let journal = JournalFile::open(path, &identity, &by).map_err(|fault| explained(path, fault))?;
        let after = journal.last();
        let mut this = Self { journal: Some((journal, after)) };
        for (name, value) in &scenario.machine_sysctls {
            let knob = Knob::here(KnobKind::Sysctl { name: name.clone() });
            let change = Change { knob, value: value.clone() };
            let Some((journal, _)) = &mut this.journal else { break };
            if let Changed::Refused(error) = journal.change_for_now(&HostKnobs, &change)? {
                anyhow::bail!("set {name} = {value} for all hosts: {error}");
            }
        }
        Ok(this)
    }

    /// Puts them back.
    pub(crate) fn put_back(mut self) -> anyhow::Result<()> {
        self.end()
    }

    fn end(&mut self) -> anyhow::Result<()> {
        let Some((mut journal, after)) = self.journal.take() else { return Ok(()) };
        let mut ended = journal.put_back(&HostKnobs, after).context("write the journal")?;
        let is_good = |how: &io::Result<_>| matches!(how, Ok(incast_core::tune::PutBack::Restored));
        ended.retain(|(_, how)| !is_good(how));
        tell_put_back(&ended);
        close(journal)
    }
}

/// Puts back what a process that was killed has left changed for its `[machine]`: nothing is measured under the
/// settings of somebody else's variant. What `incast host tune` changed is there to stay, and stays.
pub(crate) fn put_back_of_the_dead() -> anyhow::Result<()> {
    let path = Path::new(JOURNAL);
    let identity = Identity::here().context("find out which start of the machine this is")?;
    let mut journal = match JournalFile::find(path, &identity) {
        Ok(Some(journal)) => journal,
        // A process that lives has it, or it is of a network that is not this one.
        Ok(None) | Err(JournalFault::Locked | JournalFault::OtherNetwork(_)) => return Ok(()),
        // Whoever may not change settings of the machine measures it as it is.
        Err(JournalFault::Io(error)) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(()),
        Err(fault) => return Err(explained(path, fault)),
    };
    if !journal.open_changes().iter().any(|change| change.for_now) {
        return Ok(());
    }
    let ended = journal.put_back_of_the_dead(&HostKnobs).context("write the journal")?;
    note("a process that was killed has left settings of this machine changed:");
    if tell_put_back(&ended) {
        anyhow::bail!("what a killed process left cannot be put back, and nothing is measured with it");
    }
    close(journal)
}

fn close(journal: JournalFile) -> anyhow::Result<()> {
    journal.close().context("remove the journal")?;
    // Only if nobody else has anything there.
    let _ = Path::new(JOURNAL).parent().map(std::fs::remove_dir);
    Ok(())
}

impl Drop for MachineSettings {
    fn drop(&mut self) {
        // Whoever cares for the outcome has called `put_back`; what could not be done stays in the journal.
        let _ = self.end();
    }
}

/// Sets what the scenario says of the interfaces of its hosts.
pub(crate) fn set_interfaces(scenario: &Scenario, lab: &Lab) -> anyhow::Result<()> {
    for (plan, host) in scenario.hosts.iter().zip(lab.hosts()) {
        for nth in 0..host.addresses.len() {
            for (key, value) in &plan.interface {
                let kind =
                    KnobKind::of_interface(&format!("e{nth}"), key).context("a key of an interface")?;
                let knob = Knob { namespace: Some(host.namespace.clone()), kind };
                HostKnobs
                    .write(&knob, value)
                    .map_err(|error| refused(&plan.name, nth, (key, value), &error))?;
            }
        }
    }
    Ok(())
}

/// Why an interface of a host cannot be set so. The name of its namespace, another in every lab, tells nobody anything.
fn refused(host: &str, nth: usize, (key, value): (&str, &str), error: &io::Error) -> anyhow::Error {
    if error.kind() == io::ErrorKind::Unsupported {
        return anyhow::anyhow!(
            "interface e{nth} of host {host} has no `{key}`: it is a virtual cable, whose driver does not know it"
        );
    }
    anyhow::anyhow!("interface e{nth} of host {host} refused `{key}` = {value}: {error}")
}
