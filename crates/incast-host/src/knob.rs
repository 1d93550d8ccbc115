//! Reads and changes one setting of this host, in the network namespace and with the `/sys` of the caller.
//!
//! The only place of this crate that changes anything. Who calls `write` keeps a journal (`journal.rs`),
//! unless what he changes goes away by itself, as the interfaces of a lab do.

use std::io;

use incast_core::tune::{CoalescingSetting, Knob, KnobKind, Side};

use crate::bounded;
use crate::ethtool::Driver;

/// What the setting is, as a text in one line.
///
/// # Errors
/// When there is no such setting, or the driver does not tell.
pub fn read(knob: &Knob) -> io::Result<String> {
    knob.check().map_err(io::Error::other)?;
    if let Some(path) = knob.kind.file() {
        let text = bounded::read(&path, VALUE_BYTES_MAX)?;
        return Ok(text.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    let on = |on: bool| if on { "on" } else { "off" }.to_owned();
    let told = |interface: &str| -> io::Result<String> {
        let driver = Driver::open(interface)?;
        Ok(match &knob.kind {
            KnobKind::Offload { offload, .. } => on(driver.offload(*offload)?),
            KnobKind::Ring { side: Side::Rx, .. } => driver.rings()?.rx.to_string(),
            KnobKind::Ring { side: Side::Tx, .. } => driver.rings()?.tx.to_string(),
            KnobKind::Coalescing { what: CoalescingSetting::RxUsecs, .. } => {
                driver.coalescing()?.rx_usecs.to_string()
            }
            KnobKind::Coalescing { what: CoalescingSetting::RxFrames, .. } => {
                driver.coalescing()?.rx_frames.to_string()
            }
            KnobKind::Coalescing { what: CoalescingSetting::AdaptiveRx, .. } => {
                on(driver.coalescing()?.adaptive_rx)
            }
            KnobKind::Pause { side: Side::Rx, .. } => on(driver.pause()?.rx),
            KnobKind::Pause { side: Side::Tx, .. } => on(driver.pause()?.tx),
            _ => return Err(io::ErrorKind::Unsupported.into()),
        })
    };
    told(interface(&knob.kind)?).map_err(|error| named("read", knob, error))
}

/// Gives the setting a value.
///
/// # Errors
/// Without root, when there is no such setting, or when the kernel or the driver refuses the value.
pub fn write(knob: &Knob, value: &str) -> io::Result<()> {
    knob.check().map_err(io::Error::other)?;
    let set = || match &knob.kind {
        KnobKind::Offload { interface, offload } => {
            Driver::open(interface)?.set_offload(*offload, switch(value)?)
        }
        KnobKind::Ring { interface, side } => Driver::open(interface)?.set_ring(*side, number(value)?),
        KnobKind::Coalescing { interface, what } => {
            let value = if *what == CoalescingSetting::AdaptiveRx {
                u32::from(switch(value)?)
            } else {
                number(value)?
            };
            Driver::open(interface)?.set_coalescing(*what, value)
        }
        KnobKind::Pause { interface, side } => Driver::open(interface)?.set_pause(*side, switch(value)?),
        kind => match kind.file() {
            // What is not there must not be made: these are no files on a disk.
            Some(path) => std::fs::OpenOptions::new()
                .write(true)
                .open(path)
                .and_then(|mut file| io::Write::write_all(&mut file, value.as_bytes())),
            None => Err(io::ErrorKind::Unsupported.into()),
        },
    };
    set().map_err(|error| named(&format!("set to {value}:"), knob, error))
}

fn interface(kind: &KnobKind) -> io::Result<&str> {
    match kind {
        KnobKind::Offload { interface, .. }
        | KnobKind::Ring { interface, .. }
        | KnobKind::Coalescing { interface, .. }
        | KnobKind::Pause { interface, .. } => Ok(interface),
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

fn named(what: &str, knob: &Knob, error: io::Error) -> io::Error {
    // A device that is gone has no kind of its own.
    let kind =
        if error.raw_os_error() == Some(libc::ENODEV) { io::ErrorKind::NotFound } else { error.kind() };
    io::Error::new(kind, format!("{what} {knob}: {error}"))
}

fn number(value: &str) -> io::Result<u32> {
    value.parse().map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "is no number"))
}

fn switch(value: &str) -> io::Result<bool> {
    match value {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "is neither on nor off")),
    }
}

/// Longest value: a mask of 8192 cores has 2.3 kB.
const VALUE_BYTES_MAX: u64 = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_an_error_that_names_it() {
        let knob = Knob::here(KnobKind::Sysctl { name: "net.core.nonsense".into() });
        let error = read(&knob).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        let error = write(&knob, "1").unwrap_err().to_string();
        assert!(error.contains("net.core.nonsense"), "{error}");
        let ring = Knob::here(KnobKind::of_interface("nosuch0", "rx_ring").unwrap());
        assert!(read(&ring).unwrap_err().to_string().starts_with("read nosuch0 rx ring: "));
        // Loopback has no ring on any kernel.
        let ring = Knob::here(KnobKind::of_interface("lo", "rx_ring").unwrap());
        assert!(read(&ring).is_err());
    }

    #[test]
    fn a_way_out_of_the_directory_is_never_opened() {
        let knob = Knob::here(KnobKind::Sysctl { name: "net.../../../etc/hostname".into() });
        assert!(read(&knob).unwrap_err().to_string().contains("is no name"));
        assert!(write(&knob, "x").unwrap_err().to_string().contains("is no name"));
    }

    #[test]
    fn loopback_tells_its_mtu_and_its_offloads() {
        let mtu = Knob::here(KnobKind::of_interface("lo", "mtu").unwrap());
        assert!(read(&mtu).unwrap().parse::<u32>().is_ok_and(|mtu| mtu >= 1500));
        let gso = Knob::here(KnobKind::of_interface("lo", "gso").unwrap());
        assert!(matches!(read(&gso).unwrap().as_str(), "on" | "off"));
    }
}
