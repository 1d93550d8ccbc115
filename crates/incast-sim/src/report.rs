//! What a simulation saw, made into the parts of the record.

mod books;
mod simulation;

pub use books::{deaths, ledger, network};
pub use simulation::{Seen, distribution, simulation};
