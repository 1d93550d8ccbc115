//! How two roles prove the key of their run to each other, and say who they are.
//!
//! ```text
//!  dialler                                   listener
//!     | -- Noise NNpsk0, 1st: Hello ----------> |    wrong key, other run, stranger: no answer
//!     | <- Noise NNpsk0, 2nd: Hello ----------- |
//!     | -- an empty frame, encrypted ---------> |    the first could be a repetition; this cannot
//!     | <=========== in the clear ============> |
//!
//!  Hello   0     4      5         6    8             16           20     24        40
//!          | run | kind | version | id | incarnation | family | port | 0 | address |
//! ```
//! Little endian; family u16 (0, 4 or 6), port and zero u16. The address is where its fragments in datagrams
//! come from or go to, if it has one; an address of zeros stands for that of the connection. Each frame has a
//! length of 2 bytes in front, big endian, as on the control connection.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use incast_core::readout::{BuilderId, Incarnation, NodeId, Peer, RunNumber, SinkId, SourceId};

use super::plan::PeerKind;
use crate::channel::{
    CONNECT_MAX, ChannelError, GREETING_MAX, ended, handshake, noise_error, read_frame_of, write_frame,
};
use crate::key::Key;

const PROLOGUE: &[u8] = b"incast readout 1";
const VERSION: u8 = 1;
const HELLO_BYTES: usize = 40;
const TAG_BYTES: usize = 16;
/// An ephemeral key, the hello, and a tag.
const HANDSHAKE_BYTES: usize = 32 + HELLO_BYTES + TAG_BYTES;
/// So long without a word from a peer's host, the kernel asks it whether it is there.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(5);
/// So often, this long apart: a host that vanished is noticed after 10 s.
const KEEPALIVES: u32 = 5;
const KEEPALIVE_EVERY: Duration = Duration::from_secs(1);

/// What a role says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hello {
    pub(super) run: RunNumber,
    pub(super) peer: Peer,
    pub(super) life: Incarnation,
    /// Where its fragments in datagrams come from or go to.
    pub(super) fragments: Option<SocketAddr>,
}

/// Why a connection came to nothing.
#[derive(Debug)]
pub(super) enum GreetError {
    Channel(ChannelError),
    OtherVersion,
    OtherRun,
    Stranger,
    OtherLife,
    Unreachable,
}

impl<E: Into<ChannelError>> From<E> for GreetError {
    fn from(error: E) -> Self {
        Self::Channel(error.into())
    }
}

/// What this side knows when it greets.
#[derive(Clone, Debug)]
pub(super) struct Greeter {
    pub(super) key: Key,
    pub(super) me: Hello,
    /// Who may connect.
    pub(super) peers: BTreeSet<Peer>,
}

impl Greeter {
    /// Connects to `address`, where `peer` in its life `life` should be. Waits, but within bounds.
    pub(super) fn dial(
        &self,
        address: SocketAddr,
        peer: Peer,
        life: Incarnation,
    ) -> Result<(TcpStream, Hello), GreetError> {
        let mut stream =
            TcpStream::connect_timeout(&address, CONNECT_MAX).map_err(|_| GreetError::Unreachable)?;
        let deadline = begin(&stream)?;
        let mut noise = handshake(&self.key, PROLOGUE, true)?;
        let mut frame = [0; HANDSHAKE_BYTES];
        let length = noise.write_message(&self.me.emit(), &mut frame).map_err(noise_error)?;
        write_frame(&mut stream, &frame[..length])?;
        let answer = read_frame_of(&mut stream, HANDSHAKE_BYTES, deadline)?;
        let hello = read_hello(&mut noise, &answer)?;
        if hello.run != self.me.run {
            return Err(GreetError::OtherRun);
        }
        if hello.peer != peer {
            return Err(GreetError::Stranger);
        }
        if hello.life != life {
            return Err(GreetError::OtherLife);
        }
        let mut noise = noise.into_transport_mode().map_err(noise_error)?;
        let length = noise.write_message(&[], &mut frame).map_err(noise_error)?;
        write_frame(&mut stream, &frame[..length])?;
        settle(stream, hello)
    }

    /// Hears out whoever has connected. Waits, but within bounds.
    pub(super) fn accept(&self, mut stream: TcpStream) -> Result<(TcpStream, Hello), GreetError> {
        let deadline = begin(&stream)?;
        let mut noise = handshake(&self.key, PROLOGUE, false)?;
        let greeting = read_frame_of(&mut stream, HANDSHAKE_BYTES, deadline)?;
        let hello = read_hello(&mut noise, &greeting)?;
        if hello.run != self.me.run {
            return Err(GreetError::OtherRun);
        }
        if !self.peers.contains(&hello.peer) {
            return Err(GreetError::Stranger);
        }
        let mut frame = [0; HANDSHAKE_BYTES];
        let length = noise.write_message(&self.me.emit(), &mut frame).map_err(noise_error)?;
        write_frame(&mut stream, &frame[..length])?;
        let proof = read_frame_of(&mut stream, TAG_BYTES, deadline)?;
        let mut noise = noise.into_transport_mode().map_err(noise_error)?;
        noise.read_message(&proof, &mut frame).map_err(|_| ChannelError::WrongKey)?;
        settle(stream, hello)
    }
}

fn begin(stream: &TcpStream) -> Result<Instant, ChannelError> {
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(GREETING_MAX))?;
    Ok(Instant::now() + GREETING_MAX)
}

fn read_hello(noise: &mut snow::HandshakeState, frame: &[u8]) -> Result<Hello, GreetError> {
    let mut hello = [0; HANDSHAKE_BYTES];
    let length = noise.read_message(frame, &mut hello).map_err(|_| ChannelError::WrongKey)?;
    let hello = hello[..length].first_chunk().ok_or(GreetError::OtherVersion)?;
    Hello::parse(hello).ok_or(GreetError::OtherVersion)
}

/// From now on the stream belongs to the mesh.
fn settle(mut stream: TcpStream, hello: Hello) -> Result<(TcpStream, Hello), GreetError> {
    stream.flush().map_err(ended)?;
    stream.set_read_timeout(None)?;
    stream.set_write_timeout(None)?;
    let keepalive = socket2::TcpKeepalive::new()
        .with_time(KEEPALIVE_AFTER)
        .with_interval(KEEPALIVE_EVERY)
        .with_retries(KEEPALIVES);
    socket2::SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
    stream.set_nonblocking(true)?;
    let from = stream.peer_addr()?.ip();
    let fragments = hello.fragments.map(|address| {
        let ip = if address.ip().is_unspecified() { from } else { address.ip() };
        SocketAddr::new(ip.to_canonical(), address.port())
    });
    Ok((stream, Hello { fragments, ..hello }))
}

impl Hello {
    fn emit(&self) -> [u8; HELLO_BYTES] {
        let mut hello = [0; HELLO_BYTES];
        let (kind, id) = name_of(self.peer);
        hello[..4].copy_from_slice(&self.run.0.to_le_bytes());
        hello[4..6].copy_from_slice(&[kind as u8, VERSION]);
        hello[6..8].copy_from_slice(&id.to_le_bytes());
        hello[8..16].copy_from_slice(&self.life.0.to_le_bytes());
        let (family, port, address) = match self.fragments.map(|at| (at.port(), at.ip())) {
            None => (0_u16, 0, Ipv6Addr::UNSPECIFIED),
            Some((port, IpAddr::V4(ip))) => (4, port, Ipv6Addr::from(u128::from(u32::from(ip)))),
            Some((port, IpAddr::V6(ip))) => (6, port, ip),
        };
        hello[16..18].copy_from_slice(&family.to_le_bytes());
        hello[18..20].copy_from_slice(&port.to_le_bytes());
        hello[24..].copy_from_slice(&address.octets());
        hello
    }

    fn parse(hello: &[u8; HELLO_BYTES]) -> Option<Self> {
        let u16_at = |at: usize| u16::from_le_bytes([hello[at], hello[at + 1]]);
        if hello[5] != VERSION || hello[20..24] != [0; 4] {
            return None;
        }
        let ip = hello[24..].first_chunk::<16>().map(|octets| Ipv6Addr::from(*octets))?;
        let fragments = match u16_at(16) {
            0 => None,
            4 => {
                let low = u32::try_from(u128::from(ip)).ok()?;
                Some(SocketAddr::new(Ipv4Addr::from(low).into(), u16_at(18)))
            }
            6 => Some(SocketAddr::new(ip.into(), u16_at(18))),
            _ => return None,
        };
        Some(Self {
            run: RunNumber(u32::from_le_bytes(*hello.first_chunk()?)),
            peer: peer_of(hello[4], u16_at(6))?,
            life: Incarnation(u64::from_le_bytes(*hello[8..].first_chunk()?)),
            fragments,
        })
    }
}

const fn name_of(peer: Peer) -> (PeerKind, u16) {
    let id = match peer {
        Peer::Trigger => 0,
        Peer::Source(SourceId(id))
        | Peer::Builder(BuilderId(id))
        | Peer::Node(NodeId(id))
        | Peer::Sink(SinkId(id)) => id,
    };
    (PeerKind::of(peer), id)
}

const fn peer_of(kind: u8, id: u16) -> Option<Peer> {
    Some(match (kind, id) {
        (1, 0) => Peer::Trigger,
        (2, _) => Peer::Source(SourceId(id)),
        (3, _) => Peer::Builder(BuilderId(id)),
        (4, _) => Peer::Node(NodeId(id)),
        (5, _) => Peer::Sink(SinkId(id)),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hello_comes_back() {
        let peers = [
            Peer::Trigger,
            Peer::Source(SourceId(0x1234)),
            Peer::Builder(BuilderId(u16::MAX)),
            Peer::Node(NodeId(3)),
            Peer::Sink(SinkId(4)),
        ];
        let addresses = ["0.0.0.0:1", "127.0.0.2:65535", "[::]:0", "[2001:db8::1]:7"];
        let addresses = addresses.map(|address| Some(address.parse().unwrap()));
        for peer in peers {
            for fragments in addresses.into_iter().chain([None]) {
                let hello = Hello { run: RunNumber(9), peer, life: Incarnation(u64::MAX - 1), fragments };
                assert_eq!(Hello::parse(&hello.emit()), Some(hello));
            }
        }
    }

    #[test]
    fn a_hello_without_sense_is_refused() {
        let hello =
            Hello { run: RunNumber(9), peer: Peer::Trigger, life: Incarnation(1), fragments: None }.emit();
        for (at, value) in [(4, 0), (4, 6), (5, 2), (6, 1), (16, 5), (20, 1), (23, 1)] {
            let mut wrong = hello;
            wrong[at] = value;
            assert_eq!(Hello::parse(&wrong), None, "{at}");
        }
    }
}
