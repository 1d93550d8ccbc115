//! Tagged messages beside the flows: sent to the receiver's host, echoed there, and timed.
//!
//! Few and small, so that they measure the load and are none. Only the round trip is timed, by one
//! clock: it needs no agreement between hosts. An echo answers who knows the tag, with as many bytes
//! as it was sent.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use crossbeam_channel::Receiver;
use incast_core::record::RoundTrip;
use incast_core::stats::LogHistogram;

use super::lines::{EchoAssignment, RoleLine, RoleOrder, TagAssignment};
use super::telling::{ended, tell};
use crate::measured::HostWatch;

/// Time between two tagged messages.
const EVERY: Duration = Duration::from_millis(5);
/// How long answers are waited for when no more is sent.
const PATIENCE: Duration = Duration::from_millis(400);
/// How often a role says that it is alive, and looks for orders.
const TICK: Duration = Duration::from_millis(20);
/// Tag, then the message's number.
const BYTES: usize = 16;

/// Echoes what carries the tag, until told to stop.
pub(crate) fn echo(plan: &EchoAssignment, orders: &Receiver<RoleOrder>) -> anyhow::Result<()> {
    let watch = HostWatch::start();
    let socket = UdpSocket::bind(plan.bind).with_context(|| format!("bind {}", plan.bind))?;
    socket.set_read_timeout(Some(TICK))?;
    tell(&RoleLine::Listening { address: socket.local_addr()? });
    let mut alive = Instant::now();
    let mut buffer = [0; BYTES + 1];
    while !orders.try_iter().any(|order| order == RoleOrder::Stop) {
        if let Ok((BYTES, peer)) = socket.recv_from(&mut buffer)
            && buffer[..8] == plan.tag.to_le_bytes()
        {
            // An answer that cannot be sent is one that does not come.
            let _ = socket.send_to(&buffer[..BYTES], peer);
        }
        if alive.elapsed() > TICK * 20 {
            alive = Instant::now();
            tell(&RoleLine::Progress { flows: Vec::new() });
        }
    }
    tell(&ended(&watch));
    Ok(())
}

/// Sends tagged messages until told to stop, and times their answers.
pub(crate) fn tag(plan: &TagAssignment, orders: &Receiver<RoleOrder>) -> anyhow::Result<()> {
    let watch = HostWatch::start();
    let socket = UdpSocket::bind("0.0.0.0:0").context("open a socket for tagged messages")?;
    socket.connect(plan.to).with_context(|| format!("send tagged messages to {}", plan.to))?;
    tell(&RoleLine::Armed);
    if !matches!(orders.recv(), Ok(RoleOrder::Start)) {
        tell(&ended(&watch));
        return Ok(());
    }
    let mut tags = Tags { plan, socket, departures: Vec::new(), answered: 0, times: LogHistogram::new() };
    let mut alive = Instant::now();
    let mut due = Instant::now();
    while !orders.try_iter().any(|order| order == RoleOrder::Stop) {
        tags.send();
        due += EVERY;
        tags.listen(due);
        if alive.elapsed() > TICK * 20 {
            alive = Instant::now();
            tell(&RoleLine::Progress { flows: Vec::new() });
        }
    }
    let patience = Instant::now() + PATIENCE;
    while tags.answered < tags.departures.len() as u64 && Instant::now() < patience {
        tags.listen(patience.min(Instant::now() + TICK));
    }
    tell(&RoleLine::Tagged { flow: plan.flow.clone(), round_trip: tags.round_trip() });
    tell(&ended(&watch));
    Ok(())
}

struct Tags<'a> {
    plan: &'a TagAssignment,
    socket: UdpSocket,
    /// When each message left; `None` once it has been answered.
    departures: Vec<Option<Instant>>,
    answered: u64,
    times: LogHistogram,
}

impl Tags<'_> {
    fn send(&mut self) {
        let mut message = [0; BYTES];
        message[..8].copy_from_slice(&self.plan.tag.to_le_bytes());
        message[8..].copy_from_slice(&(self.departures.len() as u64).to_le_bytes());
        let now = Instant::now();
        if self.socket.send(&message).is_ok() {
            self.departures.push(Some(now));
        }
    }

    /// Takes answers until `until`.
    fn listen(&mut self, until: Instant) {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || self.socket.set_read_timeout(Some(left)).is_err() {
                return;
            }
            let mut answer = [0; BYTES + 1];
            match self.socket.recv(&mut answer) {
                Ok(BYTES) => self.handle(&answer, Instant::now()),
                // An error of the network (nobody listens there) must not make this spin.
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                    std::thread::sleep(left.min(EVERY));
                }
                _ => {}
            }
        }
    }

    fn handle(&mut self, answer: &[u8], now: Instant) {
        let word = |from: usize| {
            answer.get(from..from + 8).and_then(|word| word.try_into().ok()).map(u64::from_le_bytes)
        };
        let number = word(8).and_then(|number| usize::try_from(number).ok());
        if word(0) != Some(self.plan.tag) {
            return;
        }
        // A copy of an answer, or one to a message that was never sent, finds nothing here.
        if let Some(departure) = number.and_then(|number| self.departures.get_mut(number)?.take()) {
            self.answered += 1;
            let elapsed = now.saturating_duration_since(departure).as_nanos();
            self.times.record(u64::try_from(elapsed).unwrap_or(u64::MAX));
        }
    }

    fn round_trip(&self) -> RoundTrip {
        #[expect(clippy::cast_precision_loss, reason = "nanoseconds of a round trip")]
        let us = |ns: Option<u64>| ns.map(|ns| ns as f64 / 1e3);
        RoundTrip {
            sent: self.departures.len() as u64,
            answered: self.answered,
            us_p50: us(self.times.quantile(0.5)),
            us_p99: us(self.times.quantile(0.99)),
            us_max: us(self.times.max()),
        }
    }
}
