//! What a simulation saw, made into the parts of the record.

mod books;
mod estimates;
mod simulation;

pub use books::{add_deaths_in_hosts, deaths, ledger, network};
pub use estimates::estimates;
pub use simulation::{Seen, distribution, simulation};
