//! The ceiling: the same connections and the same bytes, read into one buffer and thrown away.

use std::net::{TcpListener, TcpStream};

use incast_net::socket;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::net::{RecvFlags, recv};

use super::shape::{BUILDER_CORE, Built, Shape, Watch};
use super::{Result, feed};

/// As our inbox reads at most at once.
const BUFFER_BYTES: usize = 256 << 10;
const READY_MAX: usize = 64;

pub(super) fn run(shape: &Shape) -> Result<Built> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let mut pairs: Vec<(TcpStream, TcpStream)> = Vec::new();
    for _ in 0..shape.sources {
        let to = TcpStream::connect(address)?;
        pairs.push((to, listener.accept()?.0));
    }
    let (to, from): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
    let sending = {
        let shape = *shape;
        std::thread::Builder::new().name("sources".into()).spawn(move || feed::send(&shape, to))?
    };
    let (bytes, watch) = receive(&from)?;
    let events = bytes / (feed::frame_bytes(shape) as u64 * u64::from(shape.sources));
    let built = watch.stop(shape, events)?;
    let (sent, sender_busy) = sending.join().map_err(|_| "the sending thread failed")??;
    if sent != events {
        return Err(format!("{sent} events were sent, and {events} came").into());
    }
    Ok(Built { sender_busy, ..built })
}

/// Reads until all have ended; returns how many bytes came, and since when.
fn receive(streams: &[TcpStream]) -> Result<(u64, Watch)> {
    socket::pin_to_core(BUILDER_CORE);
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    for (index, stream) in (0..).zip(streams) {
        epoll::add(&epoll, stream, EventData::new_u64(index), EventFlags::IN)?;
    }
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut ready = [epoll::Event { flags: EventFlags::empty(), data: EventData::new_u64(0) }; READY_MAX];
    let (mut bytes, mut left, mut watch) = (0, streams.len(), None);
    while left > 0 {
        let count = epoll::wait(&epoll, &mut ready[..], None)?;
        watch.get_or_insert_with(Watch::start);
        for event in &ready[..count] {
            let stream = &streams[usize::try_from(event.data.u64())?];
            let (came, _) = recv(stream, &mut buffer[..], RecvFlags::DONTWAIT)?;
            bytes += came as u64;
            if came == 0 {
                epoll::delete(&epoll, stream)?;
                left -= 1;
            }
        }
    }
    Ok((bytes, watch.ok_or("nothing came")?))
}
