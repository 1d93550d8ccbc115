//! A program that decides, in any language: questions to its standard input, answers from its standard
//! output.
//!
//! It is a process of its own: what it does wrong cannot reach the event or the node. It is ended and
//! started again after whatever it does wrong.

use std::time::{Duration, Instant};

use incast_core::readout::Failure;
use incast_core::readout::Verdict;
use incast_core::readout::algorithm::{Limits, ProgramPlan};
use incast_core::wire::algorithm::{READY, answer_bytes, parse_answer};

use self::exchange::Trouble;
use self::process::Process;
use crate::error::OpenError;
use crate::fault::Fault;
use crate::guard::Restartable;
use crate::view::{EventView, Outgoing};

mod exchange;
mod process;
mod said;

/// A program, and its process while there is one.
#[derive(Debug)]
pub(crate) struct ProgramAlgorithm {
    plan: ProgramPlan,
    limits: Limits,
    life: Option<Life>,
    /// Number of the last question.
    question: u64,
    /// Head and table of a question.
    head: Vec<u8>,
}

/// One process.
#[derive(Debug)]
struct Life {
    process: Process,
    /// When it has to be ready; `None` once it is.
    ready_by: Option<Instant>,
}

impl ProgramAlgorithm {
    /// Starts it, and waits until it is ready.
    pub(crate) fn open(plan: &ProgramPlan, limits: Limits) -> Result<Self, OpenError> {
        let program = &plan.program;
        let process = Process::start(plan, limits.memory_bytes_max)
            .map_err(|source| OpenError::Start { program: program.clone(), source })?;
        let ready_by = Some(Instant::now() + limits.start_time_out.to_std());
        let life = Some(Life { process, ready_by });
        let mut algorithm = Self { plan: plan.clone(), limits, life, question: READY, head: Vec::new() };
        algorithm
            .wait_until_ready()
            .map_err(|fault| OpenError::NotReady { program: program.clone(), text: fault.text })?;
        Ok(algorithm)
    }

    /// The process, while there is one.
    pub(crate) fn process_id(&self) -> Option<u32> {
        self.life.as_ref().map(|life| life.process.id())
    }

    /// Waits for the word that it is ready, if that has not come yet.
    fn wait_until_ready(&mut self) -> Result<(), Fault> {
        let Some(life) = &mut self.life else { return Ok(()) };
        let Some(ready_by) = life.ready_by else { return Ok(()) };
        let check = |bytes: &[u8]| parse_answer(bytes, READY, 0, &mut Vec::new());
        let waited = life.process.exchange(&mut Outgoing::nothing(), answer_bytes(0), check, ready_by);
        match waited {
            Ok(()) => {
                life.ready_by = None;
                Ok(())
            }
            Err(trouble) => Err(self.end(trouble, "ready", self.limits.start_time_out.to_std())),
        }
    }

    /// Ends the process for what it did, and says what is known of it. `what` it did not say in `time`.
    fn end(&mut self, trouble: Trouble, what: &str, time: Duration) -> Fault {
        match self.life.take() {
            Some(life) => life.process.bury(trouble, what, time),
            // Nobody calls this without one; it would be no reason to end the node.
            None => Fault::new(Failure::Crash, "it was not there"),
        }
    }
}

impl Restartable for ProgramAlgorithm {
    fn is_started(&self) -> bool {
        self.life.is_some()
    }

    fn start(&mut self) -> Result<(), Fault> {
        match Process::start(&self.plan, self.limits.memory_bytes_max) {
            Ok(process) => {
                let ready_by = Some(Instant::now() + self.limits.start_time_out.to_std());
                self.life = Some(Life { process, ready_by });
                Ok(())
            }
            Err(error) => Err(Fault::new(Failure::Crash, format!("start {}: {error}", self.plan.program))),
        }
    }

    fn poll_fault(&mut self) -> Option<Fault> {
        let life = self.life.as_mut().filter(|life| life.ready_by.is_none())?;
        let trouble = life.process.poll_trouble()?;
        Some(self.end(trouble, "an answer", Duration::ZERO))
    }

    fn judge(&mut self, view: &EventView<'_>, verdicts: &mut Vec<Verdict>) -> Result<(), Fault> {
        self.wait_until_ready()?;
        let Some(life) = &mut self.life else {
            return Err(Fault::new(Failure::Crash, "it was not there"));
        };
        let question = self.question + 1;
        if let Err(refusal) = view.emit_head(question, &mut self.head) {
            let text = format!("an event of {} bytes cannot be given to it: {refusal}", view.bytes());
            return Err(Fault::new(Failure::Memory, text));
        }
        self.question = question;
        let mut outgoing = Outgoing::new(&self.head, view.parts);
        let time_out = self.limits.time_out.to_std();
        let check = |bytes: &[u8]| parse_answer(bytes, question, view.events, verdicts);
        let deadline = Instant::now() + time_out;
        let asked = life.process.exchange(&mut outgoing, answer_bytes(view.events), check, deadline);
        asked.map_err(|trouble| self.end(trouble, "an answer", time_out))
    }
}
