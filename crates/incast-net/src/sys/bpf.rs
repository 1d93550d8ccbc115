//! bpf(2): a program and a map of its own, and the link that holds the program at an interface.
//!
//! Everything is held by descriptors: when the process ends, however it ends, the kernel takes the link away, and
//! with it the program (Linux 5.9, `BPF_LINK_CREATE` for XDP).
#![expect(unsafe_code, reason = "system calls")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};

/// One instruction: operation, destination and source register, offset, constant (`struct bpf_insn`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Instruction {
    pub(crate) code: u8,
    pub(crate) to: u8,
    pub(crate) from: u8,
    pub(crate) offset: i16,
    pub(crate) constant: i32,
}

/// Where the kernel runs an XDP program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the driver.
    Native,
    /// Behind any driver.
    Generic,
}

/// `BPF_MAP_CREATE`: a map from queues to AF_XDP sockets.
pub(crate) fn create_socket_map(queues: u32) -> io::Result<OwnedFd> {
    let mut attributes = Attributes::new();
    attributes.words(0, &[MAP_TYPE_XSKMAP, 4, 4, queues]);
    call(MAP_CREATE, &attributes)
}

/// `BPF_MAP_UPDATE_ELEM`: frames of `queue` go to `socket`.
pub(crate) fn put_socket(map: BorrowedFd<'_>, queue: u32, socket: BorrowedFd<'_>) -> io::Result<()> {
    let value = word(socket.as_raw_fd());
    let mut attributes = Attributes::new();
    attributes.words(0, &[word(map.as_raw_fd())]);
    attributes.pointer(8, (&raw const queue).cast());
    attributes.pointer(16, (&raw const value).cast());
    // SAFETY: key and value are locals of 4 bytes each, as the map was made; the kernel reads both.
    unsafe { bpf(MAP_UPDATE_ELEM, &attributes) }.map(|_| ())
}

/// `BPF_PROG_LOAD` of an XDP program; with `frags`, for interfaces whose frames may take several buffers
/// (Linux 5.18). A program that the kernel finds unsafe is refused.
pub(crate) fn load(program: &[Instruction], frags: bool) -> io::Result<OwnedFd> {
    let bytes: Vec<[u8; 8]> = program.iter().map(Instruction::emit).collect();
    let count = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    let license = c"Dual MIT/GPL";
    let mut attributes = Attributes::new();
    attributes.words(0, &[PROG_TYPE_XDP, count]);
    attributes.pointer(8, bytes.as_ptr().cast());
    attributes.pointer(16, license.as_ptr().cast());
    attributes.words(44, &[if frags { PROG_XDP_HAS_FRAGS } else { 0 }]);
    attributes.words(68, &[ATTACH_XDP]);
    // SAFETY: the instructions and the license are locals that outlive the call; their number is told, and the
    // license ends with a zero. The kernel copies both.
    let fd = unsafe { bpf(PROG_LOAD, &attributes) }?;
    Ok(owned(fd))
}

/// `BPF_LINK_CREATE`: runs `program` at the interface for as long as the result is open.
pub(crate) fn attach(program: BorrowedFd<'_>, interface_index: u32, place: Place) -> io::Result<OwnedFd> {
    let flags = match place {
        Place::Generic => XDP_FLAGS_SKB_MODE,
        Place::Native => XDP_FLAGS_DRV_MODE,
    };
    let mut attributes = Attributes::new();
    attributes.words(0, &[word(program.as_raw_fd()), interface_index, ATTACH_XDP, flags]);
    call(LINK_CREATE, &attributes)
}

impl Instruction {
    /// As the kernel reads it: the two registers share a byte, the lower half first on little-endian machines.
    fn emit(&self) -> [u8; 8] {
        let registers =
            if cfg!(target_endian = "little") { self.to | self.from << 4 } else { self.to << 4 | self.from };
        let [o0, o1] = self.offset.to_ne_bytes();
        let [c0, c1, c2, c3] = self.constant.to_ne_bytes();
        [self.code, registers, o0, o1, c0, c1, c2, c3]
    }
}

/// `union bpf_attr`: zeros, but for what a command reads.
#[repr(C, align(8))]
struct Attributes([u8; ATTRIBUTES_BYTES]);

impl Attributes {
    const fn new() -> Self {
        Self([0; ATTRIBUTES_BYTES])
    }

    fn words(&mut self, at: usize, words: &[u32]) {
        for (bytes, word) in self.0[at..].chunks_exact_mut(4).zip(words) {
            bytes.copy_from_slice(&word.to_ne_bytes());
        }
    }

    fn pointer(&mut self, at: usize, to: *const u8) {
        let address = u64::try_from(to.expose_provenance()).unwrap_or_default();
        self.0[at..at + 8].copy_from_slice(&address.to_ne_bytes());
    }
}

/// A command whose attributes hold no pointer, and which gives a descriptor.
fn call(command: libc::c_int, attributes: &Attributes) -> io::Result<OwnedFd> {
    // SAFETY: nothing in the attributes of these commands is read as an address.
    let fd = unsafe { bpf(command, attributes) }?;
    Ok(owned(fd))
}

/// `bpf`; what it returns, which is not negative.
///
/// # Safety
/// Every pointer in the attributes must point to what the command reads there.
unsafe fn bpf(command: libc::c_int, attributes: &Attributes) -> io::Result<RawFd> {
    // SAFETY: the attributes are of the size told, zero beyond what the command knows; the rest is the caller's.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, attributes.0.as_ptr(), ATTRIBUTES_BYTES) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    RawFd::try_from(result).map_err(io::Error::other)
}

/// Takes over a descriptor that a command above has just given.
fn owned(fd: RawFd) -> OwnedFd {
    // SAFETY: it is new, and nobody else owns it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

fn word(fd: RawFd) -> u32 {
    u32::try_from(fd).unwrap_or(u32::MAX)
}

/// Large enough for every command above; the kernel wants zeros behind what it knows.
const ATTRIBUTES_BYTES: usize = 128;
// Linux include/uapi/linux/bpf.h and if_link.h.
const MAP_CREATE: libc::c_int = 0;
const MAP_UPDATE_ELEM: libc::c_int = 2;
const PROG_LOAD: libc::c_int = 5;
const LINK_CREATE: libc::c_int = 28;
const MAP_TYPE_XSKMAP: u32 = 17;
const PROG_TYPE_XDP: u32 = 6;
const PROG_XDP_HAS_FRAGS: u32 = 1 << 5;
const ATTACH_XDP: u32 = 37;
const XDP_FLAGS_SKB_MODE: u32 = 1 << 1;
const XDP_FLAGS_DRV_MODE: u32 = 1 << 2;
