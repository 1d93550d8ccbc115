//! Cuts a file, and keeps what was behind the cut.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use crate::plan::StoreError;
use crate::store::sync_dir;

/// Cuts `path` at `end` bytes; what was behind is in a file beside it first. Gives that file and its bytes,
/// or `None` if there was nothing.
pub(crate) fn cut(path: &Path, end: u64) -> Result<Option<(PathBuf, u64)>, StoreError> {
    let failed = |action| StoreError::failed(action, path);
    let mut file = OpenOptions::new().read(true).write(true).open(path).map_err(failed("open"))?;
    let bytes = file.metadata().map_err(failed("read"))?.len();
    if bytes <= end {
        return Ok(None);
    }
    let torn = keep(&mut file, end, path)?;
    file.set_len(end).and_then(|()| file.sync_all()).map_err(failed("cut"))?;
    Ok(Some((torn, bytes - end)))
}

/// Copies what is behind `end` into a file of its own, on disk when this returns.
fn keep(file: &mut File, end: u64, path: &Path) -> Result<PathBuf, StoreError> {
    let (torn_path, mut torn) = create(path)?;
    let copied = file
        .seek(SeekFrom::Start(end))
        .and_then(|_| io::copy(&mut file.take(u64::MAX), &mut torn))
        .and_then(|_| torn.sync_all());
    copied.map_err(|error| {
        // Half of it is of no use, and the original is still whole.
        let _ = fs::remove_file(&torn_path);
        StoreError::failed("write", &torn_path)(error)
    })?;
    sync_dir(path.parent().unwrap_or_else(|| Path::new(".")))?;
    Ok(torn_path)
}

/// A new file: `<path>.torn`, or with a number if there is one from an earlier time.
fn create(path: &Path) -> Result<(PathBuf, File), StoreError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".torn");
    for attempt in 1_u64.. {
        let mut name = name.clone();
        if attempt > 1 {
            name.push(format!(".{attempt}"));
        }
        let torn = PathBuf::from(name);
        match OpenOptions::new().write(true).create_new(true).open(&torn) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            file => return Ok((torn.clone(), file.map_err(StoreError::failed("create", &torn))?)),
        }
    }
    unreachable!("a number is free")
}
