//! Lengths of runs of consecutive lost messages.
//!
//! A single lost message and a run of a thousand have different causes: a bit error, and a buffer
//! that was full for a while. Lengths below 64 are counted exactly, longer ones by powers of two.

use crate::record;

/// How many runs of consecutive lost messages there were of each length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LossRuns {
    runs: u64,
    total_messages: u64,
    longest: u64,
    /// Entry `n` counts the runs of length `n` (entry 0 stays empty), entry `EXACT + k` those from `64 << k` on.
    lengths: [u64; EXACT + OCTAVES],
}

/// Lengths below this have a counter each.
const EXACT: usize = 64;
/// Powers of two from 2^6 to 2^63.
const OCTAVES: usize = 58;

impl Default for LossRuns {
    fn default() -> Self {
        Self { runs: 0, total_messages: 0, longest: 0, lengths: [0; EXACT + OCTAVES] }
    }
}

impl LossRuns {
    /// Counts a run of `length` lost messages; a run of none is none.
    pub fn record(&mut self, length: u64) {
        if length == 0 {
            return;
        }
        self.runs += 1;
        self.total_messages = self.total_messages.saturating_add(length);
        self.longest = self.longest.max(length);
        self.lengths[entry_of(length)] += 1;
    }

    /// Number of runs.
    #[must_use]
    pub fn runs(&self) -> u64 {
        self.runs
    }

    /// Lost messages in all runs; equal to `Counts::lost` once the tracker has finished.
    #[must_use]
    pub fn total_messages(&self) -> u64 {
        self.total_messages
    }

    /// Length of the longest run in messages; 0 when there is none.
    #[must_use]
    pub fn longest(&self) -> u64 {
        self.longest
    }

    /// Adds the runs of another stream.
    pub fn add(&mut self, other: &Self) {
        self.runs += other.runs;
        self.total_messages = self.total_messages.saturating_add(other.total_messages);
        self.longest = self.longest.max(other.longest);
        for (sum, more) in self.lengths.iter_mut().zip(&other.lengths) {
            *sum += more;
        }
    }

    /// The same as plain data; lengths that did not occur are left out.
    #[must_use]
    pub fn to_record(&self) -> record::LossRuns {
        let occurring = self.lengths.iter().enumerate().filter(|(_, runs)| **runs > 0);
        let lengths = occurring.map(|(entry, runs)| {
            let (from, to) = range_of(entry);
            record::RunLength { from, to, runs: *runs }
        });
        record::LossRuns { runs: self.runs, longest: self.longest, lengths: lengths.collect() }
    }
}

/// Where the runs of `length` (1 or more) are counted.
fn entry_of(length: u64) -> usize {
    match usize::try_from(length) {
        Ok(exact) if exact < EXACT => exact,
        _ => EXACT + length.ilog2() as usize - 6,
    }
}

/// Shortest and longest length counted in `entry`.
fn range_of(entry: usize) -> (u64, u64) {
    if entry < EXACT {
        return (entry as u64, entry as u64);
    }
    let shortest = 64_u64 << (entry - EXACT);
    (shortest, shortest + (shortest - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_is_counted_within_its_range() {
        let powers = (0..64).map(|power| 1_u64 << power);
        for length in powers.flat_map(|power| [power.max(2) - 1, power, power + 1, power + (power - 1)]) {
            let (from, to) = range_of(entry_of(length));
            assert!(from <= length && length <= to, "{length} in {from}..={to}");
        }
        for entry in 1..EXACT + OCTAVES - 1 {
            assert_eq!(range_of(entry).1 + 1, range_of(entry + 1).0, "no hole after entry {entry}");
        }
        assert_eq!(range_of(EXACT + OCTAVES - 1).1, u64::MAX);
    }

    #[test]
    fn runs_of_several_streams_add_up() {
        let (mut sum, mut all) = (LossRuns::default(), LossRuns::default());
        for lengths in [&[1, 63, 64][..], &[127, 128, 1]] {
            let mut stream = LossRuns::default();
            lengths.iter().for_each(|length| stream.record(*length));
            lengths.iter().for_each(|length| all.record(*length));
            sum.add(&stream);
        }
        assert_eq!(sum, all);
        let record = sum.to_record();
        let lengths: Vec<_> = record.lengths.iter().map(|entry| (entry.from, entry.to, entry.runs)).collect();
        assert_eq!(lengths, [(1, 1, 2), (63, 63, 1), (64, 127, 2), (128, 255, 1)]);
        assert_eq!((record.runs, record.longest, sum.total_messages()), (6, 128, 384));
    }

    #[test]
    fn a_run_of_no_messages_is_no_run() {
        let mut runs = LossRuns::default();
        runs.record(0);
        assert_eq!(runs, LossRuns::default());
    }
}
