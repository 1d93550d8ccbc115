//! The store of one sink: records of events in files by stream, committed in groups.
//!
//! ```text
//!  append, append, append  ->  commit: write, sync  ->  known: may be acknowledged
//!      only in memory             all or nothing
//! ```
//! An event is *known* when it is on disk in all its streams. Whoever appends a known event again gets it
//! acknowledged, and nothing is written. After a crash between two files of a batch an event may be in one
//! stream and not in another: then it is not known, and a repeat is written only where it is missing.
//!
//! A commit that fails is undone: files are cut to what was committed, what was appended stays in memory,
//! and the next commit tries again. The only error after which that is not so is [`StoreError::Broken`].

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use incast_core::mdf::{self, IndexEntry, Kept};
use incast_core::readout::{Built, EventNumber, EventSet, SourceSet, Verdict};
use incast_core::wire::crc32c::crc32c;

use crate::file::OpenFile;
use crate::lock::DirLock;
use crate::name::FileName;
use crate::plan::{STREAMS_MAX, StoreError, StorePlan, is_stream_name};
use crate::recover::{self, Partial, Recovered};
use crate::summary::FileSummary;

/// The store of one sink.
#[derive(Debug)]
pub struct SinkStore {
    plan: StorePlan,
    dir: PathBuf,
    _lock: DirLock,
    /// On disk in all their streams.
    known: EventSet,
    /// On disk in some of their streams only.
    partial: BTreeMap<EventNumber, Partial>,
    streams: Vec<StreamFiles>,
    /// Records that are not committed, back to back.
    buffer: Vec<u8>,
    pending: Vec<Pending>,
    /// Events among them.
    pending_events: EventSet,
    counts: StoreCounts,
}

/// The files of one stream.
#[derive(Debug)]
struct StreamFiles {
    next_number: u32,
    /// The one that is written; before it, during a commit, those that became full in it.
    open: Vec<OpenFile>,
    closed: Vec<FileSummary>,
}

/// A record that is not committed.
#[derive(Clone, Copy, Debug)]
struct Pending {
    kept: Kept,
    crc: u32,
    /// Streams that it is to be in.
    streams: u32,
    /// Those of them where it is not yet.
    missing: u32,
}

/// What was done since the store was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreCounts {
    /// Events that were committed.
    pub events: u64,
    /// Of them, those without the data of all sources.
    pub incomplete: u64,
    /// Of them, those that no algorithm decided.
    pub unjudged: u64,
    /// Of them, those with data that were no banks.
    pub damaged: u64,
    /// Records that were committed: an event has one in each of its streams.
    pub records: u64,
    /// Bytes of these records.
    pub bytes: u64,
    /// Events that were appended though they were known, or pending.
    pub repeats: u64,
    /// Events for streams that have no name here; kept in those that have one, or else in the first.
    pub unnamed_streams: u64,
    /// Commits that succeeded and wrote something.
    pub commits: u64,
    /// Commits that failed and were undone.
    pub undone: u64,
}

/// What a commit has put on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// Events.
    pub events: u64,
    /// Records, in all streams.
    pub records: u64,
    /// Bytes of them.
    pub bytes: u64,
}

impl SinkStore {
    /// Opens the directory of a sink, and makes it if need be. What an earlier process left is recovered:
    /// see [`Recovered`].
    ///
    /// # Errors
    /// When the plan makes no sense, another process has the directory, it holds another run, or something
    /// in it cannot be read or mended.
    pub fn open(dir: &Path, plan: StorePlan) -> Result<(Self, Recovered), StoreError> {
        check(&plan)?;
        std::fs::create_dir_all(dir).map_err(StoreError::failed("create", dir))?;
        let lock = DirLock::take(dir, plan.sink)?;
        let (recovered, (known, partial)) = recover::recover(dir, &plan)?;
        let streams = plan.streams.iter().map(|name| StreamFiles {
            next_number: recovered.next_number(name),
            open: Vec::new(),
            closed: recovered.files.iter().filter(|file| file.stream == *name).cloned().collect(),
        });
        let store = Self {
            streams: streams.collect(),
            dir: dir.to_owned(),
            _lock: lock,
            known,
            partial,
            buffer: Vec::new(),
            pending: Vec::new(),
            pending_events: EventSet::new(),
            counts: StoreCounts::default(),
            plan,
        };
        Ok((store, recovered))
    }

    /// Events that are on disk in all their streams.
    #[must_use]
    pub const fn known(&self) -> &EventSet {
        &self.known
    }

    /// Tells which of the events that were on disk when it was opened miss sources, and which; an event of
    /// several streams for each.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn incomplete(&self, mut tell: impl FnMut(EventNumber, &SourceSet)) -> Result<(), StoreError> {
        let mut closed = self.streams.iter().flat_map(|stream| &stream.closed);
        closed.try_for_each(|file| recover::incomplete::of_file(&file.path, &mut tell))
    }

    /// What was done since it was opened.
    #[must_use]
    pub const fn counts(&self) -> &StoreCounts {
        &self.counts
    }

    /// Bytes of the records that are not committed.
    #[must_use]
    pub fn pending_bytes(&self) -> u64 {
        self.buffer.len() as u64
    }

    /// Makes the records of the events that are to be kept; they are stored by the next `commit`. Known
    /// events are passed over. `verdicts` has one for each event.
    pub fn append<P: AsRef<[u8]>>(&mut self, verdicts: &[Verdict], built: &Built<P>) {
        // What is known already need not be made again.
        let number = |place: u16| built.event().number.after(place.into());
        let is_needed =
            |(verdict, place): (&Verdict, u16)| verdict.streams() != 0 && !self.known.contains(number(place));
        let kept_events = verdicts.iter().zip(0..built.event().events);
        if !kept_events.clone().any(is_needed) {
            self.counts.repeats += kept_events.filter(|(verdict, _)| verdict.streams() != 0).count() as u64;
            return;
        }
        let mut made = Vec::new();
        mdf::keep(built, verdicts, self.plan.checksum, &mut self.buffer, |kept| made.push(kept));
        for kept in made {
            self.append_one(kept);
        }
    }

    fn append_one(&mut self, kept: Kept) {
        let streams = self.named(kept.streams);
        if self.known.contains(kept.event) || !self.pending_events.insert(kept.event) {
            self.counts.repeats += 1;
            return;
        }
        // What an earlier process wanted stays wanted, so that its entries come true.
        let Partial { present, wanted } = self.partial.get(&kept.event).copied().unwrap_or_default();
        let streams = streams | wanted;
        let crc = crc32c(record_of(&self.buffer, &kept));
        self.pending.push(Pending { kept, crc, streams, missing: streams & !present });
    }

    /// The streams of a verdict that have a name; the first if none has.
    fn named(&mut self, streams: u32) -> u32 {
        let named = streams & names_mask(self.plan.streams.len());
        self.counts.unnamed_streams += u64::from(named != streams);
        if named == 0 { 1 } else { named }
    }

    /// Puts what was appended on disk. When this returns, and not before, it may be acknowledged.
    ///
    /// # Errors
    /// When it could not be; it is undone and still pending, so that it can be tried again, unless the
    /// error is [`StoreError::Broken`].
    pub fn commit(&mut self) -> Result<Committed, StoreError> {
        if self.pending.is_empty() {
            self.buffer.clear();
            return Ok(Committed::default());
        }
        let written = (0..self.streams.len()).try_for_each(|stream| self.write_stream(stream));
        if let Err(error) = written.and_then(|()| self.sync()) {
            self.undo()?;
            self.counts.undone += 1;
            return Err(error);
        }
        for stream in &mut self.streams {
            stream.open.iter_mut().for_each(OpenFile::commit);
            let full = stream.open.len().saturating_sub(1);
            stream.closed.extend(stream.open.drain(..full).map(OpenFile::close));
        }
        Ok(self.settle())
    }

    /// Writes the pending records of a stream, with as few calls as there are gaps between them.
    fn write_stream(&mut self, stream: usize) -> Result<(), StoreError> {
        let bit = 1 << stream;
        // Where the bytes in the buffer begin and end that lie end to end in the file as well.
        let mut run: Option<(usize, usize, u64)> = None;
        for place in 0..self.pending.len() {
            let Pending { kept, crc, streams, missing } = self.pending[place];
            if missing & bit == 0 {
                continue;
            }
            let is_due = self.streams[stream]
                .open
                .last()
                .is_none_or(|file| file.is_due(kept.bytes, self.plan.file_bytes_max, self.plan.file_age_max));
            if is_due {
                self.write_run(stream, run.take())?;
                self.begin_file(stream)?;
            }
            let (start, end) = (kept.start, kept.start + record_of(&self.buffer, &kept).len());
            run = match run {
                Some((from, to, offset)) if to == start => Some((from, end, offset)),
                other => {
                    self.write_run(stream, other)?;
                    let offset = self.streams[stream].open.last().map_or(0, OpenFile::end);
                    Some((start, end, offset))
                }
            };
            let Some(file) = self.streams[stream].open.last_mut() else {
                unreachable!("a file was begun if there was none")
            };
            file.stage(&IndexEntry {
                offset: file.end(),
                event: kept.event.0,
                bytes: kept.bytes,
                record_crc: crc,
                numbered: kept.numbered,
                marks: kept.marks,
                streams,
            });
        }
        self.write_run(stream, run)
    }

    fn write_run(&self, stream: usize, run: Option<(usize, usize, u64)>) -> Result<(), StoreError> {
        match (run, self.streams[stream].open.last()) {
            (Some((from, to, offset)), Some(file)) => file.write(offset, &self.buffer[from..to]),
            _ => Ok(()),
        }
    }

    fn begin_file(&mut self, stream: usize) -> Result<(), StoreError> {
        let files = &mut self.streams[stream];
        let name = self.plan.streams[stream].clone();
        let name = FileName { stream: name, sink: self.plan.sink, number: files.next_number };
        files.open.push(OpenFile::create(&self.dir, name, self.plan.run)?);
        files.next_number += 1;
        Ok(())
    }

    /// Waits until all that was written is on disk, and the names of new files as well.
    fn sync(&mut self) -> Result<(), StoreError> {
        let mut files = self.streams.iter_mut().flat_map(|stream| &mut stream.open);
        let mut has_new = false;
        files.try_for_each(|file| {
            has_new |= file.is_new();
            if file.is_touched() { file.sync(&self.dir) } else { Ok(()) }
        })?;
        if has_new { sync_dir(&self.dir) } else { Ok(()) }
    }

    /// Takes back what was written and is not committed. Files in which nothing is committed go; the others
    /// are closed, because the kernel may have dropped what a sync could not write.
    fn undo(&mut self) -> Result<(), StoreError> {
        for stream in &mut self.streams {
            let mut first_error = None;
            for mut file in stream.open.drain(..) {
                let undone = if file.is_new() {
                    // Its number is free again.
                    stream.next_number = stream.next_number.min(file.number());
                    file.remove(&self.dir)
                } else {
                    file.undo(&self.dir).map(|()| stream.closed.push(file.close()))
                };
                first_error = first_error.or_else(|| undone.err());
            }
            if let Some(error) = first_error {
                return Err(error);
            }
        }
        Ok(())
    }

    /// All that was pending is known.
    fn settle(&mut self) -> Committed {
        let mut committed = Committed::default();
        for pending in self.pending.drain(..) {
            let records = u64::from(pending.missing.count_ones());
            committed.events += 1;
            committed.records += records;
            committed.bytes += records * u64::from(pending.kept.bytes);
            let marks = pending.kept.marks;
            self.counts.incomplete += u64::from(marks.cause.is_some());
            self.counts.unjudged += u64::from(marks.failure.is_some());
            self.counts.damaged += u64::from(marks.is_damaged);
            self.partial.remove(&pending.kept.event);
            self.known.insert(pending.kept.event);
        }
        self.buffer.clear();
        self.pending_events = EventSet::new();
        self.counts.events += committed.events;
        self.counts.records += committed.records;
        self.counts.bytes += committed.bytes;
        self.counts.commits += 1;
        committed
    }

    /// Files that hold something that is committed, those of earlier processes included.
    #[must_use]
    pub fn files(&self) -> Vec<FileSummary> {
        let open = |stream: &StreamFiles| stream.open.iter().map(|file| file.summary().clone()).collect();
        let of_stream = |stream: &StreamFiles| [stream.closed.clone(), open(stream)].concat();
        self.streams.iter().flat_map(of_stream).collect()
    }

    /// Ends: what is pending is lost if it was not committed. Gives the files.
    #[must_use]
    pub fn close(self) -> Vec<FileSummary> {
        self.files()
    }
}

fn check(plan: &StorePlan) -> Result<(), StoreError> {
    if !(1..=STREAMS_MAX).contains(&plan.streams.len()) {
        return Err(StoreError::Plan(format!("there are 1 to {STREAMS_MAX} streams")));
    }
    for (place, name) in plan.streams.iter().enumerate() {
        if !is_stream_name(name) {
            let rule = "has 1 to 64 letters, digits, '_' or '.', and no '.' in front";
            return Err(StoreError::Plan(format!("the name of the stream \"{name}\" {rule}")));
        }
        if plan.streams[..place].contains(name) {
            return Err(StoreError::Plan(format!("the stream \"{name}\" is named twice")));
        }
    }
    Ok(())
}

/// The bits that have a name, of so many names.
pub(crate) const fn names_mask(streams: usize) -> u32 {
    if streams >= STREAMS_MAX { u32::MAX } else { (1 << streams) - 1 }
}

fn record_of<'a>(buffer: &'a [u8], kept: &Kept) -> &'a [u8] {
    let bytes = usize::try_from(kept.bytes).unwrap_or(usize::MAX);
    &buffer[kept.start..kept.start + bytes]
}

/// The names in a directory are on disk when the directory is.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), StoreError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(StoreError::failed("sync", dir))
}
