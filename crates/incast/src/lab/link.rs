//! The role of a link: carries packets between the two interfaces in the middle of a cable.

use crossbeam_channel::Receiver;

use crate::run::lines::{LinkAssignment, RoleOrder};

/// Carries packets until it is told to stop.
pub(crate) fn carry(_plan: &LinkAssignment, _orders: &Receiver<RoleOrder>) -> anyhow::Result<()> {
    anyhow::bail!("not yet")
}
