//! Responses that were given up and may still come: which of their datagrams have.
//!
//! What comes of them is late and no answer any more, but it came: it is not lost. A copy of it that the network made
//! must not stand for another datagram that was, so it has to be told from the first. Memory is taken once.

use super::pieces::{Piece, Pieces};

/// Fewest responses that are remembered; more if more may be open, as all of those may be given up at once.
const KEPT_MIN: u32 = 64;

/// What came of the last responses of one answerer that were given up.
#[derive(Clone, Debug)]
pub(super) struct GivenUp {
    kept: Vec<(Option<u32>, Pieces)>,
    oldest: usize,
}

impl GivenUp {
    /// For responses of `datagrams`, of which so many may be open at once.
    pub(super) fn new(outstanding: u32, datagrams: u32) -> Self {
        let count = usize::try_from(outstanding.max(KEPT_MIN)).unwrap_or(0);
        Self { kept: vec![(None, Pieces::new(datagrams)); count], oldest: 0 }
    }

    /// Takes what has come of the response `number`, and gives other pieces for it, to be cleared.
    pub(super) fn record(&mut self, number: u32, pieces: &mut Pieces) {
        let Some(place) = self.kept.get_mut(self.oldest) else { return };
        place.0 = Some(number);
        std::mem::swap(&mut place.1, pieces);
        self.oldest = (self.oldest + 1) % self.kept.len();
    }

    /// Takes datagram `index` of the response `number`; none if that one is not remembered.
    pub(super) fn handle_piece(&mut self, number: u32, index: u32) -> Option<Piece> {
        let place = self.kept.iter_mut().find(|place| place.0 == Some(number))?;
        Some(place.1.record(index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_before_and_after_it_was_given_up_is_known_until_others_need_its_place() {
        let mut given_up = GivenUp::new(1, 3);
        let mut pieces = Pieces::new(3);
        pieces.record(1);
        given_up.record(7, &mut pieces);
        pieces.clear();
        let came: Vec<_> = [1, 0, 0, 3, 2, 2].map(|index| given_up.handle_piece(7, index)).into();
        let known = [Piece::Copy, Piece::New, Piece::Copy, Piece::Nonsense, Piece::Last, Piece::Copy];
        assert_eq!(came, known.map(Some));
        assert_eq!((given_up.handle_piece(8, 0), pieces.record(1)), (None, Piece::New));
        for number in 8..7 + KEPT_MIN {
            pieces.clear();
            given_up.record(number, &mut pieces);
        }
        assert_eq!(given_up.handle_piece(7, 2), Some(Piece::Copy), "the oldest");
        given_up.record(100, &mut pieces);
        assert_eq!(given_up.handle_piece(7, 2), None, "it is forgotten");
    }
}
