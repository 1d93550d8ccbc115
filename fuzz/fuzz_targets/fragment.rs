//! Our own frame for fragments, what may be packed in it, and generated content.
//!
//! Where the first byte of the input says so, length and CRC are set right, because chance does not find a
//! CRC. Input: a byte of choices, then frames.

#![no_main]

use incast_core::wire::content::Content;
use incast_core::wire::crc32c::crc32c_of;
use incast_core::wire::fragment::{HEADER_BYTES, Segment, segments};
use incast_core::wire::packed::{self, Packed};
use libfuzzer_sys::fuzz_target;

/// A first input, of which the others are made: it must be a good one.
const GOOD: &[u8] = include_bytes!("../seeds/fragment/frame");

fuzz_target!(init: assert!(Segment::parse(&GOOD[1..]).is_ok()), |data: &[u8]| {
    let [choices, frames @ ..] = data else { return };
    let mut frames = frames.to_vec();
    if choices & 1 != 0 {
        set_right(&mut frames);
    }
    let mut rest = &frames[..];
    while let Ok((segment, behind)) = Segment::parse_prefix(rest) {
        let frame = &rest[..rest.len() - behind.len()];
        assert_eq!(Segment::length_of(rest), Ok(frame.len()));
        let mut written = Vec::new();
        segment.emit(&mut written);
        assert_eq!(written, frame);
        cut(&segment, u32::from(*choices) + 1);
        unpack(&segment);
        rest = behind;
    }
    content(*choices, &frames);
});

/// Makes the input one frame, as far as length and CRC are concerned.
fn set_right(frame: &mut [u8]) {
    let Some(payload) = frame.len().checked_sub(HEADER_BYTES) else { return };
    let payload = u32::try_from(payload).expect("inputs are small");
    frame[28..32].copy_from_slice(&payload.to_le_bytes());
    let crc = crc32c_of(&[&frame[..36], &frame[HEADER_BYTES..]]);
    frame[36..HEADER_BYTES].copy_from_slice(&crc.to_le_bytes());
}

/// The payload as a fragment of its own: its segments lie end to end.
fn cut(segment: &Segment<'_>, step: u32) {
    let mut end = 0;
    for part in segments(segment.head, segment.payload, step).expect("it is small") {
        assert_eq!(part.offset_bytes as usize, end);
        assert_eq!(part.payload, &segment.payload[end..part.end_bytes()]);
        end = part.end_bytes();
    }
    assert_eq!(end, segment.payload.len());
}

fn unpack(segment: &Segment<'_>) {
    let Ok(pieces) = Packed::parse(segment.payload, segment.head.events) else { return };
    let mut written = Vec::new();
    for piece in pieces {
        packed::push(piece, &mut written).expect("it was in a payload");
    }
    assert_eq!(written, segment.payload);
}

/// Any bytes differ from the content where the first one does.
fn content(offset: u8, bytes: &[u8]) {
    let (content, offset) = (Content::new(1, 2, 3), usize::from(offset));
    let mut expected = vec![0; bytes.len()];
    content.fill(offset, &mut expected);
    let wrong = bytes.iter().zip(&expected).position(|(byte, expected)| byte != expected);
    assert_eq!(content.first_wrong(offset, bytes), wrong);
    assert_eq!(content.first_wrong(offset, &expected), None);
}
