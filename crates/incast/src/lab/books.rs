//! The second book of a lab: every counter before the run, every counter after it, and what that
//! says of each place where a packet can die.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use incast_core::ledger::{Drops, Evidence, HostCounters};
use incast_core::record::{LinkReport, Network, QueueReport};
use incast_core::scenario::{CableEnd, Scenario};
use incast_host::udp::NetCounters;
use incast_lab::{CableCounters, Lab};

/// All counters of a lab at one moment.
pub(crate) struct Books {
    cables: Vec<CableCounters>,
    hosts: Vec<NetCounters>,
    /// Packets that died on the lab's own network.
    control_dropped: u64,
}

/// How often the lab is asked whether it is quiet.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long it must have been quiet: longer than links take to tell what they hold.
const QUIET: Duration = Duration::from_millis(160);
/// Longest wait for it: a queue of a second, and TCP's last repetitions.
const PATIENCE: Duration = Duration::from_secs(4);

impl Books {
    /// Opens the books.
    pub(crate) fn open(lab: &mut Lab) -> anyhow::Result<Self> {
        let (cables, control_dropped) = lab.counters()?;
        let mut hosts = Vec::new();
        for index in 0..lab.hosts().len() {
            let namespace = lab.host_namespace(index);
            let counters = namespace
                .run(NetCounters::take)
                .and_then(|counters| counters)
                .with_context(|| format!("read the counters of {}", namespace.name()))?;
            hosts.push(counters);
        }
        Ok(Self { cables, hosts, control_dropped })
    }

    /// Waits until nothing moves any more, and opens them then. `held` says what the links hold.
    pub(crate) fn open_when_quiet(
        lab: &mut Lab,
        longest_delay: Duration,
        mut held: impl FnMut() -> u64,
        impatient: impl Fn() -> bool,
    ) -> anyhow::Result<Self> {
        let deadline = Instant::now() + PATIENCE + longest_delay * 2;
        let mut books = Self::open(lab)?;
        let mut quiet_since = Instant::now();
        loop {
            std::thread::sleep(LOOK_EVERY);
            let now = Self::open(lab)?;
            let moved = now.cables != books.cables || now.hosts != books.hosts;
            let waiting: u32 = now.cables.iter().map(|cable| cable.near.backlog + cable.far.backlog).sum();
            books = now;
            if moved || waiting > 0 || held() > 0 {
                quiet_since = Instant::now();
            }
            if quiet_since.elapsed() >= QUIET || Instant::now() > deadline || impatient() {
                return Ok(books);
            }
        }
    }

    /// What happened since `earlier`: into the record of the network, and as evidence for the ledger.
    pub(crate) fn since(&self, earlier: &Self, scenario: &Scenario, network: &mut Network) -> Evidence {
        let mut places = Places::default();
        let Some(plan) = &scenario.network else { return Evidence::default() };
        for (index, cable) in plan.cables.iter().enumerate() {
            let counters = self.cables[index].since(&earlier.cables[index]);
            let (from, to) = (scenario.end_name(cable.from), &plan.switches[cable.to].name);
            let is_host = matches!(cable.from, CableEnd::Host(_));
            let near = if is_host { format!("nic of {from}") } else { format!("port of {from} to {to}") };
            let far = format!("port of {to} to {from}");
            let shown = &mut network.cables[index];
            places.add(if is_host { HOST_QUEUE } else { SWITCH_PORT }, &near, counters.near.dropped.into());
            for link in &shown.links {
                places.add(
                    LINK,
                    &format!("link {}", link.way),
                    link.lost_packets + link.dropped_packets + link.held_packets,
                );
                places.copies += link.duplicated_packets;
            }
            places.add(SWITCH_PORT, &far, counters.far.dropped.into());
            let [to_near, to_far] = counters.link_dropped;
            places.add(BACKLOG, &format!("on the way into {to}"), counters.near.backlog_dropped + to_far);
            places.add(BACKLOG, &format!("on the way into {from}"), counters.far.backlog_dropped + to_near);
            shown.queues = [(near, counters.near), (far, counters.far)]
                .into_iter()
                .map(|(place, queue)| QueueReport {
                    place,
                    packets: queue.packets,
                    bytes: queue.bytes,
                    dropped_packets: queue.dropped.into(),
                    backlog_packets: queue.backlog.into(),
                    backlog_dropped_packets: queue.backlog_dropped,
                })
                .collect();
        }
        Evidence {
            drops: places.finish(),
            hosts: self.hosts_since(earlier),
            copies: places.copies,
            control_drops: self.control_dropped.saturating_sub(earlier.control_dropped),
            tags: (0, 0),
            trains: plan.cables.iter().any(|cable| cable.offloads),
        }
    }

    fn hosts_since(&self, earlier: &Self) -> HostCounters {
        let grown = |protocol: &str, name: &str| {
            let of = |(now, then): (&NetCounters, &NetCounters)| now.since(then, protocol, name).unwrap_or(0);
            self.hosts.iter().zip(&earlier.hosts).map(of).sum()
        };
        HostCounters {
            udp_out_datagrams: grown("Udp", "OutDatagrams"),
            udp_sndbuf_errors: grown("Udp", "SndbufErrors"),
            udp_in_datagrams: grown("Udp", "InDatagrams"),
            udp_in_errors: grown("Udp", "InErrors"),
            udp_rcvbuf_errors: grown("Udp", "RcvbufErrors"),
            udp_in_csum_errors: grown("Udp", "InCsumErrors"),
            udp_no_ports: grown("Udp", "NoPorts"),
            ip_frag_oks: grown("Ip", "FragOKs"),
            ip_frag_creates: grown("Ip", "FragCreates"),
            ip_reasm_reqds: grown("Ip", "ReasmReqds"),
            ip_reasm_oks: grown("Ip", "ReasmOKs"),
            tcp_out_segs: grown("Tcp", "OutSegs"),
            tcp_retrans_segs: grown("Tcp", "RetransSegs"),
            tcp_in_segs: grown("Tcp", "InSegs"),
            icmp_out_msgs: grown("Icmp", "OutMsgs"),
            icmp_in_msgs: grown("Icmp", "InMsgs"),
        }
    }
}

/// What the links did, put where their cables are.
pub(crate) fn place_links(network: &mut Network, reports: Vec<(usize, Vec<LinkReport>)>) {
    for (cable, links) in reports {
        if let Some(cable) = network.cables.get_mut(cable) {
            cable.links = links;
        }
    }
}

/// The places of the network, each with its stage; those that dropped nothing are one per stage.
#[derive(Default)]
struct Places {
    drops: Vec<Drops>,
    copies: u64,
}

impl Places {
    fn add(&mut self, stage: &'static str, place: &str, packets: u64) {
        self.drops.push(Drops { stage, place: place.into(), packets });
    }

    /// In the order of the path.
    fn finish(&mut self) -> Vec<Drops> {
        let mut all = std::mem::take(&mut self.drops);
        let mut path = Vec::new();
        for stage in [HOST_QUEUE, LINK, SWITCH_PORT, BACKLOG] {
            let here = all.extract_if(.., |drops| drops.stage == stage).collect::<Vec<_>>();
            let count = here.len();
            let dropped: Vec<Drops> = here.into_iter().filter(|drops| drops.packets > 0).collect();
            if dropped.is_empty() && count > 0 {
                path.push(Drops { stage, place: format!("all {count}"), packets: 0 });
            }
            path.extend(dropped);
        }
        path
    }
}

const HOST_QUEUE: &str = "host_queue";
const LINK: &str = "link";
const SWITCH_PORT: &str = "switch_port";
const BACKLOG: &str = "receiver_backlog";
