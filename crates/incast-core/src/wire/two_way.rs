//! A two-way message beside a probe: three of the four times from which clocks are compared.
//!
//! ```text
//!  0    8        16   24   32   40
//!  | 0  | stream | t1 | t2 | t3 |
//! ```
//! All are 64 bits, little endian. The first word, where a message of the stream has its counter, is 0: counters
//! run from 1. The client sends it with `t1`, when it left by the client's clock, and zeros; the server sends as
//! many bytes back, to where they came from, with `t2`, when it arrived, and `t3`, when the answer left, by its
//! own clock. Only who was told the stream id over the control connection is answered. Times are i64
//! nanoseconds of `CLOCK_MONOTONIC`.

use super::probe;

/// Bytes of a request, and of its answer.
pub const TWO_WAY_BYTES: usize = 40;

/// The times that a two-way message carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TwoWayTimes {
    /// When the request left, by the client's clock.
    pub t1: i64,
    /// When it arrived, by the server's.
    pub t2: i64,
    /// When the answer left, by the server's.
    pub t3: i64,
}

/// The times of a two-way message; `None` if `message` is none.
#[must_use]
pub fn parse(message: &[u8]) -> Option<TwoWayTimes> {
    let at = |from: usize| message.get(from..)?.first_chunk().map(|time| i64::from_le_bytes(*time));
    let is_one = message.len() == TWO_WAY_BYTES && probe::counter(message) == Some(0);
    is_one.then_some(TwoWayTimes { t1: at(T1_AT)?, t2: at(T2_AT)?, t3: at(T3_AT)? })
}

/// A two-way message of `stream`.
#[must_use]
pub fn emit(stream: u64, times: TwoWayTimes) -> [u8; TWO_WAY_BYTES] {
    let mut message = [0; TWO_WAY_BYTES];
    probe::emit_stream_id(&mut message, stream);
    for (at, time) in [(T1_AT, times.t1), (T2_AT, times.t2), (T3_AT, times.t3)] {
        message[at..at + 8].copy_from_slice(&time.to_le_bytes());
    }
    message
}

const T1_AT: usize = 16;
const T2_AT: usize = 24;
const T3_AT: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_read() {
        let times = TwoWayTimes { t1: -1, t2: i64::MAX, t3: 3 };
        let message = emit(7, times);
        assert_eq!(parse(&message), Some(times));
        assert_eq!(probe::stream_id(&message), Some(7));
        assert_eq!(
            message[..24],
            [0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255]
        );
    }

    #[test]
    fn a_message_of_the_stream_is_none() {
        let mut message = emit(7, TwoWayTimes::default());
        assert_eq!(parse(&message[..39]), None);
        assert_eq!(parse(&[&message[..], &[0]].concat()), None);
        probe::emit_counter(&mut message, 1);
        assert_eq!(parse(&message), None);
    }
}
