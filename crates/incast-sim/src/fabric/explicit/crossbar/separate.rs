//! Inputs with a queue for every output (virtual output queues): no packet stands behind one for another output.
//!
//! Which input is joined to which output is the matching's business.

use super::Transfer;
use crate::fabric::explicit::queue::{Item, Queue};

/// Chooses who is joined.
pub(in crate::fabric::explicit) trait Match {
    /// Joins free inputs to free outputs, each to one at most; `bytes` waits from an input to an output.
    fn join(
        &mut self,
        inputs: &[usize],
        outputs: &[usize],
        bytes: impl Fn(usize, usize) -> u64,
    ) -> Vec<(usize, usize)>;
}

/// The inputs.
#[derive(Clone, Debug)]
pub(in crate::fabric::explicit) struct SeparateInputs<M> {
    outputs: usize,
    /// By input, then output.
    queues: Vec<Queue>,
    inputs: Vec<Port>,
    matching: M,
}

#[derive(Clone, Copy, Debug, Default)]
struct Port {
    waiting: u64,
    is_busy: bool,
}

impl<M: Match> SeparateInputs<M> {
    pub(super) fn new(inputs: usize, outputs: usize, matching: M) -> Self {
        let queues = vec![Queue::default(); inputs * outputs];
        Self { outputs, queues, inputs: vec![Port::default(); inputs], matching }
    }

    pub(super) fn handle_item(&mut self, input: usize, output: usize, item: Item) {
        self.inputs[input].waiting += 1;
        self.queues[input * self.outputs + output].push(item);
    }

    pub(super) fn handle_end(&mut self, input: usize) {
        self.inputs[input].is_busy = false;
    }

    pub(super) fn is_idle(&self, input: usize) -> bool {
        self.inputs[input].waiting == 0 && !self.inputs[input].is_busy
    }

    pub(super) fn poll_transfers(&mut self, is_free: impl Fn(usize) -> bool) -> Vec<Transfer> {
        let is_ready = |input: &usize| self.inputs[*input].waiting > 0 && !self.inputs[*input].is_busy;
        let inputs: Vec<usize> = (0..self.inputs.len()).filter(is_ready).collect();
        if inputs.is_empty() {
            return Vec::new();
        }
        let outputs: Vec<usize> = (0..self.outputs).filter(|output| is_free(*output)).collect();
        let bytes = |input: usize, output: usize| self.queues[input * self.outputs + output].bytes();
        let joined = self.matching.join(&inputs, &outputs, bytes);
        let mut transfers = Vec::with_capacity(joined.len());
        for (input, output) in joined {
            let Some(item) = self.queues[input * self.outputs + output].pop() else { continue };
            self.inputs[input].waiting -= 1;
            self.inputs[input].is_busy = true;
            transfers.push(Transfer { output, item });
        }
        transfers
    }
}
