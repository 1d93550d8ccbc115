//! Small networks to test with, and a driver that keeps to the order of time.

use incast_core::scenario::SwitchModel;
use incast_core::time::{Span, Time};
use incast_sim::fabric::explicit::Explicit;
use incast_sim::fabric::{
    ByteTime, End, Fabric, FabricPlan, LinkId, LinkSpec, News, QueueCounts, SwitchId, SwitchSpec, Taken,
};
use incast_sim::packet::{NicId, Packet};

/// 10^9 bits per second: 8 ns a byte.
pub(crate) const GIGABIT: Option<u64> = Some(1_000_000_000);

/// A star: hosts with a cable each to one switch. Link `2 i` goes from host `i` to the switch, `2 i + 1` back.
#[derive(Clone, Debug)]
pub(crate) struct Star {
    pub(crate) hosts: u32,
    pub(crate) rate: Option<u64>,
    pub(crate) travel: Span,
    /// Of the hosts' cards.
    pub(crate) nic_bytes: u64,
    /// Of the switch's ports.
    pub(crate) port_bytes: u64,
    pub(crate) model: SwitchModel,
    pub(crate) pauses: bool,
    pub(crate) seed: u64,
}

impl Star {
    pub(crate) fn new(hosts: u32) -> Self {
        Self {
            hosts,
            rate: GIGABIT,
            travel: Span::ZERO,
            nic_bytes: u64::MAX / 2,
            port_bytes: u64::MAX / 2,
            model: SwitchModel::default(),
            pauses: false,
            seed: 1,
        }
    }

    pub(crate) fn plan(&self) -> FabricPlan {
        let link = |from, to, queue_bytes, way: String| LinkSpec {
            from,
            to,
            byte_time: ByteTime::of(self.rate),
            travel: self.travel,
            queue_bytes,
            path: None,
            bit_errors: 0.0,
            place: format!("queue of {way}"),
            way,
        };
        let switch = End::Switch(SwitchId(0));
        let cables = (0..self.hosts).flat_map(|host| {
            let nic = End::Nic(NicId(host));
            [
                link(nic, switch, self.nic_bytes, format!("{host} -> main")),
                link(switch, nic, self.port_bytes, format!("main -> {host}")),
            ]
        });
        FabricPlan {
            seed: self.seed,
            interval: Span::from_ms(1),
            switches: vec![SwitchSpec {
                name: "main".into(),
                model: self.model,
                pauses: self.pauses,
                routes: (0..self.hosts).map(|host| Some(port(host))).collect(),
            }],
            links: cables.collect(),
            nics: (0..self.hosts).map(card).collect(),
        }
    }
}

/// The link from a host of a star.
pub(crate) fn card(host: u32) -> LinkId {
    LinkId(2 * host)
}

/// The link to a host of a star.
pub(crate) fn port(host: u32) -> LinkId {
    LinkId(2 * host + 1)
}

/// An engine with its driver: keeps all news with their times.
pub(crate) struct Run {
    pub(crate) fabric: Explicit,
    pub(crate) news: Vec<(Time, News)>,
}

impl Run {
    pub(crate) fn new(plan: &FabricPlan) -> Self {
        Self { fabric: Explicit::new(plan), news: Vec::new() }
    }

    /// Carries on to `now`, each step at its own time.
    pub(crate) fn advance(&mut self, now: Time) {
        while let Some(at) = self.fabric.next_timeout().filter(|at| *at <= now) {
            while let Some(news) = self.fabric.poll(at) {
                self.news.push((at, news));
            }
        }
    }

    /// Sends a packet at `now`, after all that was before.
    pub(crate) fn send(&mut self, now: Time, from: u32, to: u32, wire_bytes: u32, cargo: u64) -> Taken {
        self.advance(now);
        self.fabric.handle_packet(now, NicId(from), Packet { to: NicId(to), wire_bytes, cargo })
    }

    /// Carries on until nothing is on its way, and says when that was.
    pub(crate) fn finish(&mut self) -> Time {
        let mut last = self.news.last().map_or(Time::ZERO, |(at, _)| *at);
        while let Some(at) = self.fabric.next_timeout() {
            last = last.max(at);
            self.advance(at);
        }
        last
    }

    /// When what was delivered, in order.
    pub(crate) fn deliveries(&self) -> Vec<(Time, u64)> {
        let delivered = |(at, news): &(Time, News)| match news {
            News::Delivered { packet } => Some((*at, packet.cargo)),
            _ => None,
        };
        self.news.iter().filter_map(delivered).collect()
    }

    /// What died, where and why.
    pub(crate) fn deaths(&self) -> Vec<(u64, LinkId, incast_sim::fabric::Why)> {
        let dropped = |(_, news): &(Time, News)| match news {
            News::Dropped { packet, link, why } => Some((packet.cargo, *link, *why)),
            _ => None,
        };
        self.news.iter().filter_map(dropped).collect()
    }

    pub(crate) fn counts(&self, now: Time, link: LinkId) -> QueueCounts {
        self.fabric.counts(now).swap_remove(link.0 as usize)
    }
}
