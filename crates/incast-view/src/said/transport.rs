//! What carried a flow: the transport, and below UDP what its packets are marked with and what took them in.

use incast_core::load::Transport;
use incast_core::record::Flow;

use crate::units::UNKNOWN;

/// `udp`; `ethernet, VLAN 100, packet ring`; `ip 242`.
pub(crate) fn transport(flow: &Flow) -> String {
    let Some(transport) = flow.transport else { return UNKNOWN.to_owned() };
    let Some(raw) = &flow.raw else { return transport.name().to_owned() };
    let mut said = match transport {
        Transport::Ip => raw.protocol.map_or_else(|| "ip".to_owned(), |protocol| format!("ip {protocol}")),
        other => other.name().to_owned(),
    };
    if let Some(id) = raw.vlan_id {
        said.push_str(&format!(", VLAN {id}"));
    }
    // That of IP is always the same.
    if transport.is_frames()
        && let Some(side) = raw.receiver.as_ref().or(raw.sender.as_ref())
    {
        said.push_str(&format!(", {}", side.carrier));
    }
    said
}

#[cfg(test)]
mod tests {
    use incast_core::record::{RawSide, RawSummary};

    use super::*;

    #[test]
    fn below_udp_the_marks_and_the_carrier_are_named() {
        let side = |carrier: &str| Some(RawSide { carrier: carrier.into(), ..RawSide::default() });
        let flow = |transport, raw| Flow { transport: Some(transport), raw, ..Flow::default() };
        let raw = RawSummary { vlan_id: Some(100), receiver: side("packet ring"), ..RawSummary::default() };
        assert_eq!(transport(&flow(Transport::Ethernet, Some(raw))), "ethernet, VLAN 100, packet ring");
        let raw = RawSummary { protocol: Some(242), receiver: side("raw socket"), ..RawSummary::default() };
        assert_eq!(transport(&flow(Transport::Ip, Some(raw))), "ip 242");
        assert_eq!(transport(&flow(Transport::Udp, None)), "udp");
        assert_eq!(transport(&Flow::default()), UNKNOWN);
    }
}
