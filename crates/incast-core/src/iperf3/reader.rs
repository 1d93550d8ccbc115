//! Cuts the bytes of a control connection: states, JSON with its length, error codes.
//!
//! ```text
//!  state u8
//!  length u32 BE | JSON text        behind a state, where the turn says so
//!  code i32 BE | errno i32 BE       behind ServerError
//! ```
//! What is kept never exceeds the longest message of the turn: a length is checked before its text is
//! waited for, and nothing is allocated for what has not come.

/// Longest text of parameters: iperf3's own bound (`MAX_PARAMS_JSON_STRING`).
pub const PARAMETERS_BYTES_MAX: usize = 8 << 10;
/// Longest text of results: 256 streams of 300 characters, three times over.
pub const RESULTS_BYTES_MAX: usize = 256 << 10;

/// What is wrong with what came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// A text is announced that is longer than its turn allows, or empty.
    BadLength(u32),
    /// More came than the turn allows.
    TooMuch,
}

/// What has come and was not taken.
#[derive(Clone, Debug, Default)]
pub struct Reader {
    buffer: Vec<u8>,
}

impl Reader {
    /// Takes bytes.
    ///
    /// # Errors
    /// When nobody could want so many.
    pub fn handle_bytes(&mut self, bytes: &[u8]) -> Result<(), ReadError> {
        if self.buffer.len() + bytes.len() > RESULTS_BYTES_MAX + BESIDE {
            return Err(ReadError::TooMuch);
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    /// The next byte.
    pub fn poll_byte(&mut self) -> Option<u8> {
        (!self.buffer.is_empty()).then(|| self.buffer.remove(0))
    }

    /// The next text of at most `max` bytes, once it is whole.
    ///
    /// # Errors
    /// When it is announced as longer, or as empty.
    pub fn poll_text(&mut self, max: usize) -> Result<Option<Vec<u8>>, ReadError> {
        let Some(head) = self.buffer.first_chunk() else { return Ok(None) };
        let announced = u32::from_be_bytes(*head);
        let length = usize::try_from(announced).unwrap_or(usize::MAX);
        if length == 0 || length > max {
            return Err(ReadError::BadLength(announced));
        }
        if self.buffer.len() < LENGTH_BYTES + length {
            return Ok(None);
        }
        let text = self.buffer[LENGTH_BYTES..LENGTH_BYTES + length].to_vec();
        self.buffer.drain(..LENGTH_BYTES + length);
        Ok(Some(text))
    }

    /// Code and errno of an error, once both are here.
    pub fn poll_error(&mut self) -> Option<(i32, i32)> {
        let (code, errno) = self.buffer.first_chunk::<8>()?.split_at(4);
        let number = |bytes: &[u8]| bytes.first_chunk().map_or(0, |bytes| i32::from_be_bytes(*bytes));
        let found = (number(code), number(errno));
        self.buffer.drain(..8);
        Some(found)
    }
}

/// A text with its length before it.
///
/// # Panics
/// When the text is longer than any message of ours.
#[must_use]
pub fn emit_text(text: &str) -> Vec<u8> {
    let length = u32::try_from(text.len()).expect("a message of ours is short");
    [&length.to_be_bytes(), text.as_bytes()].concat()
}

const LENGTH_BYTES: usize = 4;
/// Room beside the longest text: its length, and the states before and after.
const BESIDE: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_comes_in_any_pieces() {
        let mut reader = Reader::default();
        for byte in emit_text("{}").iter().chain(&[4]) {
            assert_eq!(reader.poll_text(10), Ok(None));
            reader.handle_bytes(&[*byte]).unwrap();
            if reader.buffer.len() == 6 {
                assert_eq!(reader.poll_text(10), Ok(Some(b"{}".to_vec())));
            }
        }
        assert_eq!(reader.poll_byte(), Some(4));
        assert_eq!(reader.poll_byte(), None);
    }

    #[test]
    fn a_length_is_refused_before_its_text_comes() {
        for length in [0, 11, u32::MAX] {
            let mut reader = Reader::default();
            reader.handle_bytes(&length.to_be_bytes()).unwrap();
            assert_eq!(reader.poll_text(10), Err(ReadError::BadLength(length)));
        }
        let mut reader = Reader::default();
        reader.handle_bytes(&vec![1; RESULTS_BYTES_MAX]).unwrap();
        assert_eq!(reader.handle_bytes(&[1; BESIDE + 1]), Err(ReadError::TooMuch));
    }
}
