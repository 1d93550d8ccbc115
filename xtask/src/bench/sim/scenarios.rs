//! The networks of `bench sim`, as scenarios. A packet takes 1500 B on its wire: a message of 1434 B with headers
//! of UDP 8, IP 20 and Ethernet 38.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Result;

/// Hosts around one switch of 10 Gbit/s, with links of 1 us.
pub(super) struct Network {
    pub(super) name: &'static str,
    senders: u32,
    receivers: u32,
    /// From one message of a flow to its next.
    gap: &'static str,
    duration: &'static str,
    port_queue: &'static str,
}

/// 32 constant-rate sources into one port that holds 100 packets.
pub(super) const INCAST: Network = Network {
    name: "incast",
    senders: 32,
    receivers: 1,
    gap: "1200ns",
    duration: "500ms",
    port_queue: "150000B",
};

/// 256 flows at a load of 0.9: 16 of 1.2 us each share a link.
pub(super) const ALL_TO_ALL: Network = Network {
    name: "all-to-all",
    senders: 16,
    receivers: 16,
    gap: "21333ns",
    duration: "500ms",
    port_queue: "150000B",
};

/// The same traffic into a port that holds 100 packets, and into one that drops nothing.
pub(super) const FULL_QUEUE: [Network; 2] = [
    Network { name: "shallow", duration: "20ms", ..INCAST },
    Network { name: "deep", duration: "20ms", port_queue: "1GiB", ..INCAST },
];

impl Network {
    /// Writes the scenario into a file of `place`.
    pub(super) fn write(&self, place: &Path) -> Result<PathBuf> {
        std::fs::create_dir_all(place)?;
        let path = place.join(format!("{}.toml", self.name));
        std::fs::write(&path, self.text())?;
        Ok(path)
    }

    fn text(&self) -> String {
        let Self { name, senders, receivers, gap, duration, port_queue } = self;
        let mut text = format!(
            "incast = 1\nname = \"bench-{name}\"\nseed = 1\ninterval = \"100ms\"\nduration = \"{duration}\"\n\
             [[host]]\nname = \"from\"\ncount = {senders}\n[[host]]\nname = \"to\"\ncount = {receivers}\n\
             [[switch]]\nname = \"main\"\nwhen_full = \"drop\"\nrate = \"10Gbit/s\"\nport_queue = \"{port_queue}\"\n\
             [[cable]]\nfrom = [\"from\", \"to\"]\nto = \"main\"\ntravel = \"1us\"\n"
        );
        for receiver in 1..=*receivers {
            // A group of one is called by its own name.
            let to = if *receivers == 1 { "to".to_owned() } else { format!("to-{receiver}") };
            // Writing to a String cannot fail.
            let _ = write!(
                text,
                "[[flow]]\nname = \"to-{receiver}\"\nfrom = \"from\"\nto = \"{to}\"\ntransport = \"udp\"\n\
                 message = \"1434B\"\nload = \"{gap}\"\n"
            );
        }
        text
    }
}
