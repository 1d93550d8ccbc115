//! What a sink writes, and what it tells its machine of it.

use std::path::Path;

use anyhow::Context as _;
use crossbeam_channel::{Receiver, unbounded};
use incast_core::mdf::ChecksumKind;
use incast_core::readout::role::{SinkRole, SinkRolePlan, Write};
use incast_core::record::{NamedCount, StoredFile};
use incast_core::scenario::FilesPlan;
use incast_core::time::Time;
use incast_net::readout::{Data, Waker};
use incast_store::{Report, SinkStore, StorePlan, Writer, WriterPlan};

use super::process::Work;

/// The files of a sink, written by a thread of their own.
pub(super) struct Disk {
    writer: Option<Writer<Data>>,
    reports: Receiver<Report>,
    /// A job that the writer's queue had no room for.
    waiting: Option<incast_store::Write<Data>>,
    sink: String,
    sink_id: u16,
    files: Vec<StoredFile>,
    counts: Vec<NamedCount>,
    trouble: Option<String>,
}

impl Disk {
    /// Opens the directory of a sink, mends what its last life left, and tells the machine what is there.
    pub(super) fn open(
        plan: &SinkRolePlan,
        (files, directory, streams): (&FilesPlan, &Path, Vec<String>),
        role: &mut SinkRole<Data>,
        waker: Waker,
    ) -> anyhow::Result<Self> {
        let checksum = if files.has_checksum { ChecksumKind::Hash } else { ChecksumKind::None };
        let store_plan = StorePlan {
            streams,
            checksum,
            file_bytes_max: files.roll_bytes.0,
            file_age_max: files.roll_after.map(incast_core::time::Span::to_std),
            ..StorePlan::new(plan.run.run, plan.sink)
        };
        let (store, recovered) = SinkStore::open(directory, store_plan)
            .with_context(|| format!("open the files of the sink in {}", directory.display()))?;
        // Those that miss sources first: what is known is not told again.
        store.incomplete(|event, missing| {
            if store.known().contains(event) {
                role.handle_known(event, 1, Some(missing));
            }
        })?;
        for (first, last) in store.known().ranges() {
            let events = u32::try_from(last.0 - first.0 + 1).unwrap_or(u32::MAX);
            role.handle_known(first, events, None);
        }
        let one = |name: &str, count| NamedCount { name: name.into(), count };
        let mut counts = vec![
            one("events found on disk", recovered.events),
            one("torn bytes put aside", recovered.torn_bytes),
            one("damaged records found", recovered.damaged),
        ];
        counts.retain(|count| count.count > 0);
        let (to_owner, reports) = unbounded();
        let writer = Writer::start(store, WriterPlan::default(), move |report| {
            let _ = to_owner.send(report);
            waker.wake();
        })
        .context("start the thread that writes")?;
        let mut disk = Self {
            writer: Some(writer),
            reports,
            waiting: None,
            sink: directory.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
            sink_id: plan.sink.0,
            files: Vec::new(),
            counts,
            trouble: None,
        };
        disk.note_files(recovered.files);
        Ok(disk)
    }

    fn note_files(&mut self, files: Vec<incast_store::FileSummary>) {
        let stored = |file: incast_store::FileSummary| StoredFile {
            path: file.path.display().to_string(),
            sink: self.sink.clone(),
            sink_id: self.sink_id,
            stream: file.stream,
            records: file.holds.records,
            bytes: file.holds.bytes,
            first_event: file.holds.first.map(|event| event.0),
            last_event: file.holds.last.map(|event| event.0),
            crc32c: file.holds.crc,
        };
        for file in files.into_iter().map(stored) {
            match self.files.iter_mut().find(|known| known.path == file.path) {
                Some(known) => *known = file,
                None => self.files.push(file),
            }
        }
    }

    fn handle_report(&mut self, now: Time, report: Report, role: &mut SinkRole<Data>) -> anyhow::Result<()> {
        match report {
            Report::Stored { jobs, .. } => jobs.iter().for_each(|job| role.handle_written(now, job.job)),
            Report::Full(error) => {
                self.trouble = Some(format!("nothing can be stored: {error}; the run waits"));
                role.handle_disk(now, true);
            }
            Report::Resumed => {
                self.trouble = None;
                role.handle_disk(now, false);
            }
            // Opened again it is whole again: that is what a new life does.
            Report::Broken(error) => return Err(error).context("store events"),
        }
        Ok(())
    }
}

impl Work<SinkRole<Data>> for Disk {
    fn attend(&mut self, now: Time, role: &mut SinkRole<Data>) -> anyhow::Result<()> {
        while let Ok(report) = self.reports.try_recv() {
            self.handle_report(now, report, role)?;
        }
        let Some(writer) = &self.writer else { return Ok(()) };
        while let Some(job) = self.waiting.take().or_else(|| role.poll_write().map(as_job)) {
            if let Err(refused) = writer.offer(job) {
                self.waiting = Some(refused);
                return Ok(());
            }
        }
        Ok(())
    }

    fn counts(&self) -> (Vec<NamedCount>, Vec<NamedCount>) {
        (self.counts.clone(), Vec::new())
    }

    fn files(&self) -> Vec<StoredFile> {
        self.files.clone()
    }

    fn trouble(&self) -> Option<String> {
        self.trouble.clone()
    }

    fn finish(&mut self) {
        if let Some(end) = self.writer.take().and_then(Writer::finish) {
            let files = end.store.close();
            self.note_files(files);
        }
    }
}

fn as_job(write: Write<Data>) -> incast_store::Write<Data> {
    incast_store::Write { job: write.number, verdicts: write.verdicts, built: write.built }
}
