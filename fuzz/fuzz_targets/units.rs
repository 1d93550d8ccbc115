//! Quantities: what reads must write back and read to the same value, and so must any value.

#![no_main]

use std::fmt::{Debug, Display};
use std::str::FromStr;

use incast_core::load::{Load, Spacing};
use incast_core::time::Span;
use incast_core::units::{BitRate, Bytes, Frequency};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Some(value) = data.first_chunk().map(|bytes| u64::from_le_bytes(*bytes)) {
        writes_back(Bytes(value));
        writes_back(BitRate(value));
        writes_back(Frequency { millihertz: value });
        writes_back(Span(value));
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    reads_back::<Bytes>(text);
    reads_back::<BitRate>(text);
    reads_back::<Frequency>(text);
    reads_back::<Span>(text);
    reads_back::<Load>(text);
    reads_back::<Spacing>(text);
});

fn reads_back<T: FromStr<Err: Display> + Display + Debug + PartialEq>(text: &str) {
    match text.parse::<T>() {
        Ok(value) => writes_back(value),
        // The refusal can be printed on one line.
        Err(error) => assert!(!error.to_string().contains(char::is_control)),
    }
}

fn writes_back<T: FromStr + Display + Debug + PartialEq>(value: T) {
    let text = value.to_string();
    assert_eq!(text.parse().ok().as_ref(), Some(&value), "{text}");
}
