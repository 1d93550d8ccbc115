//! What can be wrong with the bytes of a record, by name, and counted.

/// What is wrong with a record, or with the parts that should make one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The bytes end within the header of a record.
    HeaderCut,
    /// The three sizes differ: no record begins here.
    SizesDiffer,
    /// The three sizes agree on what no record can have.
    SizeImplausible,
    /// A header of another version or length than the one that is known.
    HeaderUnknown,
    /// The bytes end within a record.
    RecordCut,
    /// The check sum does not match.
    Checksum,
    /// A bank does not begin with its mark.
    BankMagic,
    /// A bank is shorter than its own header, or longer than its length can say.
    BankLength,
    /// A bank is longer than what is left of its record.
    BankCut,
    /// The record is compressed, or holds no banks: they cannot be dealt out.
    NoBanks,
    /// The first fragment does not begin with the header of its record.
    NoHeader,
    /// The banks are not spread over the fragments in turn: a fragment is missing or not of this record.
    Uneven,
    /// The fragments make a record of another size than its header says.
    SizeOfParts,
    /// An entry of an index is damaged or not in order.
    Entry,
    /// The record is larger than is taken here.
    TooLarge,
}

impl Fault {
    /// Every fault, in the order of display.
    pub const ALL: [Self; 15] = [
        Self::HeaderCut,
        Self::SizesDiffer,
        Self::SizeImplausible,
        Self::HeaderUnknown,
        Self::RecordCut,
        Self::Checksum,
        Self::BankMagic,
        Self::BankLength,
        Self::BankCut,
        Self::NoBanks,
        Self::NoHeader,
        Self::Uneven,
        Self::SizeOfParts,
        Self::Entry,
        Self::TooLarge,
    ];

    /// Its name in a listing.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::HeaderCut => "header_cut",
            Self::SizesDiffer => "sizes_differ",
            Self::SizeImplausible => "size_implausible",
            Self::HeaderUnknown => "header_unknown",
            Self::RecordCut => "record_cut",
            Self::Checksum => "checksum",
            Self::BankMagic => "bank_magic",
            Self::BankLength => "bank_length",
            Self::BankCut => "bank_cut",
            Self::NoBanks => "no_banks",
            Self::NoHeader => "no_header",
            Self::Uneven => "uneven",
            Self::SizeOfParts => "size_of_parts",
            Self::Entry => "entry",
            Self::TooLarge => "too_large",
        }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::HeaderCut => "the bytes end within the header of a record",
            Self::SizesDiffer => "the three sizes of a record differ",
            Self::SizeImplausible => "the size of a record cannot be",
            Self::HeaderUnknown => "a header that is not of version 3",
            Self::RecordCut => "the bytes end within a record",
            Self::Checksum => "the check sum of a record does not match",
            Self::BankMagic => "a bank does not begin with 0xCBCB",
            Self::BankLength => "the length of a bank cannot be",
            Self::BankCut => "a bank is longer than what is left of its record",
            Self::NoBanks => "the record does not hold banks as they are",
            Self::NoHeader => "the first fragment does not begin with the header of its record",
            Self::Uneven => "a fragment is missing or belongs to another record",
            Self::SizeOfParts => "the fragments make a record of another size than its header says",
            Self::Entry => "an entry of the index is damaged",
            Self::TooLarge => "a record larger than is taken here",
        })
    }
}

impl std::error::Error for Fault {}

/// How often each fault was met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults([u64; Fault::ALL.len()]);

impl Faults {
    /// Counts one fault.
    pub const fn record(&mut self, fault: Fault) {
        self.0[fault as usize] += 1;
    }

    /// How often `fault` was met.
    #[must_use]
    pub const fn count(&self, fault: Fault) -> u64 {
        self.0[fault as usize]
    }

    /// All faults.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The faults that were met, by name.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        let counts = Fault::ALL.iter().map(|fault| (fault.name(), self.count(*fault)));
        counts.filter(|(_, count)| *count > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_its_own_counter() {
        let mut faults = Faults::default();
        for (times, fault) in Fault::ALL.into_iter().enumerate() {
            (0..times).for_each(|_| faults.record(fault));
        }
        assert!(Fault::ALL.into_iter().enumerate().all(|(times, fault)| faults.count(fault) == times as u64));
        assert_eq!(faults.named().next(), Some(("sizes_differ", 1)));
    }
}
