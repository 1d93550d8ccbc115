//! What a `[[flow]]` asks of the kernel, and which transport understands it.

use super::findings::quoted;
use super::model::SocketPlan;
use super::reader::Reader;
use crate::control::{SEGMENTS_MAX, SEND_BATCH_MAX};
use crate::load::Transport;
use crate::units::{BYTES_EXAMPLES, Bytes};

/// Reads the socket settings of a flow; `transport` is `None` when it could not be read.
pub(super) fn read(reader: &mut Reader<'_, '_>, transport: Option<Transport>) -> SocketPlan {
    only(reader, transport, Transport::Tcp, "congestion", "only TCP has a congestion control");
    only(reader, transport, Transport::Tcp, "no_delay", "only TCP waits to fill a packet");
    only(reader, transport, Transport::Udp, "segments_max", "only UDP's datagrams are cut by the kernel");
    not_of_rings(reader, transport);
    let buffer = [Bytes(1), Bytes(BUFFER_BYTES_MAX)];
    SocketPlan {
        send_buffer: reader.quantity_within("send_buffer", BYTES_EXAMPLES, buffer),
        receive_buffer: reader.quantity_within("receive_buffer", BYTES_EXAMPLES, buffer),
        congestion: congestion(reader),
        no_delay: reader.flag("no_delay"),
        dscp: reader.small("dscp", 0..=63),
        segments_max: reader.small("segments_max", 1..=u64::from(SEGMENTS_MAX)),
        send_batch: reader.small("send_batch", 1..=u64::from(SEND_BATCH_MAX)),
        receive_batch: reader.small("receive_batch", 1..=RECEIVE_BATCH_MAX),
    }
}

/// Notes a setting that the flow's transport does not have.
fn only(reader: &mut Reader<'_, '_>, found: Option<Transport>, needed: Transport, key: &str, why: &str) {
    if let Some(found) = found.filter(|found| *found != needed)
        && reader.has(key)
    {
        let (needed, found) = (needed.name(), found.name());
        reader.fault(key, format!("`{key}` is for transport {needed}, and this flow is {found}: {why}"));
    }
}

/// Notes a bound for receive calls where there are none.
fn not_of_rings(reader: &mut Reader<'_, '_>, transport: Option<Transport>) {
    if let Some(name) = transport.filter(|transport| transport.is_frames()).map(Transport::name)
        && reader.has("receive_batch")
    {
        let text = format!(
            "`receive_batch` is for transport tcp, udp and ip, and this flow is {name}: its frames come through a \
             ring, without a call for each; leave it out"
        );
        reader.fault("receive_batch", text);
    }
}

/// The kernel knows which are loaded; here it only has to look like a name.
pub(super) fn congestion(reader: &mut Reader<'_, '_>) -> Option<String> {
    let name = reader.text("congestion")?.into_inner();
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
    if name.is_empty() || name.len() > CONGESTION_CHARACTERS_MAX || !name.chars().all(fits) {
        let found = quoted(name);
        reader.fault(
            "congestion",
            format!("{found} is no congestion control; write for example cubic, reno, bbr"),
        );
        return None;
    }
    Some(name.to_owned())
}

/// Largest buffer that may be asked for: Linux doubles it in an `int` (`__sock_set_rcvbuf`, net/core/sock.c).
const BUFFER_BYTES_MAX: u64 = 1_000_000_000;
/// Datagrams for which receivers have buffers, some 64 KiB each.
const RECEIVE_BATCH_MAX: u64 = 32;
/// `TCP_CA_NAME_MAX` of Linux is 16 with its final zero.
const CONGESTION_CHARACTERS_MAX: usize = 15;
