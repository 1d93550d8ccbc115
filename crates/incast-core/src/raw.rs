//! What the transports below UDP are told: protocol number, EtherType, VLAN tag, interface; and what is said
//! of the interfaces at both ends.
//!
//! Raw IP messages are the payload of packets with a protocol number of their own; raw Ethernet messages that
//! of frames with an EtherType of their own, through packet(7) sockets or AF_XDP. It opens nothing: the
//! interfaces are looked for, and the addresses of the cards told, by `incast-net`.

mod mac;

pub use mac::MacAddress;

use serde::{Deserialize, Serialize};

/// IP protocol number when nobody says another: 242 (0xF2), which IANA has given to nobody.
pub const PROTOCOL_DEFAULT: u8 = 242;
/// EtherType when nobody says another: IEEE 802 local experimental 1 (IEEE 802-2014 §9.2.4).
pub const ETHERTYPE_DEFAULT: u16 = 0x88B5;
/// Smallest EtherType: below, the field is a length (IEEE 802.3 §3.2.6).
pub const ETHERTYPE_MIN: u16 = 0x0600;
/// Highest VLAN identifier; 4095 is reserved, and 0 is none (IEEE 802.1Q §9.6).
pub const VLAN_ID_MAX: u16 = 4094;
/// Highest priority of a VLAN tag.
pub const VLAN_PRIORITY_MAX: u8 = 7;
/// Bytes of an interface's name, less its final zero (`IFNAMSIZ` of Linux).
pub const INTERFACE_BYTES_MAX: usize = 15;

/// Settings of the transports `ip`, `ethernet` and `xdp`; the others look at none of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RawPlan {
    /// Protocol number of raw IP.
    pub protocol: u8,
    /// EtherType of raw Ethernet, through packet sockets or AF_XDP.
    pub ethertype: u16,
    /// VLAN tag of every frame.
    pub vlan: Option<VlanTag>,
    /// Interface of the side that made the plan; the one of the way to the peer otherwise.
    pub interface: Option<String>,
    /// How AF_XDP meets the driver.
    pub xdp: XdpMode,
    /// Packet sockets: frames go round the queue of the interface (`PACKET_QDISC_BYPASS`).
    pub qdisc_bypass: bool,
}

impl Default for RawPlan {
    fn default() -> Self {
        Self {
            protocol: PROTOCOL_DEFAULT,
            ethertype: ETHERTYPE_DEFAULT,
            vlan: None,
            interface: None,
            xdp: XdpMode::Auto,
            qdisc_bypass: false,
        }
    }
}

/// Protocol numbers that belong to others, or that mean nothing: what the kernel speaks, tunnels (4, 41, 47), IPsec (50,
/// 51), routing (89, 103), VRRP (112), SCTP (132).
const PROTOCOLS_TAKEN: [u8; 16] = [0, 1, 2, 4, 6, 17, 41, 47, 50, 51, 58, 89, 103, 112, 132, 255];
/// EtherTypes that belong to others: IPv4, ARP, IPv6; the tags of VLANs; those by which a link lives: flow control, slow
/// protocols (LACP), PPPoE, MPLS, authentication (802.1X), LLDP, MACsec and PTP. A program at an interface that took
/// them would cut the host off.
const ETHERTYPES_TAKEN: [u16; 15] = [
    0x0800, 0x0806, 0x86DD, 0x8100, 0x88A8, 0x8808, 0x8809, 0x8847, 0x8848, 0x8863, 0x8864, 0x888E, 0x88CC,
    0x88E5, 0x88F7,
];

impl RawPlan {
    /// Whether messages may be sent under this protocol number.
    #[must_use]
    pub fn is_protocol_free(protocol: u8) -> bool {
        !PROTOCOLS_TAKEN.contains(&protocol)
    }

    /// Whether messages may be sent under this EtherType.
    #[must_use]
    pub fn is_ethertype_free(ethertype: u16) -> bool {
        ethertype >= ETHERTYPE_MIN && !ETHERTYPES_TAKEN.contains(&ethertype)
    }

    /// Whether `name` can be an interface's.
    #[must_use]
    pub fn is_interface_name(name: &str) -> bool {
        let fits = |c: char| c.is_ascii_graphic() && c != '/' && c != ':';
        (1..=INTERFACE_BYTES_MAX).contains(&name.len())
            && name.chars().all(fits)
            && name != "."
            && name != ".."
    }

    /// The first setting that is out of its range, in words.
    ///
    /// # Errors
    /// When there is one.
    pub fn check(&self) -> Result<(), &'static str> {
        let vlan = self
            .vlan
            .is_none_or(|tag| (1..=VLAN_ID_MAX).contains(&tag.id) && tag.priority <= VLAN_PRIORITY_MAX);
        let rules = [
            (
                Self::is_protocol_free(self.protocol),
                "the IP protocol number (3 to 254, and none that others speak)",
            ),
            (
                Self::is_ethertype_free(self.ethertype),
                "the EtherType (0x0600 and more, and none by which IP or the link lives)",
            ),
            (vlan, "the VLAN tag (id 1 to 4094, priority 0 to 7)"),
            (self.interface.as_deref().is_none_or(Self::is_interface_name), "the name of the interface"),
        ];
        rules.iter().find(|(good, _)| !good).map_or(Ok(()), |(_, what)| Err(*what))
    }
}

/// A VLAN tag (IEEE 802.1Q).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VlanTag {
    /// Identifier, 1 to 4094.
    pub id: u16,
    /// Priority code point, 0 to 7.
    pub priority: u8,
}

/// How AF_XDP meets the driver of the interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum XdpMode {
    /// The fastest that works: zero-copy, then native with a copy, then generic.
    #[default]
    Auto,
    /// The driver runs the program; frames are copied.
    Native,
    /// The kernel runs it behind any driver; frames are copied.
    Generic,
    /// The driver writes into our memory.
    ZeroCopy,
}

impl XdpMode {
    /// Every mode with its name, as in scenario files and on the command line.
    pub const NAMES: [(&'static str, Self); 4] = [
        ("auto", Self::Auto),
        ("native", Self::Native),
        ("generic", Self::Generic),
        ("zero-copy", Self::ZeroCopy),
    ];
}

/// One end of a flow over a raw transport, as it was found there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RawEnd {
    /// Its interface.
    pub interface: String,
    /// Address of its card.
    pub mac: MacAddress,
    /// Largest payload of its frames, in bytes.
    pub mtu_bytes: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_own_is_refused() {
        let plan = RawPlan::default;
        assert_eq!(plan().check(), Ok(()));
        let tag = |id, priority| Some(VlanTag { id, priority });
        for good in [
            RawPlan { protocol: 253, ethertype: 0x88B6, vlan: tag(1, 0), ..plan() },
            RawPlan { vlan: tag(4094, 7), interface: Some("enp1s0f0np0.100".into()), ..plan() },
        ] {
            assert_eq!(good.check(), Ok(()), "{good:?}");
        }
        for bad in [
            RawPlan { protocol: 6, ..plan() },
            RawPlan { ethertype: 0x0800, ..plan() },
            RawPlan { ethertype: 1500, ..plan() },
            RawPlan { vlan: tag(0, 0), ..plan() },
            RawPlan { vlan: tag(4095, 0), ..plan() },
            RawPlan { vlan: tag(1, 8), ..plan() },
            RawPlan { interface: Some("sixteen-letters-".into()), ..plan() },
            RawPlan { interface: Some("../e0".into()), ..plan() },
            RawPlan { interface: Some(String::new()), ..plan() },
        ] {
            assert!(bad.check().is_err(), "{bad:?}");
        }
    }
}
