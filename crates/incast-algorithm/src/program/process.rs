//! The process of a program: started in confinement, ended with all that it started, and reaped.

use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use incast_core::readout::Failure;
use incast_core::readout::algorithm::ProgramPlan;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use super::exchange::Trouble;
use super::said::Said;
use crate::fault::{Fault, quoted};
use crate::sys;

/// A process that runs, with its pipes.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    /// Becomes readable when it ends.
    pub(super) end: OwnedFd,
    /// Closed first when it is ended in good order.
    pub(super) input: Option<ChildStdin>,
    pub(super) output: ChildStdout,
    /// None once it is closed.
    pub(super) error: Option<ChildStderr>,
    pub(super) said: Said,
    /// Room for an answer.
    pub(super) answer: Vec<u8>,
    is_reaped: bool,
}

/// Pipes of this size take an event of that many bytes without waiting: what users may have by default.
const PIPE_BYTES: usize = 1 << 20;
/// How long a process that closed its output may take to end: so that its own exit status is known.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// How long it may take to end when there are no more events.
const FAREWELL: Duration = Duration::from_millis(500);
/// Environment that is passed on: where programs are, and what texts are written in.
const ENVIRONMENT: [&str; 2] = ["PATH", "LANG"];
/// `ENOMEM`: how a program can say that it got no more memory.
const NO_MEMORY_STATUS: i32 = 12;

impl Process {
    /// Starts a program in a process group of its own.
    pub(super) fn start(plan: &ProgramPlan, memory_bytes_max: u64) -> io::Result<Self> {
        let mut command = Command::new(&plan.program);
        command.args(&plan.arguments).env_clear();
        command.envs(ENVIRONMENT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        command.envs(plan.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        sys::confine(&mut command, memory_bytes_max);
        let mut child = command.spawn()?;
        let connected = Self::connect(&mut child);
        connected.map(|(end, input, output, error)| Self {
            child,
            end,
            input: Some(input),
            output,
            error: Some(error),
            said: Said::default(),
            answer: Vec::new(),
            is_reaped: false,
        })
    }

    /// Its pipes, none of which blocks us. Ends it when that fails.
    fn connect(child: &mut Child) -> io::Result<(OwnedFd, ChildStdin, ChildStdout, ChildStderr)> {
        let connect = |child: &mut Child| {
            let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
            let (Some(input), Some(output), Some(error)) = pipes else {
                return Err(io::Error::other("it has no pipes"));
            };
            // Smaller pipes cost time only.
            let _ = rustix::pipe::fcntl_setpipe_size(&input, PIPE_BYTES);
            rustix::io::ioctl_fionbio(&input, true)?;
            rustix::io::ioctl_fionbio(&output, true)?;
            rustix::io::ioctl_fionbio(&error, true)?;
            let end = pidfd_open(Pid::from_child(child), PidfdFlags::empty())?;
            Ok((end, input, output, error))
        };
        connect(child).inspect_err(|_| {
            let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
            let _ = child.wait();
        })
    }

    /// Its number.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Takes in what it said on its standard error.
    pub(super) fn read_error(&mut self) {
        let mut buffer = [0; 16_384];
        let Some(error) = &mut self.error else { return };
        match error.read(&mut buffer) {
            Ok(bytes @ 1..) => self.said.record(&buffer[..bytes]),
            Err(wait) if is_for_later(&wait) => {}
            Ok(0) | Err(_) => self.error = None,
        }
    }

    /// Ends it for what it did, and says what is known of it. `what` it did not say in `time`.
    pub(super) fn bury(mut self, trouble: Trouble, what: &str, time: Duration) -> Fault {
        if trouble == Trouble::Ended {
            self.wait_for_end(LAST_WORDS);
        }
        let (is_ended, status) = (self.is_ended(), self.kill());
        // What is left in the pipe: bounded, as a process that escaped may write for ever.
        (0..8).for_each(|_| self.read_error());
        let words = self.said.words();
        match trouble {
            Trouble::Ended => self.crash(is_ended, status, &words),
            Trouble::TimedOut => {
                Fault::new(Failure::Timeout, format!("it did not say {what} within {time:?}{words}"))
            }
            Trouble::Nonsense { refusal, bytes } => {
                let said = quoted(&bytes);
                Fault::new(Failure::Nonsense, format!("it did not say {what} but {said}: {refusal}{words}"))
            }
            Trouble::Unasked => {
                Fault::new(Failure::Nonsense, format!("it said something without being asked{words}"))
            }
        }
    }

    fn crash(&self, is_ended: bool, status: Option<ExitStatus>, words: &str) -> Fault {
        match status {
            Some(status) if is_ended => {
                let by_status = status.code() == Some(NO_MEMORY_STATUS);
                let is_memory = !status.success() && (by_status || self.said.is_out_of_memory());
                let failure = if is_memory { Failure::Memory } else { Failure::Crash };
                Fault::new(failure, format!("it ended, {status}{words}"))
            }
            _ => Fault::new(Failure::Crash, format!("it closed its input or output{words}")),
        }
    }

    /// Whether it has ended, reaped or not.
    pub(super) fn is_ended(&self) -> bool {
        let mut ends = [PollFd::new(&self.end, PollFlags::IN)];
        matches!(poll(&mut ends, Some(&Timespec::default())), Ok(1..))
    }

    /// Waits until it ends or `most` has passed, and takes in what it says meanwhile.
    fn wait_for_end(&mut self, most: Duration) {
        let deadline = Instant::now() + most;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let timeout = Timespec::try_from(left).unwrap_or_default();
            let mut fds = vec![PollFd::new(&self.end, PollFlags::IN)];
            fds.extend(self.error.as_ref().map(|error| PollFd::new(error, PollFlags::IN)));
            let polled = poll(&mut fds, Some(&timeout));
            let is_ended = !fds[0].revents().is_empty();
            match polled {
                Ok(1..) if !is_ended => self.read_error(),
                Err(rustix::io::Errno::INTR) => {}
                _ => return,
            }
            if left.is_zero() {
                return;
            }
        }
    }

    /// Kills it with all that it started, if it has not been yet, and reaps it.
    fn kill(&mut self) -> Option<ExitStatus> {
        if !self.is_reaped {
            self.is_reaped = true;
            // Before it is reaped, when its number cannot be another's yet. It may be the last of its
            // group and gone: an error is what we want.
            let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        }
        self.child.wait().ok()
    }
}

impl Drop for Process {
    /// No more events: it learns that from the end of its input, and is killed if it does not mind.
    fn drop(&mut self) {
        if !self.is_reaped {
            self.input = None;
            self.wait_for_end(FAREWELL);
        }
        self.kill();
    }
}

/// Whether an error means no more than to try again later.
pub(super) fn is_for_later(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
