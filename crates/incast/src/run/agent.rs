//! `incast agent`: lets a coordinator on another host start roles here.
//!
//! A coordinator that has proved the key may start roles, talk to them and end them; nothing else
//! of this host is at its service. When its connection ends, its roles end.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStdin, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use crossbeam_channel::{Receiver, Sender, select, unbounded};
use incast_core::time::Span;
use incast_core::wire::preface::{self, MAGIC_BYTES};
use incast_net::accept::{accept_within, is_from_this_host};
use incast_net::channel::{Channel, ChannelError, GREETING_MAX};
use incast_net::key::Key;

use super::agent_link::{ALIVE_EVERY, AgentOrder, AgentWord, SILENCE_MAX};
use super::player;
use crate::cli::AgentArgs;
use crate::endpoint::{AGENT_PORT_DEFAULT, key, resolve};
use crate::output::note;
use crate::own_book::OwnBook;
use crate::signals::Stops;

/// Roles that one coordinator may have at once.
const ROLES_MAX: usize = 4_096;
/// Coordinators that are served at once.
const COORDINATORS_MAX: usize = 64;

/// Waits for coordinators until a signal comes.
pub(crate) fn agent(args: &AgentArgs) -> anyhow::Result<ExitCode> {
    let stops = Stops::listen()?;
    let key = key(args.key_file.as_deref())?;
    let bind = resolve(&args.bind, AGENT_PORT_DEFAULT)?;
    let listener = TcpListener::bind(bind).with_context(|| format!("bind {bind}"))?;
    note(&format!("agent: waiting for coordinators on {}; Ctrl-C ends it", listener.local_addr()?));
    let serving = Arc::<AtomicUsize>::default();
    while stops.count() == 0 {
        let Ok(Some((connection, peer))) = accept_within(&listener, Span::from_ms(50)) else { continue };
        let local_only = !key.is_shared() && !args.open && !is_from_this_host(&connection, peer);
        if serving.fetch_add(1, Relaxed) >= COORDINATORS_MAX {
            serving.fetch_sub(1, Relaxed);
            note(&format!("agent: turned {peer} away: {COORDINATORS_MAX} coordinators are served already"));
            continue;
        }
        let (key, serving) = (key.clone(), Arc::clone(&serving));
        std::thread::Builder::new().name("coordinator".into()).spawn(move || {
            match serve(connection, peer, &key, local_only) {
                Ok(()) => {}
                Err(error) => note(&format!("agent: coordinator {peer}: {error:#}")),
            }
            serving.fetch_sub(1, Relaxed);
        })?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What a role's reader tells.
enum FromRole {
    Line(u32, String),
    End(u32),
}

struct Role {
    child: Child,
    orders: ChildStdin,
}

impl Drop for Role {
    fn drop(&mut self) {
        let _ = self.child.kill().and_then(|()| self.child.wait());
    }
}

fn serve(mut connection: TcpStream, peer: SocketAddr, key: &Key, local_only: bool) -> anyhow::Result<()> {
    let mut magic = [0; MAGIC_BYTES];
    connection.set_read_timeout(Some(GREETING_MAX))?;
    connection.read_exact(&mut magic).context("read its greeting")?;
    if magic != preface::CONTROL {
        anyhow::bail!("it spoke no incast");
    }
    let mut channel = Channel::accept(connection, key)?;
    if local_only {
        let reason = "this agent has no key and serves its own host only; give both ends the same --key-file, or start it with --open";
        channel.send(&AgentWord::Refused { reason: reason.into() })?;
        channel.close();
        anyhow::bail!("refused: it is on another host, and this agent has no key");
    }
    note(&format!("agent: serving coordinator {peer}"));
    let (to_us, from_roles) = unbounded();
    let mut played = Played { roles: BTreeMap::new(), to_us, book: None };
    let ended = carry(&mut channel, &mut played, &from_roles);
    // Dropping the roles ends them.
    drop(played);
    note(&format!("agent: coordinator {peer} is gone"));
    match ended {
        Err(ChannelError::Closed) => Ok(()),
        other => Ok(other?),
    }
}

/// What is done here for one coordinator.
struct Played {
    roles: BTreeMap<u32, Role>,
    to_us: Sender<FromRole>,
    /// The counters of this host while it is watched, and its drop trace.
    book: Option<OwnBook>,
}

fn carry(
    channel: &mut Channel,
    played: &mut Played,
    from_roles: &Receiver<FromRole>,
) -> Result<(), ChannelError> {
    let (mut last_said, mut last_heard) = (Instant::now(), Instant::now());
    loop {
        select! {
            recv(channel.frames()) -> frame => {
                let frame = frame.unwrap_or(Err(ChannelError::Closed))?;
                last_heard = Instant::now();
                if let Some(order) = channel.handle_frame(&frame)?
                    && let Some(word) = played.handle_order(order)
                {
                    channel.send(&word)?;
                }
            }
            recv(from_roles) -> word => {
                let Ok(word) = word else { return Ok(()) };
                let word = match word {
                    FromRole::Line(role, line) => AgentWord::Line { role, line },
                    FromRole::End(role) => AgentWord::Gone { role, how: played.roles.remove(&role).and_then(reap) },
                };
                channel.send(&word)?;
                last_said = Instant::now();
            }
            default(Duration::from_millis(200)) => {}
        }
        if last_said.elapsed() >= ALIVE_EVERY {
            channel.send(&AgentWord::Alive)?;
            last_said = Instant::now();
        }
        if last_heard.elapsed() >= SILENCE_MAX {
            return Err(ChannelError::Silent);
        }
    }
}

impl Played {
    /// Carries out an order; gives the answer if there is one at once.
    fn handle_order(&mut self, order: AgentOrder) -> Option<AgentWord> {
        match order {
            AgentOrder::Alive => None,
            AgentOrder::Watch { trace } => {
                let opened = OwnBook::open(trace).map(|book| self.book = Some(book));
                Some(AgentWord::Watching { failure: opened.err().map(|error| format!("{error:#}")) })
            }
            // Whose host it is, the coordinator knows.
            AgentOrder::TellBook => {
                self.book.as_mut().map(|book| AgentWord::Book { book: Box::new(book.close("")) })
            }
            AgentOrder::Spawn { role } if self.roles.len() >= ROLES_MAX || self.roles.contains_key(&role) => {
                Some(AgentWord::Gone {
                    role,
                    how: Some("was not started: too many roles, or its number is taken".into()),
                })
            }
            AgentOrder::Spawn { role } => match start(role, &self.to_us) {
                Ok(started) => {
                    self.roles.insert(role, started);
                    None
                }
                Err(error) => {
                    Some(AgentWord::Gone { role, how: Some(format!("was not started: {error:#}")) })
                }
            },
            AgentOrder::Say { role, line } => {
                if let Some(role) = self.roles.get_mut(&role) {
                    let _ = role.orders.write_all(line.as_bytes()).and_then(|()| role.orders.flush());
                }
                None
            }
            AgentOrder::Kill { role } => {
                if let Some(role) = self.roles.get_mut(&role) {
                    let _ = role.child.kill();
                }
                None
            }
        }
    }
}

fn start(role: u32, to_us: &Sender<FromRole>) -> anyhow::Result<Role> {
    let (child, orders, lines) = player::spawn()?;
    let started = Role { child, orders };
    let to_us = to_us.clone();
    std::thread::Builder::new().name("role reader".into()).spawn(move || {
        player::read_lines(lines, |line| to_us.send(FromRole::Line(role, line)).is_ok());
        let _ = to_us.send(FromRole::End(role));
    })?;
    Ok(started)
}

/// Waits for a role that has closed its output; says how it ended, if not well.
fn reap(mut role: Role) -> Option<String> {
    player::how_it_ended(role.child.wait().ok()?)
}
