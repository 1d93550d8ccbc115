//! The entries of an index, one after the other, without the whole of it in memory.

use std::fs::File;
use std::io::{self, BufReader, Read as _};
use std::path::{Path, PathBuf};

use incast_core::mdf::index::{ENTRY_BYTES, HEAD_BYTES};
use incast_core::mdf::{Index, IndexEntry};

use crate::plan::StoreError;

/// Reads the entries of an index up to the first that is not whole.
#[derive(Debug)]
pub struct IndexEntries {
    path: PathBuf,
    file: BufReader<File>,
    run: u32,
    /// Where the next record has to begin.
    end: u64,
    /// Good bytes that were read.
    good_bytes: u64,
}

impl IndexEntries {
    /// Opens an index; `None` if there is none, or not even its head is good.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn open(path: &Path) -> Result<Option<Self>, StoreError> {
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.map_err(StoreError::failed("open", path))?,
        };
        let mut file = BufReader::new(file);
        let mut head = [0; HEAD_BYTES];
        if !read_whole(&mut file, &mut head).map_err(StoreError::failed("read", path))? {
            return Ok(None);
        }
        let Ok((head, _)) = Index::parse(&head) else { return Ok(None) };
        let good_bytes = HEAD_BYTES as u64;
        Ok(Some(Self { path: path.to_owned(), file, run: head.run, end: 0, good_bytes }))
    }

    /// The run in its head.
    #[must_use]
    pub const fn run(&self) -> u32 {
        self.run
    }

    /// Bytes of the head and of the entries that were given.
    #[must_use]
    pub const fn good_bytes(&self) -> u64 {
        self.good_bytes
    }

    /// The next entry; `None` at the end, or when it is damaged or its record does not begin where the last
    /// one ends.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn next_entry(&mut self) -> Result<Option<IndexEntry>, StoreError> {
        let mut bytes = [0; ENTRY_BYTES];
        if !read_whole(&mut self.file, &mut bytes).map_err(StoreError::failed("read", &self.path))? {
            return Ok(None);
        }
        let entry = IndexEntry::parse(&bytes).ok().filter(|entry| entry.offset == self.end);
        if let Some(entry) = &entry {
            self.end = entry.offset.saturating_add(entry.bytes.into());
            self.good_bytes += ENTRY_BYTES as u64;
        }
        Ok(entry)
    }
}

/// Fills `bytes`; says whether there were as many.
fn read_whole(file: &mut BufReader<File>, bytes: &mut [u8]) -> io::Result<bool> {
    match file.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}
