//! Why bytes of a peer are not what they should be, and how often that happened.
//!
//! One closed set for all layouts, so that counters of all of them can be added and shown alike.
//! What is refused is never used in part.

/// Why a layout was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// Fewer bytes than the header has, or than its lengths say.
    Truncated,
    /// More bytes than its lengths say.
    Excess,
    /// It does not begin with the mark of its kind.
    Magic,
    /// A version that is not spoken here.
    Version,
    /// A kind of message or protocol that is not known here.
    Kind,
    /// Lengths inside contradict the length of the whole.
    Length,
    /// A packing factor or a number of parts that cannot be: none, or not that of the others.
    Packing,
    /// Event numbers that do not follow one another, or are not those of the others.
    EventNumber,
    /// More than this program takes, or than the layout can say.
    Limit,
    /// An alignment that cannot be.
    Alignment,
    /// A part that lies outside of the whole, or on top of another part.
    Offset,
    /// Sources that are not in ascending order, or not those of their parts.
    Source,
    /// A field or a bit that has no meaning is not zero, or a value has none.
    Value,
    /// The check sum does not match.
    Checksum,
}

impl Refusal {
    /// Every reason, in the order of display.
    pub const ALL: [Self; 14] = [
        Self::Truncated,
        Self::Excess,
        Self::Magic,
        Self::Version,
        Self::Kind,
        Self::Length,
        Self::Packing,
        Self::EventNumber,
        Self::Limit,
        Self::Alignment,
        Self::Offset,
        Self::Source,
        Self::Value,
        Self::Checksum,
    ];

    /// Its name in a record.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::Excess => "excess",
            Self::Magic => "magic",
            Self::Version => "version",
            Self::Kind => "kind",
            Self::Length => "length",
            Self::Packing => "packing",
            Self::EventNumber => "event_number",
            Self::Limit => "limit",
            Self::Alignment => "alignment",
            Self::Offset => "offset",
            Self::Source => "source",
            Self::Value => "value",
            Self::Checksum => "checksum",
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::Truncated => "fewer bytes than its lengths say",
            Self::Excess => "more bytes than its lengths say",
            Self::Magic => "it does not begin with its mark",
            Self::Version => "a version that is not spoken here",
            Self::Kind => "a kind that is not known here",
            Self::Length => "lengths inside contradict the whole",
            Self::Packing => "an impossible number of parts",
            Self::EventNumber => "event numbers that do not follow one another",
            Self::Limit => "more than is taken here",
            Self::Alignment => "an impossible alignment",
            Self::Offset => "a part outside of the whole",
            Self::Source => "sources out of order",
            Self::Value => "a value without meaning",
            Self::Checksum => "the check sum does not match",
        })
    }
}

impl std::error::Error for Refusal {}

/// How often each reason was met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refusals([u64; Refusal::ALL.len()]);

impl Refusals {
    /// Counts one refusal.
    pub const fn record(&mut self, refusal: Refusal) {
        self.0[refusal as usize] += 1;
    }

    /// How often `refusal` was met.
    #[must_use]
    pub const fn count(&self, refusal: Refusal) -> u64 {
        self.0[refusal as usize]
    }

    /// All refusals.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The reasons that were met, by name.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        let counts = Refusal::ALL.iter().map(|refusal| (refusal.name(), self.count(*refusal)));
        counts.filter(|(_, count)| *count > 0)
    }

    /// Takes the counts of `other` to its own.
    pub fn add(&mut self, other: &Self) {
        for (count, more) in self.0.iter_mut().zip(other.0) {
            *count += more;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_own_counter() {
        let mut refusals = Refusals::default();
        for (times, refusal) in Refusal::ALL.into_iter().enumerate() {
            (0..times).for_each(|_| refusals.record(refusal));
        }
        for (times, refusal) in Refusal::ALL.into_iter().enumerate() {
            assert_eq!(refusals.count(refusal), times as u64, "{refusal}");
        }
        let twice = {
            let mut sum = refusals;
            sum.add(&refusals);
            sum
        };
        assert_eq!(twice.total(), 2 * refusals.total());
        assert_eq!(refusals.named().next(), Some(("excess", 1)));
    }
}
