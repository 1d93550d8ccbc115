//! The roles of a readout as machines: everything that a role does but sending, storing and computing.

mod plan;

pub use plan::{
    BuilderRolePlan, NodeRolePlan, PolicyPlan, Protocol, RunPlan, SinkRolePlan, SizePlan, SourceRolePlan,
    TriggerRolePlan,
};
