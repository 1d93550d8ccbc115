//! Shows records of incast to people and to programs. It computes nothing but layout.
//!
//! A view reads a record and gives back text or bytes; it opens nothing, prints nothing and asks no
//! clock. If a view needs a number that the record does not have, the core records it. Every text of
//! a record may have been chosen by a peer, so all of it goes through [`text::clean`] first.
//!
//! On a terminal colours are ANSI escape codes around words that say the same: the caller takes the codes away
//! when nobody looks (`anstream` does), and nothing is lost.

mod fold;
mod html;
mod page;
mod plot;
mod said;
mod table;

pub mod intervals;
pub mod live;
pub mod progress;
pub mod report;
pub mod terminal;
pub mod text;
pub mod topology;
pub mod units;

use incast_core::record::Record;

/// A record and where it was found.
#[derive(Clone, Copy, Debug)]
pub struct RecordAt<'r> {
    /// What tells it from others: its path, as it was given.
    pub place: &'r str,
    /// The record.
    pub record: &'r Record,
}
