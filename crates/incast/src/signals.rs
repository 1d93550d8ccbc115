//! Ctrl-C and its kin: the first asks for an end in good order, the second for an end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use anyhow::Context as _;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// How often the user has asked us to stop.
#[derive(Clone, Debug)]
pub(crate) struct Stops {
    count: Arc<AtomicUsize>,
    /// So many are meant for somebody else.
    others: usize,
}

impl Stops {
    /// Starts to listen for SIGINT, SIGTERM and SIGHUP.
    pub(crate) fn listen() -> anyhow::Result<Self> {
        let count = Arc::<AtomicUsize>::default();
        let mut signals =
            signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP]).context("listen for signals")?;
        let counting = Arc::clone(&count);
        std::thread::Builder::new()
            .name("signals".into())
            .spawn(move || {
                for _ in signals.forever() {
                    counting.fetch_add(1, Relaxed);
                }
            })
            .context("start a thread for signals")?;
        Ok(Self { count, others: 0 })
    }

    /// How often the user has asked.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Relaxed).saturating_sub(self.others)
    }

    /// The same, but for the first of them.
    pub(crate) fn but_first(&self) -> Self {
        Self { count: Arc::clone(&self.count), others: self.others + 1 }
    }
}
