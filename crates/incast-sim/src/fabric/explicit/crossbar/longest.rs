//! The longest queues first: a greedy stand-in for the matching of greatest weight.
//!
//! The greatest weight, with queue lengths as weights, reaches 100 % under any admissible load of independent
//! arrivals (McKeown, Mekkittikul, Anantharam and Walrand 1999, DOI 10.1109/26.780463). Taking the longest queue, then
//! the longest of what is left, has at least half of that weight, and costs a sort.

use std::cmp::Reverse;

use incast_core::random::Random;

use super::separate::Match;

/// The matching; equally long queues are ordered by a draw.
#[derive(Clone, Debug)]
pub(in crate::fabric::explicit) struct Longest {
    random: Random,
}

impl Longest {
    pub(super) fn new(random: Random) -> Self {
        Self { random }
    }
}

impl Match for Longest {
    fn join(
        &mut self,
        inputs: &[usize],
        outputs: &[usize],
        bytes: impl Fn(usize, usize) -> u64,
    ) -> Vec<(usize, usize)> {
        let pairs = inputs.iter().flat_map(|input| outputs.iter().map(move |output| (*input, *output)));
        let mut queues: Vec<_> = pairs
            .map(|(input, output)| (bytes(input, output), input, output))
            .filter(|(bytes, ..)| *bytes > 0)
            .map(|(bytes, input, output)| (Reverse(bytes), self.random.next_u64(), input, output))
            .collect();
        queues.sort_unstable();
        let most = |places: &[usize]| places.last().map_or(0, |last| last + 1);
        let (mut input_taken, mut output_taken) = (vec![false; most(inputs)], vec![false; most(outputs)]);
        let mut joined = Vec::new();
        for (_, _, input, output) in queues {
            if !input_taken[input] && !output_taken[output] {
                (input_taken[input], output_taken[output]) = (true, true);
                joined.push((input, output));
            }
        }
        joined
    }
}
