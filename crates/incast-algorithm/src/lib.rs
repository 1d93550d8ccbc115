//! The algorithm of a node: what decides about events, kept from doing harm.
//!
//! A [`Runner`] runs the built-in algorithm, a program in any language, or a WebAssembly module. What
//! goes wrong with it (it ends, hangs, wants too much memory, answers nonsense) costs the verdict on the
//! event that it had, is counted with a word about it, and it is started again. It gets a copy of the
//! event, so it cannot change it.
//!
//! A runner belongs to one thread and blocks it while it judges. Nothing here decides what a verdict
//! means, or keeps an event: that is the core's. Protocol and limits: `docs/algorithms.md`.

mod back_off;
mod builtin;
mod error;
mod fault;
mod guard;
mod program;
mod runner;
mod sys;
mod view;
mod wasm;

pub use error::OpenError;
pub use runner::Runner;
pub use view::{EventView, parts_of};
