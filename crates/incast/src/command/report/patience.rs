//! A line for those who wait: what is being done, on a terminal, once it takes longer than 2 s.
//!
//! Reading and drawing are single calls that cannot say how far they are, so a thread keeps the line.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;

use crate::observe::REDRAW;

/// Says what is being done. Dropping it takes the line away.
#[derive(Debug)]
pub(super) struct Patience {
    told: Option<Sender<String>>,
    thread: Option<JoinHandle<()>>,
}

impl Patience {
    /// The time begins to run.
    pub(super) fn new() -> Self {
        let (told, doing) = channel();
        // Without a thread there is no line, and nothing else is lost.
        let thread = std::thread::Builder::new().name("progress".into()).spawn(move || show(&doing)).ok();
        Self { told: Some(told), thread }
    }

    /// What is being done from now on.
    pub(super) fn say(&self, doing: String) {
        if let Some(told) = &self.told {
            // Nobody listens when there is no thread.
            let _ = told.send(doing);
        }
    }
}

impl Drop for Patience {
    fn drop(&mut self) {
        self.told = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Draws what was told last, until the other end is gone. `indicatif` draws on terminals only.
fn show(doing: &Receiver<String>) {
    let began = Instant::now();
    let mut now_doing = String::new();
    let mut bar: Option<ProgressBar> = None;
    loop {
        match doing.recv_timeout(REDRAW) {
            Ok(next) => now_doing = incast_view::text::clean(&next),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if began.elapsed() > SILENT {
            let bar = bar.get_or_insert_with(ProgressBar::new_spinner);
            bar.set_message(now_doing.clone());
            bar.tick();
        }
    }
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
}

/// What takes less needs no line.
const SILENT: Duration = Duration::from_secs(2);
