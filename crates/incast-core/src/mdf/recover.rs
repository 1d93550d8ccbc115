//! What is left of a file whose writer was stopped at any byte.
//!
//! ```text
//!  | record | record | record | rec
//!  0                          ^ valid_bytes: cut the file here, and go on writing
//! ```

use super::{Fault, reader};

/// What was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Good records from the beginning, one after the other.
    pub records: u64,
    /// Where the last of them ends.
    pub valid_bytes: usize,
    /// Bytes behind that.
    pub cut_bytes: usize,
    /// What is wrong with what begins there; `None` if nothing does.
    pub fault: Option<Fault>,
}

/// The longest part of `bytes`, from their beginning, that is nothing but good records.
///
/// A record is good if [`Record::check`](super::Record::check) finds it so. What was written and
/// acknowledged earlier need not be read again: give the bytes behind it.
#[must_use]
pub fn recover(bytes: &[u8]) -> Recovery {
    let mut recovery = Recovery::default();
    while recovery.valid_bytes < bytes.len() {
        match reader::checked(&bytes[recovery.valid_bytes..]) {
            Ok(record) => {
                recovery.records += 1;
                recovery.valid_bytes += record.bytes().len();
            }
            Err(fault) => {
                recovery.fault = Some(fault);
                break;
            }
        }
    }
    recovery.cut_bytes = bytes.len() - recovery.valid_bytes;
    recovery
}
