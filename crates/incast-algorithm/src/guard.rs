//! What a program and a module have in common: they fail, are counted, and are started again.

use std::time::{Duration, Instant};

use incast_core::readout::algorithm::{AlgorithmCounts, LastFailure};
use incast_core::readout::{EventNumber, Failure, Verdict};

use crate::back_off::BackOff;
use crate::fault::Fault;
use crate::view::EventView;

/// An algorithm that can end, and can be started again.
pub(crate) trait Restartable {
    /// Whether it is there.
    fn is_started(&self) -> bool;

    /// Begins to start it: [`judge`](Self::judge) waits until it is ready.
    fn start(&mut self) -> Result<(), Fault>;

    /// What went wrong since its last answer; it has been ended then.
    fn poll_fault(&mut self) -> Option<Fault>;

    /// Has it judge: one verdict for each event. After a fault it is ended, unless the event was none that
    /// it can be given.
    fn judge(&mut self, view: &EventView<'_>, verdicts: &mut Vec<Verdict>) -> Result<(), Fault>;
}

/// An algorithm, with its failures kept from others.
#[derive(Debug)]
pub(crate) struct Guard<A> {
    algorithm: A,
    time_out: Duration,
    back_off: BackOff,
    /// Of events that come before it may be started again.
    last: Failure,
}

impl<A: Restartable> Guard<A> {
    /// Guards one that is started.
    pub(crate) fn new(algorithm: A, time_out: Duration) -> Self {
        Self { algorithm, time_out, back_off: BackOff::default(), last: Failure::Crash }
    }

    /// The algorithm.
    pub(crate) const fn algorithm(&self) -> &A {
        &self.algorithm
    }

    /// Has it judge, and says how it failed if it did.
    pub(crate) fn judge(
        &mut self,
        view: &EventView<'_>,
        verdicts: &mut Vec<Verdict>,
        counts: &mut AlgorithmCounts,
    ) -> Result<(), Failure> {
        if let Some(fault) = self.algorithm.poll_fault() {
            self.record_fault(fault, None, counts);
        }
        if !self.algorithm.is_started() {
            // An event waits for the restart, but no longer than it may take itself.
            let wait = self.back_off.left(Instant::now());
            if wait > self.time_out {
                counts.held_back += u64::from(view.events);
                return Err(self.last);
            }
            std::thread::sleep(wait);
            self.start(Some(view.event), counts)?;
        }
        match self.algorithm.judge(view, verdicts) {
            Ok(()) => {
                self.back_off.record_success();
                Ok(())
            }
            Err(fault) => {
                let failure = self.record_fault(fault, Some(view.event), counts);
                // It gets ready while the node does something else.
                if !self.algorithm.is_started() && self.back_off.left(Instant::now()).is_zero() {
                    let _ = self.start(None, counts);
                }
                Err(failure)
            }
        }
    }

    fn start(&mut self, event: Option<EventNumber>, counts: &mut AlgorithmCounts) -> Result<(), Failure> {
        counts.restarts += 1;
        self.algorithm.start().map_err(|fault| self.record_fault(fault, event, counts))
    }

    fn record_fault(
        &mut self,
        fault: Fault,
        event: Option<EventNumber>,
        counts: &mut AlgorithmCounts,
    ) -> Failure {
        let Fault { failure, text } = fault;
        self.back_off.record_failure(Instant::now());
        self.last = failure;
        counts.record_failure(LastFailure { failure, event, text });
        failure
    }
}
