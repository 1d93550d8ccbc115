//! A network namespace of the calling thread's own.

#![expect(unsafe_code, reason = "system calls")]

use std::io;

/// Moves the calling thread into a new, empty network namespace.
pub(crate) fn unshare_network() -> io::Result<()> {
    // SAFETY: `unshare` takes a number and touches no memory of ours; CLONE_NEWNET changes the
    // calling thread only, and nothing that Rust relies on (unlike CLONE_FILES and CLONE_VM).
    let done = unsafe { libc::unshare(libc::CLONE_NEWNET) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Moves the calling thread, with its file system attributes, into a mount namespace of its own.
pub(crate) fn unshare_mounts() -> io::Result<()> {
    // SAFETY: as above; CLONE_NEWNS implies CLONE_FS, which parts the thread's working directory
    // and umask from those of the process's other threads, of which the caller has none.
    let done = unsafe { libc::unshare(libc::CLONE_NEWNS) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
