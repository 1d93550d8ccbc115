//! Runs incast and its peers as processes, and reads what they say.
//!
//! Every wait has a deadline, and a process that is still there when its owner goes is killed, so a
//! test that fails leaves nothing behind. What a process says is read line by line as it comes, from
//! both outputs. Ports are chosen by the kernel and read from what servers say when they listen.
#![allow(dead_code, reason = "every test file uses its own part")]

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use incast_core::record::Record;
use rustix::process::{Pid, Signal, kill_process};

/// How long anything may take. Generous: it is there to end a hang, not to measure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A process under way. Dropping it kills it.
pub(crate) struct Program {
    name: String,
    child: Child,
    lines: Receiver<Line>,
    stdout: String,
    stderr: String,
}

/// A line that a process said.
enum Line {
    Out(String),
    Err(String),
}

/// What a process left.
#[derive(Debug)]
pub(crate) struct Finished {
    /// What it was.
    pub(crate) name: String,
    /// How it ended.
    pub(crate) status: ExitStatus,
    /// All of its standard output.
    pub(crate) stdout: String,
    /// All of its standard error.
    pub(crate) stderr: String,
}

impl Program {
    /// The incast of this build.
    pub(crate) fn incast<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_incast"));
        command.args(args);
        Self::start(command)
    }

    /// A server on a port that the kernel chooses; it listens, and will print its record.
    pub(crate) fn serve(args: &[&str]) -> (Self, SocketAddr) {
        let mut server = Self::incast(["serve", "--port", "0", "--json"].iter().chain(args));
        let address = server.address();
        (server, address)
    }

    /// A sender called `name`, which will print its record.
    pub(crate) fn flood(server: SocketAddr, name: &str, args: &[&str]) -> Self {
        Self::incast(["flood", &server.to_string(), "--json", "--name", name].iter().chain(args))
    }

    /// A program of the lab sheet, from `tests/lab_sheet`.
    pub(crate) fn lab_sheet(script: &str, args: &[&str]) -> Self {
        let path = format!("{}/tests/lab_sheet/{script}", env!("CARGO_MANIFEST_DIR"));
        let mut command = Command::new("python3");
        // -u: what it prints is read while it runs.
        command.arg("-u").arg(path).args(args);
        Self::start(command)
    }

    /// Any program.
    pub(crate) fn start(mut command: Command) -> Self {
        let name = format!("{command:?}");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("start {name}: {error}"));
        let (said, lines) = channel();
        read_lines(child.stdout.take().expect("piped"), said.clone(), Line::Out);
        read_lines(child.stderr.take().expect("piped"), said, Line::Err);
        Self { name, child, lines, stdout: String::new(), stderr: String::new() }
    }

    /// Waits for a line, on either output, that `wanted` accepts, and gives what it made of it.
    pub(crate) fn wait_for_line<T>(&mut self, wanted: impl Fn(&str) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let Ok(line) = self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) else {
                panic!("{}: the line waited for did not come; it said:\n{}", self.name, self.stderr);
            };
            let found = wanted(self.keep(line));
            if let Some(found) = found {
                return found;
            }
        }
    }

    /// Where an incast server listens, as soon as it does.
    pub(crate) fn address(&mut self) -> SocketAddr {
        self.wait_for_line(|line| line.strip_prefix("listening on ")?.split(' ').next()?.parse().ok())
    }

    /// Where a server of the lab sheet listens, as soon as it does.
    pub(crate) fn lab_sheet_address(&mut self) -> SocketAddr {
        let port = self.wait_for_line(|line| line.strip_prefix("listening ")?.parse::<u16>().ok());
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    fn keep(&mut self, line: Line) -> &str {
        let (text, line) = match line {
            Line::Out(line) => (&mut self.stdout, line),
            Line::Err(line) => (&mut self.stderr, line),
        };
        let from = text.len();
        text.push_str(&line);
        text.push('\n');
        &text[from..from + line.len()]
    }

    /// Sends SIGINT, as Ctrl-C does.
    pub(crate) fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a pid fits")).expect("a pid is not 0");
        kill_process(pid, signal).unwrap_or_else(|error| panic!("{signal:?} to {}: {error}", self.name));
    }

    /// Kills it, as a crash would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap_or_else(|error| panic!("kill {}: {error}", self.name));
    }

    /// Waits for its end.
    pub(crate) fn finish(mut self) -> Finished {
        let deadline = Instant::now() + PATIENCE;
        // Its end closes both outputs, and so ends both readers.
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.keep(line);
                }
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    panic!("{} has not ended after {PATIENCE:?}; it said:\n{}", self.name, self.stderr)
                }
            }
        }
        let status = self.child.wait().unwrap_or_else(|error| panic!("wait for {}: {error}", self.name));
        let (stdout, stderr) = (std::mem::take(&mut self.stdout), std::mem::take(&mut self.stderr));
        Finished { name: std::mem::take(&mut self.name), status, stdout, stderr }
    }

    /// Waits for its end, which must be a good one, and reads its record.
    pub(crate) fn record(self) -> Record {
        self.finish().record(0)
    }
}

/// Makes a key with `incast key` and writes it into `dir`; the path of the file.
pub(crate) fn write_key(dir: &Path, name: &str) -> String {
    let made = Program::incast(["key"]).finish();
    made.expect_code(0);
    let path = dir.join(name);
    std::fs::write(&path, made.stdout).expect("write a key");
    path.to_str().expect("a path of ours").to_owned()
}

/// Says that a test did not run. Not by a macro: the test harness keeps what those print to itself.
pub(crate) fn say_not_run(why: &str) {
    let _ = writeln!(std::io::stderr(), "NOT RUN: {why}");
}

fn read_lines(from: impl Read + Send + 'static, to: Sender<Line>, kind: fn(String) -> Line) {
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            let _ = to.send(kind(line));
        }
    });
}

impl Drop for Program {
    fn drop(&mut self) {
        // Gone already, in the good case.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Finished {
    /// The record on its standard output, after it ended with exit code `expected`.
    pub(crate) fn record(&self, expected: i32) -> Record {
        self.expect_code(expected);
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| {
            panic!("{}: no record on standard output: {error}\n{}", self.name, self.stdout)
        })
    }

    /// The record, of a run that may have been ended early: exit code 0 or 1.
    pub(crate) fn record_of_any_end(&self) -> Record {
        self.record(i32::from(self.status.code() != Some(0)))
    }

    /// The record as any other program would read it.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{}: {error}\n{}", self.name, self.stdout))
    }

    /// Asserts how it ended.
    pub(crate) fn expect_code(&self, expected: i32) {
        let code = self.status.code();
        assert_eq!(
            code,
            Some(expected),
            "{} ended with {}; it said:\n{}",
            self.name,
            self.status,
            self.stderr
        );
    }
}
