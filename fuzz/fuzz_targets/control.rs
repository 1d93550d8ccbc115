//! The control connection below its encryption: frames put together, and messages read.
//!
//! An input that begins with byte 0 is a list of frames, of 4 bytes each: mark, length, repeats.
//! Any other input is a message as JSON.

#![no_main]

use incast_core::control::Message;
use incast_core::wire::frame::{Assembler, FrameError, MESSAGE_BYTES_MAX};
use libfuzzer_sys::fuzz_target;

/// A first input, of which the others are made: it must be a good one.
const GOOD: &[u8] = include_bytes!("../seeds/control/hello");

fuzz_target!(init: assert!(serde_json::from_slice::<Message>(GOOD).is_ok()), |data: &[u8]| match data {
    [0, frames @ ..] => assemble(frames),
    text => read(text),
});

/// Against a model that only counts: what is kept never grows beyond the bound.
fn assemble(mut frames: &[u8]) {
    let (mut assembler, mut kept) = (Assembler::default(), 0);
    let mut work_left = 2 * MESSAGE_BYTES_MAX;
    while let Some((&[mark, low, high, repeats], rest)) = frames.split_first_chunk() {
        frames = rest;
        let length = usize::from(u16::from_le_bytes([low, high]));
        let frame = [&[mark][..], &vec![0xaa; length]].concat();
        for _ in 0..=repeats {
            let Some(left) = work_left.checked_sub(length) else { return };
            work_left = left;
            let outcome = assembler.handle_frame(&frame);
            let expected = match mark {
                2.. => Err(FrameError::BadMark(mark)),
                _ if kept + length > MESSAGE_BYTES_MAX => Err(FrameError::TooLong),
                0 => Ok(Some(kept + length)),
                _ => Ok(None),
            };
            assert_eq!(outcome.map(|message| message.map(|bytes| bytes.len())), expected);
            kept = match expected {
                Ok(None) => kept + length,
                Ok(Some(_)) => 0,
                Err(_) => kept,
            };
        }
    }
    assert_eq!(assembler.handle_frame(&[]), Err(FrameError::Empty));
}

/// What reads writes back; a hello is granted or refused in words.
fn read(text: &[u8]) {
    let Ok(message) = serde_json::from_slice::<Message>(text) else { return };
    if let Message::Hello(hello) = &message
        && let Err(error) = hello.check()
    {
        assert!(!error.to_string().contains(char::is_control));
    }
    // Numbers with a fraction may lose their last bit when they are read, so texts are compared
    // and not values, and only from the second reading on.
    let rewrite = |message: &Message| serde_json::to_string(message).expect("a message can be written");
    let again: Message = serde_json::from_str(&rewrite(&message)).expect("what is written can be read");
    drop(rewrite(&again));
}
