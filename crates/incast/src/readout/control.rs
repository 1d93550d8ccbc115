//! Commands to a run: from the terminal where it runs, and from `incast control` elsewhere.
//!
//! The run writes `control.json` into its directory, readable by its owner alone: the address and the key
//! of its control connection. Whoever can read that file may pause, resume and stop the run.

use std::fs;
use std::io::{BufRead as _, IsTerminal as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use crossbeam_channel::{Receiver, Sender, unbounded};
use incast_net::channel::{Channel, ChannelError};
use incast_net::key::Key;
use serde::{Deserialize, Serialize};

use super::live::Live;
use super::state::States;

/// What a run can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Command {
    /// Say how the run is
    Status,
    /// Trigger no events until told to resume
    Pause,
    /// Trigger events again
    Resume,
    /// Trigger no more events, and end the run when those under way have ended
    Stop,
}

/// Where a run listens for commands.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Door {
    address: SocketAddr,
    key: String,
}

/// The ways in which commands come.
pub(super) struct Control {
    commands: Receiver<Command>,
    /// What is answered to who asks: renewed by the conductor.
    status: Arc<Mutex<String>>,
    file: PathBuf,
}

/// Name of the file in the run's directory.
const FILE: &str = "control.json";
/// A client has so long to say what it wants.
const CLIENT_MAX: Duration = Duration::from_secs(5);

impl Control {
    /// Opens the control connection of the run whose directory is `dir`.
    pub(super) fn open(dir: &Path) -> anyhow::Result<Self> {
        let (sender, commands) = unbounded();
        let status = Arc::<Mutex<String>>::default();
        let key = Key::random().context("draw a key for the control connection")?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("open the control connection")?;
        let door = Door { address: listener.local_addr()?, key: key.to_text() };
        let file = dir.join(FILE);
        let text = serde_json::to_vec(&door)?;
        let mut options = fs::OpenOptions::new();
        let options = options.write(true).create(true).truncate(true).mode(0o600);
        options
            .open(&file)
            .and_then(|mut out| std::io::Write::write_all(&mut out, &text))
            .with_context(|| format!("write {}", file.display()))?;
        let (to_client, out) = (Arc::clone(&status), sender.clone());
        std::thread::Builder::new().name("control".into()).spawn(move || {
            for stream in listener.incoming().flatten() {
                // One after the other: people are few, and each has a time limit.
                let _ = serve(stream, &key, &to_client, &out);
            }
        })?;
        listen_to_terminal(sender)?;
        Ok(Self { commands, status, file })
    }

    /// The commands that came, after whoever asks is told how the run is now.
    pub(super) fn poll(&self, states: &States, live: &Live) -> Vec<Command> {
        *self.status.lock().unwrap_or_else(PoisonError::into_inner) =
            format!("{}: {}", states.now().name(), live.line());
        self.commands.try_iter().collect()
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.file);
    }
}

fn serve(
    stream: std::net::TcpStream,
    key: &Key,
    status: &Mutex<String>,
    commands: &Sender<Command>,
) -> Result<(), ChannelError> {
    let mut channel = Channel::accept(stream, key)?;
    let frame = channel.frames().recv_timeout(CLIENT_MAX).map_err(|_| ChannelError::Silent)??;
    if let Some(command) = channel.handle_frame::<Command>(&frame)? {
        let _ = commands.send(command);
        let answer = status.lock().unwrap_or_else(PoisonError::into_inner).clone();
        channel.send(&answer)?;
    }
    channel.close();
    Ok(())
}

/// A person at the terminal types `pause`, `resume`, `stop` or `status`.
fn listen_to_terminal(commands: Sender<Command>) -> anyhow::Result<()> {
    if !std::io::stdin().is_terminal() {
        return Ok(());
    }
    std::thread::Builder::new().name("keyboard".into()).spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            let command = match line.trim() {
                "" => continue,
                "p" | "pause" => Command::Pause,
                "r" | "resume" => Command::Resume,
                "s" | "stop" => Command::Stop,
                "status" => Command::Status,
                other => {
                    crate::output::note(&format!("`{other}`? Say pause, resume, stop or status."));
                    continue;
                }
            };
            if commands.send(command).is_err() {
                return;
            }
        }
    })?;
    Ok(())
}

/// Says a command to the run whose directory is `dir`; what it answers.
pub(crate) fn say(dir: &Path, command: Command) -> anyhow::Result<String> {
    let file = dir.join(FILE);
    let text = fs::read(&file).with_context(|| {
        format!("read {}: is this the directory of a readout run that is going on?", file.display())
    })?;
    let door: Door = serde_json::from_slice(&text).with_context(|| format!("read {}", file.display()))?;
    let key = Key::parse(&door.key).context("read the key of the run")?;
    let stream = std::net::TcpStream::connect_timeout(&door.address, CLIENT_MAX)
        .with_context(|| format!("reach the run at {}; it may have ended without a word", door.address))?;
    let mut channel = Channel::connect(stream, &key)?;
    channel.send(&command)?;
    let frame = channel.frames().recv_timeout(CLIENT_MAX).context("wait for the run's answer")??;
    let answer: Option<String> = channel.handle_frame(&frame)?;
    channel.close();
    answer.context("the run gave no answer")
}
