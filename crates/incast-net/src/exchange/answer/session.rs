//! The session of one asker: grants its wish, and tells it at the end what was answered.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crossbeam_channel::RecvTimeoutError;
use incast_core::exchange::AnswererAccount;
use incast_core::exchange::session::{Hello, Notice, Session};
use incast_core::load::Transport;

use super::{AnswerNotice, AnswerOutcome, Asker, Shared, datagram};
use crate::channel::{Channel, ChannelError};
use crate::key;
use crate::lock::lock;

/// How often the stop flag is looked at.
const TICK: Duration = Duration::from_millis(20);
/// How long connections may take to end once told.
const END_MAX: Duration = Duration::from_secs(3);

/// One session under way.
struct Serving<'a> {
    shared: &'a Arc<Shared>,
    session: Session,
    /// Where the asker is, and which of our addresses it has reached.
    from: IpAddr,
    here: Option<SocketAddr>,
    local: bool,
    granted: Option<(Hello, Arc<Asker>)>,
}

/// Serves one asker until its session is over.
pub(super) fn serve(
    shared: &Arc<Shared>,
    mut channel: Channel,
    from: IpAddr,
    here: Option<SocketAddr>,
    local: bool,
) {
    shared.acceptor.sessions.fetch_add(1, Relaxed);
    let session = Session::answerer(shared.plan.clock.now());
    let mut serving = Serving { shared, session, from, here, local, granted: None };
    let failure = serving.run(&mut channel);
    let account = serving.end_data();
    channel.close();
    let outcome = serving.granted.take().map(|(hello, asker)| {
        Box::new(AnswerOutcome {
            name: hello.exchange,
            from: hello.host,
            terms: asker.terms.clone(),
            account,
            failure,
        })
    });
    shared.tell(AnswerNotice::Over(outcome));
    shared.acceptor.sessions.fetch_sub(1, Relaxed);
}

impl Serving<'_> {
    /// Carries the session to its end; says why it failed, if it did.
    fn run(&mut self, channel: &mut Channel) -> Option<String> {
        loop {
            while let Some(notice) = self.session.poll_notice() {
                match notice {
                    Notice::Wanted(hello) => self.handle_wish(*hello),
                    Notice::PeerOver => {
                        let account = self.end_data();
                        self.session.tell(self.shared.plan.clock.now(), account);
                    }
                    Notice::Failed(why) => return Some(why),
                    Notice::Granted { .. } | Notice::Told(_) => {}
                }
            }
            while let Some(message) = self.session.poll_transmit() {
                if let Err(error) = channel.send(&message) {
                    return Some(error.to_string());
                }
            }
            if self.session.is_over() {
                return None;
            }
            if self.shared.acceptor.is_stopping() {
                return Some("this server was stopped".into());
            }
            if let Err(error) = self.listen(channel) {
                if self.granted.is_none() {
                    self.shared.acceptor.faults.count_channel(&error);
                }
                return Some(error.to_string());
            }
        }
    }

    /// Takes what the asker says, for a moment.
    fn listen(&mut self, channel: &mut Channel) -> Result<(), ChannelError> {
        let clock = self.shared.plan.clock;
        match channel.frames().recv_timeout(TICK) {
            Ok(frame) => {
                if let Some(message) = channel.handle_frame(&frame?)? {
                    self.session.handle_message(clock.now(), message);
                }
            }
            Err(RecvTimeoutError::Timeout) => self.session.handle_timeout(clock.now()),
            Err(RecvTimeoutError::Disconnected) => return Err(ChannelError::Closed),
        }
        Ok(())
    }

    fn handle_wish(&mut self, hello: Hello) {
        let plan = &self.shared.plan;
        let now = plan.clock.now();
        if !plan.key.is_shared() && !plan.open && !self.local {
            let reason = "this answerer has no key and answers its own host only; give both ends the same --key-file, or start it with --open";
            return self.session.refuse(now, reason.into());
        }
        if let Some(fault) = hello.fault() {
            return self.session.refuse(now, fault);
        }
        let Ok(ticket) = key::random_number() else {
            return self.session.refuse(now, "the kernel has no random numbers to give".into());
        };
        let mut terms = hello.terms.clone();
        terms.spin |= plan.spin;
        let asker = Arc::new(Asker {
            ticket,
            terms,
            control: self.from,
            shown: std::sync::Mutex::default(),
            stop: AtomicBool::new(false),
            open: AtomicUsize::new(0),
            account: std::sync::Mutex::default(),
        });
        let port = match asker.terms.transport {
            Transport::Udp => match datagram::start(self.shared, &asker, self.asked_at(hello.data)) {
                Ok(port) => Some(port),
                Err(error) => return self.session.refuse(now, error.to_string()),
            },
            _ => None,
        };
        lock(&self.shared.askers).insert(ticket, Arc::clone(&asker));
        self.session.grant(now, plan.host.clone(), ticket, port);
        let (from, name) = (hello.host.clone(), hello.exchange.clone());
        self.granted = Some((hello, asker));
        self.shared.tell(AnswerNotice::Began { from, name });
    }

    /// Where the asker's datagrams will come, with any port.
    fn asked_at(&self, data: Option<IpAddr>) -> SocketAddr {
        let mut address = self.shared.plan.bind;
        if address.ip().is_unspecified() {
            let other = data.map(|data| SocketAddr::new(data, 0));
            address = other.or(self.here).unwrap_or(address);
        }
        // A socket of IPv6 that listens for IPv4 too has met it in its own way of writing.
        if address.ip() != address.ip().to_canonical() {
            address.set_ip(address.ip().to_canonical());
        }
        address.set_port(0);
        address
    }

    /// Ends the connections of this asker, and takes what they did.
    fn end_data(&self) -> AnswererAccount {
        let Some((_, asker)) = &self.granted else { return AnswererAccount::default() };
        lock(&self.shared.askers).remove(&asker.ticket);
        asker.stop.store(true, Relaxed);
        let deadline = Instant::now() + END_MAX;
        while asker.open.load(Relaxed) > 0 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
        lock(&asker.account).clone()
    }
}
