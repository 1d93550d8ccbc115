//! Packets that wait at inputs, in front of a crossbar.
//!
//! An input and an output that are joined stay so for as long as the packet takes on the output's link; nothing is
//! faster inside than outside (speed-up 1). Where all packets are of one size and come in step, these times are slots,
//! and the switch is that of the books; packets of different sizes make it an asynchronous crossbar, with
//! the same rules whenever something becomes free. It knows nothing of links, rates and memory.

mod fifo;
mod islip;
mod longest;
mod separate;

use incast_core::random::Random;
use incast_core::scenario::{Matching, Queueing};

use super::queue::Item;
use fifo::FifoInputs;
use islip::Islip;
use longest::Longest;
use separate::SeparateInputs;

/// A crossbar with what waits at it.
#[derive(Clone, Debug)]
pub(super) enum Crossbar {
    /// One queue for each input.
    Fifo(FifoInputs),
    /// A queue for each output at each input, the longest first.
    Longest(SeparateInputs<Longest>),
    /// The same, matched by iSLIP.
    Islip(SeparateInputs<Islip>),
}

/// A packet that begins to pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Transfer {
    /// To which output.
    pub(super) output: usize,
    /// The packet.
    pub(super) item: Item,
}

impl Crossbar {
    /// One for a switch whose packets wait at inputs; `None` for others.
    pub(super) fn of(queueing: Queueing, inputs: usize, outputs: usize, random: Random) -> Option<Self> {
        match queueing {
            Queueing::Output | Queueing::SharedMemory { .. } => None,
            Queueing::InputFifo => Some(Self::Fifo(FifoInputs::new(inputs, outputs, random))),
            Queueing::InputVirtual { matching: Matching::LongestFirst } => {
                Some(Self::Longest(SeparateInputs::new(inputs, outputs, Longest::new(random))))
            }
            Queueing::InputVirtual { matching: Matching::Islip } => {
                Some(Self::Islip(SeparateInputs::new(inputs, outputs, Islip::new(inputs, outputs))))
            }
        }
    }

    /// A packet came to an input, and shall leave by an output.
    pub(super) fn handle_item(&mut self, input: usize, output: usize, item: Item) {
        match self {
            Self::Fifo(inputs) => inputs.handle_item(input, output, item),
            Self::Longest(inputs) => inputs.handle_item(input, output, item),
            Self::Islip(inputs) => inputs.handle_item(input, output, item),
        }
    }

    /// The packet of an input has passed.
    pub(super) fn handle_end(&mut self, input: usize) {
        match self {
            Self::Fifo(inputs) => inputs.handle_end(input),
            Self::Longest(inputs) => inputs.handle_end(input),
            Self::Islip(inputs) => inputs.handle_end(input),
        }
    }

    /// Whether nothing waits at an input, and nothing passes from it.
    pub(super) fn is_idle(&self, input: usize) -> bool {
        match self {
            Self::Fifo(inputs) => inputs.is_idle(input),
            Self::Longest(inputs) => inputs.is_idle(input),
            Self::Islip(inputs) => inputs.is_idle(input),
        }
    }

    /// Joins inputs to outputs, of which `is_free` says which are.
    pub(super) fn poll_transfers(&mut self, is_free: impl Fn(usize) -> bool) -> Vec<Transfer> {
        match self {
            Self::Fifo(inputs) => inputs.poll_transfers(is_free),
            Self::Longest(inputs) => inputs.poll_transfers(is_free),
            Self::Islip(inputs) => inputs.poll_transfers(is_free),
        }
    }
}

#[cfg(test)]
mod tests;
