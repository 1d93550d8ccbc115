//! Extensions of STAMP packets (RFC 8972 §4), behind the base and up to the end of the datagram.
//!
//! ```text
//!  0       8       16              32
//!  | U M I | type  | length of value | value ...
//! ```
//! A sender sets U and clears M and I; a reflector clears U where it knows the type, sets M where the length cannot be, and
//! I where the HMAC does not match. What it does not know it sends back as it came, so that both ways have the same size.
//!
//! What is spoken here: Extra Padding, Direct Measurement (how many packets either end has counted, which splits
//! loss by direction) and the HMAC of the extensions. TWAMP Light senders pad with anything: what does not begin with U is padding.

/// The type is not known to the reflector.
pub const UNKNOWN: u8 = 0x80;
/// The length cannot be.
pub const MALFORMED: u8 = 0x40;
/// The HMAC of the extensions does not match.
pub const NOT_AUTHENTIC: u8 = 0x20;

/// Bytes before the value.
pub const HEAD_BYTES: usize = 4;
/// Type of padding: its value means nothing (RFC 8972 §4.1).
pub const EXTRA_PADDING: u8 = 1;
/// Type of the counters (RFC 8972 §4.5).
pub const DIRECT_MEASUREMENT: u8 = 5;
/// Type of the HMAC over the sequence number of the packet and all extensions before it (RFC 8972 §4.8).
pub const HMAC: u8 = 8;
/// Bytes of a whole Direct Measurement extension.
pub const DIRECT_MEASUREMENT_BYTES: usize = HEAD_BYTES + COUNTERS_BYTES;
/// Bytes of a whole HMAC extension.
pub const HMAC_BYTES: usize = HEAD_BYTES + 16;
/// Bytes of the counters in a Direct Measurement extension.
pub const COUNTERS_BYTES: usize = 12;

/// One extension: where it is in the bytes behind the base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Offset of its head.
    pub at: usize,
    /// U, M, I and reserved bits.
    pub flags: u8,
    /// Its type.
    pub kind: u8,
    /// Bytes of its value; of a malformed one, what is there.
    pub value_bytes: usize,
    /// The head is cut off, or the value: nothing behind it can be read.
    pub is_cut: bool,
}

impl Part {
    /// Its value within the bytes that were walked through.
    #[must_use]
    pub fn value<'a>(&self, extensions: &'a [u8]) -> &'a [u8] {
        let from = (self.at + HEAD_BYTES).min(extensions.len());
        &extensions[from..(from + self.value_bytes).min(extensions.len())]
    }
}

/// The extensions, one after the other; lengths are checked here and nowhere else.
pub fn walk(extensions: &[u8]) -> impl Iterator<Item = Part> + use<'_> {
    let mut next = 0;
    std::iter::from_fn(move || {
        let at = next;
        let rest = extensions.get(at..).filter(|rest| !rest.is_empty())?;
        let (flags, kind) = (rest[0], rest.get(1).copied().unwrap_or(0));
        let length =
            rest.get(2..).and_then(|rest| rest.first_chunk()).map(|bytes| u16::from_be_bytes(*bytes));
        let room = rest.len().saturating_sub(HEAD_BYTES);
        let length = length.map(usize::from).filter(|length| *length <= room);
        next = length.map_or(extensions.len(), |length| at + HEAD_BYTES + length);
        Some(Part { at, flags, kind, value_bytes: length.unwrap_or(room), is_cut: length.is_none() })
    })
}

/// Whether the bytes behind the base are extensions, and not the padding of a TWAMP sender.
#[must_use]
pub fn are_extensions(extensions: &[u8]) -> bool {
    extensions.first().is_some_and(|flags| flags & UNKNOWN != 0)
}

/// Writes a head as a sender does; the value behind it is left alone.
pub fn emit_head(extensions: &mut [u8], kind: u8, value_bytes: u16) {
    let [high, low] = value_bytes.to_be_bytes();
    extensions[..HEAD_BYTES].copy_from_slice(&[UNKNOWN, kind, high, low]);
}

/// The counters of a Direct Measurement extension.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Tests sent, this one included; by the sender.
    pub sent: u32,
    /// Tests received, this one included; by the reflector.
    pub received: u32,
    /// Replies sent, this one included; by the reflector.
    pub replied: u32,
}

impl Counters {
    /// Reads the value of the extension; `None` if it has another length.
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Self> {
        let [one, two, three] = value.as_chunks::<4>().0 else { return None };
        let number = |bytes: &[u8; 4]| u32::from_be_bytes(*bytes);
        (value.len() == COUNTERS_BYTES).then(|| Self {
            sent: number(one),
            received: number(two),
            replied: number(three),
        })
    }

    /// Writes the value of the extension, of 12 bytes.
    pub fn emit(&self, value: &mut [u8]) {
        value[..4].copy_from_slice(&self.sent.to_be_bytes());
        value[4..8].copy_from_slice(&self.received.to_be_bytes());
        value[8..COUNTERS_BYTES].copy_from_slice(&self.replied.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_are_found_one_after_the_other() {
        let bytes = [0x80, 5, 0, 2, 9, 9, 0x80, 99, 0, 0, 0x80, 1, 0, 1, 7];
        let parts: Vec<Part> = walk(&bytes).collect();
        let kinds: Vec<(u8, usize, bool)> =
            parts.iter().map(|part| (part.kind, part.value_bytes, part.is_cut)).collect();
        assert_eq!(kinds, [(5, 2, false), (99, 0, false), (1, 1, false)]);
        assert_eq!(parts[2].value(&bytes), [7]);
        assert!(are_extensions(&bytes) && !are_extensions(&[]) && !are_extensions(&[0x7f]));
    }

    #[test]
    fn a_length_that_leads_beyond_the_end_ends_the_walk() {
        for bytes in [&[0x80][..], &[0x80, 5], &[0x80, 5, 0], &[0x80, 5, 0, 1], &[0x80, 5, 0xff, 0xff, 1, 2]]
        {
            let parts: Vec<Part> = walk(bytes).collect();
            assert!(parts.len() == 1 && parts[0].is_cut, "{bytes:?}: {parts:?}");
            assert!(parts[0].value(bytes).len() <= bytes.len());
        }
        assert_eq!(walk(&[]).count(), 0);
    }

    #[test]
    fn counters_read_back_and_have_one_length() {
        let counters = Counters { sent: 1, received: 0x0102_0304, replied: u32::MAX };
        let mut value = [0; 13];
        counters.emit(&mut value);
        assert_eq!(Counters::parse(&value[..12]), Some(counters));
        assert_eq!((Counters::parse(&value), Counters::parse(&value[..11])), (None, None));
    }
}
