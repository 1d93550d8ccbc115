//! Records of events from outside: files that are cut at every byte, damaged anywhere, dealt out to
//! sources and joined again. And a real file, if the environment variable `INCAST_MDF` names one.

use std::io::Write as _;

use incast_core::mdf::bank::{BANK_DATA_BYTES_MAX, MAGIC};
use incast_core::mdf::header::{HEADER_BYTES, MULTI_EVENT_PACKETS};
use incast_core::mdf::{
    BankId, Checksum, ChecksumKind, Fault, Header, Index, Odin, Part, Reader, Record, RecordWriter, checksum,
    deal, join, recover,
};
use proptest::collection::vec;
use proptest::prelude::*;

/// A record of the given banks, numbered by a bank of the timing system if `event` is given.
fn record(event: Option<u64>, banks: &[(BankId, Vec<u8>)], kind: ChecksumKind) -> Vec<u8> {
    let mut bytes = Vec::new();
    let header = Header { trigger_mask: [1, 2, 3, u32::MAX], spare: 0xaa, ..Header::of_banks(7, 8, 9) };
    let mut writer = RecordWriter::begin(&mut bytes, header);
    if let Some(event) = event {
        let odin = Odin { run: 7, event, ..Odin::default() };
        writer.push(Odin::id_version_7(), &odin.emit_version_7()).expect("it fits");
    }
    for (id, data) in banks {
        writer.push(*id, data).expect("it fits");
    }
    writer.finish(kind);
    bytes
}

/// Ten small records, in every way that a record can be.
fn file() -> Vec<Vec<u8>> {
    let banks = |count: u16| -> Vec<(BankId, Vec<u8>)> {
        let bank = |source| {
            (
                BankId { kind: 51, version: 1, source },
                vec![0xc0 | source.to_le_bytes()[0]; usize::from(source)],
            )
        };
        (0..count).map(bank).collect()
    };
    (0..10_u16)
        .map(|number| {
            let kind = if number % 3 == 0 { ChecksumKind::None } else { ChecksumKind::Hash };
            record((number != 4).then_some(1000 + u64::from(number)), &banks(number), kind)
        })
        .collect()
}

fn arbitrary_banks() -> impl Strategy<Value = Vec<(BankId, Vec<u8>)>> {
    let bank = (any::<u8>(), any::<u8>(), any::<u16>(), vec(any::<u8>(), 0..40));
    let bank = bank.prop_map(|(kind, version, source, data)| (BankId { kind, version, source }, data));
    vec(bank, 0..12)
}

/// The parts lie end to end, and what is good in them is good.
fn assert_tiled(bytes: &[u8]) -> Vec<Part<'_>> {
    let mut end = 0;
    let parts: Vec<_> = Reader::new(bytes).collect();
    for part in &parts {
        let (offset, length) = match part {
            Part::Record { offset, record } => {
                assert_eq!(record.check(), Ok(()));
                (*offset, record.bytes().len())
            }
            Part::Damaged { offset, bytes, .. } => (*offset, *bytes),
        };
        assert_eq!(offset, end);
        assert!(length > 0);
        end += length;
    }
    assert_eq!(end, bytes.len());
    parts
}

#[test]
fn a_file_cut_at_any_byte_is_recovered_to_its_last_whole_record() {
    let records = file();
    let bytes = records.concat();
    let ends: Vec<usize> = records
        .iter()
        .scan(0, |end, record| {
            *end += record.len();
            Some(*end)
        })
        .collect();
    for length in 0..=bytes.len() {
        let found = recover(&bytes[..length]);
        let whole = ends.iter().take_while(|end| **end <= length).count();
        let valid = if whole == 0 { 0 } else { ends[whole - 1] };
        assert_eq!((found.records, found.valid_bytes), (whole as u64, valid), "cut at {length}");
        assert_eq!(found.cut_bytes, length - valid);
        let fault = match length - valid {
            0 => None,
            1..HEADER_BYTES => Some(Fault::HeaderCut),
            _ => Some(Fault::RecordCut),
        };
        assert_eq!(found.fault, fault, "cut at {length}");
        // Recovering what is left changes nothing more.
        assert_eq!(recover(&bytes[..valid]).fault, None);
    }
}

#[test]
fn zeros_that_a_file_system_leaves_behind_a_cut_are_cut_off() {
    let records = file();
    for zeros in [1, 47, 48, 4096] {
        let bytes = [records.concat(), vec![0; zeros]].concat();
        let found = recover(&bytes);
        assert_eq!((found.records, found.cut_bytes), (10, zeros));
        let fault = if zeros < HEADER_BYTES { Fault::HeaderCut } else { Fault::SizeImplausible };
        assert_eq!(found.fault, Some(fault));
    }
}

#[test]
fn every_record_behind_a_damaged_byte_is_found_again() {
    let records = file();
    let bytes = records.concat();
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x41;
        let parts = assert_tiled(&damaged);
        let mut start = 0;
        for record in &records {
            let found = parts.iter().any(|part| {
                matches!(part, Part::Record { offset, record: found } if *offset == start && found.bytes() == record)
            });
            let hit = (start..start + record.len()).contains(&at);
            assert!(found || hit, "byte {at}, record at {start}");
            start += record.len();
        }
    }
}

#[test]
fn bytes_that_were_lost_cost_the_records_that_they_were_of_and_no_other() {
    let records = file();
    let bytes = records.concat();
    let start: usize = records[..5].iter().map(Vec::len).sum();
    let end = start + records[5].len();
    // From within record 5, with a check sum, up to within the next.
    for (from, to) in [(start + 1, start + 2), (start + 50, end - 3), (start + 5, end + 20), (end - 1, end)] {
        let damaged = [&bytes[..from], &bytes[to..]].concat();
        let events: Vec<_> =
            Reader::new(&damaged).records().map(|(_, record)| record.odin().map(|odin| odin.event)).collect();
        let lost = if to > end { vec![5, 6] } else { vec![5] };
        let expected = (0..10).filter(|number| !lost.contains(number));
        let expected: Vec<_> = expected.map(|number| (number != 4).then_some(1000 + number)).collect();
        assert_eq!(events, expected, "without {from}..{to}");
        let faults = assert_tiled(&damaged).iter().filter(|part| part.record().is_none()).count();
        assert_eq!(faults, 1, "without {from}..{to}");
    }
}

#[test]
fn bytes_that_came_in_between_are_one_damage_with_the_record_that_they_split() {
    let records = file();
    let (front, behind) = records[5].split_at(60);
    let bytes = [&records[..5].concat(), front, &[0xdd; 7], behind, &records[6..].concat()].concat();
    let parts = assert_tiled(&bytes);
    assert_eq!(parts.len(), 10);
    assert!(
        matches!(parts[5], Part::Damaged { bytes, fault: Fault::Checksum, .. } if bytes == records[5].len() + 7)
    );
}

#[test]
fn a_record_within_the_claimed_size_of_a_damaged_one_is_found() {
    let large =
        record(Some(1), &[(BankId { kind: 51, version: 0, source: 1 }, vec![5; 500])], ChecksumKind::Hash);
    let small = record(Some(2), &[], ChecksumKind::Hash);
    let last = record(Some(3), &[], ChecksumKind::Hash);
    // As many bytes are lost as the next record has, and so a third begins where the first one says it ends.
    let bytes = [&large[..large.len() - small.len()], &small, &last].concat();
    let events = Reader::new(&bytes).records().map(|(_, record)| record.odin().map(|odin| odin.event));
    assert_eq!(events.collect::<Vec<_>>(), [Some(2), Some(3)]);
    assert_eq!(assert_tiled(&bytes).len(), 3);
}

#[test]
fn bytes_that_all_look_like_records_do_not_cost_their_square() {
    // Every 64 bytes a header of a record of 64 KiB, whose check sum is wrong and whose banks are right.
    let header = Header { record_bytes: 64 << 10, checksum: 1, ..Header::of_banks(1, 2, 3) };
    let period = [&header.emit()[..], &[0xcb, 0xcb, 16, 0], &[0; 12]].concat();
    let bytes = period.repeat((1 << 20) / 64);
    let parts = assert_tiled(&bytes);
    assert!(parts.iter().all(|part| part.record().is_none()));
    assert_eq!(parts.len(), 16, "each is passed over as a whole");
}

#[test]
fn an_index_finds_every_event() {
    let records = file();
    let bytes = records.concat();
    let index = Index::of(&bytes);
    assert_eq!((index.run, index.entries.len()), (7, 10));
    for (place, entry) in index.entries.iter().enumerate() {
        let from = usize::try_from(entry.offset).unwrap();
        let found = &bytes[from..from + entry.bytes as usize];
        assert_eq!(found, records[place]);
        assert!(entry.matches(found) && !entry.matches(&found[1..]));
    }
    // Record 4 has no number of its own.
    assert_eq!(index.find(4).map(|entry| entry.offset), Some(index.entries[4].offset));
    assert_eq!(index.find(1009), index.entries.last());
    let mut out = Vec::new();
    index.emit(&mut out);
    assert_eq!(Index::parse(&out), Ok((index, out.len())));
}

#[test]
fn what_holds_no_banks_cannot_be_dealt_out() {
    let mut bytes = record(None, &[], ChecksumKind::None);
    for (at, value) in [(18, MULTI_EVENT_PACKETS), (16, 1)] {
        let before = std::mem::replace(&mut bytes[at], value);
        let fault = deal(&Record::parse(&bytes).unwrap(), &mut [Vec::new()]);
        assert_eq!(fault, Err(Fault::NoBanks));
        bytes[at] = before;
    }
    assert_eq!(deal(&Record::parse(&bytes).unwrap(), &mut []), Err(Fault::Uneven));
    assert_eq!(join::<&[u8]>(&[], &mut Vec::new()), Err(Fault::NoHeader));
}

#[test]
fn a_fragment_that_is_missing_or_doubled_is_noticed() {
    let banks: Vec<_> = (0..7).map(|source| (BankId { kind: 51, version: 0, source }, vec![1; 5])).collect();
    let bytes = record(Some(3), &banks, ChecksumKind::Hash);
    let mut fragments = vec![Vec::new(); 4];
    deal(&Record::parse(&bytes).unwrap(), &mut fragments).unwrap();
    let mut out = vec![9];
    for missing in 0..4 {
        let mut without = fragments.clone();
        without[missing].clear();
        assert!(join(&without, &mut out).is_err());
        without.remove(missing);
        assert!(join(&without, &mut out).is_err());
    }
    let doubled = [&fragments[..], &fragments[3..]].concat();
    assert!(join(&doubled, &mut out).is_err());
    // A bank too many: in a fragment whose turn it is not, and in the one whose turn it is.
    for (fragment, fault) in [(2, Fault::Uneven), (0, Fault::SizeOfParts)] {
        let mut more = fragments.clone();
        more[fragment].extend_from_slice(&[0xcb, 0xcb, 8, 0, 1, 0, 0, 0]);
        assert_eq!(join(&more, &mut out), Err(fault));
    }
    assert_eq!(out, [9], "what could not be joined leaves no trace");
    assert_eq!(join(&fragments, &mut out), Ok(bytes.len()));
    assert_eq!(out[1..], bytes);
}

#[test]
fn the_largest_bank_goes_through_as_well() {
    let bytes = record(
        None,
        &[(BankId { kind: 1, version: 2, source: 3 }, vec![0xfe; BANK_DATA_BYTES_MAX])],
        ChecksumKind::Hash,
    );
    let mut fragments = vec![Vec::new(); 3];
    deal(&Record::parse(&bytes).unwrap(), &mut fragments).unwrap();
    let mut out = Vec::new();
    join(&fragments, &mut out).unwrap();
    assert_eq!(out, bytes);
}

proptest! {
    #[test]
    fn what_is_dealt_out_to_any_number_of_sources_is_joined_to_the_same_bytes(
        banks in arbitrary_banks(), sources in 1_usize..20, event in any::<Option<u64>>(),
    ) {
        let bytes = record(event, &banks, ChecksumKind::Hash);
        let mut fragments = vec![vec![0xee]; sources];
        deal(&Record::parse(&bytes).unwrap(), &mut fragments).unwrap();
        let mut out = Vec::new();
        prop_assert_eq!(join(&fragments, &mut out), Ok(bytes.len()));
        prop_assert_eq!(out, bytes);
    }

    #[test]
    fn what_is_written_is_read(banks in arbitrary_banks(), event in any::<Option<u64>>(), none in any::<bool>()) {
        let kind = if none { ChecksumKind::None } else { ChecksumKind::Hash };
        let bytes = record(event, &banks, kind);
        let read = Record::parse(&bytes).unwrap();
        prop_assert_eq!(read.checksum(), if none { Checksum::None } else { Checksum::Matches });
        prop_assert_eq!(read.odin().map(|odin| odin.event), event.or_else(|| read.odin().map(|odin| odin.event)));
        let found: Vec<_> = read.banks().map(|bank| bank.map(|bank| (bank.id(), bank.data().to_vec()))).collect();
        let timing = usize::from(event.is_some());
        prop_assert_eq!(&found[timing..], &banks.into_iter().map(Ok).collect::<Vec<_>>()[..]);
    }

    #[test]
    fn any_bytes_are_tiled(mut bytes in vec(any::<u8>(), 0..400), at in 0_usize..300, good in any::<bool>()) {
        if good {
            let inside = file().concat();
            let at = at.min(bytes.len());
            bytes.splice(at..at, inside);
            let parts = assert_tiled(&bytes);
            prop_assert!(parts.iter().filter(|part| part.record().is_some()).count() >= 10);
        } else {
            assert_tiled(&bytes);
        }
        let found = recover(&bytes);
        prop_assert_eq!(found.valid_bytes + found.cut_bytes, bytes.len());
    }
}

/// A file of LHCb that the environment names: `INCAST_MDF=file cargo test -p incast-core --test mdf`.
#[test]
fn a_real_file_is_read_dealt_out_and_joined() {
    let Some(path) = std::env::var_os("INCAST_MDF") else {
        // Not by `eprintln`, which a test that passes keeps to itself.
        let said = "NOT RUN: no real MDF file was read; name one with the environment variable INCAST_MDF";
        writeln!(std::io::stderr(), "\n{said}\n").expect("standard error is open");
        return;
    };
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("read {}: {error}", path.display()));
    let parts = assert_tiled(&bytes);
    assert!(!parts.is_empty());
    let found = recover(&bytes);
    assert_eq!((found.valid_bytes, found.fault), (bytes.len(), None));
    for (offset, record) in Reader::new(&bytes).records() {
        assert_eq!(record.checksum(), Checksum::Matches, "record at {offset}");
        assert_eq!(record.header().emit(), record.bytes()[..HEADER_BYTES]);
        assert_eq!(checksum::hash(&record.bytes()[16..]), record.header().checksum);
        let odin = record.odin().expect("an event of the timing system");
        assert_eq!((odin.run, odin.orbit), (record.header().run, record.header().orbit));
        assert_eq!(u32::from(odin.bunch), record.header().bunch);
        assert!(record.banks().all(|bank| bank.is_ok_and(|bank| bank.bytes()[..2] == MAGIC.to_le_bytes())));
        for sources in 1..12 {
            let mut fragments = vec![Vec::new(); sources];
            deal(&record, &mut fragments).unwrap();
            let mut out = Vec::new();
            join(&fragments, &mut out).unwrap();
            assert_eq!(out, record.bytes(), "record at {offset}, {sources} sources");
        }
        // Written again from its banks, it is the same record.
        let mut out = Vec::new();
        let mut writer = RecordWriter::begin(&mut out, *record.header());
        for bank in record.banks().map(Result::unwrap) {
            writer.push(bank.id(), bank.data()).unwrap();
        }
        writer.finish(ChecksumKind::Hash);
        assert_eq!(out, record.bytes());
    }
    writeln!(std::io::stderr(), "{} records of {} bytes", found.records, bytes.len()).expect("it is open");
}
