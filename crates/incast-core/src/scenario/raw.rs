//! What a `[[flow]]` says of the transports below UDP.

use super::findings::quoted;
use super::reader::Reader;
use crate::load::Transport;
use crate::raw::{
    ETHERTYPE_DEFAULT, ETHERTYPE_MIN, PROTOCOL_DEFAULT, RawPlan, VLAN_ID_MAX, VLAN_PRIORITY_MAX, VlanTag,
    XdpMode,
};

/// Reads the settings of the raw transports; `transport` is `None` when it could not be read.
pub(super) fn read(reader: &mut Reader<'_, '_>, transport: Option<Transport>) -> RawPlan {
    only(reader, transport, &["protocol"], &[Transport::Ip]);
    only(
        reader,
        transport,
        &["ethertype", "vlan", "vlan_priority", "interface"],
        &[Transport::Ethernet, Transport::Xdp],
    );
    only(reader, transport, &["qdisc_bypass"], &[Transport::Ethernet]);
    only(reader, transport, &["xdp"], &[Transport::Xdp]);
    RawPlan {
        protocol: protocol(reader),
        ethertype: ethertype(reader),
        vlan: vlan(reader),
        interface: interface(reader),
        xdp: reader.word("xdp", "mode of AF_XDP", &XdpMode::NAMES).unwrap_or_default(),
        qdisc_bypass: reader.flag("qdisc_bypass").unwrap_or_default(),
    }
}

/// Notes settings that the flow's transport does not have.
fn only(reader: &mut Reader<'_, '_>, found: Option<Transport>, keys: &[&'static str], needed: &[Transport]) {
    let Some(found) = found.filter(|found| !needed.contains(found)) else { return };
    let needed = needed.iter().map(|transport| transport.name()).collect::<Vec<_>>().join(" or ");
    for key in keys {
        if reader.has(key) {
            reader
                .fault(key, format!("`{key}` is for transport {needed}, and this flow is {}", found.name()));
        }
    }
}

fn protocol(reader: &mut Reader<'_, '_>) -> u8 {
    let protocol = reader.small("protocol", 0..=255).unwrap_or(PROTOCOL_DEFAULT);
    if !RawPlan::is_protocol_free(protocol) {
        let message = format!(
            "IP protocol {protocol} is the kernel's own or means nothing; write for example protocol = \
             {PROTOCOL_DEFAULT}"
        );
        reader.fault("protocol", message);
    }
    protocol
}

fn ethertype(reader: &mut Reader<'_, '_>) -> u16 {
    let allowed = u64::from(ETHERTYPE_MIN)..=u64::from(u16::MAX);
    let ethertype = reader.small("ethertype", allowed).unwrap_or(ETHERTYPE_DEFAULT);
    if !RawPlan::is_ethertype_free(ethertype) {
        let message = format!(
            "EtherType 0x{ethertype:04X} is that of IP, ARP or a VLAN tag; write for example ethertype = \
             0x{ETHERTYPE_DEFAULT:04X}"
        );
        reader.fault("ethertype", message);
    }
    ethertype
}

fn vlan(reader: &mut Reader<'_, '_>) -> Option<VlanTag> {
    let id = reader.small("vlan", 1..=u64::from(VLAN_ID_MAX));
    let priority = reader.small("vlan_priority", 0..=u64::from(VLAN_PRIORITY_MAX));
    if reader.has("vlan_priority") && !reader.has("vlan") {
        reader.fault(
            "vlan_priority",
            "`vlan_priority` means nothing without `vlan`: say which, for example vlan = 100",
        );
    }
    id.map(|id| VlanTag { id, priority: priority.unwrap_or(0) })
}

fn interface(reader: &mut Reader<'_, '_>) -> Option<String> {
    let name = reader.text("interface")?.into_inner();
    if RawPlan::is_interface_name(name) {
        return Some(name.to_owned());
    }
    let found = quoted(name);
    reader.fault(
        "interface",
        format!("{found} is no name of an interface; write for example interface = \"eth0\""),
    );
    None
}
