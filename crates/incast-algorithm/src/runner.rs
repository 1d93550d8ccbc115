//! Runs an algorithm: whichever it is, each event of a packet gets a verdict, and each verdict is
//! counted.

use std::time::Instant;

use incast_core::readout::Verdict;
use incast_core::readout::algorithm::{AlgorithmCounts, AlgorithmKind, AlgorithmPlan};
use incast_core::time::Span;

use crate::builtin::BuiltinAlgorithm;
use crate::error::OpenError;
use crate::guard::Guard;
use crate::program::ProgramAlgorithm;
use crate::view::EventView;
use crate::wasm::ModuleAlgorithm;

/// An algorithm that runs. One for each worker thread, opened on that thread: a program ends with the
/// thread that started it.
#[derive(Debug)]
pub struct Runner {
    algorithm: Algorithm,
    unjudged_streams: u32,
    counts: AlgorithmCounts,
}

#[derive(Debug)]
enum Algorithm {
    Builtin(BuiltinAlgorithm),
    Program(Box<Guard<ProgramAlgorithm>>),
    Module(Box<Guard<ModuleAlgorithm>>),
}

impl Runner {
    /// Starts an algorithm, and waits until it is ready. The built-in one draws from `seed`, which has to be
    /// the same at every node of a run.
    ///
    /// # Errors
    /// When the plan contradicts itself, or the program or module cannot be run.
    pub fn open(plan: &AlgorithmPlan, seed: u64) -> Result<Self, OpenError> {
        plan.check()?;
        let time_out = plan.limits.time_out.to_std();
        let algorithm = match &plan.kind {
            AlgorithmKind::Builtin(plan) => Algorithm::Builtin(BuiltinAlgorithm::new(plan.clone(), seed)),
            AlgorithmKind::Program(program) => Algorithm::Program(Box::new(Guard::new(
                ProgramAlgorithm::open(program, plan.limits)?,
                time_out,
            ))),
            AlgorithmKind::Module(module) => {
                Algorithm::Module(Box::new(Guard::new(ModuleAlgorithm::open(module, plan.limits)?, time_out)))
            }
        };
        let unjudged_streams = plan.on_failure.streams();
        Ok(Self { algorithm, unjudged_streams, counts: AlgorithmCounts::default() })
    }

    /// Has an event judged, or each event of a packet, and says how long that took. `verdicts` is emptied
    /// first and has then one for each event. Never fails: what cannot be judged is unjudged.
    ///
    /// It blocks for at most the time-out of the plan and, while an algorithm that failed is started
    /// again, for its start and for another time-out.
    pub fn judge(&mut self, view: &EventView<'_>, verdicts: &mut Vec<Verdict>) -> Span {
        let start = Instant::now();
        verdicts.clear();
        let judged = match &mut self.algorithm {
            Algorithm::Builtin(builtin) => {
                builtin.judge(view, verdicts);
                Ok(())
            }
            Algorithm::Program(program) => program.judge(view, verdicts, &mut self.counts),
            Algorithm::Module(module) => module.judge(view, verdicts, &mut self.counts),
        };
        if let Err(failure) = judged {
            let unjudged = Verdict::Unjudged { streams: self.unjudged_streams, failure };
            verdicts.clear();
            verdicts.resize(view.events.into(), unjudged);
        }
        debug_assert_eq!(verdicts.len(), usize::from(view.events), "one verdict for each event");
        verdicts.iter().for_each(|verdict| self.counts.record(*verdict));
        Span::from_ns(u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    /// What was counted so far.
    #[must_use]
    pub const fn counts(&self) -> &AlgorithmCounts {
        &self.counts
    }

    /// The process of the program, while there is one.
    #[must_use]
    pub fn process_id(&self) -> Option<u32> {
        match &self.algorithm {
            Algorithm::Program(program) => program.algorithm().process_id(),
            Algorithm::Builtin(_) | Algorithm::Module(_) => None,
        }
    }
}
