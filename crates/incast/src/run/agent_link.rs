//! The coordinator's connection to an agent on another host, shared by all roles there.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use crossbeam_channel::{Receiver, Sender, bounded, select, unbounded};
use incast_core::ledger::reading::HostBook;
use incast_net::channel::{Channel, ChannelError};
use incast_net::key::Key;
use serde::{Deserialize, Serialize};

use super::player::{Heard, Word};
use crate::drop_trace::Wish;
use crate::endpoint::{AGENT_PORT_DEFAULT, resolve};

/// How often each side says that it is there.
pub(crate) const ALIVE_EVERY: Duration = Duration::from_secs(1);
/// A side that says nothing for so long is given up.
pub(crate) const SILENCE_MAX: Duration = Duration::from_secs(10);
/// An agent that is there begins to read its counters, or tells them, within this time.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// Answers that wait: one is asked for at a time.
const ANSWERS_MAX: usize = 4;

/// What a coordinator wants of an agent.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AgentOrder {
    /// Start a role under this number.
    Spawn { role: u32 },
    /// Say a line to it.
    Say { role: u32, line: String },
    /// End it at once.
    Kill { role: u32 },
    /// Read the counters of your host from now on, and trace its drops if that is wished and possible.
    Watch { trace: Wish },
    /// Tell what they counted since.
    TellBook,
    /// Still there.
    Alive,
}

/// What an agent tells.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AgentWord {
    /// The role said a line.
    Line { role: u32, line: String },
    /// The role has ended; how, if not well.
    Gone { role: u32, how: Option<String> },
    /// Its counters are read from now on; or why not.
    Watching { failure: Option<String> },
    /// What they counted.
    Book { book: Box<HostBook> },
    /// Not served, and why.
    Refused { reason: String },
    /// Still there.
    Alive,
}

/// A connection to an agent.
#[derive(Clone)]
pub(crate) struct AgentLink {
    orders: Sender<(AgentOrder, Option<(u32, usize)>)>,
    /// What the agent says of its host.
    answers: Receiver<Answer>,
}

/// What an agent says of its host.
enum Answer {
    Watching(Option<String>),
    Book(Box<HostBook>),
    /// Nothing more, and why.
    Gone(String),
}

impl AgentLink {
    /// Connects to the agent at `address`; what its roles say goes to `heard`.
    pub(crate) fn open(address: &str, key: &Key, heard: Sender<Heard>) -> anyhow::Result<Self> {
        let server = resolve(address, AGENT_PORT_DEFAULT)?;
        let channel = Channel::dial(server, key).with_context(|| format!("reach the agent {address}"))?;
        let (orders, ordered) = unbounded();
        let (answer, answers) = bounded(ANSWERS_MAX);
        let name = address.to_owned();
        std::thread::Builder::new()
            .name("agent link".into())
            .spawn(move || Link { name, channel, ordered, heard, answer, roles: BTreeMap::new() }.run())
            .context("start a thread for an agent")?;
        Ok(Self { orders, answers })
    }

    /// Starts a role there: `role` is its number at the agent, `number` at the coordinator.
    pub(crate) fn spawn(&self, role: u32, number: usize) {
        let _ = self.orders.send((AgentOrder::Spawn { role }, Some((role, number))));
    }

    pub(crate) fn say(&self, role: u32, line: String) {
        let _ = self.orders.send((AgentOrder::Say { role, line }, None));
    }

    pub(crate) fn kill(&self, role: u32) {
        let _ = self.orders.send((AgentOrder::Kill { role }, None));
    }

    /// Lets the agent read the counters of its host and trace its drops; returns when it does.
    ///
    /// Fails when it is gone, or the trace must be on and cannot.
    pub(crate) fn watch(&self, trace: Wish) -> anyhow::Result<()> {
        let _ = self.orders.send((AgentOrder::Watch { trace }, None));
        match self.answers.recv_timeout(ANSWER_MAX) {
            Ok(Answer::Watching(None)) => Ok(()),
            Ok(Answer::Watching(Some(failure))) => anyhow::bail!("{failure}"),
            Ok(Answer::Gone(why)) => anyhow::bail!("it is out of reach: {why}"),
            _ => anyhow::bail!("it does not read its counters: is it of the same version?"),
        }
    }

    /// Asks for what was counted since; [`Self::book`] waits for it.
    pub(crate) fn ask_book(&self) {
        let _ = self.orders.send((AgentOrder::TellBook, None));
    }

    /// What was counted, after [`Self::ask_book`]; none from an agent that is gone.
    pub(crate) fn book(&self) -> Option<HostBook> {
        match self.answers.recv_timeout(ANSWER_MAX) {
            Ok(Answer::Book(book)) => Some(*book),
            _ => None,
        }
    }
}

struct Link {
    name: String,
    channel: Channel,
    ordered: Receiver<(AgentOrder, Option<(u32, usize)>)>,
    heard: Sender<Heard>,
    answer: Sender<Answer>,
    /// Numbers of the roles that have not ended, by their numbers at the agent.
    roles: BTreeMap<u32, usize>,
}

impl Link {
    fn run(mut self) {
        let why = self.carry().err().map_or_else(|| "the run is over".into(), |error| error.to_string());
        self.answer(Answer::Gone(why.clone()));
        for role in std::mem::take(&mut self.roles).into_values() {
            let what = Word::Gone(Some(format!("is out of reach: agent {}: {why}", self.name)));
            let _ = self.heard.send(Heard { role, what });
        }
    }

    /// Carries orders and words until either side is gone.
    fn carry(&mut self) -> Result<(), ChannelError> {
        let (mut last_said, mut last_heard) = (Instant::now(), Instant::now());
        loop {
            select! {
                recv(self.ordered) -> order => {
                    let Ok((order, new)) = order else { return Ok(()) };
                    self.roles.extend(new);
                    self.channel.send(&order)?;
                    last_said = Instant::now();
                }
                recv(self.channel.frames()) -> frame => {
                    let frame = frame.unwrap_or(Err(ChannelError::Closed))?;
                    last_heard = Instant::now();
                    if let Some(word) = self.channel.handle_frame(&frame)? {
                        self.handle_word(word)?;
                    }
                }
                default(ALIVE_EVERY) => {}
            }
            if last_said.elapsed() >= ALIVE_EVERY {
                self.channel.send(&AgentOrder::Alive)?;
                last_said = Instant::now();
            }
            if last_heard.elapsed() >= SILENCE_MAX {
                return Err(ChannelError::Silent);
            }
        }
    }

    /// An answer that nobody waits for is of no use.
    fn answer(&self, answer: Answer) {
        let _ = self.answer.try_send(answer);
    }

    fn handle_word(&mut self, word: AgentWord) -> Result<(), ChannelError> {
        let (role, what) = match word {
            AgentWord::Alive => return Ok(()),
            AgentWord::Watching { failure } => {
                self.answer(Answer::Watching(failure));
                return Ok(());
            }
            AgentWord::Book { book } => {
                self.answer(Answer::Book(book));
                return Ok(());
            }
            AgentWord::Refused { reason } => {
                return Err(ChannelError::BadMessage(format!("a refusal: {reason}")));
            }
            AgentWord::Gone { role, how } => (self.roles.remove(&role), Word::Gone(how)),
            AgentWord::Line { role, line } => {
                let what = serde_json::from_str(&line).map_or_else(
                    |error| Word::Gone(Some(format!("said what cannot be read: {error}"))),
                    |line| Word::Line(Box::new(line)),
                );
                (self.roles.get(&role).copied(), what)
            }
        };
        if let Some(role) = role {
            let _ = self.heard.send(Heard { role, what });
        }
        Ok(())
    }
}
