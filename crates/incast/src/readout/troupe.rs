//! The roles of a readout as their conductor holds them: processes that come, speak, die and return.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Instant;

use anyhow::Context as _;
use crossbeam_channel::Sender;
use incast_core::readout::{Incarnation, Peer};
use incast_core::record::Cpu;
use incast_core::scenario::{HostPlan, Scenario};
use incast_net::key::{Key, random_number};

use super::assignment::{ReadoutAssignment, ReadoutPart, Told, Whereabouts};
use crate::endpoint::resolve;
use crate::run::agent_link::AgentLink;
use crate::run::lines::{Assignment, Part, RoleOrder};
use crate::run::places::Places;
use crate::run::player::{Heard, Player};

/// All roles.
pub(super) struct Troupe {
    pub(super) members: Vec<Member>,
    /// Which member a process is, by its number.
    by_number: BTreeMap<usize, usize>,
    agents: BTreeMap<String, AgentLink>,
    hosts: Vec<HostPlan>,
    places: Places,
    heard: Sender<Heard>,
    run_key: Key,
    next_number: usize,
}

/// A role over all its lives.
pub(super) struct Member {
    pub(super) peer: Peer,
    pub(super) name: String,
    pub(super) host: Option<String>,
    pub(super) life: Incarnation,
    /// Processes that played it.
    pub(super) lives: u32,
    /// How each but the last ended, and the last if not well.
    pub(super) deaths: Vec<String>,
    /// Where it is; unknown while it starts.
    pub(super) there: Option<Whereabouts>,
    pub(super) told: Option<Told>,
    /// It has said its last word in good order.
    pub(super) has_ended: bool,
    pub(super) cpu: Option<Cpu>,
    pub(super) last_heard: Instant,
    /// It has said nothing for so long that others were told.
    pub(super) is_silent: bool,
    /// When it is to be started again.
    pub(super) returns: Option<Instant>,
    player: Option<Player>,
    number: usize,
}

impl Member {
    /// Whether a process plays it now.
    pub(super) fn is_alive(&self) -> bool {
        self.player.is_some()
    }

    /// Says an order to it.
    pub(super) fn say(&mut self, order: RoleOrder) {
        if let Some(player) = &mut self.player {
            player.say(&order);
        }
    }

    /// Kills its process.
    pub(super) fn kill(&mut self) {
        if let Some(player) = &mut self.player {
            player.kill();
        }
    }

    /// Stops its process, or lets it go on; only of this machine.
    pub(super) fn hang(&self, is_hanging: bool) -> bool {
        self.player.as_ref().is_some_and(|player| player.hang(is_hanging))
    }
}

impl Troupe {
    /// Nobody plays yet; agents that the scenario's hosts name are reached.
    pub(super) fn new(
        scenario: &Scenario,
        roles: impl Iterator<Item = (Peer, String, Option<String>)>,
        (key, places, heard): (&Key, Places, Sender<Heard>),
    ) -> anyhow::Result<Self> {
        let mut agents: BTreeMap<String, AgentLink> = BTreeMap::new();
        for address in scenario.hosts.iter().filter_map(|host| host.agent.as_ref()) {
            if !agents.contains_key(address) {
                agents.insert(address.clone(), AgentLink::open(address, key, heard.clone())?);
            }
        }
        let member = |(peer, name, host)| Member {
            peer,
            name,
            host,
            life: Incarnation(0),
            lives: 0,
            deaths: Vec::new(),
            there: None,
            told: None,
            has_ended: false,
            cpu: None,
            last_heard: Instant::now(),
            is_silent: false,
            returns: None,
            player: None,
            number: 0,
        };
        Ok(Self {
            members: roles.map(member).collect(),
            by_number: BTreeMap::new(),
            agents,
            hosts: scenario.hosts.clone(),
            places,
            heard,
            run_key: Key::random().context("draw the key of the run")?,
            next_number: 0,
        })
    }

    /// The member that the process of that number plays, if it still does.
    pub(super) fn of_number(&self, number: usize) -> Option<usize> {
        self.by_number.get(&number).copied().filter(|index| self.members[*index].number == number)
    }

    /// The member that plays `peer`.
    pub(super) fn of_peer(&self, peer: Peer) -> Option<usize> {
        self.members.iter().position(|member| member.peer == peer)
    }

    /// Starts a process for a member, in a new life.
    pub(super) fn start(
        &mut self,
        index: usize,
        carrier: incast_core::scenario::FragmentCarrier,
        part: impl FnOnce(Incarnation) -> ReadoutPart,
    ) -> anyhow::Result<()> {
        let bind = SocketAddr::new(self.bind_address(index)?, 0);
        let number = self.next_number;
        self.next_number += 1;
        let life = Incarnation(random_number().context("draw a random number")?);
        let key = self.run_key.to_text();
        let member = &mut self.members[index];
        let host = member.host.as_deref().and_then(|name| self.hosts.iter().find(|host| host.name == name));
        let mut player = match host.and_then(|host| self.agents.get(host.agent.as_ref()?)) {
            None => Player::here(number, self.heard.clone()).with_context(|| member.name.clone())?,
            Some(agent) => {
                let role = u32::try_from(number)?;
                agent.spawn(role, number);
                Player::There { agent: agent.clone(), role }
            }
        };
        let namespace = host.and_then(|host| self.places.namespace(&host.name));
        host.map_or(Ok(()), |host| self.places.admit(&host.name, player.process()))?;
        let part = ReadoutAssignment {
            me: member.peer,
            name: member.name.clone(),
            life,
            key,
            bind,
            carrier,
            part: part(life),
        };
        player.say(&Assignment { namespace, part: Part::Readout(Box::new(part)) });
        self.by_number.insert(number, index);
        *member = Member {
            peer: member.peer,
            name: std::mem::take(&mut member.name),
            host: member.host.take(),
            deaths: std::mem::take(&mut member.deaths),
            lives: member.lives + 1,
            life,
            there: None,
            told: None,
            has_ended: false,
            cpu: None,
            last_heard: Instant::now(),
            is_silent: false,
            returns: None,
            player: Some(player),
            number,
        };
        Ok(())
    }

    /// A member's process says nothing more: how it ended, if not well.
    pub(super) fn bury(&mut self, index: usize, how: Option<String>) -> Option<String> {
        let member = &mut self.members[index];
        let mut player = member.player.take()?;
        player.kill();
        let reaped = player.reap();
        member.there = None;
        member.is_silent = false;
        let how = how.or(reaped);
        if member.has_ended {
            return None;
        }
        let how = how.unwrap_or_else(|| "ended without its account".into());
        member.deaths.push(how.clone());
        Some(how)
    }

    /// Ends everybody who is still there, without waiting for a last word.
    pub(super) fn end_all(&mut self, why: &str) {
        for index in 0..self.members.len() {
            if self.members[index].is_alive() {
                self.bury(index, Some(why.into()));
            }
        }
    }

    /// Where a role listens, so that those who talk to it can.
    fn bind_address(&self, index: usize) -> anyhow::Result<IpAddr> {
        let Some(name) = &self.members[index].host else {
            // Peers elsewhere could not reach it.
            if self.agents.is_empty() {
                return Ok(Ipv4Addr::LOCALHOST.into());
            }
            anyhow::bail!(
                "role {} is on this machine without a host, and other roles are at agents; give it a `host` \
                 whose `address` says where it is reached",
                self.members[index].name
            );
        };
        if let Some(address) = self.places.data_of(name) {
            return Ok(address);
        }
        let host =
            self.hosts.iter().find(|host| host.name == *name).with_context(|| format!("host {name}"))?;
        Ok(resolve(host.reached_at(), 0)?.ip())
    }
}

/// Whether `from` dials `to`, takes calls from it, or has nothing to do with it.
pub(super) fn talks(from: Peer, to: Peer) -> Option<Dials> {
    use Dials::{Answers, Calls};
    match (from, to) {
        (Peer::Source(_) | Peer::Builder(_) | Peer::Sink(_), Peer::Trigger)
        | (Peer::Source(_), Peer::Builder(_))
        | (Peer::Node(_), Peer::Builder(_) | Peer::Sink(_))
        | (Peer::Builder(_), Peer::Sink(_)) => Some(Calls),
        (Peer::Trigger, Peer::Source(_) | Peer::Builder(_) | Peer::Sink(_))
        | (Peer::Builder(_), Peer::Source(_) | Peer::Node(_))
        | (Peer::Sink(_), Peer::Node(_) | Peer::Builder(_)) => Some(Answers),
        _ => None,
    }
}

/// Who makes a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dials {
    Calls,
    Answers,
}
