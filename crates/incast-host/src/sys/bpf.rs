//! `bpf(2)`: a map, a program, its attachment to a raw tracepoint, and what they have counted.
//!
//! Layouts are those of `union bpf_attr` in include/uapi/linux/bpf.h; each command is given the
//! part of the union that it reads, and its true length. A kernel takes a longer union than it
//! knows only if the rest is 0, and a shorter one always.

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};

const BPF_MAP_CREATE: libc::c_long = 0;
const BPF_MAP_LOOKUP_ELEM: libc::c_long = 1;
const BPF_MAP_UPDATE_ELEM: libc::c_long = 2;
const BPF_MAP_GET_NEXT_KEY: libc::c_long = 4;
const BPF_PROG_LOAD: libc::c_long = 5;
const BPF_OBJ_GET_INFO_BY_FD: libc::c_long = 15;
const BPF_RAW_TRACEPOINT_OPEN: libc::c_long = 17;
const BPF_MAP_TYPE_HASH: u32 = 1;
const BPF_PROG_TYPE_RAW_TRACEPOINT: u32 = 17;

#[repr(C)]
struct MapCreate {
    map_type: u32,
    key_bytes: u32,
    value_bytes: u32,
    entries_max: u32,
    flags: u32,
}

#[repr(C)]
struct MapElement {
    map: u32,
    _padding: u32,
    key: u64,
    value_or_next: u64,
    flags: u64,
}

#[repr(C)]
struct ProgramLoad {
    program_type: u32,
    instructions: u32,
    code: u64,
    license: u64,
    log_level: u32,
    log_bytes: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
}

#[repr(C)]
struct RawTracepoint {
    name: u64,
    program: u32,
    _padding: u32,
}

#[repr(C)]
struct ObjectInfo {
    object: u32,
    info_bytes: u32,
    info: u64,
}

/// A hash map from keys of `key_bytes` to counts of 8 bytes.
pub(crate) fn map_create(key_bytes: u32, entries_max: u32) -> io::Result<OwnedFd> {
    let mut attributes =
        MapCreate { map_type: BPF_MAP_TYPE_HASH, key_bytes, value_bytes: 8, entries_max, flags: 0 };
    let fd = bpf(BPF_MAP_CREATE, &mut attributes)?;
    // SAFETY: the kernel has just made this descriptor for us, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Loads a program for raw tracepoints, 8 bytes for each instruction.
pub(crate) fn program_load(code: &[u64]) -> io::Result<OwnedFd> {
    // Which licence decides what it may call; ours reads the kernel's memory and counts.
    const LICENSE: &[u8] = b"GPL\0";
    let mut attributes = ProgramLoad {
        program_type: BPF_PROG_TYPE_RAW_TRACEPOINT,
        instructions: u32::try_from(code.len()).map_err(|_| io::ErrorKind::InvalidInput)?,
        code: address(code.as_ptr()),
        license: address(LICENSE.as_ptr()),
        log_level: 0,
        log_bytes: 0,
        log: 0,
        kernel_version: 0,
        flags: 0,
    };
    let fd = bpf(BPF_PROG_LOAD, &mut attributes)?;
    // SAFETY: the kernel has just made this descriptor for us, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Runs a program at each hit of the tracepoint, until what is returned is closed.
pub(crate) fn raw_tracepoint_open(name: &std::ffi::CStr, program: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let mut attributes =
        RawTracepoint { name: address(name.as_ptr()), program: number(program)?, _padding: 0 };
    let fd = bpf(BPF_RAW_TRACEPOINT_OPEN, &mut attributes)?;
    // SAFETY: the kernel has just made this descriptor for us, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The key after `key`, or the first; `None` behind the last.
pub(crate) fn map_next_key<const N: usize>(
    map: BorrowedFd<'_>,
    key: Option<&[u8; N]>,
) -> io::Result<Option<[u8; N]>> {
    let mut next = [0; N];
    let mut attributes = MapElement {
        map: number(map)?,
        _padding: 0,
        key: key.map_or(0, |key| address(key.as_ptr())),
        value_or_next: address(next.as_mut_ptr()),
        flags: 0,
    };
    match bpf(BPF_MAP_GET_NEXT_KEY, &mut attributes) {
        Ok(_) => Ok(Some(next)),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The count of a key.
pub(crate) fn map_lookup<const N: usize>(map: BorrowedFd<'_>, key: &[u8; N]) -> io::Result<u64> {
    let mut value = 0_u64;
    let mut attributes = MapElement {
        map: number(map)?,
        _padding: 0,
        key: address(key.as_ptr()),
        value_or_next: address(&raw mut value),
        flags: 0,
    };
    bpf(BPF_MAP_LOOKUP_ELEM, &mut attributes)?;
    Ok(value)
}

/// Sets the count of a key.
pub(crate) fn map_update<const N: usize>(map: BorrowedFd<'_>, key: &[u8; N], value: u64) -> io::Result<()> {
    let mut attributes = MapElement {
        map: number(map)?,
        _padding: 0,
        key: address(key.as_ptr()),
        value_or_next: address(&raw const value),
        flags: 0,
    };
    bpf(BPF_MAP_UPDATE_ELEM, &mut attributes).map(drop)
}

/// How often a program did not run, because it interrupted itself on its core
/// (`struct bpf_prog_info.recursion_misses`, Linux 5.12).
pub(crate) fn program_misses(program: BorrowedFd<'_>) -> io::Result<u64> {
    let mut info = [0_u64; PROGRAM_INFO_WORDS];
    let mut attributes = ObjectInfo {
        object: number(program)?,
        info_bytes: u32::try_from(size_of_val(&info)).map_err(|_| io::ErrorKind::InvalidInput)?,
        info: address(info.as_mut_ptr()),
    };
    bpf(BPF_OBJ_GET_INFO_BY_FD, &mut attributes)?;
    Ok(info[RECURSION_MISSES_WORD])
}

/// `struct bpf_prog_info` up to `recursion_misses`.
const PROGRAM_INFO_WORDS: usize = 27;
/// Where in it: byte 208 of the structure.
const RECURSION_MISSES_WORD: usize = 26;

fn number(fd: BorrowedFd<'_>) -> io::Result<u32> {
    u32::try_from(fd.as_raw_fd()).map_err(|_| io::ErrorKind::InvalidInput.into())
}

fn address<T>(pointer: *const T) -> u64 {
    pointer.expose_provenance() as u64
}

/// The system call; what it returns is a descriptor or 0.
fn bpf<T>(command: libc::c_long, attributes: &mut T) -> io::Result<libc::c_int> {
    // SAFETY: `attributes` is a live, writable structure whose true length is given; the kernel reads
    // no further. Every address in it is 0, or of memory that lives in our caller until after the
    // call: code and names, which the kernel copies; a key of the map's length; a place for 8 bytes,
    // for a key, or for as many bytes of information as are told. It keeps none of them.
    let outcome =
        unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(attributes), size_of::<T>()) };
    if outcome < 0 {
        return Err(io::Error::last_os_error());
    }
    libc::c_int::try_from(outcome).map_err(|_| io::ErrorKind::InvalidData.into())
}
