//! A role as the coordinator holds it: a child process, or one at an agent.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

use anyhow::Context as _;
use crossbeam_channel::Sender;
use serde::Serialize;

use super::agent_link::AgentLink;
use super::lines::{LINE_BYTES_MAX, RoleLine};

/// What is heard of a role, with its number.
pub(crate) struct Heard {
    pub(crate) role: usize,
    pub(crate) what: Word,
}

/// One thing that is heard of a role.
pub(crate) enum Word {
    Line(Box<RoleLine>),
    /// It will say nothing more; how it ended, if that is known already.
    Gone(Option<String>),
}

/// A role's process.
pub(crate) enum Player {
    Here { child: Child, orders: Option<ChildStdin> },
    There { agent: AgentLink, role: u32 },
}

impl Player {
    /// Starts a role on this machine; what it says goes to `heard` as number `role`.
    pub(crate) fn here(role: usize, heard: Sender<Heard>) -> anyhow::Result<Self> {
        let (mut child, orders, lines) = spawn()?;
        let reader = std::thread::Builder::new().name("role reader".into()).spawn(move || {
            read_lines(lines, |line| {
                let what = match serde_json::from_str(&line) {
                    Ok(line) => Word::Line(Box::new(line)),
                    Err(error) => Word::Gone(Some(format!("said what cannot be read: {error}"))),
                };
                heard.send(Heard { role, what }).is_ok()
            });
            let _ = heard.send(Heard { role, what: Word::Gone(None) });
        });
        if let Err(error) = reader {
            let _ = child.kill().and_then(|()| child.wait());
            return Err(error).context("start a thread that listens to a role");
        }
        Ok(Self::Here { child, orders: Some(orders) })
    }

    /// Says a line to the role; one that is gone is heard of soon enough.
    pub(crate) fn say(&mut self, line: &impl Serialize) {
        let Ok(mut text) = serde_json::to_string(line) else { return };
        text.push('\n');
        match self {
            Self::Here { orders, .. } => {
                let _ = orders
                    .as_mut()
                    .map(|orders| orders.write_all(text.as_bytes()).and_then(|()| orders.flush()));
            }
            Self::There { agent, role } => agent.say(*role, text),
        }
    }

    /// Number of its process, if that is on this machine.
    pub(crate) fn process(&self) -> Option<u32> {
        match self {
            Self::Here { child, .. } => Some(child.id()),
            Self::There { .. } => None,
        }
    }

    /// Ends the role at once.
    pub(crate) fn kill(&mut self) {
        match self {
            Self::Here { child, .. } => {
                let _ = child.kill();
            }
            Self::There { agent, role } => agent.kill(*role),
        }
    }

    /// Stops the role's process, or lets it go on; says whether that could be done.
    pub(crate) fn hang(&self, is_hanging: bool) -> bool {
        use rustix::process::{Pid, Signal, kill_process};
        let Self::Here { child, .. } = self else { return false };
        let signal = if is_hanging { Signal::STOP } else { Signal::CONT };
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        pid.is_some_and(|pid| kill_process(pid, signal).is_ok())
    }

    /// Waits for a role that has said its last word; says how it ended, if not well.
    pub(crate) fn reap(&mut self) -> Option<String> {
        match self {
            Self::Here { child, orders } => {
                orders.take();
                how_it_ended(child.wait().ok()?)
            }
            Self::There { .. } => None,
        }
    }
}

impl Drop for Player {
    /// Whatever happens, no role outlives its coordinator.
    fn drop(&mut self) {
        self.kill();
        self.reap();
    }
}

/// Starts this program as a role.
pub(crate) fn spawn() -> anyhow::Result<(Child, ChildStdin, ChildStdout)> {
    let program = std::env::current_exe().context("find this program's own file")?;
    let mut child = Command::new(program)
        .arg("role")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        // Ctrl-C at the terminal is for the coordinator, which tells the roles itself.
        .process_group(0)
        .spawn()
        .context("start a role as a process of its own")?;
    let orders = child.stdin.take().context("a role's standard input")?;
    let lines = child.stdout.take().context("a role's standard output")?;
    Ok((child, orders, lines))
}

/// Gives every line to `on_line` until the role ends or nobody wants more.
pub(crate) fn read_lines(lines: ChildStdout, mut on_line: impl FnMut(String) -> bool) {
    let mut reader = BufReader::new(lines);
    loop {
        let mut line = String::new();
        match reader.by_ref().take(LINE_BYTES_MAX).read_line(&mut line) {
            Ok(1..) if on_line(line) => {}
            _ => return,
        }
    }
}

/// How a process ended, if not well.
pub(crate) fn how_it_ended(status: ExitStatus) -> Option<String> {
    match (status.code(), status.signal()) {
        (Some(0), _) => None,
        (Some(code), _) => Some(format!("ended with exit code {code}")),
        (None, Some(signal)) => Some(format!("was killed by signal {signal}")),
        (None, None) => Some("ended in a way that the kernel does not tell".into()),
    }
}
