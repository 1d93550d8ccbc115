//! One TCP connection of an asker: requests out, responses in, never waiting.

use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd as _, BorrowedFd};

use incast_core::exchange::{ConnectionAccount, Heard};
use incast_core::time::Time;
use incast_core::wire::exchange::{HEAD_BYTES, Head};
use incast_core::wire::preface::Preface;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send, sockopt};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::super::sampling::Watch;
use super::AskPlan;
use super::work::Hearing;
use crate::channel::CONNECT_MAX;
use crate::socket::SocketError;

/// A connection.
pub(super) struct Stream {
    connection: TcpStream,
    ticket: u64,
    request_bytes: usize,
    response_bytes: usize,
    /// Numbers of requests that are not wholly written, the first perhaps in part.
    asked: VecDeque<u32>,
    /// Requests that are written and not answered, in order: so must the answers be.
    awaited: VecDeque<u32>,
    /// Bytes of the first of `asked` that are written; the greeting is a part of the first request.
    written: usize,
    greeting: usize,
    /// The greeting and a request.
    out: Vec<u8>,
    /// The response that is coming in.
    head: [u8; HEAD_BYTES],
    came: usize,
    answered: u64,
    watch: Option<Watch>,
}

impl Stream {
    /// A connection to `address`. One that is kept is made before the first request, and is there when this
    /// returns; one of a single request is on its way, and its time is a part of the request's.
    pub(super) fn connect(
        plan: &AskPlan,
        address: SocketAddr,
        ticket: u64,
        now: Time,
        watched: bool,
    ) -> Result<Self, SocketError> {
        let failed = |cause| SocketError::new(format!("connect to {address} over TCP"), cause);
        let socket =
            Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP)).map_err(failed)?;
        let to = SockAddr::from(address);
        if plan.new_connections {
            socket.set_nonblocking(true).map_err(failed)?;
            if let Err(error) = socket.connect(&to)
                && Errno::from_io_error(&error) != Some(Errno::INPROGRESS)
            {
                return Err(failed(error));
            }
        } else {
            socket.connect_timeout(&to, CONNECT_MAX).map_err(failed)?;
            socket.set_nonblocking(true).map_err(failed)?;
        }
        sockopt::set_tcp_nodelay(&socket, true).map_err(|error| failed(error.into()))?;
        let [request_bytes, response_bytes] = [plan.terms.request_bytes, plan.terms.response_bytes]
            .map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        let greeting = Preface::emit_data(ticket);
        let mut out = greeting.to_vec();
        out.resize(greeting.len() + request_bytes, 0);
        let mut stream = Self {
            connection: socket.into(),
            ticket,
            request_bytes,
            response_bytes,
            asked: VecDeque::new(),
            awaited: VecDeque::new(),
            written: 0,
            greeting: greeting.len(),
            out,
            head: [0; HEAD_BYTES],
            came: 0,
            answered: 0,
            watch: watched.then(|| Watch::new(&plan.terms, now)),
        };
        if !plan.new_connections {
            // The answerer waits for it, and gives up a connection that says nothing.
            stream.greet().map_err(failed)?;
        }
        Ok(stream)
    }

    /// Takes a request; it is written by [`Self::serve`].
    pub(super) fn ask(&mut self, number: u32) {
        self.asked.push_back(number);
    }

    /// Whether it waits for room to write.
    pub(super) fn wants_room(&self) -> bool {
        !self.asked.is_empty()
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.connection.as_fd()
    }

    /// Whether its request is answered.
    pub(super) fn is_done(&self) -> bool {
        self.answered > 0 && self.asked.is_empty() && self.awaited.is_empty()
    }

    /// The request that has no answer, of a connection that has one at most.
    pub(super) fn unanswered(&self) -> Option<u32> {
        self.asked.front().or(self.awaited.front()).copied()
    }

    pub(super) fn next_look(&self) -> Time {
        self.watch.as_ref().map_or(Time(u64::MAX), Watch::next_look)
    }

    /// The last look at it, and what it was.
    pub(super) fn finish(&mut self, now: Time, peer: u32) -> Option<ConnectionAccount> {
        self.watch.take().map(|watch| watch.finish(now, peer, self.connection.as_fd()))
    }

    /// Writes what there is room for, reads what is there.
    ///
    /// # Errors
    /// When the connection is over, or says nonsense: nothing more comes.
    #[inline]
    pub(super) fn serve(&mut self, buffer: &mut [u8], hearing: &mut Hearing<'_>) -> io::Result<()> {
        while !self.asked.is_empty() && self.write()? {
            hearing.is_busy = true;
        }
        // Though nothing may be awaited: its end is heard here. One read is its share of a turn: others wait.
        match recv(&self.connection, &mut *buffer, RecvFlags::DONTWAIT) {
            Ok((_, 0)) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok((_, bytes)) => {
                hearing.is_busy = true;
                hearing.now = hearing.clock.now();
                self.handle(&buffer[..bytes], hearing)
            }
            Err(Errno::AGAIN | Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }?;
        if let Some(watch) = &mut self.watch {
            watch.look(hearing.now, self.connection.as_fd());
        }
        Ok(())
    }

    fn greet(&mut self) -> io::Result<()> {
        // 16 bytes into an empty send buffer: they fit.
        let sent = send(&self.connection, &self.out[..self.greeting], SendFlags::NOSIGNAL)?;
        self.out.drain(..self.greeting);
        let whole = sent == self.greeting;
        self.greeting = 0;
        if whole { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
    }

    /// Writes on at the first request; true when it is whole.
    fn write(&mut self) -> io::Result<bool> {
        let Some(number) = self.asked.front().copied() else { return Ok(false) };
        let whole = self.greeting + self.request_bytes;
        Head { ticket: self.ticket, number, index: 0 }.emit(&mut self.out[self.greeting..]);
        match send(&self.connection, &self.out[self.written..whole], SendFlags::NOSIGNAL) {
            Ok(bytes) => self.written += bytes,
            // A connection on its way has no room yet.
            Err(Errno::AGAIN | Errno::INTR | Errno::NOBUFS | Errno::NOMEM | Errno::NOTCONN) => {
                return Ok(false);
            }
            Err(error) => return Err(error.into()),
        }
        if self.written < whole {
            return Ok(false);
        }
        if self.greeting > 0 {
            self.out.drain(..self.greeting);
            self.greeting = 0;
        }
        self.written = 0;
        self.asked.pop_front();
        self.awaited.push_back(number);
        Ok(true)
    }

    /// Cuts what came into responses.
    fn handle(&mut self, mut bytes: &[u8], hearing: &mut Hearing<'_>) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.came < HEAD_BYTES {
                let take = (HEAD_BYTES - self.came).min(bytes.len());
                self.head[self.came..self.came + take].copy_from_slice(&bytes[..take]);
                self.came += take;
                bytes = &bytes[take..];
                if self.came < HEAD_BYTES {
                    return Ok(());
                }
                self.check_head()?;
            }
            let take = (self.response_bytes - self.came).min(bytes.len());
            self.came += take;
            bytes = &bytes[take..];
            if self.came == self.response_bytes {
                self.came = 0;
                self.respond(hearing)?;
            }
        }
        Ok(())
    }

    /// Answers come in the order of the requests: anything else is none of ours.
    fn check_head(&self) -> io::Result<()> {
        let head = Head::parse(&self.head);
        let expected = self.awaited.front();
        let is_ours =
            |head: &Head| head.ticket == self.ticket && Some(&head.number) == expected && head.index == 0;
        head.filter(is_ours).map(|_| ()).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    fn respond(&mut self, hearing: &mut Hearing<'_>) -> io::Result<()> {
        let number = self.awaited.pop_front().ok_or(io::ErrorKind::InvalidData)?;
        self.answered += 1;
        if hearing.asker.handle_response(hearing.now, hearing.peer, number, 0) == Heard::Nonsense {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if let Some(watch) = &mut self.watch {
            watch.look_at_response(hearing.now, self.connection.as_fd());
        }
        Ok(())
    }
}
