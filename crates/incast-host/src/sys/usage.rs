//! What a process has used (`getrusage`), and how fine its clock is (`clock_getres`).

use std::io;
use std::mem::MaybeUninit;

/// `getrusage(2)`: what `who` (`RUSAGE_SELF`, `RUSAGE_THREAD` or `RUSAGE_CHILDREN`) has used so far.
pub(crate) fn getrusage(who: libc::c_int) -> io::Result<libc::rusage> {
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: `usage` is a live, writable, aligned `rusage` for the whole call, and the kernel
    // keeps no pointer to it. Any value of `who` is allowed: an unknown one gives EINVAL.
    let outcome = unsafe { libc::getrusage(who, usage.as_mut_ptr()) };
    if outcome != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the memory was zeroed and the call has succeeded; `rusage` consists of integers
    // only, for which every bit pattern is valid.
    Ok(unsafe { usage.assume_init() })
}

/// `clock_getres(2)` of `CLOCK_MONOTONIC`, the clock of `std::time::Instant`.
pub(crate) fn clock_getres() -> io::Result<libc::timespec> {
    let mut resolution = MaybeUninit::<libc::timespec>::zeroed();
    // SAFETY: `resolution` is a live, writable, aligned `timespec` for the whole call, and the
    // kernel keeps no pointer to it.
    let outcome = unsafe { libc::clock_getres(libc::CLOCK_MONOTONIC, resolution.as_mut_ptr()) };
    if outcome != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the memory was zeroed and the call has succeeded; `timespec` consists of integers
    // only, for which every bit pattern is valid.
    Ok(unsafe { resolution.assume_init() })
}
