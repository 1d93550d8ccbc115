//! Reading a file of the kernel whole, or not at all.
//!
//! A text cut off in the middle could end in a number that is too small, so a file longer than
//! its bound is an error and not a prefix.

use std::fs::File;
use std::io::{self, Read};

/// The text of `path`, at most `max_bytes` long; bytes that are no UTF-8 are replaced.
pub(crate) fn read(path: &str, max_bytes: u64) -> io::Result<String> {
    let name = |error: io::Error| io::Error::new(error.kind(), format!("read {path}: {error}"));
    let mut bytes = Vec::new();
    File::open(path)
        .map_err(name)?
        .take(max_bytes.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(name)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= max_bytes) {
        return Ok(String::from_utf8_lossy(&bytes).into_owned());
    }
    Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("read {path}: longer than {max_bytes} bytes")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_beyond_its_bound_is_refused_by_name() {
        let error = read("/proc/stat", 8).unwrap_err();
        assert_eq!(error.to_string(), "read /proc/stat: longer than 8 bytes");
        assert!(
            read("/proc/no such file", 8).unwrap_err().to_string().starts_with("read /proc/no such file: ")
        );
        assert_eq!(read("/dev/null", 0).unwrap(), "");
    }
}
