//! What every role says to its coordinator, on standard output.

use std::io::Write as _;

use incast_core::record::Faults;

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

/// The last word of a role that has no server: what it cost.
pub(crate) fn ended(watch: &HostWatch) -> RoleLine {
    ended_with(watch, Faults::default(), None)
}

/// The same of a server, with what its peers did wrong and what its sockets dropped.
pub(crate) fn ended_with(watch: &HostWatch, faults: Faults, socket_drops: Option<u64>) -> RoleLine {
    let cpu = watch.cpu();
    let (host, _) = watch.host(None, &[]);
    RoleLine::Ended { cpu, host: Box::new(host), faults, socket_drops }
}
