//! Framing of the control connection: how a byte stream becomes messages of bounded size.
//!
//! ```text
//!  frame:    length u16 BE | ciphertext (Noise, at most 65535 bytes)
//!  its plaintext:  more u8 (0 = last piece of its message, 1 = more follow) | piece
//! ```
//! The length cannot ask for more than 64 KiB by its type, and a message of many pieces is bounded
//! by [`MESSAGE_BYTES_MAX`], so a peer's number is never trusted with an allocation.

/// Largest ciphertext of one frame: a Noise message.
pub const FRAME_BYTES_MAX: usize = 65_535;
/// Largest piece of a message in one frame: less the tag (16) and the `more` byte.
pub const PIECE_BYTES_MAX: usize = FRAME_BYTES_MAX - 16 - 1;
/// Largest message: the intervals of a day at 1 s are about 10 MiB of JSON.
pub const MESSAGE_BYTES_MAX: usize = 32 << 20;

/// Why the pieces do not make a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// A frame's plaintext is empty: it lacks even the `more` byte.
    Empty,
    /// The `more` byte is neither 0 nor 1.
    BadMark(u8),
    /// The message grew beyond [`MESSAGE_BYTES_MAX`].
    TooLong,
}

impl std::fmt::Display for FrameError {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Empty => out.write_str("an empty frame"),
            Self::BadMark(mark) => write!(out, "a frame marked {mark}, neither last (0) nor more (1)"),
            Self::TooLong => write!(out, "a message longer than {MESSAGE_BYTES_MAX} bytes"),
        }
    }
}

impl std::error::Error for FrameError {}

/// Puts the pieces of messages together.
#[derive(Debug, Default)]
pub struct Assembler {
    message: Vec<u8>,
}

impl Assembler {
    /// Takes the plaintext of one frame; gives the message when it is whole.
    ///
    /// # Errors
    /// When the frame is malformed or the message too long; the connection should then end.
    pub fn handle_frame(&mut self, plaintext: &[u8]) -> Result<Option<Vec<u8>>, FrameError> {
        let (mark, piece) = plaintext.split_first().ok_or(FrameError::Empty)?;
        if *mark > 1 {
            return Err(FrameError::BadMark(*mark));
        }
        if self.message.len() + piece.len() > MESSAGE_BYTES_MAX {
            return Err(FrameError::TooLong);
        }
        self.message.extend_from_slice(piece);
        Ok((*mark == 0).then(|| std::mem::take(&mut self.message)))
    }
}

/// Cuts `message` into the plaintexts of its frames.
pub fn pieces(message: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    let count = message.len().div_ceil(PIECE_BYTES_MAX).max(1);
    (0..count).map(move |index| {
        let from = index * PIECE_BYTES_MAX;
        let to = message.len().min(from + PIECE_BYTES_MAX);
        let mut plaintext = Vec::with_capacity(1 + to - from);
        plaintext.push(u8::from(index + 1 < count));
        plaintext.extend_from_slice(&message[from..to]);
        plaintext
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_any_length_comes_back_whole() {
        for length in [0, 1, PIECE_BYTES_MAX, PIECE_BYTES_MAX + 1, 3 * PIECE_BYTES_MAX] {
            let message: Vec<u8> = (0..length).map(|index| u8::try_from(index % 251).unwrap()).collect();
            let mut assembler = Assembler::default();
            let out: Vec<_> =
                pieces(&message).filter_map(|piece| assembler.handle_frame(&piece).unwrap()).collect();
            assert_eq!(out, [message], "length {length}");
        }
    }

    #[test]
    fn malformed_frames_are_refused() {
        let mut assembler = Assembler::default();
        assert_eq!(assembler.handle_frame(&[]), Err(FrameError::Empty));
        assert_eq!(assembler.handle_frame(&[2, 0]), Err(FrameError::BadMark(2)));
        let mut piece = vec![1; PIECE_BYTES_MAX];
        piece[0] = 1;
        let refused = (0..).find_map(|_| assembler.handle_frame(&piece).err());
        assert_eq!(refused, Some(FrameError::TooLong));
    }
}
