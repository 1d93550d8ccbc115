//! What many runs of one scenario come to: the distribution of the lost fraction, its peaks, its mean with an
//! interval that can be trusted, its drift, and the stage that made each of them.
//!
//! It is given the outcome of every run and judges all of them at once, so that a campaign that was killed and resumed
//! comes to the same as one that was not. It plays nothing, keeps nothing and knows no clock.
//!
//! The questions are those of LHCb's test bed at Bologna, slides 33 and 34: 2600 runs of 10^6 datagrams, their mean
//! loss, the peaks of its distribution, the bit error rate.

mod compare;
mod figures;
mod outcome;
mod shape;
mod stages;
mod variant;

pub use compare::compare;
pub use figures::{EXPECTED, figures, summed};
pub use outcome::RunOutcome;
pub use variant::{is_precise, variant};

/// Most lost fractions of single runs that the result keeps.
pub const VALUES_MAX: usize = 10_000;
