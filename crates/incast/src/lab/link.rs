//! The role of a link: carries packets between the two interfaces in the middle of a cable.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use anyhow::Context as _;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use incast_lab::link::{self, LinkPlan};

use crate::run::lines::{LinkAssignment, RoleLine, RoleOrder};
use crate::run::telling::tell;

/// How often it tells how many packets it holds; the lab is not quiet before it holds none.
const TELL_EVERY: Duration = Duration::from_millis(50);

/// Carries packets until it is told to stop.
pub(crate) fn carry(plan: &LinkAssignment, orders: &Receiver<RoleOrder>) -> anyhow::Result<()> {
    let link = link::open(&LinkPlan {
        near: plan.near.clone(),
        far: plan.far.clone(),
        ways: plan.ways.clone(),
        path: plan.path,
        mtu: plan.mtu_bytes,
        seed: plan.seed,
        name: plan.ways[0].clone(),
    })?;
    let watch = link.watch();
    let stop = AtomicBool::new(false);
    let reports = std::thread::scope(|scope| {
        let carrying =
            std::thread::Builder::new().name("link".into()).spawn_scoped(scope, || link.run(&stop))?;
        while !carrying.is_finished() {
            tell(&RoleLine::Carrying { held_packets: watch.held_packets() });
            match orders.recv_timeout(TELL_EVERY) {
                Ok(RoleOrder::Stop) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(_) | Err(RecvTimeoutError::Timeout) => {}
            }
        }
        stop.store(true, Relaxed);
        let carried =
            carrying.join().map_err(|_| anyhow::anyhow!("the thread that carries packets panicked"))?;
        carried.context("carry packets")
    })?;
    tell(&RoleLine::Carried { links: reports });
    Ok(())
}
