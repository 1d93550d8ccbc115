//! The workers of a node: the built-in algorithm decides, and says for how long it is busy.
//!
//! Of a packet, each event counts as an equal share of its bytes: what the single events have is not known
//! where no data are. A program or a module cannot be run in virtual time.

use incast_core::readout::algorithm::{AlgorithmKind, AlgorithmPlan, Builtin, BuiltinPlan};
use incast_core::readout::role::{NodeRole, Work as Task};
use incast_core::readout::{EventNumber, Length, Level, Verdict};
use incast_core::time::{Span, Time};

use super::work::Work;

/// Workers with an algorithm each; the machine bounds how many are at work.
#[derive(Debug)]
pub(super) struct Workers {
    builtin: Builtin,
    /// Takes so many thousandths of its time: 1000, or more while the node is slow.
    pub(super) factor_milli: u32,
    /// At work; as many as the node has workers.
    busy: Vec<Busy>,
    /// When the first of them is done.
    next: Option<Time>,
    pub(super) judged: Judged,
}

/// Verdicts, by kind.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Judged {
    pub(super) accepted: u64,
    pub(super) rejected: u64,
}

#[derive(Debug)]
struct Busy {
    until: Time,
    /// In the order in which they began: of two that are done at one time, it is the first.
    number: u64,
    level: Level,
    event: EventNumber,
    attempt: u8,
    time: Span,
    verdicts: Vec<Verdict>,
}

impl Workers {
    pub(super) fn new(plan: &AlgorithmPlan, seed: u64, factor_milli: u32) -> Self {
        let builtin = match &plan.kind {
            AlgorithmKind::Builtin(plan) => plan.clone(),
            // Whoever reads scenarios refuses these.
            AlgorithmKind::Program(_) | AlgorithmKind::Module(_) => BuiltinPlan::default(),
        };
        Self {
            builtin: Builtin::new(builtin, seed),
            factor_milli,
            busy: Vec::new(),
            next: None,
            judged: Judged::default(),
        }
    }

    fn begin(&mut self, now: Time, task: &Task<Length>) {
        let event = task.built.event();
        let share = event.bytes / u64::from(event.events.max(1));
        let mut time = Span::ZERO;
        let mut verdicts = Vec::with_capacity(event.events.into());
        for index in 0..event.events {
            let judged = self.builtin.judge(event.number.after(index.into()), share, task.level);
            time = time + judged.busy;
            let is_accepted = judged.verdict.streams() != 0;
            *(if is_accepted { &mut self.judged.accepted } else { &mut self.judged.rejected }) += 1;
            verdicts.push(judged.verdict);
        }
        let time = slowed(time, self.factor_milli);
        let number = self.busy.last().map_or(0, |last| last.number + 1);
        let until = now + time;
        let (level, event, attempt) = (task.level, event.number, task.attempt);
        self.busy.push(Busy { until, number, level, event, attempt, time, verdicts });
        self.next = Some(self.next.map_or(until, |next| next.min(until)));
    }

    /// The next one that is done.
    fn poll_done(&mut self, now: Time) -> Option<Busy> {
        self.next.filter(|next| *next <= now)?;
        let first =
            (0..self.busy.len()).min_by_key(|index| (self.busy[*index].until, self.busy[*index].number))?;
        // The order of the others stays: the last has the highest number.
        let done = self.busy.remove(first);
        self.next = self.busy.iter().map(|busy| busy.until).min();
        Some(done)
    }
}

fn slowed(time: Span, factor_milli: u32) -> Span {
    if factor_milli == 1_000 {
        return time;
    }
    let slowed = u128::from(time.0) * u128::from(factor_milli) / 1_000;
    Span(u64::try_from(slowed).unwrap_or(u64::MAX))
}

impl Work<NodeRole<Length>> for Workers {
    fn attend(&mut self, now: Time, role: &mut NodeRole<Length>) {
        loop {
            while let Some(done) = self.poll_done(now) {
                let Busy { level, event, attempt, time, verdicts, .. } = done;
                role.handle_verdicts(now, event, level, attempt, time, verdicts);
            }
            let Some(task) = role.poll_work(now) else { return };
            self.begin(now, &task);
        }
    }

    fn next_timeout(&self) -> Option<Time> {
        self.next
    }
}
