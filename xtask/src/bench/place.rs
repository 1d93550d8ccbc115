//! Where a benchmark runs: on loopback, or over a veth pair between two namespaces that it makes
//! and removes. The receiver is on core 1, the sender on core 0, so that the two never share one.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// One end of a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Sender,
    Receiver,
}

/// A path that traffic may take.
#[derive(Debug)]
pub(crate) enum Place {
    Loopback,
    Veth(Veth),
}

/// Two namespaces and the cable between them; removed when dropped.
#[derive(Debug)]
pub(crate) struct Veth {
    sender: String,
    receiver: String,
}

const SENDER_ADDRESS: &str = "10.111.0.1";
const RECEIVER_ADDRESS: &str = "10.111.0.2";

impl Place {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::Veth(_) => "veth",
        }
    }

    /// Where the receiver is reached.
    pub(crate) fn address(&self) -> &'static str {
        match self {
            Self::Loopback => "127.0.0.1",
            Self::Veth(_) => RECEIVER_ADDRESS,
        }
    }

    /// `program` at one end, pinned to that end's core.
    pub(crate) fn command(&self, end: End, program: &str) -> Command {
        let core = if end == End::Sender { "0" } else { "1" };
        match self {
            Self::Loopback => {
                let mut command = Command::new("taskset");
                command.args(["-c", core, program]);
                command
            }
            Self::Veth(veth) => {
                let namespace = if end == End::Sender { &veth.sender } else { &veth.receiver };
                let mut command = Command::new("ip");
                command.args(["netns", "exec", namespace, "taskset", "-c", core, program]);
                command
            }
        }
    }
}

impl Veth {
    /// Makes the namespaces and the cable. Needs root.
    pub(crate) fn make() -> Result<Self> {
        let id = std::process::id();
        let veth = Self { sender: format!("incast-bench-{id}-s"), receiver: format!("incast-bench-{id}-r") };
        for namespace in [&veth.sender, &veth.receiver] {
            ip(&["netns", "add", namespace])?;
            ip(&["-n", namespace, "link", "set", "lo", "up"])?;
        }
        let peer = ["type", "veth", "peer", "name", "e0", "netns", &veth.receiver];
        ip(&[&["-n", &veth.sender, "link", "add", "e0"][..], &peer[..]].concat())?;
        for (namespace, address) in [(&veth.sender, SENDER_ADDRESS), (&veth.receiver, RECEIVER_ADDRESS)] {
            ip(&["-n", namespace, "address", "add", &format!("{address}/24"), "dev", "e0"])?;
            ip(&["-n", namespace, "link", "set", "e0", "up"])?;
        }
        Ok(veth)
    }
}

impl Drop for Veth {
    fn drop(&mut self) {
        for namespace in [&self.sender, &self.receiver] {
            // The cable goes with its ends; what was never made cannot be removed.
            let _ = ip(&["netns", "delete", namespace]);
        }
    }
}

fn ip(words: &[&str]) -> Result<()> {
    let output = Command::new("ip").args(words).output().context("start ip (Debian package iproute2)")?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    ensure!(output.status.success(), "ip {}: {said}", words.join(" "));
    Ok(())
}
