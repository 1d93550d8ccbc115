//! What the kernel and the drivers counted at each network device: dropped on the way in and out,
//! in the queue before it, and by the driver's own names.
//!
//! Of the calling thread's network namespace: from a dump of route netlink, since the files of
//! `/sys/class/net` are those of the namespace in which `/sys` was mounted. Names of driver
//! statistics differ from driver to driver (`ethtool -S`); only those whose name says that a packet
//! was dropped on the way in are taken, and never added to the kernel's own count of the same.

use std::collections::BTreeMap;
use std::io;
use std::net::UdpSocket;
use std::os::fd::AsFd as _;

use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{LinkAttribute, LinkMessage};
use netlink_packet_route::tc::{TcAttribute, TcHandle, TcMessage, TcStats2};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

use crate::sys::driver;

/// The counters of one device at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceCounters {
    /// Its name.
    pub name: String,
    /// Its driver: `veth`, `virtio_net`; empty when it does not say.
    pub driver: String,
    /// Of a virtual pair, the index of the other end in its namespace; 0 when there is none.
    pub peer: u32,
    /// Hardware address; null of the loopback device, which has none.
    pub address: Option<String>,
    /// Packets that left and came.
    pub sent: u64,
    /// Packets that came.
    pub received: u64,
    /// Packets dropped behind the queue on the way out; of a virtual pair, at its other end.
    pub out_dropped: u64,
    /// Packets that could not be sent.
    pub out_errors: u64,
    /// Packets dropped on the way in, by the kernel: backlog of a core, no handler.
    pub in_dropped: u64,
    /// Packets that the card had no room for (`rx_missed_errors`), or that its FIFO lost.
    pub in_missed: u64,
    /// Packets that came damaged: frame check, length.
    pub in_damaged: u64,
    /// Packets dropped by the queue on the way out; the kernel counts in 32 bits. Null without a queue.
    pub queue_dropped: Option<u32>,
    /// Packets that the driver dropped on the way in, by its own name for it.
    pub driver_dropped: BTreeMap<String, u64>,
}

/// All devices of the calling thread's namespace, by their index.
///
/// # Errors
/// When the kernel does not tell.
pub fn all() -> io::Result<BTreeMap<u32, DeviceCounters>> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    let mut devices: BTreeMap<u32, DeviceCounters> = BTreeMap::new();
    for answer in dump(&socket, RouteNetlinkMessage::GetLink(LinkMessage::default()))? {
        let RouteNetlinkMessage::NewLink(link) = answer else { continue };
        let device = devices.entry(link.header.index).or_default();
        for attribute in link.attributes {
            match attribute {
                LinkAttribute::IfName(name) => device.name = name,
                LinkAttribute::Link(peer) => device.peer = peer,
                LinkAttribute::Address(bytes) => device.address = address(&bytes),
                LinkAttribute::Stats64(counted) => {
                    (device.sent, device.received) = (counted.tx_packets, counted.rx_packets);
                    (device.out_dropped, device.out_errors) = (counted.tx_dropped, counted.tx_errors);
                    device.in_dropped = counted.rx_dropped;
                    // Drivers count the same loss under one name or the other (Documentation/networking/
                    // statistics.rst): the larger is the loss, their sum would count it twice.
                    device.in_missed = counted.rx_missed_errors.max(counted.rx_fifo_errors);
                    device.in_damaged =
                        counted.rx_crc_errors + counted.rx_frame_errors + counted.rx_length_errors;
                }
                _ => {}
            }
        }
    }
    for answer in dump(&socket, RouteNetlinkMessage::GetQueueDiscipline(TcMessage::default()))? {
        let RouteNetlinkMessage::NewQueueDiscipline(queue) = answer else { continue };
        // The root shows what its children dropped as well (HTB counts it, `mq` sums it up): only roots are
        // read, or a drop would count twice.
        if queue.header.parent != TcHandle::ROOT {
            continue;
        }
        if let Some(device) = devices.get_mut(&queue.header.index.cast_unsigned()) {
            let statistics = queue.attributes.into_iter().filter_map(|attribute| match attribute {
                TcAttribute::Stats2(statistics) => Some(statistics),
                _ => None,
            });
            device.queue_dropped = statistics.flatten().find_map(|statistic| match statistic {
                TcStats2::Queue(queue) => Some(queue.drops),
                _ => None,
            });
        }
    }
    drivers(&mut devices);
    Ok(devices)
}

/// A hardware address in words; none if it is all zeros.
fn address(bytes: &[u8]) -> Option<String> {
    let words: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    bytes.iter().any(|byte| *byte != 0).then(|| words.join(":"))
}

/// What drivers say; one that says nothing is no fault.
fn drivers(devices: &mut BTreeMap<u32, DeviceCounters>) {
    // Any socket will do: it says which namespace is meant.
    let Ok(socket) = UdpSocket::bind("0.0.0.0:0") else { return };
    for device in devices.values_mut().take(DEVICES_MAX) {
        let Ok((driver, count)) = driver::driver(socket.as_fd(), &device.name) else { continue };
        device.driver = driver;
        if count > 0
            && let Ok(statistics) = driver::statistics(socket.as_fd(), &device.name, count)
        {
            device.driver_dropped = statistics.into_iter().filter(|(name, _)| tells_of_drops(name)).collect();
        }
    }
}

/// Whether a driver's statistic counts packets dropped on the way in.
fn tells_of_drops(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let is_out = ["tx", "xmit"].iter().any(|word| name.split(['_', '.', '-', ' ']).any(|part| part == *word));
    let words = ["drop", "discard", "no_buf", "nobuf", "missed", "fifo", "out_of_buffer", "no_desc"];
    !is_out && words.iter().any(|word| name.contains(word))
}

fn dump(socket: &Socket, request: RouteNetlinkMessage) -> io::Result<Vec<RouteNetlinkMessage>> {
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    let mut message = NetlinkMessage::new(header, NetlinkPayload::from(request));
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    socket.send(&bytes, 0)?;
    let mut answers = Vec::new();
    loop {
        let (datagram, _) = socket.recv_from_full()?;
        let mut rest = &datagram[..];
        while !rest.is_empty() {
            let answer =
                NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest).map_err(io::Error::other)?;
            let length = usize::try_from(answer.header.length).unwrap_or(0).next_multiple_of(4);
            match answer.payload {
                NetlinkPayload::InnerMessage(message) => answers.push(message),
                NetlinkPayload::Error(error) => return Err(error.to_io()),
                NetlinkPayload::Done(_) => return Ok(answers),
                _ => {}
            }
            if length == 0 || length >= rest.len() {
                break;
            }
            rest = &rest[length..];
        }
    }
}

/// Most devices whose drivers are asked: a switch of a lab has some hundreds, without drivers that drop.
const DEVICES_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_a_loopback_that_carries_packets() {
        let before = all().unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.send_to(&[0; 10], socket.local_addr().unwrap()).unwrap();
        let after = all().unwrap();
        let lo = |devices: &BTreeMap<u32, DeviceCounters>| {
            devices.values().find(|it| it.name == "lo").unwrap().sent
        };
        assert!(lo(&after) > lo(&before));
    }

    #[test]
    fn only_names_that_say_so_count_as_drops_on_the_way_in() {
        for name in [
            "rx_missed_errors",
            "rx_no_buffer_count",
            "rx0_drops",
            "rx_queue_0_xdp_drops",
            "rx_discards_phy",
            "rx_out_of_buffer",
            "port.rx_dropped",
            "rx_fifo_errors",
        ] {
            assert!(tells_of_drops(name), "{name}");
        }
        for name in ["rx_packets", "tx_dropped", "tx_queue_0_xdp_tx_drops", "port.tx_discards", "rx_bytes"] {
            assert!(!tells_of_drops(name), "{name}");
        }
    }
}
