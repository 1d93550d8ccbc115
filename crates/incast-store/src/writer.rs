//! A thread that stores what it is given, in groups, and says what is on disk.
//!
//! ```text
//!  offer -> | bounded queue | -> append, append, ... commit -> report Stored: acknowledge these
//!                                       |
//!                                       +-- disk full: report Full, try again, report Resumed
//! ```
//! While a group is being synced the next one gathers in the queue, so that slow disks make large groups.
//! While the disk is full nothing is taken from the queue; it fills, and `offer` gives jobs back: that is
//! the back-pressure.

use std::io;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, TrySendError, bounded};
use incast_core::readout::{Built, EventNumber, Verdict};

use crate::plan::StoreError;
use crate::store::{Committed, SinkStore};

/// How a writer groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriterPlan {
    /// Jobs that may wait.
    pub queue_jobs_max: usize,
    /// Bytes of records after which a group is committed.
    pub group_bytes_max: u64,
    /// Jobs after which a group is committed.
    pub group_jobs_max: usize,
    /// How long a group waits for more after its first job. Zero: it takes what is queued.
    pub group_wait: Duration,
    /// How long after a failed commit it is tried again.
    pub retry: Duration,
}

impl Default for WriterPlan {
    fn default() -> Self {
        Self {
            queue_jobs_max: 1_024,
            // Half a second of a disk of 128 MB/s.
            group_bytes_max: 64 << 20,
            group_jobs_max: 4_096,
            group_wait: Duration::ZERO,
            retry: Duration::from_millis(500),
        }
    }
}

/// One packet to be stored.
#[derive(Clone, Debug)]
pub struct Write<P> {
    /// A number of the owner, told back.
    pub job: u64,
    /// One for each event of the packet.
    pub verdicts: Vec<Verdict>,
    /// The data.
    pub built: Built<P>,
}

/// A job whose events are on disk in all their streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// The owner's number.
    pub job: u64,
    /// The first event of the packet.
    pub first: EventNumber,
    /// How many events the packet has, those that were not kept included.
    pub events: u16,
}

/// What a writer says.
#[derive(Debug)]
pub enum Report {
    /// These jobs are on disk, in the order in which they were offered.
    Stored {
        /// Which.
        jobs: Vec<Written>,
        /// What was written for them.
        committed: Committed,
    },
    /// Nothing can be stored now. It is said once, and tried again until [`Report::Resumed`].
    Full(StoreError),
    /// Storing goes on; the jobs that waited are told next.
    Resumed,
    /// A failed write could not be undone: the thread has ended, and the store has to be opened again.
    Broken(StoreError),
}

/// How a writer ended.
#[derive(Debug)]
pub struct WriterEnd {
    /// The store, with its counts and files.
    pub store: SinkStore,
    /// Jobs that were offered and are not on disk: the disk was full to the end, or the store broke.
    pub abandoned: Vec<u64>,
}

/// Stores in a thread of its own. Dropping it ends the thread, as [`finish`](Self::finish) does.
#[derive(Debug)]
pub struct Writer<P> {
    jobs: Option<Sender<Write<P>>>,
    /// Nothing is sent through it: it ends when the owner does.
    alive: Option<Sender<()>>,
    thread: Option<JoinHandle<WriterEnd>>,
}

impl<P: AsRef<[u8]> + Send + 'static> Writer<P> {
    /// Starts the thread. `report` is called in it: it should hand over and return.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn start(
        store: SinkStore,
        plan: WriterPlan,
        report: impl FnMut(Report) + Send + 'static,
    ) -> io::Result<Self> {
        let (jobs, queue) = bounded(plan.queue_jobs_max.max(1));
        let (alive, ended) = bounded(0);
        let writing = Writing { store, plan, queue, ended, report, group: Vec::new(), is_full: false };
        let thread = std::thread::Builder::new().name("writer".into()).spawn(move || writing.run())?;
        Ok(Self { jobs: Some(jobs), alive: Some(alive), thread: Some(thread) })
    }

    /// Gives a job to the thread.
    ///
    /// # Errors
    /// The job back, when too many wait or the thread has ended: offer it again after the next report.
    #[expect(clippy::result_large_err, reason = "the job comes back whole, as it does from a channel")]
    pub fn offer(&self, write: Write<P>) -> Result<(), Write<P>> {
        let Some(jobs) = &self.jobs else { return Err(write) };
        jobs.try_send(write).map_err(|refused| match refused {
            TrySendError::Full(write) | TrySendError::Disconnected(write) => write,
        })
    }
}

impl<P> Writer<P> {
    /// Stores what was offered, and ends. `None` if the thread panicked.
    #[must_use]
    pub fn finish(mut self) -> Option<WriterEnd> {
        (self.jobs, self.alive) = (None, None);
        self.thread.take()?.join().ok()
    }
}

impl<P> Drop for Writer<P> {
    fn drop(&mut self) {
        (self.jobs, self.alive) = (None, None);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The thread's own.
struct Writing<P, R> {
    store: SinkStore,
    plan: WriterPlan,
    queue: Receiver<Write<P>>,
    ended: Receiver<()>,
    report: R,
    /// Appended, and not committed.
    group: Vec<Written>,
    is_full: bool,
}

impl<P: AsRef<[u8]>, R: FnMut(Report)> Writing<P, R> {
    fn run(mut self) -> WriterEnd {
        while let Ok(first) = self.queue.recv() {
            self.append(first);
            self.gather();
            if !self.commit() {
                break;
            }
        }
        let left = self.queue.try_iter().map(|write| write.job);
        let abandoned = self.group.iter().map(|written| written.job).chain(left).collect();
        WriterEnd { store: self.store, abandoned }
    }

    fn append(&mut self, write: Write<P>) {
        self.store.append(&write.verdicts, &write.built);
        let event = write.built.event();
        self.group.push(Written { job: write.job, first: event.number, events: event.events });
    }

    /// Takes what belongs to the group of the first job.
    fn gather(&mut self) {
        let deadline = Instant::now() + self.plan.group_wait;
        while self.group.len() < self.plan.group_jobs_max
            && self.store.pending_bytes() < self.plan.group_bytes_max
        {
            let next = match self.queue.try_recv() {
                Err(TryRecvError::Empty) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        break;
                    }
                    self.queue.recv_timeout(left).ok()
                }
                next => next.ok(),
            };
            match next {
                Some(write) => self.append(write),
                None => break,
            }
        }
    }

    /// Commits the group, however often that has to be tried; whether the thread goes on.
    fn commit(&mut self) -> bool {
        // When the owner wants to end, it is tried once more.
        let mut is_last = false;
        loop {
            match self.store.commit() {
                Ok(committed) => {
                    if std::mem::take(&mut self.is_full) {
                        (self.report)(Report::Resumed);
                    }
                    let jobs = std::mem::take(&mut self.group);
                    (self.report)(Report::Stored { jobs, committed });
                    return true;
                }
                Err(error) if error.is_undone() => {
                    if !std::mem::replace(&mut self.is_full, true) {
                        (self.report)(Report::Full(error));
                    }
                    if is_last {
                        return false;
                    }
                    is_last = self.ended.recv_timeout(self.plan.retry) != Err(RecvTimeoutError::Timeout);
                }
                Err(error) => {
                    (self.report)(Report::Broken(error));
                    return false;
                }
            }
        }
    }
}
