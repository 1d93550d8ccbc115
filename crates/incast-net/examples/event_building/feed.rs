//! The sender that costs the least: frames made once, numbered, a row of them in one write.
//!
//! Their check sums are not made anew, and nothing is queued: what it sends costs a source the least.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use incast_core::readout::Level;
use incast_core::wire::fragment::{FragmentHead, HEADER_BYTES, Segment};
use incast_net::socket;

use super::Result;
use super::shape::{SENDER_CORE, Shape, busy};

/// Where a frame has the number of its event (`incast_core::wire::fragment`).
const AT_EVENT: usize = 16;

/// Sends rows of every source in turn until the time is over, whole events only; returns how many, and
/// the CPU time that it took.
pub(super) fn send(shape: &Shape, mut streams: Vec<TcpStream>) -> Result<(u64, Duration)> {
    socket::pin_to_core(SENDER_CORE);
    let mut rows: Vec<Vec<u8>> = (0..shape.sources).map(|source| row(shape, source)).collect();
    let before = busy();
    let end = Instant::now() + shape.lasts;
    let mut sent = 0;
    while Instant::now() < end {
        for (stream, row) in streams.iter_mut().zip(&mut rows) {
            let frames = row.chunks_exact_mut(frame_bytes(shape));
            for (event, frame) in (sent..).zip(frames) {
                frame[AT_EVENT..AT_EVENT + 8].copy_from_slice(&u64::to_le_bytes(event));
            }
            stream.write_all(row)?;
        }
        sent += shape.row;
    }
    Ok((sent, busy().saturating_sub(before)))
}

/// Bytes of a fragment on the wire.
pub(super) fn frame_bytes(shape: &Shape) -> usize {
    HEADER_BYTES + shape.bytes as usize
}

fn row(shape: &Shape, source: u16) -> Vec<u8> {
    let payload = vec![7; shape.bytes as usize];
    let head = FragmentHead {
        run: 1,
        source,
        event: 0,
        events: 1,
        total_bytes: shape.bytes,
        is_generated: false,
        is_damaged: false,
        level: Level::First,
    };
    let header = Segment { head, offset_bytes: 0, payload: &payload }.emit_header();
    [&header[..], &payload].concat().repeat(usize::try_from(shape.row).unwrap_or(1))
}
