//! What a driver tells of its interface, and what it can be told: rings, interrupts, pause, offloads, queues.
//!
//! Words of the structures by their index, as `include/uapi/linux/ethtool.h` (Linux v6.8) has them:
//!
//! ```text
//!   ringparam    1 rx_max  4 tx_max  5 rx  8 tx
//!   coalesce     1 rx_usecs  2 rx_frames  10 adaptive_rx
//!   pauseparam   1 autoneg  2 rx  3 tx
//!   channels     1 max_rx  4 max_combined  5 rx  8 combined
//!   drvinfo      1 to 8: the driver's name
//! ```

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsFd as _;

use incast_core::tune::{Channels, Coalescing, CoalescingSetting, Offload, Pause, Rings, Side};

use crate::sys::ethtool::{Command, Words, call};

/// The driver of one interface, in the network namespace of whoever opened it.
pub(crate) struct Driver<'i> {
    interface: &'i str,
    /// Any socket will do: it says in which namespace the interface is.
    socket: UdpSocket,
}

impl<'i> Driver<'i> {
    pub(crate) fn open(interface: &'i str) -> io::Result<Self> {
        Ok(Self { interface, socket: UdpSocket::bind("0.0.0.0:0")? })
    }

    pub(crate) fn name(&self) -> io::Result<String> {
        let words = self.ask(Command::DRIVER)?;
        let bytes: Vec<u8> = words[1..9].iter().flat_map(|word| word.to_ne_bytes()).collect();
        let name = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        Ok(String::from_utf8_lossy(name).into_owned())
    }

    pub(crate) fn rings(&self) -> io::Result<Rings> {
        let words = self.ask(Command::RINGS)?;
        Ok(Rings { rx: words[5], rx_max: words[1], tx: words[8], tx_max: words[4] })
    }

    pub(crate) fn set_ring(&self, side: Side, descriptors: u32) -> io::Result<()> {
        self.alter(Command::RINGS, Command::SET_RINGS, ring(side), descriptors)
    }

    pub(crate) fn coalescing(&self) -> io::Result<Coalescing> {
        let words = self.ask(Command::COALESCING)?;
        Ok(Coalescing { rx_usecs: words[1], rx_frames: words[2], adaptive_rx: words[10] != 0 })
    }

    pub(crate) fn set_coalescing(&self, what: CoalescingSetting, value: u32) -> io::Result<()> {
        let word = match what {
            CoalescingSetting::RxUsecs => 1,
            CoalescingSetting::RxFrames => 2,
            CoalescingSetting::AdaptiveRx => 10,
        };
        self.alter(Command::COALESCING, Command::SET_COALESCING, word, value)
    }

    pub(crate) fn pause(&self) -> io::Result<Pause> {
        let words = self.ask(Command::PAUSE)?;
        Ok(Pause { rx: words[2] != 0, tx: words[3] != 0 })
    }

    pub(crate) fn set_pause(&self, side: Side, on: bool) -> io::Result<()> {
        let word = match side {
            Side::Rx => 2,
            Side::Tx => 3,
        };
        self.alter(Command::PAUSE, Command::SET_PAUSE, word, u32::from(on))
    }

    pub(crate) fn channels(&self) -> io::Result<Channels> {
        let words = self.ask(Command::CHANNELS)?;
        let sum = |alone: u32, combined: u32| alone.saturating_add(combined);
        Ok(Channels { rx: sum(words[5], words[8]), rx_max: sum(words[1], words[4]) })
    }

    pub(crate) fn offload(&self, offload: Offload) -> io::Result<bool> {
        Ok(self.ask(offload_commands(offload).0)?[1] != 0)
    }

    pub(crate) fn set_offload(&self, offload: Offload, on: bool) -> io::Result<()> {
        let mut words: Words = [0; _];
        words[1] = u32::from(on);
        self.tell(offload_commands(offload).1, &mut words)?;
        // A driver that cannot leaves it as it is and says nothing.
        if self.offload(offload)? == on {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::Unsupported, "the device left it as it was"))
    }

    /// Changes one word of what the driver has.
    fn alter(&self, get: Command, set: Command, word: usize, value: u32) -> io::Result<()> {
        let mut words = self.ask(get)?;
        words[word] = value;
        self.tell(set, &mut words)
    }

    fn ask(&self, command: Command) -> io::Result<Words> {
        let mut words: Words = [0; _];
        self.tell(command, &mut words)?;
        Ok(words)
    }

    fn tell(&self, command: Command, words: &mut Words) -> io::Result<()> {
        call(self.socket.as_fd(), self.interface, command, words)
    }
}

const fn ring(side: Side) -> usize {
    match side {
        Side::Rx => 5,
        Side::Tx => 8,
    }
}

/// The command that asks for an offload, and the one that sets it.
const fn offload_commands(offload: Offload) -> (Command, Command) {
    match offload {
        Offload::RxChecksum => (Command::RX_CHECKSUM, Command::SET_RX_CHECKSUM),
        Offload::TxChecksum => (Command::TX_CHECKSUM, Command::SET_TX_CHECKSUM),
        Offload::Sg => (Command::SG, Command::SET_SG),
        Offload::Tso => (Command::TSO, Command::SET_TSO),
        Offload::Gso => (Command::GSO, Command::SET_GSO),
        Offload::Gro => (Command::GRO, Command::SET_GRO),
    }
}
