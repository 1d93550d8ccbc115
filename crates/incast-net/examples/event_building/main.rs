//! Event building over 127.0.0.1, for `cargo xtask bench readout`: one sending and one building thread.
//!
//! ```text
//!  event_building raw    SOURCES BYTES SECONDS            the same bytes received and thrown away: the ceiling
//!  event_building ours   SOURCES BYTES SECONDS            as fragments, by `Mesh` and `EventBuilder`
//!  event_building feed   SOURCES BYTES SECONDS ADDRESS    the sending thread of `raw`, for another builder
//!  event_building memory SOURCES                          what an open event costs beside its payloads
//! ```
//! BYTES are of one fragment's payload. Each prints one line of JSON. Sender on core 0, builder on core 1. A
//! scratch program: what is measured is in the crates, and nothing here is part of them.
#![expect(clippy::print_stdout, reason = "a scratch program")]

use std::net::{SocketAddr, TcpStream};

mod feed;
mod memory;
mod ours;
mod raw;
mod shape;

use shape::Shape;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

const USAGE: &str = "raw|ours|feed SOURCES BYTES SECONDS [ADDRESS], or memory SOURCES";

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["raw", sources, bytes, seconds] => {
            println!("{}", raw::run(&Shape::parse(sources, bytes, seconds)?)?.json());
        }
        ["ours", sources, bytes, seconds] => {
            println!("{}", ours::run(&Shape::parse(sources, bytes, seconds)?)?.json());
        }
        ["feed", sources, bytes, seconds, address] => {
            let shape = Shape::parse(sources, bytes, seconds)?;
            let address: SocketAddr = address.parse()?;
            let streams = (0..shape.sources).map(|_| TcpStream::connect(address));
            let (sent, _) = feed::send(&shape, streams.collect::<std::io::Result<_>>()?)?;
            println!("{{\"sent\": {sent}}}");
        }
        ["memory", sources] => println!("{}", memory::run(sources.parse()?)?),
        _ => return Err(USAGE.into()),
    }
    Ok(())
}
