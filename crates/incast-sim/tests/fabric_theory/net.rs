//! Small networks, and a driver that keeps to the order of time.

use incast_core::scenario::{Queueing, SwitchModel};
use incast_core::time::{Span, Time};
use incast_sim::fabric::{
    ByteTime, End, Fabric, FabricPlan, LinkId, LinkSpec, News, SwitchId, SwitchSpec, Taken,
};
use incast_sim::packet::{NicId, Packet};

/// No queue is so full.
pub(crate) const ENDLESS: u64 = u64::MAX;
pub(crate) const GBIT: Option<u64> = Some(1_000_000_000);
pub(crate) const TEN_GBIT: Option<u64> = Some(10_000_000_000);

/// One way of a cable.
pub(crate) fn link(from: End, to: End, rate: Option<u64>, travel: Span, queue_bytes: u64) -> LinkSpec {
    let name = |end| match end {
        End::Nic(NicId(nic)) => format!("h{nic}"),
        End::Switch(SwitchId(switch)) => format!("s{switch}"),
    };
    LinkSpec {
        from,
        to,
        byte_time: ByteTime::of(rate),
        travel,
        queue_bytes,
        path: None,
        bit_errors: 0.0,
        place: format!("{} to {}", name(from), name(to)),
        way: format!("{} -> {}", name(from), name(to)),
    }
}

/// A plan of links, with the routes that follow from them: the tree's only way, from every switch to every host.
pub(crate) fn plan(nics: u32, switches: u32, latency: Span, links: Vec<LinkSpec>) -> FabricPlan {
    let model = SwitchModel { queueing: Queueing::Output, latency, is_cut_through: false };
    let switch = |switch: u32| SwitchSpec {
        name: format!("s{switch}"),
        model,
        pauses: false,
        routes: (0..nics).map(|nic| way(&links, SwitchId(switch), NicId(nic), None)).collect(),
    };
    let out_of = |nic| links.iter().position(|link| link.from == End::Nic(NicId(nic)));
    FabricPlan {
        seed: 1,
        interval: Span::from_ms(1),
        switches: (0..switches).map(switch).collect(),
        nics: (0..nics).map(|nic| LinkId(u32::try_from(out_of(nic).unwrap()).unwrap())).collect(),
        links,
    }
}

/// The link from a switch on the way to a host, not going back to where it came from.
fn way(links: &[LinkSpec], at: SwitchId, nic: NicId, from: Option<SwitchId>) -> Option<LinkId> {
    (0..).zip(links).find_map(|(id, link)| {
        let leads = link.from == End::Switch(at)
            && match link.to {
                End::Nic(there) => there == nic,
                End::Switch(next) => Some(next) != from && way(links, next, nic, Some(at)).is_some(),
            };
        leads.then_some(LinkId(id))
    })
}

/// Hosts around one switch, each with the same cable.
pub(crate) fn star(hosts: u32, rate: Option<u64>, travel: Span, port_bytes: u64) -> FabricPlan {
    let switch = End::Switch(SwitchId(0));
    let up = (0..hosts).map(|host| link(End::Nic(NicId(host)), switch, rate, travel, ENDLESS));
    let down = (0..hosts).map(|host| link(switch, End::Nic(NicId(host)), rate, travel, port_bytes));
    plan(hosts, 1, Span::ZERO, up.chain(down).collect())
}

/// Host 0 sends to host 1, on a link that takes its time.
pub(crate) fn one_queue(rate: Option<u64>) -> FabricPlan {
    let (one, other) = (End::Nic(NicId(0)), End::Nic(NicId(1)));
    let links = [(one, other), (other, one)];
    plan(2, 0, Span::ZERO, links.map(|(from, to)| link(from, to, rate, Span::ZERO, ENDLESS)).into())
}

/// The queue of [`one_queue`].
pub(crate) const THE_QUEUE: usize = 0;

/// A packet that is handed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Send {
    pub(crate) at: Time,
    pub(crate) from: u32,
    pub(crate) to: u32,
    pub(crate) bytes: u32,
    pub(crate) cargo: u64,
}

/// Hands in what `sends` says, in the order of time, and carries on to `until`.
pub(crate) fn drive(
    fabric: &mut impl Fabric,
    sends: impl IntoIterator<Item = Send>,
    until: Time,
    mut heard: impl FnMut(Time, News),
) -> u64 {
    let mut refused = 0;
    for send in sends {
        if send.at > until {
            break;
        }
        carry_on(fabric, send.at, &mut heard);
        let packet = Packet { to: NicId(send.to), wire_bytes: send.bytes, cargo: send.cargo };
        refused += u64::from(fabric.handle_packet(send.at, NicId(send.from), packet) == Taken::Dropped);
    }
    carry_on(fabric, until, &mut heard);
    refused
}

/// Everything that happens until then, each with its time.
pub(crate) fn carry_on(fabric: &mut impl Fabric, until: Time, heard: &mut impl FnMut(Time, News)) {
    while let Some(at) = fabric.next_timeout().filter(|at| *at <= until) {
        while let Some(news) = fabric.poll(at) {
            heard(at, news);
        }
    }
    // Told the time, though nothing is due.
    assert_eq!(fabric.poll(until), None);
}
