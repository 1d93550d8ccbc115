//! What is kept of a built event: one record for each event of the packet that is to be stored.
//!
//! ```text
//!  made here:  header | ODIN | flaw, if there is one | banks of source 0 | banks of source 3 | ...
//!  replayed:   the record that was dealt out to the sources, byte for byte
//! ```
//! The payload of a source is banks back to back; of a packet, pieces of them (`wire/packed.rs`). A record
//! made here says so in the spare byte of its header, has the streams in the first word of its trigger
//! mask, and run and number of the event in its ODIN bank. Orbit and bunch are not known and 0.
//!
//! Nothing that a source sends can make an event fail: data that are no banks are kept in banks of type
//! DAQ and version [`NO_BANKS`], what does not fit is left out, and either is named by the [`Flaw`]. A record
//! that was replayed whole has no place for a flaw; how the algorithm failed is in its [`Kept`] only.

use super::bank::{NO_BANKS, bank_bytes};
use super::flaw::FLAW_BYTES_MAX;
use super::generated::CONTENT_BYTES_MAX;
use super::header::{HEADER_BYTES, RECORD_BYTES_MAX};
use super::odin::ODIN_BYTES;
use super::{
    BankId, Banks, ChecksumKind, Fault, Flaw, Header, Marks, Numbered, Odin, Record, RecordWriter, deal,
};
use crate::readout::{Built, EventNumber, RunNumber, SourceId, Verdict};
use crate::wire::little_endian::{bounded, length};
use crate::wire::packed::Packed;

/// The spare byte in the header of a record that was made here.
pub const MADE_HERE: u8 = 0x1c;
/// The same, of a record whose second bank is a [`Flaw`].
pub const MADE_WITH_FLAW: u8 = 0x1d;

/// A record that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The event.
    pub event: EventNumber,
    /// The streams that it is for: at least one.
    pub streams: u32,
    /// Where its record begins in the buffer.
    pub start: usize,
    /// Bytes of its record.
    pub bytes: u32,
    /// Where its number can be read again.
    pub numbered: Numbered,
    /// What is wrong with it, and whether it was replayed.
    pub marks: Marks,
}

/// Makes the records of the events of `built` that are to be kept, back to back behind `out`, and tells each.
///
/// `verdicts` has one verdict for each event; an event without one is not kept.
pub fn keep<P: AsRef<[u8]>>(
    built: &Built<P>,
    verdicts: &[Verdict],
    checksum: ChecksumKind,
    out: &mut Vec<u8>,
    mut each: impl FnMut(Kept),
) {
    let event = built.event();
    let parts = event.parts().map(|(source, payload)| (source, Part::new(payload.as_ref(), event.events)));
    let mut parts: Vec<_> = parts.collect();
    for (verdict, place) in verdicts.iter().zip(0..event.events) {
        let is_kept = verdict.streams() != 0;
        let data: Vec<_> = parts.iter_mut().map(|(source, part)| (*source, part.next(is_kept))).collect();
        if is_kept {
            let number = event.number.after(place.into());
            each(keep_one(built, number, *verdict, &data, checksum, out));
        }
    }
}

/// Banks, or the fault that shows that they are not.
type Data<'a> = Result<&'a [u8], (Fault, &'a [u8])>;

fn keep_one<P>(
    built: &Built<P>,
    event: EventNumber,
    verdict: Verdict,
    data: &[(SourceId, Data<'_>)],
    checksum: ChecksumKind,
    out: &mut Vec<u8>,
) -> Kept {
    let start = out.len();
    let failure = match verdict {
        Verdict::Unjudged { failure, .. } => Some(failure),
        Verdict::Reject | Verdict::Accept { .. } => None,
    };
    let mut flaw = Flaw { run: built.event().run, event, failure, ..Flaw::default() };
    if let Built::Incomplete { missing, cause, .. } = built {
        (flaw.missing, flaw.cause) = (missing.clone(), Some(*cause));
    } else {
        match replay(data, checksum, out) {
            Some(Ok(bytes)) => {
                let marks = Marks { failure, is_replayed: true, ..Marks::default() };
                let streams = verdict.streams();
                return Kept { event, streams, start, bytes, numbered: Numbered::ByReadout, marks };
            }
            Some(Err(fault)) => flaw.fault = Some(fault),
            None => {}
        }
    }
    let forms = forms(data, &mut flaw);
    let bytes = make(&flaw, verdict.streams(), data, &forms, checksum, out);
    let marks = flaw.marks();
    Kept { event, streams: verdict.streams(), start, bytes, numbered: Numbered::ByTiming, marks }
}

/// The record that was dealt out, if one was; the fault if it is not whole any more.
fn replay(
    data: &[(SourceId, Data<'_>)],
    checksum: ChecksumKind,
    out: &mut Vec<u8>,
) -> Option<Result<u32, Fault>> {
    let Some((_, Ok(first))) = data.first() else { return None };
    if !deal::is_dealt(first) {
        return None;
    }
    let start = out.len();
    let fragments: Result<Vec<&[u8]>, Fault> =
        data.iter().map(|(_, data)| data.map_err(|(fault, _)| fault)).collect();
    let joined = fragments.and_then(|fragments| deal::join(&fragments, out)).and_then(|bytes| {
        // What its own check sum does not vouch for is kept with a flaw, and with all its banks.
        if checksum == ChecksumKind::Hash {
            Record::parse(&out[start..])?.check()?;
        }
        bounded(bytes, RECORD_BYTES_MAX).ok_or(Fault::TooLarge)
    });
    if joined.is_err() {
        out.truncate(start);
    }
    Some(joined)
}

/// How the data of a source get into a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    AsTheyAre,
    InBanks,
    LeftOut,
}

/// How the data of each source get in; what is wrong with them goes into `flaw`.
fn forms(data: &[(SourceId, Data<'_>)], flaw: &mut Flaw) -> Vec<Form> {
    let mut room =
        length(RECORD_BYTES_MAX) - HEADER_BYTES - bank_bytes(ODIN_BYTES) - bank_bytes(FLAW_BYTES_MAX);
    let form = |(source, data): &(SourceId, Data<'_>)| {
        let (form, bytes, fault) = match data {
            Ok(banks) => (Form::AsTheyAre, banks.len(), None),
            // Every bank has a header and less padding than another one.
            Err((fault, bytes)) => {
                (Form::InBanks, bytes.len() + 16 * (bytes.len() / CONTENT_BYTES_MAX + 1), Some(*fault))
            }
        };
        let (form, fault) = match room.checked_sub(bytes) {
            Some(left) => {
                room = left;
                (form, fault)
            }
            None => (Form::LeftOut, Some(Fault::TooLarge)),
        };
        if fault.is_some() {
            flaw.fault = flaw.fault.or(fault);
            flaw.damaged.insert(*source);
        }
        form
    };
    data.iter().map(form).collect()
}

/// Writes a record behind `out`; gives its bytes.
fn make(
    flaw: &Flaw,
    streams: u32,
    data: &[(SourceId, Data<'_>)],
    forms: &[Form],
    checksum: ChecksumKind,
    out: &mut Vec<u8>,
) -> u32 {
    let spare = if flaw.is_none() { MADE_HERE } else { MADE_WITH_FLAW };
    let header = Header { trigger_mask: [streams, 0, 0, 0], spare, ..Header::of_banks(flaw.run.0, 0, 0) };
    let mut writer = RecordWriter::begin(out, header);
    let odin = Odin { run: flaw.run.0, event: flaw.event.0, ..Odin::default() };
    // Room for all of it was left, so that nothing here is refused.
    let mut pushed = writer.push(Odin::id_version_7(), &odin.emit_version_7());
    if !flaw.is_none() {
        pushed = pushed.and_then(|()| writer.push(Flaw::BANK, &flaw.emit()));
    }
    for ((source, data), form) in data.iter().zip(forms) {
        pushed = pushed.and_then(|()| match (form, data) {
            (Form::LeftOut, _) => Ok(()),
            (_, Ok(banks)) => writer.push_banks(banks),
            (_, Err((_, bytes))) => {
                let id = BankId { version: NO_BANKS, source: source.0, ..Flaw::BANK };
                writer.push_split(id, bytes)
            }
        });
    }
    assert_eq!(pushed, Ok(()), "room for everything was counted");
    writer.finish(checksum)
}

/// The data of one source, event by event.
enum Part<'a> {
    /// Of the only event.
    Whole(&'a [u8]),
    Packed(Packed<'a>),
    /// Bytes that are not of as many events as they should be: kept with the first event that is kept.
    Damaged(&'a [u8]),
}

impl<'a> Part<'a> {
    fn new(payload: &'a [u8], events: u16) -> Self {
        match events {
            1 => Self::Whole(payload),
            _ => Packed::parse(payload, events).map_or(Self::Damaged(payload), Self::Packed),
        }
    }

    fn next(&mut self, is_kept: bool) -> Data<'a> {
        let piece = match self {
            Self::Whole(payload) => *payload,
            // As many as there are events.
            Self::Packed(pieces) => pieces.next().unwrap_or_default(),
            Self::Damaged(payload) => {
                let bytes = if is_kept { std::mem::take(payload) } else { &[] };
                return Err((Fault::SizeOfParts, bytes));
            }
        };
        match Banks::new(piece).find_map(Result::err) {
            Some(fault) if is_kept => Err((fault, piece)),
            _ => Ok(piece),
        }
    }
}

/// Run and event of a record that was made here, from its first bank; `None` for any other record.
#[must_use]
pub fn made_here(record: &Record<'_>) -> Option<Odin> {
    let is_made_here = matches!(record.header().spare, MADE_HERE | MADE_WITH_FLAW);
    let first = record.banks().next().filter(|_| is_made_here)?.ok()?;
    Odin::parse(&first).filter(|odin| odin.run == record.header().run)
}

/// The number of an event of `run` that was stored by it, from its record alone. A replayed record does not
/// tell.
#[must_use]
pub fn number_of(record: &Record<'_>, run: RunNumber) -> Option<EventNumber> {
    made_here(record).filter(|odin| odin.run == run.0).map(|odin| EventNumber(odin.event))
}

/// What is wrong with the event of a record that was made here.
#[must_use]
pub fn flaw(record: &Record<'_>) -> Option<Flaw> {
    made_here(record)?;
    let second = record.banks().nth(1).filter(|_| record.header().spare == MADE_WITH_FLAW)?.ok()?;
    Flaw::parse(&second)
}
