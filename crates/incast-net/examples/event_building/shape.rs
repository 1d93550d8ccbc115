//! What is sent, how, and for how long; and what came of it.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use super::Result;

/// The core of the sending thread, and that of the building one.
pub(super) const SENDER_CORE: u32 = 0;
pub(super) const BUILDER_CORE: u32 = 1;
/// Fragments that a source sends in a row: what comes together when the network is slower than the detector.
const ROW_FRAGMENTS: u64 = 64;
/// And no more than what our sources write at once.
const ROW_BYTES: u64 = 256 << 10;

/// What is sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) sources: u16,
    /// Of a fragment's payload.
    pub(super) bytes: u32,
    /// Fragments of one source in a row, and in one write.
    pub(super) row: u64,
    pub(super) lasts: Duration,
}

impl Shape {
    pub(super) fn parse(sources: &str, bytes: &str, seconds: &str) -> Result<Self> {
        let (sources, bytes) = (sources.parse()?, bytes.parse::<u32>()?);
        let row = (ROW_BYTES / u64::from(bytes.max(1))).clamp(1, ROW_FRAGMENTS);
        Ok(Self { sources, bytes, row, lasts: Duration::try_from_secs_f64(seconds.parse()?)? })
    }
}

/// What was built, and how long that took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Built {
    /// Complete events; where nobody builds, as many as the bytes are of.
    pub(super) events: u64,
    pub(super) fragments: u64,
    /// Of the payloads.
    pub(super) bytes: u64,
    /// From the first byte to the last.
    pub(super) took: Duration,
    /// CPU time of the building thread in that time, and of the sending one for all that it sent.
    pub(super) busy: Duration,
    pub(super) sender_busy: Duration,
    /// Bytes of memory at the most, of the whole process.
    pub(super) memory_bytes: u64,
}

impl Built {
    pub(super) fn json(&self) -> String {
        format!(
            "{{\"events\": {}, \"fragments\": {}, \"bytes\": {}, \"seconds\": {}, \"busy_seconds\": {}, \
             \"sender_busy_seconds\": {}, \"memory_bytes\": {}}}",
            self.events,
            self.fragments,
            self.bytes,
            self.took.as_secs_f64(),
            self.busy.as_secs_f64(),
            self.sender_busy.as_secs_f64(),
            self.memory_bytes
        )
    }
}

/// The time that building takes: from the first bytes on.
#[derive(Debug)]
pub(super) struct Watch {
    began: Instant,
    busy: Duration,
}

impl Watch {
    pub(super) fn start() -> Self {
        Self { began: Instant::now(), busy: busy() }
    }

    /// What was built until now.
    pub(super) fn stop(&self, shape: &Shape, events: u64) -> Result<Built> {
        let fragments = events * u64::from(shape.sources);
        Ok(Built {
            events,
            fragments,
            bytes: fragments * u64::from(shape.bytes),
            took: self.began.elapsed(),
            busy: busy().saturating_sub(self.busy),
            sender_busy: Duration::ZERO,
            memory_bytes: memory("VmHWM")?,
        })
    }
}

/// CPU time of the calling thread.
pub(super) fn busy() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// A line of `proc_pid_status(5)`, in bytes.
pub(super) fn memory(name: &str) -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")).ok_or("read /proc/self/status")?;
    Ok(kibibytes.parse::<u64>()? * 1024)
}
