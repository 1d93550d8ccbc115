//! The second book of a lab: every counter before the run, every counter after it, and what that
//! says of each place where a packet can die.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use incast_core::ledger::reading::{COUNTERS, firewall_drops};
use incast_core::ledger::{Drops, Evidence, HostCounters, stage};
use incast_core::record::{LinkReport, Network, QueueReport};
use incast_core::scenario::{CableEnd, Scenario};
use incast_host::udp::NetCounters;
use incast_lab::{Between, CableCounters, Lab, QueueCounters};

use super::traced::Witness;

/// All counters of a lab at one moment.
#[derive(PartialEq)]
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
/// How often books are read again because something moved meanwhile.
const STILL_MAX: u32 = 50;
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

    /// Opens them at a moment at which nothing moved: what is read one after the other belongs together.
    pub(crate) fn open_still(lab: &mut Lab) -> anyhow::Result<Self> {
        let mut books = Self::open(lab)?;
        for _ in 0..STILL_MAX {
            let again = Self::open(lab)?;
            if again == books {
                break;
            }
            books = again;
        }
        Ok(books)
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
    ///
    /// The links must have ended: what came to one later is added to what it held.
    pub(crate) fn since(
        &self,
        earlier: &Self,
        scenario: &Scenario,
        network: &mut Network,
        witness: &Witness,
    ) -> Evidence {
        let mut places = Places::default();
        let Some(plan) = &scenario.network else { return Evidence::default() };
        for (index, cable) in plan.cables.iter().enumerate() {
            let (from, to) = (scenario.end_name(cable.from), &plan.switches[cable.to].name);
            let Some(counters) = self.cables[index].since(&earlier.cables[index]) else {
                places.doubts.push(format!(
                    "a counter of the cable from {from} to {to} went back, or one of its ends went away"
                ));
                continue;
            };
            let is_host = matches!(cable.from, CableEnd::Host(_));
            let near = if is_host { format!("nic of {from}") } else { format!("port of {from} to {to}") };
            let far = format!("port of {to} to {from}");
            let near_stage = if is_host { stage::HOST_QUEUE } else { stage::SWITCH_PORT };
            places.add_queue(near_stage, &near, &counters.near, witness.datagrams(index, 0));
            for (link, sent) in cable_links(network, index).iter_mut().zip([counters.near, counters.far]) {
                // What was on its way when the link ended is held for ever.
                let late = sent.packets.saturating_sub(link.packets);
                link.packets += late;
                link.held_packets += late;
                let died = link.lost_packets + link.dropped_packets + link.held_packets;
                places.add(stage::LINK, &format!("link {}", link.way), died);
                places.copies += link.duplicated_packets;
            }
            places.add_queue(stage::SWITCH_PORT, &far, &counters.far, witness.datagrams(index, 1));
            for (Between { ring, backlog }, into) in counters.between().into_iter().zip([to, from]) {
                let place = format!("on the way into {into}");
                places.add(stage::RECEIVER_RING, &place, ring);
                places.add(stage::RECEIVER_BACKLOG, &place, backlog);
            }
            if let Some(shown) = network.cables.get_mut(index) {
                let queues = [(near, counters.near), (far, counters.far)];
                shown.queues = queues.into_iter().map(|(place, queue)| queue_report(place, &queue)).collect();
            }
        }
        for (host, (now, then)) in scenario.hosts.iter().zip(self.hosts.iter().zip(&earlier.hosts)) {
            places.doubts.extend(went_back(&host.name, now, then));
            let of = |protocol: &str, name: &str| now.since(then, protocol, name).unwrap_or(0);
            places.add(stage::FIREWALL, &format!("packet filter of {}", host.name), firewall_drops(of));
        }
        witness.add(&mut places);
        Evidence {
            hosts: self.hosts_since(earlier),
            copies: places.copies,
            control_drops: self.control_dropped.saturating_sub(earlier.control_dropped),
            tags: (0, 0),
            trains: plan.cables.iter().any(|cable| cable.offloads),
            sources: witness.sources(),
            doubts: std::mem::take(&mut places.doubts),
            drops: places.finish(),
        }
    }

    fn hosts_since(&self, earlier: &Self) -> HostCounters {
        let grown = |protocol: &str, name: &str| {
            let of = |(now, then): (&NetCounters, &NetCounters)| now.since(then, protocol, name).unwrap_or(0);
            self.hosts.iter().zip(&earlier.hosts).map(of).sum()
        };
        let resent = |meant: fn(&NetCounters, &NetCounters) -> bool| {
            let hosts = self.hosts.iter().zip(&earlier.hosts).filter(|(now, then)| meant(now, then));
            hosts.map(|(now, then)| now.since(then, "TcpExt", "TCPSynRetrans").unwrap_or(0)).sum()
        };
        HostCounters {
            udp_out_datagrams: grown("Udp", "OutDatagrams"),
            udp_sndbuf_errors: grown("Udp", "SndbufErrors"),
            udp_in_datagrams: grown("Udp", "InDatagrams"),
            udp_in_errors: grown("Udp", "InErrors"),
            udp_rcvbuf_errors: grown("Udp", "RcvbufErrors"),
            udp_in_csum_errors: grown("Udp", "InCsumErrors"),
            udp_mem_errors: grown("Udp", "MemErrors"),
            udp_no_ports: grown("Udp", "NoPorts"),
            ip_frag_oks: grown("Ip", "FragOKs"),
            ip_frag_creates: grown("Ip", "FragCreates"),
            ip_reasm_reqds: grown("Ip", "ReasmReqds"),
            ip_reasm_oks: grown("Ip", "ReasmOKs"),
            tcp_out_segs: grown("Tcp", "OutSegs"),
            tcp_retrans_segs: grown("Tcp", "RetransSegs"),
            tcp_in_segs: grown("Tcp", "InSegs"),
            tcp_syn_acks_resent: resent(|now, then| !opened(now, then)),
            tcp_syns_resent: resent(|now, then| opened(now, then) && accepted(now, then)),
            icmp_out_msgs: grown("Icmp", "OutMsgs"),
            icmp_in_msgs: grown("Icmp", "InMsgs"),
        }
    }
}

/// Whether a host opened connections in the meantime.
fn opened(now: &NetCounters, then: &NetCounters) -> bool {
    now.since(then, "Tcp", "ActiveOpens") != Some(0)
}

/// Whether it accepted some.
fn accepted(now: &NetCounters, then: &NetCounters) -> bool {
    now.since(then, "Tcp", "PassiveOpens") != Some(0)
}

/// What the links did, put where their cables are.
pub(crate) fn place_links(network: &mut Network, reports: Vec<(usize, Vec<LinkReport>)>) {
    for (cable, links) in reports {
        if let Some(cable) = network.cables.get_mut(cable) {
            cable.links = links;
        }
    }
}

/// The links of a cable, as far as the record has it.
fn cable_links(network: &mut Network, cable: usize) -> &mut [LinkReport] {
    network.cables.get_mut(cable).map(|cable| &mut cable.links[..]).unwrap_or_default()
}

fn queue_report(place: String, queue: &QueueCounters) -> QueueReport {
    QueueReport {
        place,
        packets: queue.packets,
        bytes: queue.bytes,
        dropped_packets: queue.dropped.into(),
        backlog_packets: queue.backlog.into(),
        backlog_dropped_packets: queue.backlog_dropped,
    }
}

/// The counters of the ledger that went back.
fn went_back(host: &str, now: &NetCounters, then: &NetCounters) -> Vec<String> {
    let back = |(protocol, name): &&(&str, &str)| {
        then.value(protocol, name).is_some() && now.since(then, protocol, name).is_none()
    };
    let all = COUNTERS.iter().filter(back);
    all.map(|(protocol, name)| format!("the counter {protocol}.{name} of {host} went back")).collect()
}

/// The places of the network, each with its stage; those that dropped nothing are one per stage.
#[derive(Default)]
pub(super) struct Places {
    drops: Vec<Drops>,
    copies: u64,
    /// Counters that cannot be trusted.
    pub(super) doubts: Vec<String>,
}

impl Places {
    pub(super) fn add(&mut self, stage: &'static str, place: &str, packets: u64) {
        self.drops.push(Drops { stage, place: place.into(), packets, datagrams: None });
    }

    /// A place of which somebody may have told how many of the packets were datagrams.
    pub(super) fn add_told(
        &mut self,
        stage: &'static str,
        place: &str,
        packets: u64,
        datagrams: Option<u64>,
    ) {
        self.drops.push(Drops { stage, place: place.into(), packets, datagrams });
    }

    /// A queue, and what the trace saw there: all packets, and the datagrams among them.
    fn add_queue(
        &mut self,
        stage: &'static str,
        place: &str,
        queue: &QueueCounters,
        traced: Option<(u64, u64)>,
    ) {
        let packets = queue.dropped.into();
        // It is a witness only if it saw as many as the queue counted.
        let datagrams = traced.filter(|(all, _)| *all == packets).map(|(_, datagrams)| datagrams);
        self.add_told(stage, place, packets, datagrams);
    }

    /// In the order of the path.
    fn finish(mut self) -> Vec<Drops> {
        let mut all = std::mem::take(&mut self.drops);
        let mut path = Vec::new();
        for stage in stage::ALL {
            let here = all.extract_if(.., |drops| drops.stage == stage).collect::<Vec<_>>();
            let count = here.len();
            let dropped: Vec<Drops> = here.into_iter().filter(|drops| drops.packets > 0).collect();
            if dropped.is_empty() && count > 0 {
                let place = if count == 1 { "nowhere".to_owned() } else { format!("all {count}") };
                path.push(Drops { stage, place, packets: 0, datagrams: None });
            }
            path.extend(dropped);
        }
        path
    }
}
