//! Who plays what: the roles of a run, where they are, and how far they have come.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use crossbeam_channel::Sender;
use incast_core::control::SendPlan;
use incast_core::ledger::reading::HostBook;
use incast_core::record::{Cpu, Faults, Host};
use incast_core::scenario::{ExchangePlan, FlowPlan, HostPlan, Scenario, Start};
use incast_core::units::Bytes;
use incast_net::key::Key;

use super::agent_link::AgentLink;
use super::lines::{
    AnswerAssignment, AskAssignment, Assignment, EchoAssignment, Part, ReceiveAssignment, RoleLine,
    RoleOrder, SendAssignment, TagAssignment,
};
use super::places::Places;
use super::player::{Heard, Player};
use crate::drop_trace::Wish;
use crate::endpoint::resolve;

/// All roles of a run.
pub(crate) struct Cast {
    roles: Vec<Role>,
    /// Connections to agents, by their addresses as the scenario writes them.
    agents: BTreeMap<String, AgentLink>,
    /// Key of this run, which its roles share.
    run_key: Key,
    heard: Sender<Heard>,
    run_start_unix_ns: u64,
    places: Places,
    /// What tagged messages of this run begin with.
    tag: u64,
}

/// One role.
pub(crate) struct Role {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) at_agent: bool,
    pub(crate) address: Option<SocketAddr>,
    pub(crate) armed: bool,
    pub(crate) ended: Option<Ended>,
    player: Player,
    /// Why it failed, in its own words.
    failed: Option<String>,
    /// It says nothing more; how it ended, if not well.
    gone: Option<Option<String>>,
    last_heard: Instant,
}

/// What a role plays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Receives every flow to this host that asks for the same sockets.
    Receiver(Receiving),
    /// Sends this flow.
    Sender(String),
    /// Answers tagged messages on this host.
    Echo(String),
    /// Sends tagged messages beside this flow.
    Tag(String),
    /// Answers askers on a host.
    Answerer(Answering),
    /// Asks as this exchange.
    Asker(String),
}

/// What tells the receivers of one host apart: a process has one UDP socket and one listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Receiving {
    host: String,
    buffer: Option<Bytes>,
    batch: Option<u32>,
    spin: bool,
    core: Option<u32>,
    name: Option<String>,
}

/// What tells the answerers of one host apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answering {
    host: String,
    core: Option<u32>,
    congestion: Option<String>,
}

/// What a role leaves at its end.
pub(crate) struct Ended {
    pub(crate) cpu: Option<Cpu>,
    pub(crate) host: Box<Host>,
    pub(crate) faults: Faults,
    pub(crate) socket_drops: Option<u64>,
}

impl Kind {
    pub(crate) fn is_receiver(&self) -> bool {
        matches!(self, Self::Receiver(_))
    }

    /// Whether it makes load: it is started, and the run is over when all such are.
    pub(crate) fn is_sender(&self) -> bool {
        matches!(self, Self::Sender(_) | Self::Asker(_))
    }

    /// Whether it serves those, and is told to stop when they are over.
    pub(crate) fn is_server(&self) -> bool {
        matches!(self, Self::Receiver(_) | Self::Answerer(_))
    }

    /// Whether it opens a port for others.
    pub(crate) fn is_listener(&self) -> bool {
        matches!(self, Self::Receiver(_) | Self::Echo(_) | Self::Answerer(_))
    }

    pub(crate) fn is_tag(&self) -> bool {
        matches!(self, Self::Tag(_))
    }
}

impl Role {
    /// Whether nothing more is to be expected of it.
    pub(crate) fn is_over(&self) -> bool {
        self.gone.is_some()
    }
}

impl Receiving {
    fn of(flow: &FlowPlan) -> Self {
        Self {
            host: flow.to.clone(),
            buffer: flow.sockets.receive_buffer,
            batch: flow.sockets.receive_batch,
            spin: flow.spin,
            core: flow.receiver_core,
            name: flow.receiver.clone(),
        }
    }
}

impl Answering {
    fn of(exchange: &ExchangePlan, host: &str) -> Self {
        let congestion = exchange.terms.congestion.clone();
        Self { host: host.to_owned(), core: exchange.answerer_core, congestion }
    }
}

impl Cast {
    pub(crate) fn new(
        scenario: &Scenario,
        agent_key: &Key,
        heard: Sender<Heard>,
        run_start_unix_ns: u64,
        places: Places,
    ) -> anyhow::Result<Self> {
        let run_key =
            Key::random().map_err(|error| anyhow::anyhow!("the kernel gives no random numbers: {error}"))?;
        let tag = incast_net::key::random_number()
            .map_err(|error| anyhow::anyhow!("the kernel gives no random numbers: {error}"))?;
        let mut agents = BTreeMap::new();
        for address in scenario.hosts.iter().filter_map(|host| host.agent.as_ref()) {
            if !agents.contains_key(address) {
                agents.insert(address.clone(), AgentLink::open(address, agent_key, heard.clone())?);
            }
        }
        Ok(Self { roles: Vec::new(), agents, run_key, heard, run_start_unix_ns, places, tag })
    }

    /// Lets every agent read the counters of its host and trace its drops, from now on.
    pub(crate) fn watch(&self, trace: Wish) -> anyhow::Result<()> {
        for (address, agent) in &self.agents {
            agent.watch(trace).with_context(|| format!("watch the host of agent {address}"))?;
        }
        Ok(())
    }

    /// What the counters of the agents' hosts said since, each by the name of the first host that is played there;
    /// nothing of an agent that is gone.
    pub(crate) fn books(&self, scenario: &Scenario) -> Vec<HostBook> {
        // All are asked before one is waited for.
        self.agents.values().for_each(AgentLink::ask_book);
        let told = self.agents.iter().filter_map(|(address, agent)| {
            let host = scenario.hosts.iter().find(|host| host.agent.as_ref() == Some(address))?;
            Some(agent.book()?.of(&host.name))
        });
        told.collect()
    }

    /// Starts a process for every receiver.
    pub(crate) fn start_receivers(&mut self, scenario: &Scenario) -> anyhow::Result<()> {
        let mut wanted: Vec<Receiving> = Vec::new();
        for receiving in scenario.flows.iter().map(Receiving::of) {
            if !wanted.contains(&receiving) {
                wanted.push(receiving);
            }
        }
        for receiving in wanted {
            let host = host(scenario, &receiving.host)?;
            let part = Part::Receive(ReceiveAssignment {
                host: receiving.host.clone(),
                bind: SocketAddr::new(self.bind_address(scenario, host)?, 0),
                key: self.run_key.to_text(),
                receive_buffer: receiving.buffer,
                receive_batch: receiving.batch,
                spin: receiving.spin,
                core: receiving.core,
                run_start_unix_ns: self.run_start_unix_ns,
            });
            let called = receiving.name.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
            self.start(
                format!("receiver{called} on {}", receiving.host),
                Kind::Receiver(receiving),
                host,
                part,
            )?;
        }
        Ok(())
    }

    /// Where a receiver on `host` listens: on loopback if all its senders are here, else everywhere,
    /// since the run's key keeps strangers out.
    fn bind_address(&self, scenario: &Scenario, host: &HostPlan) -> anyhow::Result<IpAddr> {
        if host.agent.is_some() || self.places.namespace(&host.name).is_some() {
            return Ok(Ipv4Addr::UNSPECIFIED.into());
        }
        if host.address.is_some() {
            return Ok(resolve(host.reached_at(), 0)?.ip());
        }
        let flows = scenario.flows.iter().filter(|flow| flow.to == host.name);
        let flows = flows.map(|flow| ("flow", &flow.name, &flow.from));
        let exchanges = scenario.exchanges.iter().filter(|exchange| exchange.to.contains(&host.name));
        let exchanges = exchanges.map(|exchange| ("exchange", &exchange.name, &exchange.from));
        for (what, name, from) in flows.chain(exchanges) {
            let from = self::host(scenario, from)?;
            if let Some(agent) = &from.agent {
                anyhow::bail!(
                    "{what} {name}: {} is played by the agent {agent}, and {} is on this machine without an `address`; \
                     say at which address it is reached",
                    from.name,
                    host.name
                );
            }
        }
        Ok(Ipv4Addr::LOCALHOST.into())
    }

    /// Starts a process for the sender of every flow; every receiver's port is known.
    pub(crate) fn start_senders(&mut self, scenario: &Scenario) -> anyhow::Result<()> {
        for flow in &scenario.flows {
            let port = self
                .roles
                .iter()
                .find(|role| role.kind == Kind::Receiver(Receiving::of(flow)))
                .and_then(|role| role.address)
                .with_context(|| format!("flow {}: its receiver has no port", flow.name))?
                .port();
            let server = match self.places.control(&flow.to) {
                Some(address) => address,
                None => resolve(host(scenario, &flow.to)?.reached_at(), port)?.ip(),
            };
            let part = Part::Send(Box::new(SendAssignment {
                host: flow.from.clone(),
                flow: flow.name.clone(),
                server: SocketAddr::new(server, port),
                data: self.places.data(flow).map(|address| SocketAddr::new(address, port)),
                key: self.run_key.to_text(),
                send: send_plan(flow, scenario, self.places.are_packets_single(flow)),
                hold: scenario.start == Start::Together,
                core: flow.sender_core,
                run_start_unix_ns: self.run_start_unix_ns,
            }));
            let from = host(scenario, &flow.from)?;
            self.start(format!("sender of {}", flow.name), Kind::Sender(flow.name.clone()), from, part)?;
        }
        Ok(())
    }

    /// Starts an echo on every host that receives; those who send tagged messages follow when their
    /// ports are known.
    pub(crate) fn start_echoes(&mut self, scenario: &Scenario) -> anyhow::Result<()> {
        let mut started: Vec<&str> = Vec::new();
        for flow in &scenario.flows {
            if started.contains(&flow.to.as_str()) {
                continue;
            }
            started.push(&flow.to);
            let host = host(scenario, &flow.to)?;
            let bind = SocketAddr::new(self.bind_address(scenario, host)?, 0);
            let part = Part::Echo(EchoAssignment { bind, tag: self.tag });
            self.start(format!("echo on {}", flow.to), Kind::Echo(flow.to.clone()), host, part)?;
        }
        Ok(())
    }

    /// Starts a sender of tagged messages beside every flow.
    pub(crate) fn start_tags(&mut self, scenario: &Scenario) -> anyhow::Result<()> {
        for flow in &scenario.flows {
            let echo = |role: &&Role| role.kind == Kind::Echo(flow.to.clone());
            let port = self.roles.iter().find(echo).and_then(|role| role.address);
            let port = port
                .with_context(|| format!("flow {}: the echo on {} has no port", flow.name, flow.to))?
                .port();
            let address = match self.places.data(flow) {
                Some(address) => address,
                None => resolve(host(scenario, &flow.to)?.reached_at(), port)?.ip(),
            };
            let to = SocketAddr::new(address, port);
            let part = Part::Tag(TagAssignment { flow: flow.name.clone(), to, tag: self.tag });
            let from = host(scenario, &flow.from)?;
            self.start(
                format!("tagged messages of {}", flow.name),
                Kind::Tag(flow.name.clone()),
                from,
                part,
            )?;
        }
        Ok(())
    }

    /// Starts a process for every host and core that answers.
    pub(crate) fn start_answerers(&mut self, scenario: &Scenario) -> anyhow::Result<()> {
        let mut started: Vec<Answering> = Vec::new();
        for exchange in &scenario.exchanges {
            for name in &exchange.to {
                let answering = Answering::of(exchange, name);
                if started.contains(&answering) {
                    continue;
                }
                started.push(answering.clone());
                let host = host(scenario, name)?;
                let part = Part::Answer(AnswerAssignment {
                    host: name.clone(),
                    bind: SocketAddr::new(self.bind_address(scenario, host)?, 0),
                    key: self.run_key.to_text(),
                    congestion: answering.congestion.clone(),
                    core: answering.core,
                });
                self.start(format!("answerer on {name}"), Kind::Answerer(answering), host, part)?;
            }
        }
        Ok(())
    }

    /// Starts a process for every asker; every answerer's port is known.
    pub(crate) fn start_askers(&mut self, scenario: &Scenario) -> anyhow::Result<()> {
        for exchange in &scenario.exchanges {
            let mut targets = Vec::new();
            for (name, network) in exchange.to.iter().zip(&exchange.networks) {
                let kind = Kind::Answerer(Answering::of(exchange, name));
                let address = self.roles.iter().find(|role| role.kind == kind).and_then(|role| role.address);
                let port = address
                    .with_context(|| {
                        format!("exchange {}: the answerer on {name} has no port", exchange.name)
                    })?
                    .port();
                let server = match self.places.control(name) {
                    Some(address) => address,
                    None => resolve(host(scenario, name)?.reached_at(), port)?.ip(),
                };
                let data = network.and_then(|network| self.places.data_on(name, network));
                targets.push((SocketAddr::new(server, port), data));
            }
            let part = Part::Ask(Box::new(AskAssignment {
                plan: exchange.clone(),
                targets,
                key: self.run_key.to_text(),
                hold: scenario.start == Start::Together,
            }));
            let from = host(scenario, &exchange.from)?;
            let kind = Kind::Asker(exchange.name.clone());
            self.start(format!("asker of {}", exchange.name), kind, from, part)?;
        }
        Ok(())
    }

    fn start(&mut self, name: String, kind: Kind, host: &HostPlan, part: Part) -> anyhow::Result<()> {
        let number = self.roles.len();
        let player = match host.agent.as_ref().and_then(|agent| self.agents.get(agent)) {
            None => Player::here(number, self.heard.clone()).with_context(|| name.clone())?,
            Some(agent) => {
                let role = u32::try_from(number)?;
                agent.spawn(role, number);
                Player::There { agent: agent.clone(), role }
            }
        };
        self.places.admit(&host.name, player.process()).with_context(|| name.clone())?;
        let mut role = Role {
            name,
            kind,
            at_agent: host.agent.is_some(),
            address: None,
            armed: false,
            ended: None,
            player,
            failed: None,
            gone: None,
            last_heard: Instant::now(),
        };
        role.player.say(&Assignment { namespace: self.places.namespace(&host.name), part });
        self.roles.push(role);
        Ok(())
    }

    /// Says `order` to the roles that `which` picks.
    pub(crate) fn say(&mut self, which: impl Fn(&Kind) -> bool, order: RoleOrder) {
        for role in self.roles.iter_mut().filter(|role| which(&role.kind) && !role.is_over()) {
            role.player.say(&order);
        }
    }

    /// Whether every role that `which` picks is as `how` wants it.
    pub(crate) fn all(&self, which: impl Fn(&Kind) -> bool, how: impl Fn(&Role) -> bool) -> bool {
        self.roles.iter().filter(|role| which(&role.kind)).all(how)
    }

    pub(crate) fn roles(&self) -> &[Role] {
        &self.roles
    }

    pub(crate) fn is_sender(&self, role: usize) -> bool {
        self.roles.get(role).is_some_and(|role| role.kind.is_sender())
    }

    pub(crate) fn heard(&mut self, role: usize) {
        if let Some(role) = self.roles.get_mut(role) {
            role.last_heard = Instant::now();
        }
    }

    /// Takes a line that concerns the role itself.
    pub(crate) fn handle_line(&mut self, role: usize, line: RoleLine) {
        self.heard(role);
        let Some(role) = self.roles.get_mut(role) else { return };
        match line {
            RoleLine::Listening { address } => role.address = Some(address),
            RoleLine::Armed => role.armed = true,
            RoleLine::Ended { cpu, host, faults, socket_drops } => {
                role.ended = Some(Ended { cpu, host, faults, socket_drops })
            }
            RoleLine::Failed { reason } => role.failed = Some(reason),
            RoleLine::Started { .. }
            | RoleLine::SessionOver { .. }
            | RoleLine::Tagged { .. }
            | RoleLine::Asked { .. }
            | RoleLine::Carrying { .. }
            | RoleLine::Carried { .. }
            | RoleLine::ReadoutListening { .. }
            | RoleLine::ReadoutTold(_)
            | RoleLine::Checked(_)
            | RoleLine::Progress { .. }
            | RoleLine::Done { .. } => {}
        }
    }

    /// The role says nothing more.
    pub(crate) fn handle_gone(&mut self, role: usize, how: Option<String>) {
        let Some(role) = self.roles.get_mut(role) else { return };
        if role.gone.is_none() {
            role.player.kill();
            role.gone = Some(how.or_else(|| role.player.reap()));
        }
    }

    /// Ends roles that have said nothing for `patience`.
    pub(crate) fn end_silent(&mut self, patience: Duration) {
        for role in
            self.roles.iter_mut().filter(|role| !role.is_over() && role.last_heard.elapsed() > patience)
        {
            role.player.kill();
            let _ = role.player.reap();
            role.gone = Some(Some(format!("said nothing for {} s and was ended", patience.as_secs())));
        }
    }

    /// Ends whatever has not ended.
    pub(crate) fn end_all(&mut self) {
        for role in self.roles.iter_mut().filter(|role| !role.is_over()) {
            role.player.kill();
            let _ = role.player.reap();
            role.gone = Some(Some("did not end when told to, and was ended".into()));
        }
    }

    /// The first role that cannot play, and why.
    pub(crate) fn first_failure(&self) -> Option<String> {
        self.roles.iter().find_map(|role| {
            let why = role
                .failed
                .clone()
                .or_else(|| role.gone.clone().map(|how| how.unwrap_or_else(|| "ended".into())))?;
            Some(format!("the {}: {why}", role.name))
        })
    }

    /// Names of the roles that are not ready yet.
    pub(crate) fn missing(&self) -> String {
        let waiting = |role: &&Role| !role.is_over() && !role.armed && role.address.is_none();
        let names: Vec<&str> =
            self.roles.iter().filter(waiting).map(|role| role.name.as_str()).take(8).collect();
        names.join(", ")
    }

    /// Roles that died or failed, each in a sentence.
    pub(crate) fn deaths(&self) -> Vec<String> {
        let died = |role: &Role| {
            let why = match (&role.failed, &role.gone, &role.ended) {
                (Some(reason), _, _) => reason.clone(),
                (None, Some(Some(how)), _) => how.clone(),
                (None, _, None) => "ended without its account".into(),
                _ => return None,
            };
            Some(format!("the {}: {why}", role.name))
        };
        self.roles.iter().filter_map(died).collect()
    }
}

fn host<'a>(scenario: &'a Scenario, name: &str) -> anyhow::Result<&'a HostPlan> {
    // A parsed scenario names no host that it does not have.
    scenario.hosts.iter().find(|host| host.name == name).with_context(|| format!("host {name}"))
}

fn send_plan(flow: &FlowPlan, scenario: &Scenario, single_packets: bool) -> SendPlan {
    SendPlan {
        transport: flow.transport,
        message_bytes: flow.message_bytes,
        streams: flow.streams,
        load: flow.load,
        spacing: flow.spacing,
        stop: flow.stop,
        start_after: flow.start_after,
        interval: scenario.interval,
        seed: flow.seed(scenario.seed),
        // Messages of a probe leave at their moment, or their gaps mean nothing.
        spin: flow.spin || flow.probe.is_some(),
        send_buffer: flow.sockets.send_buffer,
        congestion: flow.sockets.congestion.clone(),
        no_delay: flow.sockets.no_delay.unwrap_or(false),
        dscp: flow.sockets.dscp,
        segments_max: flow.sockets.segments_max.or_else(|| single_packets.then_some(1)),
        send_batch: flow.sockets.send_batch,
        raw: flow.raw.clone(),
        probe: flow.probe,
    }
}
