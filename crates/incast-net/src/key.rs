//! The key that the hosts of a run share.
//!
//! 32 random bytes, written as 64 hexadecimal digits in a file that only its owner can read.
//! Without a key the control connection is still encrypted, but with a key that everyone knows:
//! it says nothing about who is at the other end.

use std::fmt;
use std::path::Path;

/// A pre-shared key, or the absence of one.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    bytes: [u8; 32],
    shared: bool,
}

/// Why a key file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error("read key file {path}: {}", crate::socket::reason(.cause))]
    Read {
        /// The file.
        path: String,
        /// Why. Part of the sentence already, so it is no source of its own.
        cause: std::io::Error,
    },
    /// The file holds something else.
    #[error("key file {0} does not hold 64 hexadecimal digits; make one with `incast key FILE`")]
    Format(String),
}

/// A number that nobody can guess.
///
/// # Errors
/// When the kernel gives no random numbers.
pub fn random_number() -> Result<u64, getrandom::Error> {
    getrandom::u64()
}

impl Key {
    /// No key: any peer that has none either is let in.
    #[must_use]
    pub const fn none() -> Self {
        Self { bytes: [0; 32], shared: false }
    }

    /// A new random key.
    ///
    /// # Errors
    /// When the kernel has no randomness to give.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Self { bytes, shared: true })
    }

    /// Reads a key from its text: 64 hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.trim().as_bytes();
        let mut bytes = [0; 32];
        if digits.len() != 64 {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |index: usize| {
                char::from(pair[index]).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
            };
            *byte = digit(0)? << 4 | digit(1)?;
        }
        Some(Self { bytes, shared: true })
    }

    /// Reads a key file.
    ///
    /// # Errors
    /// When it cannot be read or holds something else.
    pub fn open(path: &Path) -> Result<Self, KeyError> {
        let name = path.display().to_string();
        let text =
            std::fs::read_to_string(path).map_err(|cause| KeyError::Read { path: name.clone(), cause })?;
        Self::parse(&text).ok_or(KeyError::Format(name))
    }

    /// Whether there is a key at all.
    #[must_use]
    pub const fn is_shared(&self) -> bool {
        self.shared
    }

    /// The key as text, for its file.
    #[must_use]
    pub fn to_text(&self) -> String {
        self.bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The same key for authenticated STAMP packets; none if there is no key.
    #[must_use]
    pub fn for_stamp(&self) -> Option<incast_core::wire::stamp::mac::MacKey> {
        self.shared.then(|| incast_core::wire::stamp::mac::MacKey::new(self.bytes))
    }

    pub(crate) const fn bytes(&self) -> &[u8; 32] {
        &self.bytes
    }
}

impl fmt::Debug for Key {
    /// Never shows the key itself.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(if self.shared { "Key(shared)" } else { "Key(none)" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back_and_is_never_shown() {
        let key = Key::random().unwrap();
        assert_eq!(Key::parse(&format!("{}\n", key.to_text())), Some(key.clone()));
        assert_eq!(format!("{key:?}"), "Key(shared)");
        for bad in ["", "abcd", &"g".repeat(64), &"0".repeat(65)] {
            assert_eq!(Key::parse(bad), None, "{bad:?}");
        }
    }
}
