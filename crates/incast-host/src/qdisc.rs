//! The kind of an interface's root queue, by netlink (RFC 3549).
//!
//! One dump of all queues of the namespace that the caller is in; what is not told is unknown.

use std::collections::BTreeMap;
use std::io;

use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::tc::{TcAttribute, TcHandle, TcMessage};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

/// The kind of the root queue of every interface, by the interface's index.
pub(crate) fn roots() -> io::Result<BTreeMap<i32, String>> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    header.sequence_number = 1;
    let question = RouteNetlinkMessage::GetQueueDiscipline(TcMessage::default());
    let mut message = NetlinkMessage::new(header, NetlinkPayload::from(question));
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    socket.send(&bytes, 0)?;
    let mut roots = BTreeMap::new();
    for _ in 0..DATAGRAMS_MAX {
        let (bytes, _) = socket.recv_from_full()?;
        let mut rest = bytes.as_slice();
        while rest.len() >= HEADER_BYTES {
            let length = u32::from_ne_bytes([rest[0], rest[1], rest[2], rest[3]]) as usize;
            if !(HEADER_BYTES..=rest.len()).contains(&length) {
                return Err(io::Error::other("the kernel's answer has an impossible length"));
            }
            let answer = NetlinkMessage::deserialize(&rest[..length]).map_err(io::Error::other)?;
            match answer.payload {
                NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewQueueDiscipline(queue)) => {
                    roots.extend(root(&queue));
                }
                NetlinkPayload::Done(_) => return Ok(roots),
                NetlinkPayload::Error(error) if error.code.is_some() => return Err(error.to_io()),
                _ => {}
            }
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
    }
    Err(io::Error::other("the kernel tells of more queues than anyone has"))
}

fn root(queue: &TcMessage) -> Option<(i32, String)> {
    let kind = queue.attributes.iter().find_map(|attribute| match attribute {
        TcAttribute::Kind(kind) => Some(kind.clone()),
        _ => None,
    });
    (queue.header.parent == TcHandle::ROOT).then(|| kind.map(|kind| (queue.header.index, kind)))?
}

/// `struct nlmsghdr`.
const HEADER_BYTES: usize = 16;
/// Most datagrams of one dump: some 50 queues each.
const DATAGRAMS_MAX: usize = 4_096;
