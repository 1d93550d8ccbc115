//! What every role says to its coordinator, on standard output.

use std::io::Write as _;

use incast_core::record::Faults;
use incast_net::server::Server;

use super::lines::RoleLine;
use crate::measured::HostWatch;

/// Says a line to the coordinator; one that is gone needs no words.
pub(crate) fn tell(line: &RoleLine) {
    let mut out = std::io::stdout().lock();
    let _ = serde_json::to_writer(&mut out, line)
        .map_err(std::io::Error::from)
        .and_then(|()| writeln!(out))
        .and_then(|()| out.flush());
}

/// The last word of a role: what it cost, and what its peers did wrong.
pub(crate) fn ended_with(watch: &HostWatch, faults: Faults) -> RoleLine {
    let cpu = watch.cpu();
    let (host, _) = watch.host(None, &[]);
    RoleLine::Ended { cpu, host: Box::new(host), faults, socket_drops: None }
}

/// The same of a role that is or has a server of flows.
pub(crate) fn ended(watch: &HostWatch, server: Option<&Server>) -> RoleLine {
    let cpu = watch.cpu();
    let (host, _) = watch.host(None, &[]);
    RoleLine::Ended {
        cpu,
        host: Box::new(host),
        faults: server.map(Server::faults).unwrap_or_default(),
        socket_drops: server.and_then(Server::socket_drops),
    }
}
