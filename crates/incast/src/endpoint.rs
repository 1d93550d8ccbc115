//! Who and where: the name of this host, addresses as people write them, ports, keys.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::Path;

use anyhow::Context as _;
use incast_net::key::Key;

/// The port of `serve` and `flood` when none is said.
pub(crate) const PORT_DEFAULT: u16 = 6000;
/// The port of `answer` and `ask` when none is said.
pub(crate) const ANSWER_PORT_DEFAULT: u16 = 6001;
/// The port of an agent when none is said.
pub(crate) const AGENT_PORT_DEFAULT: u16 = 7700;

/// The key in `file`, or none.
pub(crate) fn key(file: Option<&Path>) -> anyhow::Result<Key> {
    Ok(file.map(Key::open).transpose()?.unwrap_or_else(Key::none))
}

/// Name of this host, or the one that was given.
pub(crate) fn host_name(given: Option<&String>) -> String {
    given.cloned().unwrap_or_else(|| incast_host::provenance::describe().name)
}

/// An address of `host`, a name or an address with or without a port.
pub(crate) fn resolve(host: &str, port: u16) -> anyhow::Result<SocketAddr> {
    let with_port = || {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        (bare, port).to_socket_addrs()
    };
    // "fe80::1" has colons and no port; "X:6000" has both.
    let colons = host.matches(':').count();
    let has_port = host.contains("]:") || colons == 1;
    let found = if has_port { host.to_socket_addrs() } else { with_port() };
    let addresses: Vec<SocketAddr> = found.with_context(|| format!("look up {host}"))?.collect();
    // A name such as `localhost` may have both kinds of address, and servers listen on IPv4 by default.
    let ipv4 = addresses.iter().find(|address| address.is_ipv4());
    ipv4.or_else(|| addresses.first()).copied().with_context(|| format!("look up {host}: it has no address"))
}
