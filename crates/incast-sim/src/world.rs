//! What happens in the simulated world: the roles and flows of a scenario, driven in virtual time.
//!
//! No rule of a protocol is here: what a role or a flow does is a machine of `incast-core`.

pub mod readout;
