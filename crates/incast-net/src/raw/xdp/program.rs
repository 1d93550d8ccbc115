//! The program at the interface: frames of our EtherType go to the socket of their queue, all others pass.
//!
//! It is assembled here, so that nobody needs a compiler for it. Only the head is looked at, and a frame of which no
//! socket wants anything, or of a queue without one, goes on to the kernel.

use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};

use incast_core::wire::ethernet::VLAN_ETHERTYPE;

use crate::sys::bpf::{self, Instruction, Place};

/// A program that runs at an interface for as long as this lives.
#[derive(Debug)]
pub(super) struct Attached {
    map: OwnedFd,
    /// Taken away last; the kernel does it as well when the process is killed.
    _link: OwnedFd,
}

impl Attached {
    /// Loads the program for `ethertype` and attaches it to an interface of `queues` queues.
    pub(super) fn open(interface_index: u32, ethertype: u16, queues: u32, place: Place) -> io::Result<Self> {
        let map = bpf::create_socket_map(queues)?;
        let fd = map.as_raw_fd();
        let program = assemble(ethertype, fd);
        // Interfaces whose frames may take several buffers want a program that says that it knows.
        let program = bpf::load(&program, true).or_else(|_| bpf::load(&program, false))?;
        let link = bpf::attach(program.as_fd(), interface_index, place)?;
        Ok(Self { map, _link: link })
    }

    /// Frames of `queue` go to `socket` from now on.
    pub(super) fn put(&self, queue: u32, socket: BorrowedFd<'_>) -> io::Result<()> {
        bpf::put_socket(self.map.as_fd(), queue, socket)
    }
}

/// The instructions. Registers: r6 what is known of the frame, r2 its start, r3 its end, r5 an EtherType.
fn assemble(ethertype: u16, map: i32) -> Vec<Instruction> {
    let line = |code, to, from, offset, constant| Instruction { code, to, from, offset, constant };
    // The frame has it in the order of the network; the register has the machine's.
    let wanted = i32::from(ethertype.to_be());
    let tag = i32::from(VLAN_ETHERTYPE.to_be());
    vec![
        line(MOVE_REGISTER, 6, 1, 0, 0),
        line(LOAD_WORD, 2, 6, DATA_AT, 0),
        line(LOAD_WORD, 3, 6, DATA_END_AT, 0),
        // Too short for a head with a tag: none of ours, whose messages have 16 bytes at least.
        line(MOVE_REGISTER, 4, 2, 0, 0),
        line(ADD_CONSTANT, 4, 0, 0, TAGGED_HEAD_BYTES),
        line(JUMP_IF_GREATER, 4, 3, 11, 0),
        line(LOAD_HALF, 5, 2, 12, 0),
        line(JUMP_IF_EQUAL, 5, 0, 3, wanted),
        line(JUMP_UNLESS_EQUAL, 5, 0, 8, tag),
        line(LOAD_HALF, 5, 2, 16, 0),
        line(JUMP_UNLESS_EQUAL, 5, 0, 6, wanted),
        // bpf_redirect_map(map, queue, XDP_PASS): the last is what happens when the queue has no socket.
        line(LOAD_WORD, 2, 6, QUEUE_AT, 0),
        line(LOAD_DOUBLE, 1, PSEUDO_MAP_FD, 0, map),
        line(0, 0, 0, 0, 0),
        line(MOVE_CONSTANT, 3, 0, 0, XDP_PASS),
        line(CALL, 0, 0, 0, REDIRECT_MAP),
        line(EXIT, 0, 0, 0, 0),
        line(MOVE_CONSTANT, 0, 0, 0, XDP_PASS),
        line(EXIT, 0, 0, 0, 0),
    ]
}

const TAGGED_HEAD_BYTES: i32 = 18;
/// Offsets in `struct xdp_md`.
const DATA_AT: i16 = 0;
const DATA_END_AT: i16 = 4;
const QUEUE_AT: i16 = 16;
// Operations (Linux Documentation/bpf/standardization/instruction-set.rst).
const MOVE_REGISTER: u8 = 0xbf;
const MOVE_CONSTANT: u8 = 0xb7;
const ADD_CONSTANT: u8 = 0x07;
const LOAD_WORD: u8 = 0x61;
const LOAD_HALF: u8 = 0x69;
const LOAD_DOUBLE: u8 = 0x18;
const JUMP_IF_GREATER: u8 = 0x2d;
const JUMP_IF_EQUAL: u8 = 0x15;
const JUMP_UNLESS_EQUAL: u8 = 0x55;
const CALL: u8 = 0x85;
const EXIT: u8 = 0x95;
/// Linux include/uapi/linux/bpf.h.
const PSEUDO_MAP_FD: u8 = 1;
const REDIRECT_MAP: i32 = 51;
const XDP_PASS: i32 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    /// What the program makes of a frame: `Some(queue)` to a socket, `None` on to the kernel.
    fn run(program: &[Instruction], frame: &[u8], queue: u64) -> Option<u64> {
        let end = u64::try_from(frame.len()).unwrap();
        let (mut registers, mut at) = ([0_u64; 11], 0_usize);
        loop {
            let Instruction { code, to, from, offset, constant } = program[at];
            let (to, from) = (usize::from(to), usize::from(from));
            let constant = u64::from_ne_bytes(i64::from(constant).to_ne_bytes());
            let jump = match code {
                JUMP_IF_GREATER => registers[to] > registers[from],
                JUMP_IF_EQUAL => registers[to] == constant,
                JUMP_UNLESS_EQUAL => registers[to] != constant,
                _ => false,
            };
            match code {
                MOVE_REGISTER => registers[to] = registers[from],
                MOVE_CONSTANT => registers[to] = constant,
                ADD_CONSTANT => registers[to] += constant,
                LOAD_WORD => registers[to] = [0, end, 0, 0, queue][usize::try_from(offset / 4).unwrap()],
                LOAD_HALF => {
                    let place = usize::try_from(registers[from]).unwrap() + usize::try_from(offset).unwrap();
                    let half = frame[place..].first_chunk().unwrap();
                    registers[to] = u16::from_ne_bytes(*half).into();
                }
                LOAD_DOUBLE => at += 1,
                CALL => return Some(registers[2]),
                EXIT => return None,
                _ => {}
            }
            at += 1 + if jump { usize::try_from(offset).unwrap() } else { 0 };
        }
    }

    #[test]
    fn ours_go_to_their_queue_and_all_others_pass() {
        let program = assemble(0x88B5, 7);
        let frame = |ethertypes: &[u8]| {
            let mut frame = vec![0; 12];
            frame.extend(ethertypes);
            frame.resize(64, 0);
            frame
        };
        assert_eq!(run(&program, &frame(&[0x88, 0xB5]), 3), Some(3));
        assert_eq!(run(&program, &frame(&[0x81, 0x00, 0x20, 0x64, 0x88, 0xB5]), 0), Some(0));
        for other in [&[0x08, 0x00][..], &[0xB5, 0x88], &[0x81, 0x00, 0x88, 0xB5, 0x08, 0x00]] {
            assert_eq!(run(&program, &frame(other), 0), None, "{other:?}");
        }
        for cut in 0..18 {
            assert_eq!(run(&program, &frame(&[0x88, 0xB5])[..cut], 0), None, "cut at {cut}");
        }
    }
}
