//! What a sink's store is to do, and what can go wrong with it.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use incast_core::mdf::ChecksumKind;
use incast_core::readout::{RunNumber, SinkId};

/// What a store is to do.
#[derive(Clone, Debug)]
pub struct StorePlan {
    /// The run: a directory holds files of one.
    pub run: RunNumber,
    /// The sink: a part of the names of its files.
    pub sink: SinkId,
    /// Names of the output streams; the first is bit 0 of a verdict. 1 to 32, of letters, digits, `_` and `.`.
    pub streams: Vec<String>,
    /// How records are summed. [`ChecksumKind::Hash`] is what readers expect, and takes 2 to 5 ns for each
    /// byte; the index has a CRC of every record in any case.
    pub checksum: ChecksumKind,
    /// A new file is begun when the next record would make one larger than this. One record always fits.
    pub file_bytes_max: u64,
    /// A new file is begun when the last one was begun so long ago.
    pub file_age_max: Option<Duration>,
}

impl StorePlan {
    /// A plan with one stream and usual bounds.
    #[must_use]
    pub fn new(run: RunNumber, sink: SinkId) -> Self {
        Self {
            run,
            sink,
            streams: vec!["events".to_owned()],
            checksum: ChecksumKind::Hash,
            file_bytes_max: FILE_BYTES_MAX,
            file_age_max: None,
        }
    }
}

/// What tapes and transfers like, and LHCb has: 2 GB.
const FILE_BYTES_MAX: u64 = 2_000_000_000;
/// Most streams: verdicts have so many bits.
pub(crate) const STREAMS_MAX: usize = 32;
/// Most characters of the name of a stream: file names end at 255 bytes.
const NAME_CHARACTERS_MAX: usize = 64;

/// Whether a stream may be called so: it is a part of file names, between dashes.
pub(crate) fn is_stream_name(name: &str) -> bool {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '.');
    (1..=NAME_CHARACTERS_MAX).contains(&name.len()) && !name.starts_with('.') && name.chars().all(is_plain)
}

/// Why something could not be stored.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The plan makes no sense.
    #[error("store events: {0}")]
    Plan(String),
    /// Another process has the directory.
    #[error("open the directory of events {0}: another process is writing there; stop it or choose another")]
    Locked(PathBuf),
    /// The directory holds files of another run.
    #[error("open the directory of events {dir}: it holds run {found}; choose another directory")]
    OtherRun {
        /// Which.
        dir: PathBuf,
        /// Whose files are there.
        found: u32,
    },
    /// An operation failed, and nothing was changed by it: what is pending can be committed later.
    #[error("{action} {path}: {error}", path = path.display())]
    Failed {
        /// What was tried.
        action: &'static str,
        /// With which file or directory.
        path: PathBuf,
        /// What was wrong.
        error: io::Error,
        /// What kind of trouble that is.
        trouble: Trouble,
    },
    /// A batch failed and could not be undone: the store must be opened again, which recovers it.
    #[error("undo a failed write of {path}: {error}; open the store again", path = path.display())]
    Broken {
        /// Which file.
        path: PathBuf,
        /// What was wrong.
        error: io::Error,
    },
}

/// What kind of trouble an operation met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The file system has no space left (ENOSPC).
    NoSpace,
    /// The user may not have more (EDQUOT).
    Quota,
    /// The file may not become larger: a limit of the process or of the file system (EFBIG).
    FileSize,
    /// The device failed (EIO).
    Device,
    /// Something else.
    Other,
}

impl Trouble {
    /// What kind `error` is of.
    #[must_use]
    pub fn of(error: &io::Error) -> Self {
        match rustix::io::Errno::from_io_error(error) {
            Some(rustix::io::Errno::NOSPC) => Self::NoSpace,
            Some(rustix::io::Errno::DQUOT) => Self::Quota,
            Some(rustix::io::Errno::FBIG) => Self::FileSize,
            Some(rustix::io::Errno::IO) => Self::Device,
            _ => Self::Other,
        }
    }

    /// Whether it passes when somebody makes room.
    #[must_use]
    pub const fn is_full(self) -> bool {
        matches!(self, Self::NoSpace | Self::Quota | Self::FileSize)
    }
}

impl StoreError {
    /// Makes an error of what was tried.
    pub(crate) fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::Failed { action, path, trouble: Trouble::of(&error), error }
    }

    /// Whether it passes when somebody makes room.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        matches!(self, Self::Failed { trouble, .. } if trouble.is_full())
    }

    /// Whether what is pending can be committed later.
    #[must_use]
    pub const fn is_undone(&self) -> bool {
        matches!(self, Self::Failed { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_streams_are_safe_in_file_names() {
        for name in ["a", "physics", "Calib_1", "v1.2"] {
            assert!(is_stream_name(name), "{name}");
        }
        for name in ["", "a-b", "a/b", "..", ".hidden", "a b", "é", &"a".repeat(65)] {
            assert!(!is_stream_name(name), "{name}");
        }
    }

    #[test]
    fn kinds_of_trouble_are_told_apart() {
        let of = |errno: rustix::io::Errno| Trouble::of(&errno.into());
        assert_eq!(of(rustix::io::Errno::NOSPC), Trouble::NoSpace);
        assert_eq!(of(rustix::io::Errno::DQUOT), Trouble::Quota);
        assert_eq!(of(rustix::io::Errno::IO), Trouble::Device);
        assert_eq!(of(rustix::io::Errno::ACCESS), Trouble::Other);
        assert!(!Trouble::Device.is_full() && Trouble::Quota.is_full());
    }
}
