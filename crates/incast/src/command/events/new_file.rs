//! A new event file and its index, there whole or not at all.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use incast_core::mdf::{Index, IndexEntry};
use incast_store::index_path;

/// A file that is being written beside its place. Dropping it before `finish` takes it away.
#[derive(Debug)]
pub(super) struct NewFile {
    out: PathBuf,
    temporary: PathBuf,
    file: Option<BufWriter<File>>,
    bytes: u64,
    index: Option<Index>,
}

impl NewFile {
    /// Begins a file. It may be none of `inputs`.
    pub(super) fn create(out: &Path, inputs: &[PathBuf], has_index: bool) -> anyhow::Result<Self> {
        let whole = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let targets = [out.to_owned(), index_path(out)];
        let targets = &targets[..if has_index { 2 } else { 1 }];
        for input in inputs {
            // JSON lines have no index.
            let has_index = input.extension().is_none_or(|extension| extension != "jsonl");
            let read = [Some(whole(input)), has_index.then(|| whole(&index_path(input)))];
            if targets.iter().any(|target| read.contains(&Some(whole(target)))) {
                bail!(
                    "write {}: it would replace {}; choose another place with --out",
                    out.display(),
                    input.display()
                );
            }
        }
        if has_index && index_path(out) == out {
            bail!("write {}: its index would have the same name; choose another with --out", out.display());
        }
        let temporary = temporary(out);
        let file = File::create(&temporary).with_context(|| place(out))?;
        let index = has_index.then(Index::default);
        Ok(Self { out: out.to_owned(), temporary, file: Some(BufWriter::new(file)), bytes: 0, index })
    }

    /// Adds bytes.
    pub(super) fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        self.bytes += bytes.len() as u64;
        file.write_all(bytes).with_context(|| place(&self.out))
    }

    /// Adds a record of `run`, with its entry wherever it was.
    pub(super) fn record(&mut self, bytes: &[u8], run: u32, entry: &IndexEntry) -> anyhow::Result<()> {
        let offset = self.bytes;
        self.write(bytes)?;
        if let Some(index) = &mut self.index {
            if index.entries.is_empty() {
                index.run = run;
            }
            index.entries.push(IndexEntry { offset, ..*entry });
        }
        Ok(())
    }

    /// Puts it in its place.
    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        let Some(file) = self.file.take() else { return Ok(()) };
        let written = (|| {
            let file = file.into_inner()?;
            file.sync_all()?;
            if let Some(index) = self.index.take() {
                let mut bytes = Vec::new();
                index.emit(&mut bytes);
                let (path, beside) = (index_path(&self.out), temporary(&index_path(&self.out)));
                fs::write(&beside, bytes).and_then(|()| fs::rename(&beside, path)).inspect_err(|_| {
                    let _ = fs::remove_file(&beside);
                })?;
            }
            fs::rename(&self.temporary, &self.out)?;
            anyhow::Ok(())
        })();
        written.with_context(|| place(&self.out))
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        // It is gone when it was renamed.
        let _ = fs::remove_file(&self.temporary);
    }
}

fn place(out: &Path) -> String {
    format!("write the events {} (choose another place with --out)", out.display())
}

fn temporary(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}.new", std::process::id()))
}
