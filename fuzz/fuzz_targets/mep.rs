//! Packets and requests of LHCb in Run 1 and 2, with and without IP headers in front.

#![no_main]

use std::net::Ipv4Addr;

use incast_core::wire::mep::{Mep, MepWriter, PACKET_BYTES_MAX};
use incast_core::wire::mep_file;
use incast_core::wire::mep_request::MepRequest;
use libfuzzer_sys::fuzz_target;

/// A first input, of which the others are made: it must be a good one.
const GOOD: &[u8] = include_bytes!("../seeds/mep/packet");

fuzz_target!(init: assert!(Mep::parse(GOOD).is_ok()), |data: &[u8]| {
    packet(data);
    collection(data);
    request(data);
});

/// What is taken is a packet, and is written as it was.
fn packet(data: &[u8]) {
    let prefix = Mep::parse_prefix(data);
    assert_eq!(Mep::parse(data).is_ok(), prefix.is_ok_and(|(_, rest)| rest.is_empty()));
    let Ok((packet, rest)) = prefix else { return };
    assert_eq!(packet.bytes().len() + rest.len(), data.len());
    let mut written = Vec::new();
    let mut writer =
        MepWriter::begin(&mut written, packet.first_event(), packet.partition(), PACKET_BYTES_MAX);
    for fragment in packet.fragments() {
        writer.push(fragment.data).expect("it was in a packet");
    }
    assert_eq!(writer.finish(), Ok(packet.bytes().len()));
    assert_eq!(written, packet.bytes());
}

/// The packets are the same when they are written again; what their IP headers hold is ours then.
fn collection(data: &[u8]) {
    if let Ok(from) = mep_file::parse_datagram(data) {
        assert!(from.packet.packing() > 0);
    }
    let Ok((packets, _)) = mep_file::parse_collection(data) else { return };
    let packets: Vec<_> = packets.map_while(Result::ok).collect();
    let (node, mut written) = (Ipv4Addr::LOCALHOST, Vec::new());
    if mep_file::emit_collection(&packets, node, &mut written).is_ok() {
        let (again, rest) = mep_file::parse_collection(&written).expect("it was written");
        assert!(rest.is_empty() && again.map(|packet| packet.expect("it was written")).eq(packets));
    }
}

fn request(data: &[u8]) {
    let Ok(request) = MepRequest::parse(data) else { return };
    let written = request.emit();
    assert_eq!(MepRequest::parse(&written), Ok(request));
    assert_eq!((written[0], &written[4..36]), (data[0], &data[4..36]));
}
