//! One TCP connection at the answerer: requests in, responses out, in order.
//!
//! A connection whose asker does not read holds up itself alone: it has this thread. What it sends beyond what
//! may wait stays in its window.

use std::io;
use std::net::TcpStream;
use std::os::fd::AsFd as _;
use std::sync::atomic::Ordering::Relaxed;

use incast_core::caveat::{Caveat, CaveatKind};
use incast_core::exchange::{Answerer, AnswererAccount, Terms};
use incast_core::time::Time;
use incast_core::wire::exchange::{HEAD_BYTES, Head};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send, sockopt};

use super::super::sampling::Watch;
use super::{Asker, Shared};
use crate::clock::Clock;
use crate::faults::count;
use crate::socket;
use crate::wait::{BLOCK_MAX, Spinning};

/// Bytes of one read and of one write: what fits the second-level cache beside the kernel's own buffers.
const BUFFER_BYTES: usize = 256 << 10;

/// Answers what comes over `connection` until it ends, or the session does.
pub(super) fn answer(shared: &Shared, asker: &Asker, connection: &TcpStream) {
    asker.open.fetch_add(1, Relaxed);
    let clock = shared.plan.clock;
    let cpu_before = (shared.plan.thread_cpu)();
    let mut done = AnswererAccount::default();
    if let Some(core) = shared.plan.core {
        done.caveats.extend(socket::pin_to_core(core));
    }
    done.caveats.extend(prepare(connection, &asker.terms));
    let mut serving = Connection {
        asker,
        connection,
        clock,
        answerer: Answerer::new(&asker.terms),
        request: Request::default(),
        watch: Watch::new(&asker.terms, clock.now()),
        spinning: Spinning::default(),
        // Small requests need no large buffer, and there may be many connections.
        buffer: vec![0; size(asker.terms.request_bytes).saturating_mul(16).clamp(4_096, BUFFER_BYTES)],
        response: vec![0; BUFFER_BYTES.min(size(asker.terms.response_bytes))],
    };
    if let Err(error) = serving.run()
        && error.kind() == io::ErrorKind::InvalidData
    {
        done.nonsense += 1;
        count(&shared.acceptor.faults.bad_messages);
    }
    done = AnswererAccount { nonsense: done.nonsense, caveats: done.caveats, ..serving.answerer.account() };
    done.connection = serving.watch.finish(clock.now(), 0, connection.as_fd());
    done.cpu = cpu_before.zip((shared.plan.thread_cpu)()).map(|(before, after)| after.since(&before));
    asker.close(done);
    asker.open.fetch_sub(1, Relaxed);
}

/// Options of a data connection; what was refused is a doubt.
fn prepare(connection: &TcpStream, terms: &Terms) -> Vec<Caveat> {
    // Neither can fail on a connection that is there; one that is not is noticed by the first read.
    let _ = connection.set_nonblocking(false);
    let _ = connection.set_read_timeout(Some(BLOCK_MAX));
    let _ = connection.set_write_timeout(Some(BLOCK_MAX));
    let _ = sockopt::set_tcp_nodelay(connection, true);
    let began_with = sockopt::tcp_congestion(connection).unwrap_or_default();
    let refused = socket::ask_congestion(connection.as_fd(), terms.congestion.as_deref());
    let asked = terms.congestion.as_deref().unwrap_or(&began_with);
    // Linux net/ipv4/tcp_bbr.c, `bbr_init`: the socket is to be paced, and nothing takes that back.
    let paced = (began_with == "bbr" && asked != "bbr" && refused.is_none()).then(|| {
        Caveat::new(
            CaveatKind::SettingRefused,
            format!("a connection began with bbr before it was given {asked}, and keeps being paced"),
            "start the answerer with --congestion, or change the default of its host",
        )
    });
    refused.into_iter().chain(paced).collect()
}

/// A connection under way.
struct Connection<'a> {
    asker: &'a Asker,
    connection: &'a TcpStream,
    clock: Clock,
    answerer: Answerer,
    request: Request,
    watch: Watch,
    spinning: Spinning,
    buffer: Vec<u8>,
    /// The head of a response and what follows it, which is all zero.
    response: Vec<u8>,
}

/// The request that is coming in.
#[derive(Default)]
struct Request {
    head: [u8; HEAD_BYTES],
    /// Bytes of it that have come.
    came: usize,
}

impl Connection<'_> {
    fn run(&mut self) -> io::Result<()> {
        while !self.asker.is_over() {
            let now = self.clock.now();
            while let Some(number) = self.answerer.poll_response(now) {
                self.respond(number)?;
            }
            self.watch.look(self.clock.now(), self.connection.as_fd());
            match self.answerer.room() {
                0 => self.wait_for_room(now)?,
                room if !self.read(now, room)? => return Ok(()),
                _ => {}
            }
        }
        Ok(())
    }

    /// Waits until a response is due: nothing is read before. Not for what comes, which would end every wait at once.
    fn wait_for_room(&mut self, now: Time) -> io::Result<()> {
        if self.asker.terms.spin {
            self.spinning.in_vain();
            return Ok(());
        }
        let left =
            self.answerer.next_timeout().map_or(BLOCK_MAX, |due| due.since(now).to_std().min(BLOCK_MAX));
        let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
        let _ = poll(&mut [], Some(&timeout));
        Ok(())
    }

    /// Takes what is there and has room, so many requests at most, or waits for it for a moment; false at the end of
    /// the stream.
    fn read(&mut self, now: Time, room: usize) -> io::Result<bool> {
        let flags = match self.answerer.next_timeout() {
            _ if self.asker.terms.spin => RecvFlags::DONTWAIT,
            None => RecvFlags::empty(),
            // The kernel's receive time-out has the grain of its ticks: too coarse for a service time.
            Some(due) => {
                let left = due.since(now).to_std().min(BLOCK_MAX);
                let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
                let _ = poll(&mut [PollFd::new(&self.connection, PollFlags::IN)], Some(&timeout));
                RecvFlags::DONTWAIT
            }
        };
        // A request beyond the room would be refused, and answers in order could never go on.
        let most = room.saturating_mul(size(self.asker.terms.request_bytes)) - self.request.came;
        let most = most.min(self.buffer.len());
        match recv(self.connection, &mut self.buffer[..most], flags) {
            Ok((_, 0)) => Ok(false),
            Ok((_, bytes)) => self.handle(bytes).map(|()| true),
            Err(Errno::AGAIN | Errno::INTR) => {
                if self.asker.terms.spin {
                    self.spinning.in_vain();
                }
                Ok(true)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Cuts what came into requests.
    fn handle(&mut self, bytes: usize) -> io::Result<()> {
        let now = self.clock.now();
        let whole = size(self.asker.terms.request_bytes);
        let mut from = 0;
        while from < bytes {
            let request = &mut self.request;
            if request.came < HEAD_BYTES {
                let take = (HEAD_BYTES - request.came).min(bytes - from);
                request.head[request.came..request.came + take]
                    .copy_from_slice(&self.buffer[from..from + take]);
                request.came += take;
                from += take;
                if request.came < HEAD_BYTES {
                    return Ok(());
                }
            }
            let take = (whole - request.came).min(bytes - from);
            request.came += take;
            from += take;
            if request.came == whole {
                let head = Head::parse(&request.head).filter(|head| head.ticket == self.asker.ticket);
                let head = head.ok_or(io::ErrorKind::InvalidData)?;
                request.came = 0;
                self.answerer.handle_request(now, head.number);
            }
        }
        Ok(())
    }

    /// Gives a whole response to the kernel.
    fn respond(&mut self, number: u32) -> io::Result<()> {
        let whole = size(self.asker.terms.response_bytes);
        Head { ticket: self.asker.ticket, number, index: 0 }.emit(&mut self.response);
        let flags = if self.asker.terms.spin { SendFlags::DONTWAIT } else { SendFlags::empty() };
        let mut sent = 0;
        while sent < whole {
            // Behind the head, any zeros will do.
            let from = if sent < self.response.len() { sent } else { HEAD_BYTES };
            let to = self.response.len().min(from + (whole - sent));
            match send(self.connection, &self.response[from..to], flags | SendFlags::NOSIGNAL) {
                Ok(bytes) => sent += bytes,
                Err(Errno::AGAIN | Errno::INTR | Errno::NOBUFS | Errno::NOMEM) => {
                    if self.asker.is_over() {
                        return Ok(());
                    }
                    if self.asker.terms.spin {
                        self.spinning.in_vain();
                    }
                }
                Err(error) => return Err(error.into()),
            }
            if whole > BUFFER_BYTES {
                self.watch.look(self.clock.now(), self.connection.as_fd());
            }
        }
        self.answerer.handle_responded();
        self.watch.look_at_response(self.clock.now(), self.connection.as_fd());
        Ok(())
    }
}

fn size(bytes: u32) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
