//! Names of queues, as the simulator calls them: `nic of y`, `port of main to x`, `ring of x`, `backlog of x`.

use toml::Spanned;

use super::findings::{Findings, quoted};
use super::hosts::Hosts;
use super::ways::Ways;

/// Who may be named in the name of a queue.
pub(super) struct Queues<'w> {
    pub(super) hosts: &'w Hosts,
    pub(super) ways: &'w Ways<'w>,
}

impl Queues<'_> {
    /// Whether there is such a queue; notes one that there is not. Which cable leads where is not looked at.
    pub(super) fn check(&self, name: &Spanned<&str>, findings: &mut Findings<'_>) -> bool {
        let is_host = |name: &str| self.hosts.is_known(name);
        let is_switch = |name: &str| self.ways.is_switch(name);
        let of_host = ["nic of ", "ring of ", "backlog of "];
        let text = *name.get_ref();
        let is_there = of_host.iter().any(|kind| text.strip_prefix(kind).is_some_and(is_host))
            || text
                .strip_prefix("port of ")
                .and_then(|ends| ends.split_once(" to "))
                .is_some_and(|(switch, end)| is_switch(switch) && (is_host(end) || is_switch(end)));
        if !is_there && !self.hosts.incomplete {
            let message = format!(
                "there is no queue {}; write for example `port of main to x` or `nic of x`, with the names of \
                 a switch and a host of this file",
                quoted(text)
            );
            findings.add(&name.span(), message);
        }
        is_there
    }
}
