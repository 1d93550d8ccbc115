//! Files of records, whole, cut and damaged; their index; and records dealt out and joined again.
//!
//! The check sum of a record is set right where the first byte of the input says so, because chance does
//! not find one. Input: a byte of choices, then the file.

#![no_main]

use incast_core::mdf::header::HEADER_BYTES;
use incast_core::mdf::{Checksum, Index, Part, Reader, Record, checksum, deal, join, recover};
use libfuzzer_sys::fuzz_target;

/// A first input, of which the others are made: it must be a good one.
const GOOD: &[u8] = include_bytes!("../seeds/mdf/two_records");

fuzz_target!(init: assert_eq!(recover(&GOOD[1..]).records, 2), |data: &[u8]| {
    let [choices, bytes @ ..] = data else { return };
    let mut bytes = bytes.to_vec();
    if choices & 1 != 0 {
        set_checksums(&mut bytes);
    }
    read(&bytes);
    index(&bytes);
    if let Ok(record) = Record::parse(&bytes) {
        banks(&record, usize::from(choices >> 4));
    }
});

/// Sets the sum of every record that lies behind another, as far as their sizes lead.
fn set_checksums(bytes: &mut [u8]) {
    let mut at = 0;
    while let Ok(record) = Record::parse(&bytes[at..]) {
        let (length, sum) = (record.bytes().len(), checksum::hash(&record.bytes()[16..]));
        bytes[at + 12..at + 16].copy_from_slice(&sum.to_le_bytes());
        at += length;
    }
}

/// The parts cover every byte once, and records are good; what is recovered is the records in front.
fn read(bytes: &[u8]) {
    let (mut end, mut in_front, mut damaged) = (0, (0, 0), false);
    for part in Reader::new(bytes) {
        let (offset, length) = match part {
            Part::Record { offset, record } => {
                assert_ne!(record.checksum(), Checksum::Wrong);
                assert_eq!(record.header().emit(), record.bytes()[..HEADER_BYTES]);
                (offset, record.bytes().len())
            }
            Part::Damaged { offset, bytes, .. } => (offset, bytes),
        };
        assert!(offset == end && length > 0);
        end += length;
        damaged |= part.record().is_none();
        if !damaged {
            in_front = (in_front.0 + 1, end);
        }
    }
    assert_eq!(end, bytes.len());
    let found = recover(bytes);
    assert_eq!((found.records, found.valid_bytes), in_front);
    assert_eq!((found.valid_bytes + found.cut_bytes, found.fault.is_some()), (bytes.len(), damaged));
}

fn index(bytes: &[u8]) {
    let made = Index::of(bytes);
    for entry in &made.entries {
        let from = usize::try_from(entry.offset).expect("it is within the file");
        assert!(entry.matches(&bytes[from..from + entry.bytes as usize]));
    }
    let mut written = Vec::new();
    made.emit(&mut written);
    assert_eq!(Index::parse(&written), Ok((made, written.len())));
    if let Ok((read, good)) = Index::parse(bytes) {
        written.clear();
        read.emit(&mut written);
        assert_eq!(written, bytes[..good]);
    }
}

/// Dealt out to any number of sources, the record is joined again, byte for byte.
fn banks(record: &Record<'_>, sources: usize) {
    let mut fragments = vec![Vec::new(); sources];
    let mut joined = vec![7];
    if deal(record, &mut fragments).is_ok() {
        assert_eq!(join(&fragments, &mut joined), Ok(record.bytes().len()));
        assert_eq!(joined[1..], *record.bytes());
    }
    // The body as fragments of something else: refused, or as large as it says.
    let pieces: Vec<_> = record.body().chunks(sources + 60).collect();
    joined.clear();
    if let Ok(length) = join(&pieces, &mut joined) {
        assert_eq!((length, Record::parse(&joined).is_ok()), (joined.len(), true));
    } else {
        assert!(joined.is_empty());
    }
}
