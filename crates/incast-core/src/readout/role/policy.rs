//! The policy that a plan names.

use super::plan::PolicyPlan;
use crate::readout::assign::{Calendar, LeastLoaded, LinearShift, Policy, RoundRobin, TokenPlan, Tokens};
use crate::readout::ids::Destination;

/// As many packets as may be assigned before everybody knows that a member came or left.
const AHEAD_PACKETS: u64 = 64;
/// No bound: what is held at a member is bounded elsewhere.
const UNBOUNDED: u32 = u32::MAX;

impl PolicyPlan {
    /// The policy, of packets of `packing_events`, for `members` in the order of their weights.
    pub(super) fn policy(&self, packing_events: u16, members: &[Destination]) -> Policy {
        match self {
            Self::RoundRobin => Policy::RoundRobin(RoundRobin::new()),
            Self::Tokens { lease } => {
                Policy::Tokens(Tokens::new(TokenPlan { lease: *lease, ..TokenPlan::default() }))
            }
            Self::LeastLoaded { limit } => Policy::LeastLoaded(LeastLoaded::new(*limit)),
            Self::Calendar { weights } => {
                let weights: Vec<(Destination, u32)> =
                    members.iter().copied().zip(weights.iter().map(|weight| u32::from(*weight))).collect();
                Policy::Calendar(Calendar::new(packing_events, AHEAD_PACKETS).with_weights(&weights))
            }
            Self::LinearShift => Policy::LinearShift(LinearShift::new(packing_events, AHEAD_PACKETS)),
        }
    }

    /// The policy for the second level. Tokens ask for packets of the first one, so there whoever has the
    /// least to do gets the rest of an event.
    pub(super) fn second_policy(&self, members: &[Destination]) -> Policy {
        match self {
            Self::Tokens { .. } => Policy::LeastLoaded(LeastLoaded::new(UNBOUNDED)),
            other => other.policy(1, members),
        }
    }
}
