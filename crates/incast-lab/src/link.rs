//! A cable with a long or bad path in its middle: reads frames from one interface, holds them, and
//! sends them on from the other.
//!
//! ```text
//!  host --- veth ---> near [ way 0: hold, lose, copy, overtake ] far ---> veth --- switch
//!                          [ way 1: the same, drawn on its own ]
//! ```
//! What happens to packets is `incast_core::link`; this is its driver. Frames of all protocols pass
//! byte for byte. It has no rate: queues are the kernel's, before and behind it. Offloads must be off
//! at both ends of both cables, and nobody may have an address on `near` and `far`. A VLAN tag that the
//! kernel takes out of a frame is put back.
//!
//! A switch that pauses its senders does not pause a link: what a full port refuses is dropped.

use std::io;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};

use incast_core::link::PathPlan;
use incast_core::random::Random;
use incast_core::record::LinkReport;

mod clock;
mod frame;
mod inlet;
mod outlet;
mod watch;
mod way;

pub use watch::{LinkMark, LinkWatch};

use way::Way;

/// Where a link is and what it does.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkPlan {
    /// Interface towards the near end of the cable.
    pub near: String,
    /// Interface towards the far end.
    pub far: String,
    /// Names of the two ways for the report: near to far, and far to near.
    pub ways: [String; 2],
    /// What happens to packets, each way.
    pub path: PathPlan,
    /// Largest IP packet of the cable, in bytes.
    pub mtu: u32,
    /// Seed of the run.
    pub seed: u64,
    /// Name of the link, one of its own in the run: what is drawn depends on it and on the seed.
    pub name: String,
}

impl LinkPlan {
    fn random(&self, way: usize) -> Random {
        Random::named(self.seed, &format!("link {} way {way}", self.name))
    }
}

/// Why a link cannot work.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// A packet socket could not be opened.
    #[error("open a packet socket between {near} and {far}: {source}")]
    Open {
        /// Interface towards the near end.
        near: String,
        /// Interface towards the far end.
        far: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// An interface could not be read any more, or no thread be started for it.
    #[error("carry frames {way}: {source}")]
    Carry {
        /// Name of the way.
        way: String,
        /// What the kernel said.
        source: io::Error,
    },
}

/// A link that listens: what comes to its interfaces waits until it runs.
#[derive(Debug)]
pub struct OpenLink {
    ways: [Way; 2],
    names: [String; 2],
    watch: LinkWatch,
}

/// Opens the sockets of a link, in the network namespace of the calling thread. Where it then runs
/// does not matter.
///
/// # Errors
/// Without `CAP_NET_RAW` and `CAP_NET_ADMIN`, or when an interface is not there.
pub fn open(plan: &LinkPlan) -> Result<OpenLink, LinkError> {
    let failed = |source| LinkError::Open { near: plan.near.clone(), far: plan.far.clone(), source };
    let (clock, watch) = (clock::Clock::start(), LinkWatch::default());
    let way = |index, ends| Way::open(plan, index, ends, clock, &watch).map_err(failed);
    let ways = [way(0, [&plan.near, &plan.far])?, way(1, [&plan.far, &plan.near])?];
    Ok(OpenLink { ways, names: plan.ways.clone(), watch })
}

/// Opens a link and carries frames until `stop`; `ready` is called once it listens.
///
/// # Errors
/// As [`open`] and [`OpenLink::run`].
pub fn run(
    plan: &LinkPlan,
    stop: &AtomicBool,
    ready: impl FnOnce(LinkWatch),
) -> Result<Vec<LinkReport>, LinkError> {
    let link = open(plan)?;
    ready(link.watch());
    link.run(stop)
}

impl OpenLink {
    /// A look at this link for other threads.
    #[must_use]
    pub fn watch(&self) -> LinkWatch {
        self.watch.clone()
    }

    /// Carries frames until `stop`, in two threads of its own; ends some 20 ms after it at the latest.
    ///
    /// The reports are in the order of the ways. Packets still held then are not sent any more:
    /// who wants them out waits for [`LinkWatch::is_empty_since`] first.
    ///
    /// # Errors
    /// When an interface cannot be read any more.
    pub fn run(self, stop: &AtomicBool) -> Result<Vec<LinkReport>, LinkError> {
        // Set when one way has failed, so that the other ends as well.
        let failed = AtomicBool::new(false);
        let stopped = || stop.load(Ordering::Relaxed) || failed.load(Ordering::Relaxed);
        let (names, failed, stopped) = (&self.names, &failed, &stopped);
        std::thread::scope(|scope| {
            let start = |way: Way| {
                let work = move || {
                    let report = way.run(stopped);
                    failed.fetch_or(report.is_err(), Ordering::Relaxed);
                    report
                };
                std::thread::Builder::new().name("link".into()).spawn_scoped(scope, work)
            };
            let threads = self.ways.map(|way| {
                let thread = start(way);
                failed.fetch_or(thread.is_err(), Ordering::Relaxed);
                thread
            });
            let ends = threads.into_iter().zip(names).map(|(thread, way)| {
                let ended =
                    thread.and_then(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
                ended.map_err(|source| LinkError::Carry { way: way.clone(), source })
            });
            // All of them before any is judged.
            ends.collect::<Vec<_>>().into_iter().collect()
        })
    }
}

/// Bytes of the largest frame: Ethernet's header with room for one tag (IEEE 802.1Q), and the packet.
fn frame_bytes_max(mtu: u32) -> usize {
    const HEADER_AND_TAG_BYTES: usize = 14 + 4;
    // An MTU fits on every machine that has one.
    usize::try_from(mtu).unwrap_or(usize::MAX / 2) + HEADER_AND_TAG_BYTES
}
