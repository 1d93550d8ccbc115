//! The entry of a run in the catalogue of the directory in which its own is: `runs/catalogue.sqlite`.
//!
//! A run is entered when it begins, so that one that is killed is there, as interrupted. A catalogue that
//! cannot be written costs its entry and a word, never the run.

use std::path::Path;

use incast_core::readout::{EventNumber, RunNumber, SinkId};
use incast_core::record::{Record, StoredFile, Verdict};
use incast_net::clock;
use incast_store::{Catalogue, FileSummary, Holds, RunId, RunVerdict};

use crate::output::note;

/// The entry of one run.
pub(crate) struct Entry {
    open: Option<(Catalogue, RunId)>,
    /// Whether the run could not go on.
    pub(super) is_aborted: bool,
}

impl Entry {
    /// Enters the run whose directory is `dir`.
    pub(super) fn begin(dir: &Path, run: RunNumber, name: &str, started_unix_ns: u64) -> Self {
        let parent = dir.parent().unwrap_or(dir);
        let begun = Catalogue::open(parent).and_then(|catalogue| {
            let id = catalogue.begin_run(run, name, started_unix_ns)?;
            Ok((catalogue, id))
        });
        let open = begun.map_err(|error| note(&format!("the run is not in the catalogue: {error}"))).ok();
        Self { open, is_aborted: false }
    }

    /// The run is over, and this is its record.
    pub(crate) fn end(self, record: &Record) {
        let Some(readout) = &record.readout else { return };
        let verdict = match record.verdict {
            _ if self.is_aborted => RunVerdict::Aborted,
            // What was expected of its figures is not a matter of its events.
            Verdict::Good | Verdict::Missed => RunVerdict::Good,
            Verdict::Tainted => RunVerdict::Tainted,
            Verdict::Incomplete => RunVerdict::Incomplete,
            Verdict::Interrupted => RunVerdict::Interrupted,
        };
        let reasons: Vec<String> = match verdict {
            RunVerdict::Good => Vec::new(),
            _ => record.caveats.iter().map(|caveat| caveat.text.clone()).take(REASONS_MAX).collect(),
        };
        let account = serde_json::json!({ "events": readout.events, "credits": readout.credits });
        self.write(verdict, &reasons, &account, &readout.files);
    }

    fn write(
        &self,
        verdict: RunVerdict,
        reasons: &[String],
        account: &serde_json::Value,
        files: &[StoredFile],
    ) {
        let Some((catalogue, run)) = &self.open else { return };
        let written = files
            .iter()
            .try_for_each(|file| catalogue.file(*run, SinkId(file.sink_id), &summary(file)))
            .and_then(|()| catalogue.end_run(*run, clock::unix_ns(), verdict, reasons, account));
        if let Err(error) = written {
            note(&format!("the run's end is not in the catalogue: {error}"));
        }
    }
}

fn summary(file: &StoredFile) -> FileSummary {
    FileSummary {
        stream: file.stream.clone(),
        path: file.path.clone().into(),
        holds: Holds {
            records: file.records,
            bytes: file.bytes,
            first: file.first_event.map(EventNumber),
            last: file.last_event.map(EventNumber),
            crc: file.crc32c,
        },
    }
}

/// Reasons that are kept; the record has all.
const REASONS_MAX: usize = 32;
