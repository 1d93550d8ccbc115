//! What is below UDP on the way of a flow over raw IP, raw Ethernet or AF_XDP.

use serde::{Deserialize, Serialize};

use crate::flood::assemble::FlowIdentity;
use crate::flood::report::{Measured, Sent};
use crate::load::Transport;

plain_data! {
    /// A flow below UDP: what its packets or frames are marked with, and how both ends met the link.
    pub struct RawSummary {
        /// IP protocol number; null where there is no IP.
        pub protocol: Option<u8>,
        /// EtherType; null over IP.
        pub ethertype: Option<u16>,
        /// Identifier of the VLAN tag; null without one.
        pub vlan_id: Option<u16>,
        /// Its priority, 0 to 7.
        pub vlan_priority: Option<u8>,
        /// The sending end; null when it did not tell.
        pub sender: Option<RawSide>,
        /// The receiving end.
        pub receiver: Option<RawSide>,
    }

    /// One end of such a flow.
    #[derive(Eq)]
    pub struct RawSide {
        /// Its interface; null over IP, where the kernel chooses the way.
        pub interface: Option<String>,
        /// What carried the messages there: `raw socket`, `packet socket`, `packet ring`, or AF_XDP's mode
        /// (`native, copy`).
        pub carrier: String,
        /// Greetings of the flow, sent or heard, before the first message.
        pub greetings: u64,
        /// Times the interface was full and the kernel said so: what a packet socket refused was sent again, what was
        /// dropped behind AF_XDP is lost.
        pub queue_full: u64,
    }
}

impl RawSummary {
    /// The summary of a flow; `None` over TCP and UDP.
    #[must_use]
    pub fn of(identity: &FlowIdentity, sent: Option<&Sent>, measured: Option<&Measured>) -> Option<Self> {
        if !identity.transport.is_raw() {
            return None;
        }
        let plan = &identity.raw;
        let (is_ip, tag) = (identity.transport == Transport::Ip, plan.vlan);
        Some(Self {
            protocol: is_ip.then_some(plan.protocol),
            ethertype: (!is_ip).then_some(plan.ethertype),
            vlan_id: tag.filter(|_| !is_ip).map(|tag| tag.id),
            vlan_priority: tag.filter(|_| !is_ip).map(|tag| tag.priority),
            sender: sent.and_then(|side| side.raw.clone()),
            receiver: measured.and_then(|side| side.raw.clone()),
        })
    }
}
