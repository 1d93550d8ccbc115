//! Enters a host of a standing lab, so that what is started next runs on it.
//!
//! The caller's own mounts are parted from everybody else's: `/etc/hosts` knows the lab's hosts by
//! name, and `/sys` shows the host's own interfaces.

use std::io;
use std::path::Path;

use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};

use crate::error::LabError;
use crate::namespace;
use crate::state::Found;
use crate::sys;

/// Moves the calling thread, which must be the only one, onto a host or switch of `lab`.
///
/// # Errors
/// When there is no such host, or without root.
pub fn enter_host(lab: &Found, host: &str) -> Result<(), LabError> {
    let known = || lab.places.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
    let Some((_, name)) = lab.places.iter().find(|(name, _)| name == host) else {
        return Err(LabError::State(format!("lab {} has no host {host}; it has {}", lab.id, known())));
    };
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::PermissionDenied => LabError::NotRoot,
        _ => LabError::kernel(format!("enter {host} of lab {}", lab.id), error),
    };
    namespace::enter_path(&namespace::path(name)).map_err(failed)?;
    sys::namespace::unshare_mounts().map_err(failed)?;
    mounts(lab).map_err(failed)
}

fn mounts(lab: &Found) -> io::Result<()> {
    // What is mounted from here on is ours alone.
    rustix::mount::mount_change("/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC)?;
    // `/sys` shows the network namespace in which it was mounted. Where it cannot be, programs that
    // look at interfaces through it see the wrong ones, and everything else works.
    let _ = rustix::mount::unmount("/sys", UnmountFlags::DETACH);
    let _ = rustix::mount::mount("incast", "/sys", "sysfs", MountFlags::empty(), None);
    let mut names = std::fs::read_to_string("/etc/hosts").unwrap_or_else(|_| "127.0.0.1 localhost\n".into());
    for (address, name) in &lab.addresses {
        names.push_str(&format!("{address} {name}\n"));
    }
    // A file system in memory that only this process sees, and that goes with it.
    let place = Path::new("/run/netns");
    rustix::mount::mount("incast", place, "tmpfs", MountFlags::empty(), None)?;
    let file = place.join("hosts");
    std::fs::write(&file, names)?;
    rustix::mount::mount_bind(&file, "/etc/hosts")?;
    Ok(rustix::mount::unmount(place, UnmountFlags::DETACH)?)
}
