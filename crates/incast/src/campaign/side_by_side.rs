//! Simulations on several cores. Only the thread that plays the campaign touches its database.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crossbeam_channel::{bounded, unbounded};
use incast_store::BegunRun;

use super::schedule::Task;
use super::stage::Played;
use super::{End, Playing, stage};
use crate::signals::Stops;

/// Plays `jobs` runs at a time until it is enough.
pub(super) fn play(playing: &mut Playing<'_>, jobs: usize, stops: &Stops) -> anyhow::Result<End> {
    let (variants, run_stops) = playing.stage.for_threads();
    let (give, given) = unbounded::<(Task, BegunRun)>();
    let (tell, told) = bounded(jobs);
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            let (given, tell, stops) = (given.clone(), tell.clone(), run_stops.clone());
            scope.spawn(move || {
                for (task, begun) in given {
                    // A simulation that panics is a run that failed, and the others go on.
                    let simulated = AssertUnwindSafe(|| stage::simulate(variants, task, &stops));
                    let played = catch_unwind(simulated)
                        .unwrap_or_else(|_| Played::Failed("the simulation panicked".into()));
                    if tell.send((task, begun, played)).is_err() {
                        return;
                    }
                }
            });
        }
        // The threads end when this is dropped; what they still tell goes nowhere.
        let give = give;
        let told = told;
        let mut under_way = 0;
        loop {
            while under_way < jobs
                && stops.count() == 0
                && let Some(task) = playing.schedule.next_free()
            {
                let begun = playing.store.begin(task.variant, task.number, incast_net::clock::unix_ns())?;
                under_way += usize::from(give.send((task, begun)).is_ok());
            }
            if under_way == 0 {
                break;
            }
            let Ok((task, begun, played)) = told.recv() else { break };
            under_way -= 1;
            playing.take(task, &begun, played)?;
        }
        Ok(if stops.count() > 0 { End::Stopped } else { playing.schedule.next().err().unwrap_or(End::All) })
    })
}
