//! Shows records of incast to people. It computes nothing but layout.
//!
//! A view reads a record and gives back text; it opens nothing, prints nothing and asks no clock.
//! If a view needs a number that the record does not have, the core records it. Every text of a
//! record may have been chosen by a peer, so all of it goes through [`text::clean`] first.
//!
//! Colours are ANSI escape codes around words that say the same: the caller takes the codes away
//! when nobody looks (`anstream` does), and nothing is lost.

mod page;
mod table;

pub mod progress;
pub mod terminal;
pub mod text;
pub mod units;
