//! The `[[host]]` tables: names, groups, and where each host is reached.
//!
//! `count` makes a group: `name = "source"`, `count = 4` are the hosts source-1 to source-4, and
//! `source` means all of them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Range;

use toml::de::DeTable;

use super::findings::{Findings, quoted};
use super::model::HostPlan;
use super::reader::Reader;
use crate::tune::LINK_KEYS;

/// Every host of a scenario, by name and by group.
#[derive(Default)]
pub(super) struct Hosts {
    plans: Vec<HostPlan>,
    /// Hosts and groups: which of `plans` the name means.
    names: BTreeMap<String, Range<usize>>,
    /// What each table made, and where its name stands.
    tables: Vec<(String, Range<usize>, Range<usize>)>,
    /// A table could not be read, so that a name may be missing through no fault of who uses it.
    pub(super) incomplete: bool,
}

impl Hosts {
    /// No hosts yet; `incomplete` when their tables could not be read at all.
    pub(super) fn new(incomplete: bool) -> Self {
        Self { incomplete, ..Self::default() }
    }

    /// Reads one `[[host]]`.
    pub(super) fn read<'t>(
        &mut self,
        table: &DeTable<'t>,
        header: Range<usize>,
        findings: &mut Findings<'t>,
    ) {
        let mut reader = Reader::open(table, "[[host]]", header, KEYS, findings);
        reader.require("name", "flows refer to a host by it");
        let agent = checked(&mut reader, "agent", wrong_agent);
        let address = checked(&mut reader, "address", wrong_address);
        let sysctls = read_sysctls(&mut reader);
        let interface = read_interface(&mut reader);
        let cpu_quota_millicores = read_quota(&mut reader);
        let count = reader.small::<usize>("count", 1..=HOSTS_MAX as u64);
        let name = reader.name("name");
        let (Some(name), true) = (name, count.is_some() || !reader.has("count")) else {
            self.incomplete = true;
            return;
        };
        let (group, place) = (*name.get_ref(), name.span());
        if self.plans.len() + count.unwrap_or(1) > HOSTS_MAX {
            reader.findings.add(&place, format!("more than {HOSTS_MAX} hosts"));
            self.incomplete = true;
            return;
        }
        let first = self.plans.len();
        let members: Vec<String> = match count {
            None => vec![group.to_owned()],
            Some(count) => (1..=count).map(|number| format!("{group}-{number}")).collect(),
        };
        let meant = first..first + members.len();
        let group_name = count.map(|_| group);
        let mut taken = group_name.into_iter().chain(members.iter().map(String::as_str));
        if let Some(taken) = taken.find(|name| self.names.contains_key(*name)) {
            let message = format!("there is already a host or a group `{taken}`; names are unique");
            reader.findings.add(&place, message);
            self.incomplete |= !self.names.contains_key(group);
            return;
        }
        for (index, member) in members.into_iter().enumerate() {
            self.names.insert(member.clone(), first + index..first + index + 1);
            self.plans.push(HostPlan {
                name: member,
                agent: agent.clone(),
                address: address.clone(),
                sysctls: sysctls.clone(),
                interface: interface.clone(),
                cpu_quota_millicores,
            });
        }
        self.names.insert(group.to_owned(), meant.clone());
        self.tables.push((group.to_owned(), place, meant));
    }

    /// The hosts that `name` means, as indices for [`Self::name_of`]; notes an unknown name.
    pub(super) fn meant_by(
        &self,
        name: &str,
        place: &Range<usize>,
        findings: &mut Findings<'_>,
    ) -> Option<Range<usize>> {
        let meant = self.names.get(name).cloned();
        if meant.is_none() && !self.incomplete {
            let advice = findings.advice(name, self.names.keys().map(String::as_str), &self.known());
            findings.add(place, format!("unknown host {}{advice}", quoted(name)));
        }
        meant
    }

    /// Whether it is the name of a host or of a group.
    pub(super) fn is_known(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    fn known(&self) -> String {
        let mut names: Vec<_> = self.tables.iter().take(KNOWN_MAX).map(|(name, ..)| name.as_str()).collect();
        if names.is_empty() {
            return "none, there is no [[host]]".to_owned();
        }
        if self.tables.len() > KNOWN_MAX {
            names.push("...");
        }
        names.join(", ")
    }

    /// The name of the host with this index.
    pub(super) fn name_of(&self, index: usize) -> &str {
        &self.plans[index].name
    }

    /// Notes every table of which a host takes part in no flow; once for each table.
    pub(super) fn note_idle(&self, takes_part: &[bool], findings: &mut Findings<'_>) {
        for (group, place, meant) in &self.tables {
            let idle: Vec<usize> = meant.clone().filter(|index| !takes_part[*index]).collect();
            if let Some(first) = idle.first() {
                let name = if idle.len() == meant.len() { group } else { &self.plans[*first].name };
                findings.add(place, format!("host `{name}` takes part in no flow"));
            }
        }
    }

    /// How many hosts there are.
    pub(super) fn count(&self) -> usize {
        self.plans.len()
    }

    /// Every host, in the order of the file.
    pub(super) fn into_plans(self) -> Vec<HostPlan> {
        self.plans
    }
}

/// The text of `key` unless `wrong` finds fault with it: a wrong one is never kept, it may be as long as the file.
fn checked(
    reader: &mut Reader<'_, '_>,
    key: &str,
    wrong: impl Fn(&str) -> Result<(), String>,
) -> Option<String> {
    let text = reader.text(key)?.into_inner();
    wrong(text).map(|()| text.to_owned()).map_err(|message| reader.fault(key, message)).ok()
}

/// Says what is wrong with an agent's `host:port`.
fn wrong_agent(agent: &str) -> Result<(), String> {
    let wrong = |what| Err(format!("`agent`: {} {what}; write for example 10.0.0.2:7700", quoted(agent)));
    match agent.rsplit_once(':') {
        None => wrong("has no port"),
        Some((_, port)) if !is_port(port) => wrong("does not end in a port"),
        Some((host, _)) => {
            let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
            let is_host = bare.map_or_else(|| !host.contains(':') && is_address(host), is_address);
            if is_host { Ok(()) } else { wrong("does not name a host") }
        }
    }
}

fn wrong_address(address: &str) -> Result<(), String> {
    if is_address(address) {
        return Ok(());
    }
    let found = quoted(address);
    Err(format!("`address`: {found} is neither an IP address nor a host's name; write for example 10.0.0.2"))
}

/// Whether it is a port, 1 to 65535, without the zeros before it and the sign that `parse` lets pass.
fn is_port(text: &str) -> bool {
    text.starts_with(|first: char| matches!(first, '1'..='9')) && text.parse::<u16>().is_ok()
}

/// Whether it is an IP address or could be a host's name (RFC 1123 §2.1, and `_`, which some sites use).
fn is_address(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    let is_name =
        text.len() <= 253 && text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(fits);
    is_name || text.parse::<IpAddr>().is_ok()
}

/// The kernel settings of a host: `sysctl = { "net.ipv4.tcp_rmem" = "4096 131072 67108864" }`.
pub(super) fn read_sysctls(reader: &mut Reader<'_, '_>) -> BTreeMap<String, String> {
    let mut sysctls = BTreeMap::new();
    for (name, value) in reader.settings("sysctl") {
        let (key, text) = (*name.get_ref(), *value.get_ref());
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        let is_name = key.split('.').all(|part| !part.is_empty() && part.chars().all(fits));
        if !is_name || !key.starts_with("net.") {
            let message =
                format!("{} is no setting of a host's network: they begin with `net.`", quoted(key));
            reader.findings.add(&name.span(), message);
        } else if text.len() > SYSCTL_BYTES_MAX || text.chars().any(|c| c.is_control() && c != '\t') {
            let message = format!("the value of {} is too long or does not print", quoted(key));
            reader.findings.add(&value.span(), message);
        } else {
            sysctls.insert(key.to_owned(), text.to_owned());
        }
    }
    sysctls
}

/// The settings of a host's interfaces: `interface = { gro = "on", napi_defer_hard_irqs = "2" }`.
fn read_interface(reader: &mut Reader<'_, '_>) -> BTreeMap<String, String> {
    let mut settings = BTreeMap::new();
    for (name, value) in reader.settings("interface") {
        let (key, text) = (*name.get_ref(), *value.get_ref());
        if !LINK_KEYS.contains(&key) {
            let advice = reader.findings.advice(key, LINK_KEYS.iter().copied(), &LINK_KEYS.join(", "));
            reader
                .findings
                .add(&name.span(), format!("unknown setting of an interface {}{advice}", quoted(key)));
        } else if text.is_empty() || text.len() > SYSCTL_BYTES_MAX || text.chars().any(char::is_control) {
            let message = format!("the value of {} is empty, too long or does not print", quoted(key));
            reader.findings.add(&value.span(), message);
        } else {
            settings.insert(key.to_owned(), text.to_owned());
        }
    }
    settings
}

/// How many cores the processes of a host may use: `cpu_quota = 0.5`.
fn read_quota(reader: &mut Reader<'_, '_>) -> Option<u32> {
    let cores = reader.number("cpu_quota", "a number of cores, for example 0.5", |_| None)?;
    if !(QUOTA_MIN..=QUOTA_MAX).contains(&cores) {
        reader
            .fault("cpu_quota", format!("`cpu_quota` is {cores}; allowed: {QUOTA_MIN} to {QUOTA_MAX} cores"));
        return None;
    }
    // A kernel counts in microseconds of a period of 20 ms: thousandths of a core are enough.
    format!("{:.0}", cores * 1e3).parse().ok()
}

pub(super) const KEYS: &[&str] = &["address", "agent", "count", "cpu_quota", "interface", "name", "sysctl"];
/// Below a hundredth of a core a process sleeps for seconds at a time.
const QUOTA_MIN: f64 = 0.01;
/// More cores than any machine has.
const QUOTA_MAX: f64 = 1_024.0;
/// Longest value of a kernel setting.
const SYSCTL_BYTES_MAX: usize = 256;
/// Most hosts of a scenario, groups expanded: as many as flows.
const HOSTS_MAX: usize = 4096;
/// Most names listed in a message.
const KNOWN_MAX: usize = 12;
