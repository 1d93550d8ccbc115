//! iperf3's protocol, both sides: layouts, numbers and turns, as stock programs of version 3 speak it.
//!
//! [`state`] are the bytes of the control connection, [`message`] its two JSON documents,
//! [`datagram`] the head of UDP data, [`reader`] cuts what comes, [`server`] and [`client`] are the
//! rules. There is no authentication anywhere: the cookie alone joins TCP connections to their test,
//! and UDP has nothing. Facts from iperf 3.12: `iperf_api.h`, `iperf_api.c`, `iperf_udp.c`.

pub mod client;
pub mod datagram;
pub mod message;
mod number;
pub mod reader;
pub mod server;
pub mod state;

pub use message::{Parameters, Refusal, Results, StreamResults, TestPlan};
pub use state::State;

/// The port of iperf3, for control, TCP data and UDP data alike.
pub const PORT: u16 = 5201;
/// A cookie on the wire: 36 characters and a NUL.
pub const COOKIE_BYTES: usize = 37;
/// Most streams of one test (`MAX_STREAMS`).
pub const STREAMS_MAX: u32 = 128;

/// What joins the connections of one test.
pub type CookieBytes = [u8; COOKIE_BYTES];

/// Whether these bytes can be a cookie: 36 of `a-z2-7`, then NUL.
#[must_use]
pub fn is_cookie(bytes: &CookieBytes) -> bool {
    let (text, end) = bytes.split_at(COOKIE_BYTES - 1);
    end == [0] && text.iter().all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7'))
}

/// A cookie out of random bytes.
#[must_use]
pub fn cookie(random: &[u8; COOKIE_BYTES - 1]) -> CookieBytes {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut cookie = [0; COOKIE_BYTES];
    for (letter, byte) in cookie.iter_mut().zip(random) {
        *letter = LETTERS[usize::from(byte % 32)];
    }
    cookie
}

/// The id of the stream at `index` in results: 1, 3, 4, 5; 2 is left out (`iperf_add_stream`).
#[must_use]
pub const fn stream_id(index: u64) -> u64 {
    if index == 0 { 1 } else { index + 2 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_known_by_their_letters() {
        let made = cookie(&[0xff; 36]);
        assert!(is_cookie(&made) && made[..36] == [b'7'; 36]);
        for (place, byte) in [(0, b'A'), (5, b'1'), (35, 0), (36, b'a')] {
            let mut bad = made;
            bad[place] = byte;
            assert!(!is_cookie(&bad), "{byte} at {place}");
        }
    }

    #[test]
    fn the_second_id_is_left_out() {
        assert_eq!([0, 1, 2, 127].map(stream_id), [1, 3, 4, 129]);
    }
}
