//! What all tables of roles have in common: a name, how many, and on which hosts.

use std::collections::BTreeMap;
use std::ops::Range;

use super::ROLES_MAX;
use crate::readout::Peer;
use crate::scenario::findings::{Findings, quoted};
use crate::scenario::hosts::Hosts;
use crate::scenario::reader::Reader;

/// Names and places of roles, and who takes part.
pub(in crate::scenario) struct Groups<'h> {
    hosts: &'h Hosts,
    takes_part: &'h mut [bool],
    /// Roles that a name means.
    names: BTreeMap<String, Vec<Peer>>,
}

/// A role that a table makes.
pub(super) struct Member {
    pub(super) name: String,
    pub(super) host: Option<String>,
    /// Its number among the roles of its kind.
    pub(super) index: u16,
}

impl<'h> Groups<'h> {
    pub(super) fn new(hosts: &'h Hosts, takes_part: &'h mut [bool]) -> Self {
        let names = BTreeMap::from([("trigger".to_owned(), vec![Peer::Trigger])]);
        Self { hosts, takes_part, names }
    }

    /// The roles that a table makes, of which there are `before` of its kind already.
    pub(super) fn members(
        &mut self,
        reader: &mut Reader<'_, '_>,
        (kind, before): (&'static str, usize),
        peer: fn(u16) -> Peer,
    ) -> Vec<Member> {
        let count = reader.small::<usize>("count", 1..=ROLES_MAX);
        let group = reader.name("name").map_or_else(|| kind.to_owned(), |name| (*name.get_ref()).to_owned());
        if self.names.contains_key(&group) {
            reader.fault("name", format!("there is already a role {}; names are unique", quoted(&group)));
            return Vec::new();
        }
        let hosts = self.hosts_of(reader);
        let names: Vec<String> = match count {
            None if reader.has("count") => return Vec::new(),
            None => vec![group.clone()],
            Some(count) => (1..=count).map(|number| format!("{group}-{number}")).collect(),
        };
        let mut members = Vec::new();
        for (place, name) in names.into_iter().enumerate() {
            let Some(index) =
                u16::try_from(before + place).ok().filter(|index| u64::from(*index) < ROLES_MAX)
            else {
                reader.fault("count", format!("more than {ROLES_MAX} roles of a kind"));
                break;
            };
            let host = (!hosts.is_empty()).then(|| hosts[place % hosts.len()]);
            if let Some(host) = host {
                self.takes_part[host] = true;
            }
            if self.names.contains_key(&name) && name != group {
                reader.fault("name", format!("there is already a role {}; names are unique", quoted(&name)));
            }
            self.names.insert(name.clone(), vec![peer(index)]);
            members.push(Member { name, host: host.map(|host| self.hosts.name_of(host).to_owned()), index });
        }
        if count.is_some() {
            self.names.insert(group, members.iter().map(|member| peer(member.index)).collect());
        }
        members
    }

    /// The host of a role that there is once.
    pub(super) fn host_of(&mut self, reader: &mut Reader<'_, '_>) -> Option<String> {
        let host = *self.hosts_of(reader).first()?;
        self.takes_part[host] = true;
        Some(self.hosts.name_of(host).to_owned())
    }

    fn hosts_of(&self, reader: &mut Reader<'_, '_>) -> Vec<usize> {
        let mut hosts = Vec::new();
        for name in reader.names("host").unwrap_or_default() {
            hosts.extend(
                self.hosts.meant_by(name.get_ref(), &name.span(), reader.findings).into_iter().flatten(),
            );
        }
        hosts
    }

    /// The roles that `name` means; notes an unknown one.
    pub(in crate::scenario) fn roles(
        &self,
        name: &str,
        place: &Range<usize>,
        findings: &mut Findings<'_>,
    ) -> Vec<Peer> {
        if let Some(roles) = self.names.get(name) {
            return roles.clone();
        }
        let known: Vec<&str> = self.names.keys().map(String::as_str).take(16).collect();
        let advice = findings.advice(name, self.names.keys().map(String::as_str), &known.join(", "));
        findings.add(place, format!("unknown role {}{advice}", quoted(name)));
        Vec::new()
    }
}
