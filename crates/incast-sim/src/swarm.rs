//! Deterministic simulation testing: whole readouts drawn from seeds, with roles that die, hang and return,
//! fragments lost and overtaken, disks that are full, and every law checked after every step.
//!
//! ```text
//!  seed --draw--> Storm --plan--> ReadoutWorld over Weather --claims--> Summary
//!                   ^                                          |
//!                   +-------- shrink: the smallest that fails -+--> Failure
//! ```
//! What a storm is to show is written in `claims`. A failure names its seed, which replays it, and the
//! smallest storm that still fails.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use incast_core::time::{Span, Time};

use crate::world::readout::ReadoutWorld;

mod claims;
mod plan;
mod shrink;
mod storm;
mod weather;

pub use storm::{Planned, Sizes, Storm, Trouble};
pub use weather::Weather;

/// What a storm did that held all claims.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Of everything that happened, in its order.
    pub digest: u64,
    /// Messages that were handed over.
    pub messages: u64,
    /// Events triggered.
    pub triggered: u64,
    /// Events stored.
    pub stored: u64,
    /// Events lost.
    pub lost: u64,
    /// Events found on disk after they were given up.
    pub revised: u64,
    /// Roles that died.
    pub deaths: u64,
}

/// A storm that broke a claim.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The seed that replays it.
    pub seed: u64,
    /// What was broken.
    pub what: String,
    /// The storm of the seed.
    pub storm: Storm,
    /// The smallest one found that still fails, and what it breaks.
    pub smallest: (Storm, String),
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, what, storm, smallest: (smallest, how) } = self;
        writeln!(out, "seed {seed}: {what}\n{storm}")?;
        write!(out, "the smallest that fails: {how}\n{smallest}")
    }
}

/// Draws a storm from a seed, and holds every claim against it.
///
/// # Errors
/// When one is broken; the storm is made smaller before it is told.
pub fn check(seed: u64) -> Result<Summary, Box<Failure>> {
    let storm = Storm::draw(seed);
    check_storm(&storm).map_err(|what| {
        let smallest = shrink::smallest(&storm, &what);
        Box::new(Failure { seed, what, storm, smallest })
    })
}

/// Holds every claim against a storm.
///
/// # Errors
/// What is broken, in words.
pub fn check_storm(storm: &Storm) -> Result<Summary, String> {
    let held = catch_unwind(AssertUnwindSafe(|| run(storm)));
    held.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(text.unwrap_or_else(|| "a law is broken".into()))
    })
}

/// Longest run: what is drawn comes to an end long before.
const LONGEST: Time = Time(400_000_000_000_000);
/// Most messages, likewise.
const MESSAGES_MAX: u64 = 2_000_000;

/// The readout of a storm, at its beginning: to be looked at while it runs.
#[must_use]
pub fn begin(storm: &Storm) -> ReadoutWorld<Weather> {
    let plan = storm.plan();
    let (sim, places) = (storm.sim(), std::collections::BTreeMap::new());
    let setup = storm.setup(&plan, &places, &sim);
    let mut world = ReadoutWorld::new(&setup, Weather::new(storm));
    for planned in &storm.troubles {
        let (begins, ends) = planned.deeds();
        let at = Time::ZERO + planned.at;
        world.note_deed(at, planned.whom, begins);
        ends.into_iter().for_each(|ends| world.note_deed(at + planned.lasts, planned.whom, ends));
    }
    world
}

fn run(storm: &Storm) -> Result<Summary, String> {
    let mut world = begin(storm);
    while let Some(next) = world.next_timeout() {
        if next > LONGEST || world.messages() > MESSAGES_MAX {
            return Err(format!("it does not come to an end: {:?} and {} messages", next, world.messages()));
        }
        world.handle_timeout(next);
    }
    world.check_laws();
    let seen = world.seen();
    claims::check(storm, &seen)?;
    let totals = &seen.totals;
    Ok(Summary {
        digest: world.digest(),
        messages: world.messages(),
        triggered: totals.triggered,
        stored: totals.stored,
        lost: totals.lost_events(),
        revised: totals.revised,
        deaths: seen.deaths,
    })
}

/// A span of so many microseconds.
const fn us(us: u64) -> Span {
    Span::from_us(us)
}
