//! The single steps of building: interfaces, addresses, routes, neighbours, queues, settings.
//!
//! Each is one request in one namespace, and says in its error what it was for.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsFd as _;

use netlink_packet_core::DefaultNla;
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{
    InfoBridge, InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
};
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::tc::{TcAttribute, TcHandle, TcMessage, TcOption};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use crate::error::{LabError, is_lacking};
use crate::layout::Port;
use crate::namespace::Namespace;
use crate::sys::ethtool;

/// A pair of interfaces, each in its namespace.
pub(crate) fn cable(places: &mut [Namespace], one: &Port, other: &Port, mtu: u32) -> Result<(), LabError> {
    let (there, here) = (places[other.place].raw_fd(), &mut places[one.place]);
    let mut peer = interface(other, mtu);
    peer.attributes.push(LinkAttribute::NetNsFd(there));
    let mut link = interface(one, mtu);
    link.attributes.push(LinkAttribute::LinkInfo(vec![
        LinkInfo::Kind(InfoKind::Veth),
        LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
    ]));
    let what = || format!("make the cable {} to {}", one.interface, other.interface);
    here.netlink
        .create(RouteNetlinkMessage::NewLink(link))
        .map_err(|error| lacks(what(), "virtual Ethernet pairs: CONFIG_VETH", error))
}

fn interface(port: &Port, mtu: u32) -> LinkMessage {
    let mut link = LinkMessage::default();
    link.header.index = port.index;
    link.attributes = vec![
        LinkAttribute::IfName(port.interface.clone()),
        LinkAttribute::Address(port.mac.to_vec()),
        LinkAttribute::Mtu(mtu),
    ];
    link
}

/// A bridge called `name`, which asks the packet filter for every packet or does not.
///
/// The filter has no rules. But on its way through, a packet is taken off the account of the
/// sender's socket (`skb_orphan`): a sender is not slowed down by what waits in the switch.
pub(crate) fn bridge(
    place: &mut Namespace,
    name: &str,
    index: u32,
    mtu: u32,
    filter: bool,
) -> Result<(), LabError> {
    let mut link = LinkMessage::default();
    link.header.index = index;
    link.attributes = vec![
        LinkAttribute::IfName(name.into()),
        LinkAttribute::Mtu(mtu),
        LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Bridge),
            LinkInfo::Data(InfoData::Bridge(vec![InfoBridge::MulticastSnooping(false)])),
        ]),
    ];
    place
        .netlink
        .create(RouteNetlinkMessage::NewLink(link))
        .map_err(|error| lacks(format!("make the bridge {name}"), "bridges: CONFIG_BRIDGE", error))?;
    for table in ["arptables", "iptables", "ip6tables"] {
        let set =
            sysctl(place, &format!("net.bridge.bridge-nf-call-{table}"), if filter { "1" } else { "0" });
        match set {
            Err(LabError::Kernel { source, .. }) if filter && table == "iptables" => {
                return Err(LabError::Lacks {
                    what: "make a bridge that drops".into(),
                    need: "load the module br_netfilter, or write forwarding = \"routed\" for the switch",
                    source,
                });
            }
            // Without the filter nothing needs to be switched off.
            _ => {}
        }
    }
    Ok(())
}

/// Plugs an interface into the bridge of that index.
pub(crate) fn plug(place: &mut Namespace, port: &Port, bridge: u32) -> Result<(), LabError> {
    let mut link = LinkMessage::default();
    link.header.index = port.index;
    link.attributes = vec![LinkAttribute::Controller(bridge)];
    let what = || format!("plug {} into its bridge", port.interface);
    place.netlink.change(RouteNetlinkMessage::SetLink(link)).map_err(|error| LabError::kernel(what(), error))
}

/// Switches an interface on.
pub(crate) fn up(place: &mut Namespace, index: u32) -> Result<(), LabError> {
    let mut link = LinkMessage::default();
    link.header.index = index;
    link.header.flags = LinkFlags::Up;
    link.header.change_mask = LinkFlags::Up;
    let done = place.netlink.change(RouteNetlinkMessage::SetLink(link));
    done.map_err(|error| LabError::kernel(format!("switch on interface {index} of {}", place.name()), error))
}

/// Gives an interface its address.
pub(crate) fn address(
    place: &mut Namespace,
    index: u32,
    address: Ipv4Addr,
    prefix: u8,
) -> Result<(), LabError> {
    let mut message = AddressMessage::default();
    message.header.family = AddressFamily::Inet;
    message.header.prefix_len = prefix;
    message.header.index = index;
    message.attributes =
        vec![AddressAttribute::Local(IpAddr::V4(address)), AddressAttribute::Address(IpAddr::V4(address))];
    place
        .netlink
        .create(RouteNetlinkMessage::NewAddress(message))
        .map_err(|error| LabError::kernel(format!("give {} the address {address}", place.name()), error))
}

/// A route to one host, straight out of an interface.
pub(crate) fn route(place: &mut Namespace, to: Ipv4Addr, index: u32) -> Result<(), LabError> {
    let mut message = RouteMessage::default();
    message.header.address_family = AddressFamily::Inet;
    message.header.destination_prefix_length = 32;
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    message.header.protocol = RouteProtocol::Static;
    message.header.scope = RouteScope::Link;
    message.header.kind = RouteType::Unicast;
    message.attributes =
        vec![RouteAttribute::Destination(RouteAddress::Inet(to)), RouteAttribute::Oif(index)];
    place
        .netlink
        .create(RouteNetlinkMessage::NewRoute(message))
        .map_err(|error| LabError::kernel(format!("make a route to {to} in {}", place.name()), error))
}

/// Writes down a neighbour's Ethernet address, so that nobody has to ask for it.
pub(crate) fn neighbour(
    place: &mut Namespace,
    index: u32,
    of: Ipv4Addr,
    mac: [u8; 6],
) -> Result<(), LabError> {
    let mut message = NeighbourMessage::default();
    message.header.family = AddressFamily::Inet;
    message.header.ifindex = index;
    message.header.state = NeighbourState::Permanent;
    message.attributes = vec![
        NeighbourAttribute::Destination(NeighbourAddress::Inet(of)),
        NeighbourAttribute::LinkLayerAddress(mac.to_vec()),
    ];
    place
        .netlink
        .create(RouteNetlinkMessage::NewNeighbour(message))
        .map_err(|error| LabError::kernel(format!("tell {} its neighbour {of}", place.name()), error))
}

/// Tells a bridge behind which port an Ethernet address is, so that it sends nothing to the others.
pub(crate) fn behind(place: &mut Namespace, port: u32, mac: [u8; 6]) -> Result<(), LabError> {
    let mut message = NeighbourMessage::default();
    message.header.family = AddressFamily::Bridge;
    message.header.ifindex = port;
    message.header.state = NeighbourState::Noarp;
    message.header.flags = NeighbourFlags::Controller;
    message.attributes = vec![NeighbourAttribute::LinkLayerAddress(mac.to_vec())];
    place
        .netlink
        .create(RouteNetlinkMessage::NewNeighbour(message))
        .map_err(|error| LabError::kernel(format!("tell {} what is behind a port", place.name()), error))
}

/// A rate and a queue of so many bytes behind it, on the way out of an interface.
pub(crate) struct Shape {
    /// Bits per second on the wire.
    pub(crate) bits_per_s: u64,
    /// Bytes of packets, with their headers, that wait.
    pub(crate) queue_bytes: u32,
    /// Bytes that may leave at once.
    pub(crate) burst_bytes: u32,
}

/// Shapes an interface with a token bucket (`tbf`, net/sched/sch_tbf.c).
pub(crate) fn shape(place: &mut Namespace, port: &Port, shape: &Shape) -> Result<(), LabError> {
    let bytes_per_s = shape.bits_per_s / 8;
    // struct tc_tbf_qopt: two of tc_ratespec, then limit, buffer, mtu; buffer gives way to TCA_TBF_BURST.
    //   tc_ratespec: cell_log u8, linklayer u8, overhead u16, cell_align i16, mpu u16, rate u32
    let mut options = Vec::with_capacity(36);
    options.extend([0, LINKLAYER_ETHERNET]);
    options.extend(WIRE_OVERHEAD_BYTES.to_ne_bytes());
    options.extend([0; 4]);
    options.extend(u32::try_from(bytes_per_s).unwrap_or(u32::MAX).to_ne_bytes());
    options.extend([0; 12]);
    options.extend(shape.queue_bytes.to_ne_bytes());
    options.extend([0; 8]);
    let mut message = TcMessage::default();
    message.header.index = port.index.cast_signed();
    message.header.parent = TcHandle::ROOT;
    message.header.handle = TcHandle { major: 1, minor: 0 };
    let mut settings = vec![TcOption::Other(DefaultNla::new(TCA_TBF_PARMS, options))];
    if bytes_per_s > u64::from(u32::MAX) {
        settings.push(TcOption::Other(DefaultNla::new(TCA_TBF_RATE64, bytes_per_s.to_ne_bytes().into())));
    }
    settings.push(TcOption::Other(DefaultNla::new(TCA_TBF_BURST, shape.burst_bytes.to_ne_bytes().into())));
    message.attributes = vec![TcAttribute::Kind("tbf".into()), TcAttribute::Options(settings)];
    place.netlink.create(RouteNetlinkMessage::NewQueueDiscipline(message)).map_err(|error| {
        lacks(format!("shape {}", port.interface), "token buckets: CONFIG_NET_SCH_TBF", error)
    })
}

const TCA_TBF_PARMS: u16 = 1;
const TCA_TBF_RATE64: u16 = 4;
const TCA_TBF_BURST: u16 = 6;
/// `TC_LINKLAYER_ETHERNET`.
const LINKLAYER_ETHERNET: u8 = 1;
/// What the wire carries with every frame beyond what the kernel counts: preamble 8, check 4, gap 12.
const WIRE_OVERHEAD_BYTES: u16 = 24;

/// Which offloads an interface has.
pub(crate) fn offloads(
    place: &Namespace,
    port: &Port,
    trains: bool,
    checksums: bool,
) -> Result<(), LabError> {
    let set = || {
        let socket = std::net::UdpSocket::bind("0.0.0.0:0")?;
        let fd = socket.as_fd();
        for command in [ethtool::TSO, ethtool::GSO, ethtool::GRO] {
            ethtool::set(fd, &port.interface, command, trains)?;
        }
        ethtool::set(fd, &port.interface, ethtool::TX_CHECKSUM, checksums)
    };
    let what = || format!("set the offloads of {} in {}", port.interface, place.name());
    place.run(set).and_then(|done| done).map_err(|error| LabError::kernel(what(), error))
}

/// Sets a kernel setting of a namespace.
pub(crate) fn sysctl(place: &Namespace, name: &str, value: &str) -> Result<(), LabError> {
    // The parts of a name hold no dots here: interfaces are called `all` and `default`.
    let path = format!("/proc/sys/{}", name.replace('.', "/"));
    let what = || format!("set {name} = {value} in {}", place.name());
    let written = place.run(|| std::fs::write(&path, value)).and_then(|written| written);
    written.map_err(|error: io::Error| LabError::kernel(what(), error))
}

fn lacks(what: String, need: &'static str, source: io::Error) -> LabError {
    if is_lacking(&source) {
        return LabError::Lacks { what, need, source };
    }
    LabError::kernel(what, source)
}
