//! Runs functions of a module in slices of fuel, and looks at the clock between them.

use std::time::Instant;

use incast_core::readout::Failure;
use wasmi::{Error, Store, StoreLimits, TrapCode, TypedFunc, TypedResumableCall, WasmParams, WasmResults};

use crate::fault::Fault;

/// What a module may still spend on an event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fuel {
    deadline: Instant,
    left: Option<u64>,
}

/// Fuel between two looks at the clock: about one for each instruction, so a millisecond or so.
const SLICE: u64 = 200_000;

impl Fuel {
    /// Until `deadline`, and at most so much fuel.
    pub(super) const fn new(deadline: Instant, max: Option<u64>) -> Self {
        Self { deadline, left: max }
    }

    /// Calls a function.
    pub(super) fn call<P: WasmParams, R: WasmResults>(
        &mut self,
        store: &mut Store<StoreLimits>,
        function: TypedFunc<P, R>,
        params: P,
    ) -> Result<R, Fault> {
        let mut given = self.fill(store, 0)?;
        let mut call = function.call_resumable(&mut *store, params).map_err(|error| fault(&error))?;
        loop {
            // What is left of the slice is its own again.
            let rest = store.get_fuel().unwrap_or(0);
            self.left = self.left.map(|left| left.saturating_sub(given.saturating_sub(rest)));
            match call {
                TypedResumableCall::Finished(results) => return Ok(results),
                TypedResumableCall::OutOfFuel(paused) => {
                    if Instant::now() >= self.deadline {
                        return Err(Fault::new(Failure::Timeout, "it did not return in time"));
                    }
                    given = self.fill(store, paused.required_fuel())?;
                    call = paused.resume(&mut *store).map_err(|error| fault(&error))?;
                }
                TypedResumableCall::HostTrap(_) => {
                    return Err(Fault::new(Failure::Crash, "it called what is not there"));
                }
            }
        }
    }

    /// Gives the next slice, with at least what is needed to go on.
    fn fill(&self, store: &mut Store<StoreLimits>, required: u64) -> Result<u64, Fault> {
        let given = SLICE.max(required).min(self.left.unwrap_or(u64::MAX));
        if given < required.max(1) {
            return Err(Fault::new(Failure::Timeout, "it did not return with its fuel"));
        }
        match store.set_fuel(given) {
            Ok(()) => Ok(given),
            Err(error) => Err(fault(&error)),
        }
    }
}

/// What ended a module.
pub(super) fn fault(error: &Error) -> Fault {
    let failure = match error.as_trap_code() {
        Some(TrapCode::GrowthOperationLimited | TrapCode::OutOfSystemMemory) => Failure::Memory,
        Some(TrapCode::OutOfFuel) => Failure::Timeout,
        _ => Failure::Crash,
    };
    Fault::new(failure, error.to_string())
}
