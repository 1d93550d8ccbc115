//! What a stored event says of itself: the bank of its flaws, the marks in the index, and generated banks.
//!
//! Input: a byte of choices, then the data of a bank, or a record. The check sum of the record and who made it
//! are set right where the choices say so, because chance does not find them.

#![no_main]

use incast_core::mdf::{Bank, Flaw, Marks, Record, bank, checksum, keep, verify_generated};
use libfuzzer_sys::fuzz_target;

/// First inputs, of which the others are made: they must be good ones.
const GOOD: &[u8] = include_bytes!("../seeds/flaw/bank");
const GOOD_RECORD: &[u8] = include_bytes!("../seeds/flaw/record");

fuzz_target!(
    init: {
        assert!(of_bank(&GOOD[1..]));
        assert!(of_record(&GOOD_RECORD[1..]));
    },
    |data: &[u8]| {
        let [choices, bytes @ ..] = data else { return };
        of_bank(bytes);
        let mut bytes = bytes.to_vec();
        if choices & 1 != 0 && bytes.len() >= 48 && Record::parse(&bytes).is_ok() {
            let sum = checksum::hash(&bytes[16..]);
            bytes[12..16].copy_from_slice(&sum.to_le_bytes());
        }
        of_record(&bytes);
        if let Some(marks) = bytes.first_chunk().and_then(|marks| Marks::parse(*marks)) {
            assert_eq!(Some(&marks.emit()), bytes.first_chunk());
        }
    }
);

/// What is read of a bank is written as it was; says whether it was a flaw.
fn of_bank(data: &[u8]) -> bool {
    let mut bytes = Vec::new();
    if bank::emit(Flaw::BANK, data, &mut bytes).is_err() {
        return false;
    }
    let (bank, _) = Bank::parse(&bytes).expect("it was written");
    let Some(flaw) = Flaw::parse(&bank) else { return false };
    assert_eq!(flaw.emit(), data);
    assert_eq!(Marks::parse(flaw.marks().emit()), Some(flaw.marks()));
    true
}

/// Says whether the record has a flaw.
fn of_record(bytes: &[u8]) -> bool {
    let Ok(record) = Record::parse(bytes) else { return false };
    let _ = verify_generated(&record);
    let flaw = keep::flaw(&record);
    // Where there is one, it is the second bank.
    let second = record.banks().nth(1).and_then(Result::ok).and_then(|bank| Flaw::parse(&bank));
    assert!(flaw.is_none() || flaw == second);
    flaw.is_some()
}
