//! The built-in algorithm at a real node: the core's machine, and its processing time spent.

use std::time::{Duration, Instant};

use incast_core::readout::Verdict;
use incast_core::readout::algorithm::{Builtin, BuiltinPlan, Passing};

use crate::view::EventView;

/// Decides what the core's machine decides, and takes as long.
#[derive(Debug)]
pub(crate) struct BuiltinAlgorithm {
    machine: Builtin,
    bytes: Vec<u64>,
}

impl BuiltinAlgorithm {
    pub(crate) fn new(plan: BuiltinPlan, seed: u64) -> Self {
        Self { machine: Builtin::new(plan, seed), bytes: Vec::new() }
    }

    pub(crate) fn judge(&mut self, view: &EventView<'_>, verdicts: &mut Vec<Verdict>) {
        let start = Instant::now();
        view.bytes_by_event(&mut self.bytes);
        let mut busy = Duration::ZERO;
        for (offset, bytes) in (0..).zip(&self.bytes) {
            let judged = self.machine.judge(view.event.after(offset), *bytes, view.level);
            verdicts.push(judged.verdict);
            busy = busy.saturating_add(judged.busy.to_std());
        }
        pass(start, busy, self.machine.plan().passing);
    }
}

/// Returns `busy` after `start`. A sleep ends some 50 us late: whoever gives up a core does not get it back
/// at once.
fn pass(start: Instant, busy: Duration, passing: Passing) {
    match passing {
        Passing::Sleep => {
            let left = busy.saturating_sub(start.elapsed());
            if !left.is_zero() {
                std::thread::sleep(left);
            }
        }
        Passing::Busy => {
            while start.elapsed() < busy {
                std::hint::spin_loop();
            }
        }
    }
}
