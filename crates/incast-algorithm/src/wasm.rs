//! A WebAssembly module that decides: interpreted, in a memory of its own.
//!
//! It imports nothing, so it can do nothing but compute. The question is written into its memory; a trap,
//! a memory that would grow too large, and a clock that is looked at between slices of fuel end it.

use std::fs::File;
use std::io::{self, Read as _};
use std::time::Instant;

use incast_core::readout::algorithm::{Limits, ModulePlan};
use incast_core::readout::{Failure, Verdict};
use incast_core::wire::algorithm::READY;
use wasmi::{CompilationMode, Config, Engine, Module};

use self::fuel::Fuel;
use self::instance::Life;
use crate::error::OpenError;
use crate::fault::Fault;
use crate::guard::Restartable;
use crate::view::EventView;

mod fuel;
mod instance;

/// A module, and its instance while there is one.
#[derive(Debug)]
pub(crate) struct ModuleAlgorithm {
    module: Module,
    limits: Limits,
    fuel_max: Option<u64>,
    life: Option<Life>,
    question: u64,
    head: Vec<u8>,
}

/// Most bytes of a file with a module: far more than compilers make, as the text of one is larger.
const MODULE_BYTES_MAX: u64 = 64 << 20;

impl ModuleAlgorithm {
    /// Reads a module, and makes its first instance.
    pub(crate) fn open(plan: &ModulePlan, limits: Limits) -> Result<Self, OpenError> {
        let bytes =
            read(&plan.module).map_err(|source| OpenError::Read { module: plan.module.clone(), source })?;
        let load = |text: String| OpenError::Load { module: plan.module.clone(), text };
        let mut config = Config::default();
        config.consume_fuel(true).compilation_mode(CompilationMode::Eager);
        let engine = Engine::new(&config);
        let module = Module::new(&engine, bytes).map_err(|error| load(error.to_string()))?;
        if let Some(import) = module.imports().next() {
            let (from, name) = (import.module(), import.name());
            return Err(load(format!("it imports {from}.{name}: an algorithm is given nothing but events")));
        }
        let mut algorithm =
            Self { module, limits, fuel_max: plan.fuel_max, life: None, question: READY, head: Vec::new() };
        algorithm.start().map_err(|fault| load(fault.text))?;
        Ok(algorithm)
    }
}

impl Restartable for ModuleAlgorithm {
    fn is_started(&self) -> bool {
        self.life.is_some()
    }

    fn start(&mut self) -> Result<(), Fault> {
        self.life = Some(Life::new(&self.module, self.limits.memory_bytes_max)?);
        Ok(())
    }

    fn poll_fault(&mut self) -> Option<Fault> {
        // It does nothing of its own accord.
        None
    }

    fn judge(&mut self, view: &EventView<'_>, verdicts: &mut Vec<Verdict>) -> Result<(), Fault> {
        let Some(life) = &mut self.life else {
            return Err(Fault::new(Failure::Crash, "it was not there"));
        };
        let (bytes, max) = (view.bytes(), self.limits.memory_bytes_max);
        let written = view.emit_head(self.question + 1, &mut self.head);
        let question_bytes = match written {
            Ok(question_bytes) if question_bytes as u64 <= max => question_bytes,
            Ok(_) => {
                let text = format!("an event of {bytes} bytes does not fit its memory of {max}");
                return Err(Fault::new(Failure::Memory, text));
            }
            Err(refusal) => {
                let text = format!("an event of {bytes} bytes cannot be given to it: {refusal}");
                return Err(Fault::new(Failure::Memory, text));
            }
        };
        self.question += 1;
        let deadline = Instant::now() + self.limits.time_out.to_std();
        let mut fuel = Fuel::new(deadline, self.fuel_max);
        let judged = life.judge(&self.head, question_bytes, view, &mut fuel, verdicts);
        if judged.is_err() {
            self.life = None;
        }
        judged
    }
}

/// The file, if it is not larger than a module can be.
fn read(file: &str) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(file)?.take(MODULE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MODULE_BYTES_MAX {
        return Err(io::Error::other(format!("it has more than {MODULE_BYTES_MAX} bytes")));
    }
    Ok(bytes)
}
