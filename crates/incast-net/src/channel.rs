//! The control connection: encrypted messages of bounded size over TCP.
//!
//! Noise `NNpsk0` with the run's key (or a well-known one when there is none), framed as in
//! `incast_core::wire::frame`. A peer with another key is noticed by its first frame and gets no
//! answer. A thread of its own reads the frames, so that the owner can wait for frames and for its
//! own workers at once; it ends with the connection.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use incast_core::wire::frame::{self, Assembler, FRAME_BYTES_MAX};
use incast_core::wire::preface;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::key::Key;
use crate::socket::SocketError;

/// A stranger has this long to greet and to prove its key.
pub const GREETING_MAX: Duration = Duration::from_secs(5);
/// Longest wait for a connection to be made.
pub const CONNECT_MAX: Duration = Duration::from_secs(5);
/// Frames read ahead of the owner: what a peer can make us hold is this times 64 KiB.
const FRAMES_AHEAD: usize = 16;
/// A peer that takes nothing for so long is gone.
const WRITE_MAX: Duration = Duration::from_secs(10);
/// Longest wait for the peer to end its half of the connection.
const CLOSE_MAX: Duration = Duration::from_secs(2);
const PATTERN: &str = "Noise_NNpsk0_25519_ChaChaPoly_BLAKE2s";
const PROLOGUE: &[u8] = b"incast control 1";

/// Why the control connection failed.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// The peer's key is not ours.
    #[error("the peer's key is not ours")]
    WrongKey,
    /// The peer closed the connection, in or out of a message.
    #[error("the peer closed the control connection")]
    Closed,
    /// The peer did not greet in time.
    #[error("the peer said nothing for {} s", GREETING_MAX.as_secs())]
    Silent,
    /// The peer announced a length that cannot be.
    #[error("the peer announced a frame of {0} bytes")]
    BadLength(usize),
    /// The peer sent something that is no message.
    #[error("the peer sent {0}")]
    BadMessage(String),
    /// The connection broke. Why is part of the sentence already, so it is no source of its own.
    #[error("control connection: {}", crate::socket::reason(.0))]
    Io(io::Error),
}

impl From<io::Error> for ChannelError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Why a server could not be dialled.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// There is no connection.
    #[error("connect to {server}: {}{}", crate::socket::reason(.cause), crate::socket::advice(.cause))]
    Reach {
        /// The server.
        server: SocketAddr,
        /// Why. Part of the sentence already, so it is no source of its own.
        cause: io::Error,
    },
    /// There is a connection, and no understanding.
    #[error("greet {server}: {cause}{advice}")]
    Greet {
        /// The server.
        server: SocketAddr,
        /// Why. Part of the sentence already, so it is no source of its own.
        cause: ChannelError,
        /// What may mend it.
        advice: &'static str,
    },
}

/// One end of a control connection.
pub struct Channel {
    noise: snow::TransportState,
    stream: TcpStream,
    frames: Receiver<Result<Vec<u8>, ChannelError>>,
    assembler: Assembler,
    buffer: Vec<u8>,
}

/// Shows a server from which of our addresses datagrams will come, where that may not be the one of the control
/// connection: by a TCP connection with a number that only this server was told, which it ends when it has taken it in.
///
/// # Errors
/// When there is no connection, or it is not ended in time.
pub(crate) fn show_address(server: SocketAddr, number: u64) -> Result<(), SocketError> {
    let failed = |cause| SocketError::new(format!("show our address to {server} over TCP"), cause);
    let mut connection = TcpStream::connect_timeout(&server, CONNECT_MAX).map_err(failed)?;
    connection.set_read_timeout(Some(CONNECT_MAX)).map_err(failed)?;
    connection.write_all(&preface::Preface::emit_data(number)).map_err(failed)?;
    connection.read(&mut [0]).map(|_| ()).map_err(failed)
}

impl Channel {
    /// Opens a control connection to `server` and proves the key.
    ///
    /// # Errors
    /// When the server cannot be reached, is silent, or has another key.
    pub fn dial(server: SocketAddr, key: &Key) -> Result<Self, DialError> {
        let greet = |mut stream: TcpStream| {
            stream.write_all(&preface::CONTROL).map_err(ended)?;
            Self::connect(stream, key)
        };
        let stream = TcpStream::connect_timeout(&server, CONNECT_MAX)
            .map_err(|cause| DialError::Reach { server, cause })?;
        greet(stream).map_err(|cause| {
            let advice = match cause {
                ChannelError::Closed | ChannelError::WrongKey => {
                    "; do both ends have the same --key-file, and does incast listen there (without --plain)?"
                }
                _ => "; does incast listen there (without --plain)?",
            };
            DialError::Greet { server, cause, advice }
        })
    }

    /// Proves the key to a server and asks the same of it.
    ///
    /// # Errors
    /// When the connection ends, the server is silent, or its key is another.
    pub fn connect(mut stream: TcpStream, key: &Key) -> Result<Self, ChannelError> {
        let deadline = Instant::now() + GREETING_MAX;
        let mut noise = handshake(key, PROLOGUE, true)?;
        let mut buffer = vec![0; FRAME_BYTES_MAX];
        let length = noise.write_message(&[], &mut buffer).map_err(noise_error)?;
        write_frame(&mut stream, &buffer[..length])?;
        let answer = read_handshake(&mut stream, deadline)?;
        noise.read_message(&answer, &mut buffer).map_err(|_| ChannelError::WrongKey)?;
        Self::open(noise, stream)
    }

    /// Asks a client for the key and proves it in turn; a wrong key gets no answer.
    ///
    /// # Errors
    /// When the connection ends, the client is silent, or its key is another.
    pub fn accept(mut stream: TcpStream, key: &Key) -> Result<Self, ChannelError> {
        let deadline = Instant::now() + GREETING_MAX;
        let mut noise = handshake(key, PROLOGUE, false)?;
        let mut buffer = vec![0; FRAME_BYTES_MAX];
        let greeting = read_handshake(&mut stream, deadline)?;
        noise.read_message(&greeting, &mut buffer).map_err(|_| ChannelError::WrongKey)?;
        let length = noise.write_message(&[], &mut buffer).map_err(noise_error)?;
        write_frame(&mut stream, &buffer[..length])?;
        Self::open(noise, stream)
    }

    fn open(noise: snow::HandshakeState, stream: TcpStream) -> Result<Self, ChannelError> {
        stream.set_read_timeout(None)?;
        stream.set_write_timeout(Some(WRITE_MAX))?;
        stream.set_nodelay(true)?;
        let (to_owner, frames) = bounded(FRAMES_AHEAD);
        let reader = stream.try_clone()?;
        std::thread::Builder::new()
            .name("control reader".into())
            .stack_size(256 << 10)
            .spawn(move || read_frames(reader, &to_owner))?;
        let noise = noise.into_transport_mode().map_err(noise_error)?;
        Ok(Self { noise, stream, frames, assembler: Assembler::default(), buffer: vec![0; FRAME_BYTES_MAX] })
    }

    /// Frames as they come; give each to [`Self::handle_frame`].
    #[must_use]
    pub fn frames(&self) -> &Receiver<Result<Vec<u8>, ChannelError>> {
        &self.frames
    }

    /// Decrypts a frame; gives the message when it is whole.
    ///
    /// # Errors
    /// When the frame is forged or malformed, or its message unreadable.
    pub fn handle_frame<M: DeserializeOwned>(
        &mut self,
        ciphertext: &[u8],
    ) -> Result<Option<M>, ChannelError> {
        let length = self
            .noise
            .read_message(ciphertext, &mut self.buffer)
            .map_err(|_| ChannelError::BadMessage("a frame that does not decrypt".into()))?;
        let whole = self.assembler.handle_frame(&self.buffer[..length]);
        let Some(message) = whole.map_err(|error| ChannelError::BadMessage(error.to_string()))? else {
            return Ok(None);
        };
        serde_json::from_slice(&message)
            .map(Some)
            .map_err(|error| ChannelError::BadMessage(format!("a message that cannot be read: {error}")))
    }

    /// Ends the connection in good order: what was sent arrives before the end does.
    ///
    /// A connection closed with unread bytes is reset, and a reset can overtake the last message;
    /// so each side says that it is done and reads on until the other has said so too.
    pub fn close(self) {
        let deadline = Instant::now() + CLOSE_MAX;
        let _ = self.stream.shutdown(Shutdown::Write);
        while let Ok(Ok(_)) = self.frames.recv_deadline(deadline) {}
    }

    /// Encrypts and sends a message.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn send<M: Serialize>(&mut self, message: &M) -> Result<(), ChannelError> {
        let text =
            serde_json::to_vec(message).map_err(|error| ChannelError::BadMessage(error.to_string()))?;
        for piece in frame::pieces(&text) {
            let length = self.noise.write_message(&piece, &mut self.buffer).map_err(noise_error)?;
            write_frame(&mut self.stream, &self.buffer[..length])?;
        }
        Ok(())
    }
}

impl Drop for Channel {
    /// Ends the reader's thread too.
    fn drop(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

/// One side of the handshake. The prologue says what for: a peer that wants something else fails it.
pub(crate) fn handshake(
    key: &Key,
    prologue: &[u8],
    initiator: bool,
) -> Result<snow::HandshakeState, ChannelError> {
    let params = PATTERN.parse().map_err(noise_error)?;
    let builder = snow::Builder::new(params)
        .prologue(prologue)
        .and_then(|builder| builder.psk(0, key.bytes()))
        .map_err(noise_error)?;
    if initiator { builder.build_initiator() } else { builder.build_responder() }.map_err(noise_error)
}

/// Our own side of the cipher failed: not the peer's fault.
pub(crate) fn noise_error(error: snow::Error) -> ChannelError {
    ChannelError::Io(io::Error::other(error))
}

pub(crate) fn write_frame(stream: &mut TcpStream, ciphertext: &[u8]) -> Result<(), ChannelError> {
    let length = u16::try_from(ciphertext.len()).map_err(|_| ChannelError::BadLength(ciphertext.len()))?;
    let mut frame = Vec::with_capacity(2 + ciphertext.len());
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(ciphertext);
    stream.write_all(&frame).map_err(ended)
}

/// An end of the connection is the peer's doing, whatever the kernel calls it.
pub(crate) fn ended(error: io::Error) -> ChannelError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe => ChannelError::Closed,
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => ChannelError::Silent,
        _ => ChannelError::Io(error),
    }
}

/// A handshake frame: 48 bytes in both directions (a key of 32 and a tag of 16).
fn read_handshake(stream: &mut TcpStream, deadline: Instant) -> Result<Vec<u8>, ChannelError> {
    const HANDSHAKE_BYTES: usize = 48;
    read_frame_of(stream, HANDSHAKE_BYTES, deadline)
}

/// A frame whose length is known, and refused if it says another one.
pub(crate) fn read_frame_of(
    stream: &mut TcpStream,
    bytes: usize,
    deadline: Instant,
) -> Result<Vec<u8>, ChannelError> {
    let mut length = [0; 2];
    read_exact_by(stream, &mut length, deadline)?;
    let length = usize::from(u16::from_be_bytes(length));
    if length != bytes {
        return Err(ChannelError::BadLength(length));
    }
    let mut frame = vec![0; bytes];
    read_exact_by(stream, &mut frame, deadline)?;
    Ok(frame)
}

/// Fills `buffer`, or gives up at `deadline`: one byte now and then does not extend it.
///
/// # Errors
/// `Silent` at the deadline, `Closed` when the peer ends the connection.
pub(crate) fn read_exact_by(
    stream: &mut TcpStream,
    buffer: &mut [u8],
    deadline: Instant,
) -> Result<(), ChannelError> {
    let mut filled = 0;
    while filled < buffer.len() {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ChannelError::Silent);
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut buffer[filled..]) {
            Ok(0) => return Err(ChannelError::Closed),
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(ended(error)),
        }
    }
    Ok(())
}

/// The reader's thread: frames to the owner, until the connection or the owner ends.
fn read_frames(mut stream: TcpStream, to_owner: &Sender<Result<Vec<u8>, ChannelError>>) {
    loop {
        let frame = read_frame(&mut stream);
        let over = frame.is_err();
        if to_owner.send(frame).is_err() || over {
            return;
        }
    }
}

fn read_frame(stream: &mut TcpStream) -> Result<Vec<u8>, ChannelError> {
    const TAG_BYTES: usize = 16;
    let mut length = [0; 2];
    stream.read_exact(&mut length).map_err(ended)?;
    let length = usize::from(u16::from_be_bytes(length));
    if length < TAG_BYTES {
        return Err(ChannelError::BadLength(length));
    }
    let mut frame = vec![0; length];
    stream.read_exact(&mut frame).map_err(ended)?;
    Ok(frame)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// Connects two ends with the given keys; the server's end runs in a thread.
    fn pair(client: &Key, server: &Key) -> (Result<Channel, ChannelError>, Result<Channel, ChannelError>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = server.clone();
        let accepted = std::thread::spawn(move || Channel::accept(listener.accept().unwrap().0, &server));
        let connected = Channel::connect(TcpStream::connect(address).unwrap(), client);
        (connected, accepted.join().unwrap())
    }

    fn receive(channel: &mut Channel) -> Result<String, ChannelError> {
        loop {
            let frame = channel.frames().recv().map_err(|_| ChannelError::Closed)??;
            if let Some(message) = channel.handle_frame(&frame)? {
                return Ok(message);
            }
        }
    }

    #[test]
    fn messages_of_any_size_cross_both_ways() {
        let key = Key::random().unwrap();
        let (client, server) = pair(&key, &key);
        let (mut client, mut server) = (client.unwrap(), server.unwrap());
        for text in ["", "hello", &"x".repeat(300_000)] {
            client.send(&text).unwrap();
            assert_eq!(receive(&mut server).unwrap(), text);
            server.send(&text).unwrap();
            assert_eq!(receive(&mut client).unwrap(), text);
        }
        drop(client);
        assert!(matches!(receive(&mut server), Err(ChannelError::Closed)));
    }

    #[test]
    fn a_wrong_key_is_noticed_and_gets_no_answer() {
        for (client, server) in
            [(Key::random().unwrap(), Key::random().unwrap()), (Key::none(), Key::random().unwrap())]
        {
            let (client, server) = pair(&client, &server);
            assert!(matches!(server.err(), Some(ChannelError::WrongKey)));
            assert!(matches!(client.err(), Some(ChannelError::Closed)));
        }
    }

    #[test]
    fn nonsense_is_named() {
        let cases: [(&[u8], &str); 3] = [
            (&[0xff, 0xff, 1, 2], "BadLength(65535)"),
            (&[0, 48, 1, 2], "Closed"),
            (&[&[0, 48][..], &[7; 48]].concat(), "WrongKey"),
        ];
        for (bytes, expected) in cases {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            client.write_all(bytes).unwrap();
            client.shutdown(Shutdown::Write).unwrap();
            let refused = Channel::accept(listener.accept().unwrap().0, &Key::none()).err();
            assert_eq!(refused.map(|error| format!("{error:?}")).as_deref(), Some(expected));
        }
    }
}
