//! What a simulation saw, made into the parts of the record.

mod books;
mod simulation;

pub use books::{add_deaths_in_hosts, deaths, ledger, network};
pub use simulation::{Seen, distribution, simulation};
