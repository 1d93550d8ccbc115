//! Inputs with one queue each: the head of the line blocks what is behind it, even where its output is free.
//!
//! Of several heads for one output one is drawn, each with the same probability (Karol, Hluchyj and Morgan 1987, DOI
//! 10.1109/TCOM.1987.1096719), which makes 2 - sqrt 2 = 58.6 % of a large switch.

use std::collections::VecDeque;

use incast_core::random::Random;

use super::Transfer;
use crate::fabric::explicit::queue::Item;

/// The inputs.
#[derive(Clone, Debug)]
pub(in crate::fabric::explicit) struct FifoInputs {
    inputs: Vec<Fifo>,
    /// For each output the inputs whose heads are for it, and that nothing passes from.
    heads: Vec<Vec<usize>>,
    random: Random,
}

#[derive(Clone, Debug, Default)]
struct Fifo {
    waiting: VecDeque<(usize, Item)>,
    is_busy: bool,
}

impl FifoInputs {
    pub(super) fn new(inputs: usize, outputs: usize, random: Random) -> Self {
        Self { inputs: vec![Fifo::default(); inputs], heads: vec![Vec::new(); outputs], random }
    }

    pub(super) fn handle_item(&mut self, input: usize, output: usize, item: Item) {
        let fifo = &mut self.inputs[input];
        if fifo.waiting.is_empty() && !fifo.is_busy {
            self.heads[output].push(input);
        }
        fifo.waiting.push_back((output, item));
    }

    pub(super) fn handle_end(&mut self, input: usize) {
        let fifo = &mut self.inputs[input];
        fifo.is_busy = false;
        if let Some((output, _)) = fifo.waiting.front() {
            self.heads[*output].push(input);
        }
    }

    pub(super) fn is_idle(&self, input: usize) -> bool {
        self.inputs[input].waiting.is_empty() && !self.inputs[input].is_busy
    }

    pub(super) fn poll_transfers(&mut self, is_free: impl Fn(usize) -> bool) -> Vec<Transfer> {
        let mut transfers = Vec::new();
        for (output, heads) in self.heads.iter_mut().enumerate() {
            if heads.is_empty() || !is_free(output) {
                continue;
            }
            let chosen = heads.swap_remove(drawn(&mut self.random, heads.len()));
            let fifo = &mut self.inputs[chosen];
            if let Some((_, item)) = fifo.waiting.pop_front() {
                fifo.is_busy = true;
                transfers.push(Transfer { output, item });
            }
        }
        transfers
    }
}

/// One of `count`; nothing is drawn of one.
fn drawn(random: &mut Random, count: usize) -> usize {
    if count < 2 {
        return 0;
    }
    let product = u128::from(random.next_u64()) * count as u128;
    // A product of a number below 2^64 and the count, without its lower 64 bits: below the count.
    usize::try_from(product >> 64).unwrap_or(0)
}
