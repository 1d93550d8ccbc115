//! Request and response: one side asks, the other answers, and every request has exactly one end.
//!
//! ```text
//!   asker                               answerer(s)
//!   request, 64 B     --------------->
//!                                        service time
//!                     <---------------  response, 2 MB
//!   think time
//!   request ...
//! ```
//! A *round* is one request to every answerer at once; with one answerer it is one exchange, with many it is the
//! incast pattern: all answer together, and the round is over with the last. Times are counted
//! from the moment when a request was meant to leave, so that a slow answer does not hide those that it
//! held up (G. Tene: "How NOT to Measure Latency", 2013: coordinated omission), and from when it left.
//!
//! The machines here open nothing: [`asker`] and [`answerer`] are driven by sockets and by tests, [`session`]
//! is their agreement over the control connection.

pub mod account;
pub mod answerer;
pub mod asker;
pub mod assemble;
mod given_up;
pub mod pieces;
mod recent;
mod round;
pub mod schedule;
pub mod series;
pub mod session;
pub mod terms;

pub use account::{AnswererAccount, AskerAccount, ConnectionAccount, PeerBook, Point};
pub use answerer::Answerer;
pub use asker::{Asker, AskerPlan, Heard};
pub use terms::{Terms, TermsError};
