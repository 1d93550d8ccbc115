//! The workers of a node: threads that run its algorithm, each its own.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use anyhow::Context as _;
use crossbeam_channel::{Receiver, Sender, unbounded};
use incast_algorithm::{EventView, Runner, parts_of};
use incast_core::readout::algorithm::{AlgorithmCounts, AlgorithmPlan};
use incast_core::readout::role::{NodeRole, NodeRolePlan, Work as Task};
use incast_core::readout::{Built, EventNumber, Level, Verdict};
use incast_core::record::NamedCount;
use incast_core::time::{Span, Time};
use incast_net::readout::{Data, Waker};

use super::process::Work;

/// Threads with an algorithm each. The queues are as long as the node has slots.
pub(super) struct Workers {
    tasks: Option<Sender<Task<Data>>>,
    done: Receiver<Done>,
    threads: Vec<JoinHandle<()>>,
    counts: Arc<Mutex<Vec<AlgorithmCounts>>>,
}

/// An event that was judged.
struct Done {
    level: Level,
    event: EventNumber,
    attempt: u8,
    busy: Span,
    verdicts: Vec<Verdict>,
}

impl Workers {
    /// Starts the threads; each has opened its algorithm when this returns.
    pub(super) fn start(
        plan: &NodeRolePlan,
        algorithm: &AlgorithmPlan,
        waker: &Waker,
    ) -> anyhow::Result<Self> {
        let (tasks, queue) = unbounded::<Task<Data>>();
        let (to_owner, done) = unbounded();
        let count = usize::try_from(plan.workers)?.max(1);
        let counts = Arc::new(Mutex::new(vec![AlgorithmCounts::default(); count]));
        let (opened, openings) = unbounded();
        let mut threads = Vec::new();
        for index in 0..count {
            let (queue, to_owner, opened) = (queue.clone(), to_owner.clone(), opened.clone());
            let (algorithm, seed) = (algorithm.clone(), plan.run.seed);
            let (waker, counts) = (waker.clone(), Arc::clone(&counts));
            threads.push(std::thread::Builder::new().name(format!("worker {index}")).spawn(move || {
                // Opened here: a program ends with the thread that started it.
                let mut runner = match Runner::open(&algorithm, seed) {
                    Ok(runner) => runner,
                    Err(error) => return drop(opened.send(Err(error))),
                };
                let _ = opened.send(Ok(()));
                drop(opened);
                for task in queue {
                    let done = judge(&mut runner, &task);
                    counts.lock().unwrap_or_else(PoisonError::into_inner)[index].clone_from(runner.counts());
                    if to_owner.send(done).is_err() {
                        return;
                    }
                    waker.wake();
                }
            })?);
        }
        drop(opened);
        for opening in openings {
            opening.context("start the algorithm of the node")?;
        }
        Ok(Self { tasks: Some(tasks), done, threads, counts })
    }
}

fn judge(runner: &mut Runner, task: &Task<Data>) -> Done {
    let event = task.built.event();
    let parts = parts_of(&task.built);
    let view = EventView {
        run: event.run,
        event: event.number,
        events: event.events,
        level: task.level,
        attempt: task.attempt,
        cause: match &task.built {
            Built::Complete(_) => None,
            Built::Incomplete { cause, .. } => Some(*cause),
        },
        parts: &parts,
    };
    let mut verdicts = Vec::new();
    let busy = runner.judge(&view, &mut verdicts);
    Done { level: task.level, event: event.number, attempt: task.attempt, busy, verdicts }
}

impl Work<NodeRole<Data>> for Workers {
    fn attend(&mut self, now: Time, role: &mut NodeRole<Data>) -> anyhow::Result<()> {
        for done in self.done.try_iter() {
            let Done { level, event, attempt, busy, verdicts } = done;
            role.handle_verdicts(now, event, level, attempt, busy, verdicts);
        }
        while let Some(task) = role.poll_work(now) {
            if let Some(tasks) = &self.tasks {
                tasks.send(task).ok().context("every worker of the node has ended")?;
            }
        }
        Ok(())
    }

    fn counts(&self) -> (Vec<NamedCount>, Vec<NamedCount>) {
        let mut sum = AlgorithmCounts::default();
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().for_each(|counts| sum.add(counts));
        let one = |name: &str, count| NamedCount { name: name.into(), count };
        let judged =
            vec![one("accepted", sum.accepted), one("rejected", sum.rejected), one("unjudged", sum.unjudged)];
        let mut faults = vec![
            one("algorithm crashed", sum.failures.crash),
            one("algorithm timed out", sum.failures.timeout),
            one("algorithm wanted too much memory", sum.failures.memory),
            one("algorithm answered nonsense", sum.failures.nonsense),
            one("algorithm started again", sum.restarts),
        ];
        if let Some(last) = &sum.last_failure {
            faults.push(one(&format!("last failure: {}", last.text), 1));
        }
        faults.retain(|fault| fault.count > 0);
        (judged, faults)
    }

    fn finish(&mut self) {
        // An algorithm that hangs is not waited for: it ends with this process.
        self.tasks = None;
        self.threads.retain(|thread| !thread.is_finished());
    }
}
