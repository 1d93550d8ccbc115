//! The algorithm of a node: what decides about an event. Its plan, the built-in one as a pure machine,
//! and what is counted of any.
//!
//! The built-in one is the same in a simulation, which lets its processing time pass, and at a real
//! node, which sleeps or computes for so long. Programs and WebAssembly modules are run elsewhere.

mod builtin;
mod counts;
mod fraction;
mod plan;

pub use builtin::{Builtin, Judged};
pub use counts::{AlgorithmCounts, FailureCounts, LastFailure};
pub use fraction::Fraction;
pub use plan::{
    AlgorithmKind, AlgorithmPlan, BuiltinPlan, Limits, ModulePlan, OnFailure, Passing, PlanFault,
    ProgramPlan, SizeCut, StreamPlan, TimePlan,
};
