//! The stream of one source, in pieces of any size: messages, fragments in our frames and in LHCb's packets.
//!
//! Input: the size of the pieces, then the stream.

#![no_main]

use incast_core::readout::Message;
use incast_net::readout::fuzzing::{FRAGMENT_BYTES_MAX, SOURCE, read_stream};
use libfuzzer_sys::fuzz_target;

/// A first input, of which the others are made: two packets, a frame, and a message of every kind.
const GOOD: &[u8] = include_bytes!("../seeds/stream/all");

fuzz_target!(
    init: {
        let read = read_stream(GOOD[1..].chunks(7));
        assert_eq!((read.messages.len(), read.end, read.refused.len()), (17, None, 0));
    },
    |data: &[u8]| {
        let [piece, stream @ ..] = data else { return };
        let whole = read_stream(std::iter::once(stream));
        let pieces = read_stream(stream.chunks(usize::from(*piece) + 1));
        assert_eq!(whole, pieces, "it does not matter how a stream is cut");
        for message in &whole.messages {
            if let Message::Fragment { fragment, .. } = message {
                assert_eq!(fragment.source, SOURCE);
                // What a source packs anew of a packet of LHCb is larger than that.
                assert!(fragment.payload.len() <= 4 * FRAGMENT_BYTES_MAX as usize);
            }
        }
    }
);
