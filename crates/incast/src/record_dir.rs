//! Records on disk: `runs/<time>-<name>/record.json`, whole or not at all.
//!
//! A record is written beside its place, synced and renamed, so that whoever reads it finds the old
//! one or the new one. While a run lasts its record is rewritten now and then with what is known,
//! verdict "interrupted": a process that is killed leaves that.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use incast_core::record::Record;
use serde::Serialize;

use crate::cli::OutputArgs;

/// Directory of records when the user names none.
pub(crate) const RUNS: &str = "runs";

/// The directory of one run.
#[derive(Debug)]
pub(crate) struct RecordDir {
    dir: PathBuf,
}

impl RecordDir {
    /// Makes `<out>/<time>-<name>`, with a number behind it if that exists.
    pub(crate) fn create(out: &Path, name: &str, unix_ns: u64) -> anyhow::Result<Self> {
        let at = jiff::Timestamp::from_nanosecond(i128::from(unix_ns)).context("read the wall clock")?;
        let base = format!("{}-{name}", at.strftime("%Y%m%dT%H%M%SZ"));
        fs::create_dir_all(out)
            .with_context(|| format!("create the directory of records {}", out.display()))?;
        for attempt in 1..1_000 {
            let dir = out.join(if attempt == 1 { base.clone() } else { format!("{base}-{attempt}") });
            match fs::create_dir(&dir) {
                Ok(()) => return Ok(Self { dir }),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error).with_context(|| format!("create {}", dir.display())),
            }
        }
        anyhow::bail!("create {}: too many runs of this name in one second", out.join(base).display())
    }

    /// One where the user wants it, for a command that writes no record otherwise.
    pub(crate) fn if_asked(output: &OutputArgs, name: &str, unix_ns: u64) -> anyhow::Result<Option<Self>> {
        output.out.as_ref().map(|out| Self::create(out, name, unix_ns)).transpose()
    }

    /// The directory of a run that did not come to its end.
    pub(crate) const fn again(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.dir
    }

    /// Writes the record in the place of the last one.
    pub(crate) fn write(&self, record: &Record) -> anyhow::Result<PathBuf> {
        write_beside(&self.dir, "record.json", record).map_err(|error| {
            let _ = fs::remove_dir(&self.dir);
            let path = self.dir.join("record.json");
            error.context(format!("write the record {} (choose another place with --out)", path.display()))
        })
    }
}

/// Writes a document of that name into `dir`: the whole new one is there, or the old one.
pub(crate) fn write_beside(dir: &Path, name: &str, document: &impl Serialize) -> anyhow::Result<PathBuf> {
    let path = dir.join(name);
    let beside = dir.join(format!(".{name}.new"));
    let written = (|| {
        let mut text = serde_json::to_vec_pretty(document)?;
        text.push(b'\n');
        // It is gone when an earlier record could not be written.
        fs::create_dir_all(dir)?;
        let mut file = File::create(&beside)?;
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&beside, &path)?;
        // The name is on disk when its directory is.
        File::open(dir)?.sync_all()?;
        anyhow::Ok(())
    })();
    if written.is_err() {
        // Half a record is no record; the one before it stays.
        let _ = fs::remove_file(&beside);
    }
    written.map(|()| path)
}

impl Drop for RecordDir {
    /// A run that could not begin leaves no empty directory; one that holds a record stays.
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.dir);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_one_second_do_not_collide_and_records_are_replaced() {
        let out = tempfile::tempdir().unwrap();
        let first = RecordDir::create(out.path(), "a", 1_000_000_000).unwrap();
        let second = RecordDir::create(out.path(), "a", 1_000_000_000).unwrap();
        assert_ne!(first.dir, second.dir);
        for world in ["run", "lab"] {
            let path = first.write(&Record { world: world.into(), ..Record::default() }).unwrap();
            let read: Record = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
            assert_eq!(read.world, world);
        }
        assert_eq!(fs::read_dir(&first.dir).unwrap().count(), 1, "nothing is left beside the record");
    }
}
