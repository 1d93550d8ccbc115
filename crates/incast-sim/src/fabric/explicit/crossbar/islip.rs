//! iSLIP: iterative round-robin matching whose pointers slip apart (McKeown, "The iSLIP scheduling algorithm for
//! input-queued switches", 1999, DOI 10.1109/90.769767).
//!
//! Every free output grants the next input that asks, from its pointer on; every input accepts the next output that
//! grants, from its own. Pointers move to one beyond the accepted, and only in the first iteration: so each
//! pair is served within a bounded time, and under full load no two pointers agree. It iterates until
//! nobody is added, N times at most.

use super::separate::Match;

/// The matching.
#[derive(Clone, Debug)]
pub(in crate::fabric::explicit) struct Islip {
    /// For each output the input that is favoured.
    grants: Vec<usize>,
    /// For each input the output that is favoured.
    accepts: Vec<usize>,
}

impl Islip {
    pub(super) fn new(inputs: usize, outputs: usize) -> Self {
        Self { grants: vec![0; outputs], accepts: vec![0; inputs] }
    }
}

impl Match for Islip {
    fn join(
        &mut self,
        inputs: &[usize],
        outputs: &[usize],
        bytes: impl Fn(usize, usize) -> u64,
    ) -> Vec<(usize, usize)> {
        let (mut inputs, mut outputs) = (inputs.to_vec(), outputs.to_vec());
        let mut joined = Vec::new();
        for iteration in 0.. {
            // By input: the outputs that grant it.
            let mut granted: Vec<Vec<usize>> = vec![Vec::new(); self.accepts.len()];
            for output in &outputs {
                let asks = inputs.iter().copied().filter(|input| bytes(*input, *output) > 0);
                if let Some(input) = next_from(self.grants[*output], asks) {
                    granted[input].push(*output);
                }
            }
            let before = joined.len();
            for input in &inputs {
                let Some(output) = next_from(self.accepts[*input], granted[*input].iter().copied()) else {
                    continue;
                };
                joined.push((*input, output));
                if iteration == 0 {
                    self.grants[output] = (*input + 1) % self.accepts.len();
                    self.accepts[*input] = (output + 1) % self.grants.len();
                }
            }
            let added = &joined[before..];
            if added.is_empty() {
                break;
            }
            inputs.retain(|input| added.iter().all(|(taken, _)| taken != input));
            outputs.retain(|output| added.iter().all(|(_, taken)| taken != output));
        }
        joined
    }
}

/// The first at or after a pointer, round robin; `places` rise.
fn next_from(pointer: usize, places: impl Iterator<Item = usize>) -> Option<usize> {
    let mut first = None;
    for place in places {
        if place >= pointer {
            return Some(place);
        }
        first = first.or(Some(place));
    }
    first
}
