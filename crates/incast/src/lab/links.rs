//! The links of a lab, each a role in a process and a namespace of its own.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use crossbeam_channel::{Receiver, unbounded};
use incast_core::record::LinkReport;
use incast_core::scenario::Scenario;
use incast_lab::{Lab, namespace};

use crate::run::lines::{Assignment, LinkAssignment, Part, RoleLine, RoleOrder};
use crate::run::player::{Heard, Player, Word};

/// Longest wait for a link to begin, and to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// All links of a lab; dropped, they end.
pub(crate) struct Links {
    links: Vec<Link>,
    words: Receiver<Heard>,
}

struct Link {
    cable: usize,
    name: String,
    player: Player,
    /// Packets that it holds; unknown until it carries.
    held: Option<u64>,
    reports: Option<Vec<LinkReport>>,
    died: Option<String>,
}

impl Links {
    /// Starts a process for every link, and waits until all of them carry.
    pub(crate) fn start(lab: &Lab, scenario: &Scenario) -> anyhow::Result<Self> {
        let (heard, words) = unbounded();
        let mut all = Self { links: Vec::new(), words };
        let cables = scenario.network.as_ref().map(|network| &network.cables[..]).unwrap_or_default();
        for (number, ends) in lab.links().iter().enumerate() {
            let Some((plan, path)) = cables.get(ends.cable).and_then(|plan| Some((plan, plan.path?))) else {
                continue;
            };
            let mut player =
                Player::here(number, heard.clone()).with_context(|| format!("link {}", ends.ways[0]))?;
            let part = Part::Link(LinkAssignment {
                near: ends.near.clone(),
                far: ends.far.clone(),
                ways: ends.ways.clone(),
                path,
                mtu_bytes: plan.mtu_bytes,
                seed: scenario.seed,
            });
            player.say(&Assignment { namespace: Some(namespace::path(&ends.namespace)), part });
            let name = ends.ways[0].clone();
            all.links.push(Link { cable: ends.cable, name, player, held: None, reports: None, died: None });
        }
        let deadline = Instant::now() + PATIENCE;
        while let Some(waiting) = all.links.iter().find(|link| link.held.is_none()) {
            if let Some(why) = all.links.iter().find_map(|link| link.died.as_ref()) {
                anyhow::bail!("{why}");
            }
            if Instant::now() > deadline {
                anyhow::bail!("the link {} does not begin to carry", waiting.name);
            }
            all.listen(Duration::from_millis(20));
        }
        Ok(all)
    }

    /// Packets that all links together held when they last said.
    pub(crate) fn held(&mut self) -> u64 {
        self.listen(Duration::ZERO);
        self.links.iter().filter(|link| link.died.is_none()).filter_map(|link| link.held).sum()
    }

    /// Ends all links: what each did by its cable, and which did not live so long.
    pub(crate) fn end(mut self) -> (Vec<(usize, Vec<LinkReport>)>, Vec<String>) {
        for link in &mut self.links {
            link.player.say(&RoleOrder::Stop);
        }
        let deadline = Instant::now() + PATIENCE;
        while self.links.iter().any(|link| link.reports.is_none() && link.died.is_none())
            && Instant::now() < deadline
        {
            self.listen(Duration::from_millis(20));
        }
        let mut reports = BTreeMap::new();
        let mut deaths = Vec::new();
        for link in self.links {
            match link.reports {
                Some(report) => drop(reports.insert(link.cable, report)),
                None => deaths
                    .push(link.died.unwrap_or_else(|| format!("the link {}: gave no account", link.name))),
            }
        }
        (reports.into_iter().collect(), deaths)
    }

    fn listen(&mut self, patience: Duration) {
        let mut next = self.words.recv_timeout(patience).ok();
        while let Some(Heard { role, what }) = next {
            if let Some(link) = self.links.get_mut(role) {
                link.handle(what);
            }
            next = self.words.try_recv().ok();
        }
    }
}

impl Link {
    fn handle(&mut self, what: Word) {
        match what {
            Word::Line(line) => match *line {
                RoleLine::Carrying { held_packets } => self.held = Some(held_packets),
                RoleLine::Carried { links } => self.reports = Some(links),
                RoleLine::Failed { reason } => self.died = Some(format!("the link {}: {reason}", self.name)),
                _ => {}
            },
            Word::Gone(how) if self.reports.is_none() && self.died.is_none() => {
                self.player.kill();
                let how = how.or_else(|| self.player.reap()).unwrap_or_else(|| "ended".into());
                self.died = Some(format!("the link {}: {how}", self.name));
            }
            Word::Gone(_) => {}
        }
    }
}
