//! Which interface of this host frames leave by or come to, and what is known of it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsFd as _;

use incast_core::raw::{MacAddress, RawEnd};

use crate::socket::SocketError;
use crate::sys::interface::{self, Address, What};

/// An interface of this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Interface {
    pub(crate) name: String,
    pub(crate) index: u32,
    pub(crate) mac: MacAddress,
    pub(crate) mtu_bytes: u32,
}

impl Interface {
    /// The interface that has the address: at which a peer means us.
    pub(crate) fn of(address: IpAddr) -> Result<Self, SocketError> {
        let all = all()?;
        let wanted = address.to_canonical();
        let name = owner(&all, wanted).ok_or_else(|| {
            let cause = io::Error::from(io::ErrorKind::AddrNotAvailable);
            SocketError::new(format!("find the interface that has the address {address}"), cause)
        })?;
        Self::among(&all, &name)
    }

    /// The interface called `wanted`, or the one of the way to `peer`.
    pub(crate) fn toward(peer: IpAddr, wanted: Option<&str>) -> Result<Self, SocketError> {
        let all = all()?;
        let peer = peer.to_canonical();
        let found = match wanted {
            Some(name) => Self::among(&all, name)?,
            None => {
                let own = own_address(peer)
                    .map_err(|cause| SocketError::new(format!("find the way to {peer}"), cause))?;
                Self::of(own)?
            }
        };
        if !peer.is_loopback() && owner(&all, peer).is_some() {
            let text = format!("send frames to {peer} by {}", found.name);
            let cause = "it is this host's own address, and frames that leave by an interface do not come back; \
                         use 127.0.0.1";
            return Err(SocketError::new(text, io::Error::other(cause)));
        }
        Ok(found)
    }

    /// What a peer is told of it.
    pub(crate) fn end(&self) -> RawEnd {
        RawEnd { interface: self.name.clone(), mac: self.mac, mtu_bytes: self.mtu_bytes }
    }

    /// Whether it is the loopback interface: its card has no address.
    pub(crate) fn is_loopback(&self) -> bool {
        self.mac == MacAddress::default()
    }

    fn among(all: &[Address], name: &str) -> Result<Self, SocketError> {
        let failed = |cause| SocketError::new(format!("use the interface {name}"), cause);
        let card = all.iter().filter(|entry| entry.name == name).find_map(|entry| match entry.what {
            What::Card(mac, index) => Some((mac, index, entry.is_up)),
            What::Ip(_) => None,
        });
        let Some((mac, index, is_up)) = card else {
            let mut names: Vec<&str> = all.iter().map(|entry| entry.name.as_str()).collect();
            names.sort_unstable();
            names.dedup();
            let cause =
                format!("there is no Ethernet interface of that name; there are: {}", names.join(", "));
            return Err(failed(io::Error::other(cause)));
        };
        if !is_up {
            return Err(failed(io::Error::other(format!(
                "it is down; `ip link set {name} up` brings it up"
            ))));
        }
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).map_err(failed)?;
        let mtu_bytes = interface::mtu(socket.as_fd(), name).map_err(failed)?;
        Ok(Self { name: name.to_owned(), index, mac: MacAddress(mac), mtu_bytes })
    }
}

fn all() -> Result<Vec<Address>, SocketError> {
    interface::addresses().map_err(|cause| SocketError::new("list the interfaces", cause))
}

/// The name of the interface that has `address`.
fn owner(all: &[Address], address: IpAddr) -> Option<String> {
    // All of 127.0.0.0/8 is the loopback interface's.
    let is_it = |ip: IpAddr| ip == address || (ip.is_loopback() && address.is_loopback());
    let found = all.iter().find(|entry| matches!(entry.what, What::Ip(ip) if is_it(ip)));
    found.map(|entry| entry.name.clone())
}

/// The address from which this host would send to `peer`: nothing is sent to find out.
fn own_address(peer: IpAddr) -> io::Result<IpAddr> {
    let any: IpAddr =
        if peer.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0))?;
    // Any port will do; 9 is that of discard.
    socket.connect(SocketAddr::new(peer, 9))?;
    Ok(socket.local_addr()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_found_by_its_address_and_by_its_name() {
        let address: IpAddr = Ipv4Addr::LOCALHOST.into();
        let found = Interface::of(address).unwrap();
        assert!(found.is_loopback() && found.mtu_bytes >= 1500, "{found:?}");
        assert_eq!(Interface::toward(address, None).unwrap(), found);
        assert_eq!(Interface::toward(address, Some(&found.name)).unwrap(), found);
        assert_eq!(found.end().interface, found.name);
    }

    #[test]
    fn what_is_not_there_is_said_with_what_is() {
        let address: IpAddr = Ipv4Addr::LOCALHOST.into();
        let error = Interface::toward(address, Some("nothing0")).unwrap_err().to_string();
        assert!(
            error.starts_with("use the interface nothing0: ") && error.contains("there are: "),
            "{error}"
        );
        // TEST-NET-3 is nobody's.
        let error = Interface::of(Ipv4Addr::new(203, 0, 113, 9).into()).unwrap_err().to_string();
        assert!(error.contains("203.0.113.9"), "{error}");
    }
}
