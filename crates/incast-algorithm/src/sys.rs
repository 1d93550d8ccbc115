//! The unsafe edge: what a program confines itself with between fork and exec, when it is still our code.

#![expect(unsafe_code, reason = "`pre_exec` runs code in a forked process")]

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use rustix::process::{Pid, Resource, Rlimit, Signal};
use rustix::process::{getpid, getppid, getrlimit, set_parent_process_death_signal, setrlimit};

/// Descriptors of a program: enough for its libraries and some files.
const DESCRIPTORS_MAX: u64 = 256;

/// Confines the program of `command`: so much memory, few descriptors, no core file; and it is killed when
/// the thread that starts it ends, however that ends.
pub(crate) fn confine(command: &mut Command, memory_bytes_max: u64) {
    let parent = getpid();
    // SAFETY: between fork and exec only functions that are safe in a signal handler may be called. The
    // closure makes plain system calls by `rustix`, which neither allocates, locks nor touches `errno`;
    // what it captured are two numbers; an `io::Error` from an errno allocates nothing.
    unsafe {
        command.pre_exec(move || confine_self(parent, memory_bytes_max));
    }
}

fn confine_self(parent: Pid, memory_bytes_max: u64) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // Our process may have ended before that call: then nobody would end this one.
    if getppid() != Some(parent) {
        return Err(rustix::io::Errno::SRCH.into());
    }
    limit(Resource::As, memory_bytes_max)?;
    limit(Resource::Nofile, DESCRIPTORS_MAX)?;
    limit(Resource::Core, 0)?;
    Ok(())
}

/// A limit that is lower already stays.
fn limit(resource: Resource, most: u64) -> io::Result<()> {
    let most = getrlimit(resource).maximum.map_or(most, |before| before.min(most));
    Ok(setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?)
}
