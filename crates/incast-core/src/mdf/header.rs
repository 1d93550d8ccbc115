//! The header of a record, version 3: 48 bytes, little endian.
//!
//! ```text
//!  0      4      8      12       16    17    18    19    20              36   40     44     48
//!  | size | size | size | check  | com | hdr | typ | spa | trigger mask  |run | orbit| bunch |
//!  |      |      |      | sum    |     |0x37 |     |     | 4 x u32       |    |      |       |
//! ```
//! The size is that of the whole record with these 48 bytes. `hdr` is the version (high nibble) and
//! the length in words of what follows offset 20 (low nibble): 7. `typ` is 1 for banks, 2 for
//! multi-event packets. In `com` the low nibble is the level of compression, 0 for none. The check
//! sum covers everything from offset 16 on, and 0 says that there is none.
//!
//! Source: LHCb `DAQ/MDF/MDF/MDFHeader.h`, EDMS 784588.

use super::Fault;
use crate::wire::little_endian::{array_at, length, put, u32_at};

/// Bytes of a header of version 3.
pub const HEADER_BYTES: usize = 48;
/// Where the part of a record begins that its check sum covers.
pub const COVERED_FROM: usize = 16;
/// Version 3, and 7 words behind offset 20.
pub const VERSION_3: u8 = 0x37;
/// Largest record that is taken: an event of LHCb has some 100 kB. A larger size is taken for damage.
pub const RECORD_BYTES_MAX: u32 = 256 << 20;

/// What the data of a record are: banks.
pub const BANKS: u8 = 1;
/// What the data of a record are: multi-event packets.
pub const MULTI_EVENT_PACKETS: u8 = 2;

const SIZES: [usize; 3] = [0, 4, 8];
const CHECKSUM: usize = 12;
const COMPRESSION: usize = 16;
const VERSION: usize = 17;
const DATA_TYPE: usize = 18;
const SPARE: usize = 19;
const TRIGGER_MASK: [usize; 4] = [20, 24, 28, 32];
const RUN: usize = 36;
const ORBIT: usize = 40;
const BUNCH: usize = 44;

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Bytes of the record, this header included.
    pub record_bytes: u32,
    /// Check sum of everything behind offset 16; 0 says that there is none.
    pub checksum: u32,
    /// Low nibble: level of compression, 0 for none. High nibble: ratio.
    pub compression: u8,
    /// [`BANKS`] or [`MULTI_EVENT_PACKETS`].
    pub data_type: u8,
    /// A byte without a meaning, kept as it is.
    pub spare: u8,
    /// Which triggers accepted the event.
    pub trigger_mask: [u32; 4],
    /// Run number.
    pub run: u32,
    /// Orbit counter.
    pub orbit: u32,
    /// Bunch crossing within the orbit.
    pub bunch: u32,
}

impl Header {
    /// The header of a record of banks without compression, as a writer begins it.
    #[must_use]
    pub const fn of_banks(run: u32, orbit: u32, bunch: u32) -> Self {
        Self {
            record_bytes: 0,
            checksum: 0,
            compression: 0,
            data_type: BANKS,
            spare: 0,
            trigger_mask: [u32::MAX; 4],
            run,
            orbit,
            bunch,
        }
    }

    /// Reads the header at the beginning of `bytes`; what follows it may be missing.
    ///
    /// # Errors
    /// When no record of version 3 begins here.
    pub fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        let header = bytes.first_chunk::<HEADER_BYTES>().ok_or(Fault::HeaderCut)?;
        let [size, second, third] = SIZES.map(|at| u32_at(header, at));
        if size != second || size != third {
            return Err(Fault::SizesDiffer);
        }
        if length(size) < HEADER_BYTES || size > RECORD_BYTES_MAX {
            return Err(Fault::SizeImplausible);
        }
        if header[VERSION] != VERSION_3 {
            return Err(Fault::HeaderUnknown);
        }
        Ok(Self {
            record_bytes: size,
            checksum: u32_at(header, CHECKSUM),
            compression: header[COMPRESSION],
            data_type: header[DATA_TYPE],
            spare: header[SPARE],
            trigger_mask: TRIGGER_MASK.map(|at| u32_at(header, at)),
            run: u32_at(header, RUN),
            orbit: u32_at(header, ORBIT),
            bunch: u32_at(header, BUNCH),
        })
    }

    /// The header as bytes.
    #[must_use]
    pub fn emit(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        SIZES.iter().for_each(|at| put(&mut bytes, *at, self.record_bytes.to_le_bytes()));
        put(&mut bytes, CHECKSUM, self.checksum.to_le_bytes());
        bytes[COMPRESSION] = self.compression;
        bytes[VERSION] = VERSION_3;
        bytes[DATA_TYPE] = self.data_type;
        bytes[SPARE] = self.spare;
        for (at, word) in TRIGGER_MASK.into_iter().zip(self.trigger_mask) {
            put(&mut bytes, at, word.to_le_bytes());
        }
        put(&mut bytes, RUN, self.run.to_le_bytes());
        put(&mut bytes, ORBIT, self.orbit.to_le_bytes());
        put(&mut bytes, BUNCH, self.bunch.to_le_bytes());
        bytes
    }

    /// Whether what follows is compressed.
    #[must_use]
    pub const fn is_compressed(&self) -> bool {
        self.compression & 0x0f != 0
    }

    /// Whether banks follow, as they are.
    #[must_use]
    pub const fn holds_banks(&self) -> bool {
        self.data_type == BANKS && !self.is_compressed()
    }
}

/// Writes size and check sum into the header that begins `record`.
pub(super) fn settle(record: &mut [u8], record_bytes: u32, checksum: u32) {
    SIZES.iter().for_each(|at| put(record, *at, record_bytes.to_le_bytes()));
    put(record, CHECKSUM, checksum.to_le_bytes());
}

/// Whether the three sizes at the beginning of `bytes` agree, which is what a reader looks for.
#[inline]
#[must_use]
pub fn has_sync_mark(bytes: &[u8]) -> bool {
    let Some(mark) = bytes.first_chunk::<12>() else { return false };
    let [first, second, third]: [[u8; 4]; 3] = SIZES.map(|at| array_at(mark, at));
    first == second && second == third
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written out by hand from the table above.
    const GOLDEN: [u8; HEADER_BYTES] = [
        0x74, 0x05, 0, 0, 0x74, 0x05, 0, 0, 0x74, 0x05, 0, 0, // 1396, three times
        0x83, 0x4f, 0xba, 0xeb, // check sum
        0, 0x37, 1, 9, // not compressed, version 3, banks, spare
        0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0x80, // trigger mask
        0x2b, 0x03, 0x02, 0, // run 131883
        0x28, 0x0a, 0, 0, // orbit 2600
        0xa4, 0, 0, 0, // bunch 164
    ];

    fn header() -> Header {
        Header {
            record_bytes: 1396,
            checksum: 0xebba_4f83,
            spare: 9,
            trigger_mask: [u32::MAX, 1, 2, 0x8000_0003],
            ..Header::of_banks(131_883, 2600, 164)
        }
    }

    #[test]
    fn the_header_is_where_the_table_says() {
        assert_eq!(header().emit(), GOLDEN);
        assert_eq!(Header::parse(&GOLDEN), Ok(header()));
    }

    #[test]
    fn every_cut_of_a_header_is_refused() {
        for length in 0..HEADER_BYTES {
            assert_eq!(Header::parse(&GOLDEN[..length]), Err(Fault::HeaderCut));
        }
    }

    #[test]
    fn what_is_no_record_is_named() {
        let with = |at: usize, byte: u8| {
            let mut bytes = GOLDEN;
            bytes[at] = byte;
            Header::parse(&bytes).err()
        };
        assert_eq!(with(1, 6), Some(Fault::SizesDiffer));
        assert_eq!(with(11, 6), Some(Fault::SizesDiffer));
        assert_eq!(with(VERSION, 0x17), Some(Fault::HeaderUnknown));
        for size in [0, 47, RECORD_BYTES_MAX + 1, u32::MAX] {
            let bytes = Header { record_bytes: size, ..header() }.emit();
            assert_eq!(Header::parse(&bytes), Err(Fault::SizeImplausible), "{size}");
        }
    }
}
