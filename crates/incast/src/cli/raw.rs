//! Options of the transports below UDP: `--transport ip`, `ethernet` and `xdp`.

use clap::Args;
use incast_core::load::Transport;
use incast_core::raw::{ETHERTYPE_DEFAULT, PROTOCOL_DEFAULT, RawPlan, VlanTag, XdpMode};

/// What is below UDP.
#[derive(Args, Debug)]
#[command(next_help_heading = "Raw transports (root)")]
pub(crate) struct RawArgs {
    /// ip: protocol number [default: 242]
    #[arg(long, value_name = "N", value_parser = number::<u8>)]
    pub(crate) protocol: Option<u8>,
    /// ethernet, xdp: EtherType of the frames [default: 0x88B5]
    #[arg(long, value_name = "N", value_parser = number::<u16>)]
    pub(crate) ethertype: Option<u16>,
    /// ethernet, xdp: VLAN tag, with or without its priority
    #[arg(long, value_name = "ID[:PRIORITY]", value_parser = vlan)]
    pub(crate) vlan: Option<VlanTag>,
    /// ethernet, xdp: interface to send from (that of the way to the server otherwise)
    #[arg(long, value_name = "NAME")]
    pub(crate) interface: Option<String>,
    /// xdp: auto, native, generic or zero-copy
    #[arg(long, value_name = "MODE", value_parser = xdp_mode)]
    pub(crate) xdp: Option<XdpMode>,
    /// ethernet: frames go round the queue of the interface
    #[arg(long)]
    pub(crate) qdisc_bypass: bool,
}

impl RawArgs {
    /// What was asked for; an option that the transport does not have is refused.
    pub(crate) fn plan(&self, transport: Transport) -> anyhow::Result<RawPlan> {
        let (is_ip, is_frames) = (transport == Transport::Ip, transport.is_frames());
        for (given, fits, option, of) in [
            (self.protocol.is_some(), is_ip, "--protocol", "ip"),
            (self.ethertype.is_some(), is_frames, "--ethertype", "ethernet and xdp"),
            (self.vlan.is_some(), is_frames, "--vlan", "ethernet and xdp"),
            (self.interface.is_some(), is_frames, "--interface", "ethernet and xdp"),
            (self.xdp.is_some(), transport == Transport::Xdp, "--xdp", "xdp"),
            (self.qdisc_bypass, transport == Transport::Ethernet, "--qdisc-bypass", "ethernet"),
        ] {
            if given && !fits {
                anyhow::bail!(
                    "{option} is a setting of {of}; leave it out with --transport {}",
                    transport.name()
                );
            }
        }
        Ok(RawPlan {
            protocol: self.protocol.unwrap_or(PROTOCOL_DEFAULT),
            ethertype: self.ethertype.unwrap_or(ETHERTYPE_DEFAULT),
            vlan: self.vlan,
            interface: self.interface.clone(),
            xdp: self.xdp.unwrap_or_default(),
            qdisc_bypass: self.qdisc_bypass,
        })
    }
}

/// A number as people write it: 242 or 0xF2.
fn number<T: TryFrom<u32>>(text: &str) -> Result<T, String> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let number = digits.map_or_else(|| text.parse().ok(), |digits| u32::from_str_radix(digits, 16).ok());
    number.and_then(|number| T::try_from(number).ok()).ok_or_else(|| "it is a number like 242 or 0xF2".into())
}

fn vlan(text: &str) -> Result<VlanTag, String> {
    let (id, priority) = text.split_once(':').unwrap_or((text, "0"));
    let tag = id.parse().ok().zip(priority.parse().ok()).map(|(id, priority)| VlanTag { id, priority });
    tag.ok_or_else(|| "it is an id like 100, or id and priority like 100:5".into())
}

fn xdp_mode(text: &str) -> Result<XdpMode, String> {
    let found = XdpMode::NAMES.iter().find(|(name, _)| *name == text).map(|(_, mode)| *mode);
    found.ok_or_else(|| "it is auto, native, generic or zero-copy".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_tags_are_read_as_people_write_them() {
        assert_eq!((number::<u8>("242"), number::<u8>("0xF2")), (Ok(242), Ok(242)));
        assert_eq!(number::<u16>("0x88b5"), Ok(ETHERTYPE_DEFAULT));
        for bad in ["", "0x", "256", "-1", "f2"] {
            assert!(number::<u8>(bad).is_err(), "{bad}");
        }
        assert_eq!(vlan("100"), Ok(VlanTag { id: 100, priority: 0 }));
        assert_eq!(vlan("100:5"), Ok(VlanTag { id: 100, priority: 5 }));
        assert!(vlan("100:").is_err() && vlan("x").is_err());
    }
}
