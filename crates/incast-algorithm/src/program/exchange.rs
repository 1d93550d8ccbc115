//! One question and its answer, with a deadline for both: a program that does not read cannot stop us
//! any more than one that does not write.

use std::io::{IoSlice, Read as _, Write as _};
use std::process::ChildStdout;
use std::time::Instant;

use incast_core::wire::refusal::Refusal;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::process::{Process, is_for_later};
use crate::view::Outgoing;

/// What went wrong with a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// It ended, or closed its input or output.
    Ended,
    /// The deadline came.
    TimedOut,
    /// What it wrote cannot become the answer.
    Nonsense {
        refusal: Refusal,
        /// The first of it.
        bytes: Vec<u8>,
    },
    /// It wrote before it was asked.
    Unasked,
}

/// Bytes of nonsense that are shown.
const SHOWN_BYTES: usize = 64;
/// Pieces that one call of the kernel takes: most events have fewer sources.
const SLICES: usize = 64;

/// What is ready.
#[derive(Clone, Copy, Debug, Default)]
struct Ready {
    input: bool,
    output: bool,
    error: bool,
    end: bool,
}

impl Process {
    /// Writes the question and reads the answer, of at most `bytes_max` bytes, which `check` says is
    /// whole or cannot become so.
    pub(super) fn exchange(
        &mut self,
        outgoing: &mut Outgoing<'_>,
        bytes_max: usize,
        check: impl FnMut(&[u8]) -> Result<bool, Refusal>,
        deadline: Instant,
    ) -> Result<(), Trouble> {
        let mut answer = std::mem::take(&mut self.answer);
        // One byte more than it may be, so that too much is noticed.
        answer.resize(bytes_max + 1, 0);
        let exchanged = self.converse(outgoing, &mut answer, check, deadline);
        self.answer = answer;
        if exchanged.is_ok() {
            self.said.clear();
        }
        exchanged
    }

    fn converse(
        &mut self,
        outgoing: &mut Outgoing<'_>,
        answer: &mut [u8],
        mut check: impl FnMut(&[u8]) -> Result<bool, Refusal>,
        deadline: Instant,
    ) -> Result<(), Trouble> {
        let mut reading = Reading { answer, filled: 0, is_whole: false };
        let mut is_cut_off = !outgoing.is_done() && !self.write(outgoing);
        loop {
            if reading.is_whole && (outgoing.is_done() || is_cut_off) {
                return Ok(());
            }
            let ready = self.wait(!outgoing.is_done() && !is_cut_off, deadline)?;
            if ready.error {
                self.read_error();
            }
            if ready.input {
                is_cut_off = !self.write(outgoing);
            }
            if ready.output || ready.end {
                // What it wrote before it ended is all there: it is read before its end counts.
                let is_open = reading.read(&mut self.output, &mut check)?;
                if !is_open || ready.end {
                    if !reading.is_whole {
                        return Err(Trouble::Ended);
                    }
                    is_cut_off = true;
                }
            }
        }
    }

    /// What went wrong since the last answer. Takes in what it said.
    pub(super) fn poll_trouble(&mut self) -> Option<Trouble> {
        let ready = self.look(false, Timespec::default());
        if ready.error {
            self.read_error();
        }
        match ready {
            // Its output is readable at its end as well.
            Ready { end: true, .. } => Some(Trouble::Ended),
            Ready { output: true, .. } => Some(self.peek()),
            _ => None,
        }
    }

    /// Why its output is readable: it wrote, or closed it.
    fn peek(&mut self) -> Trouble {
        match self.output.read(&mut [0; 1]) {
            Ok(1..) => Trouble::Unasked,
            _ => Trouble::Ended,
        }
    }

    /// Waits until something is ready.
    fn wait(&self, wants_input: bool, deadline: Instant) -> Result<Ready, Trouble> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Trouble::TimedOut);
        }
        Ok(self.look(wants_input, Timespec::try_from(left).unwrap_or_default()))
    }

    fn look(&self, wants_input: bool, timeout: Timespec) -> Ready {
        let input = self.input.as_ref().filter(|_| wants_input);
        let error = self.error.as_ref();
        // What is not to be looked at is stood in for by the end, and ignored.
        let mut fds = [
            PollFd::new(&self.output, PollFlags::IN),
            PollFd::new(&self.end, PollFlags::IN),
            input.map_or_else(|| PollFd::new(&self.end, PollFlags::IN), |fd| PollFd::new(fd, PollFlags::OUT)),
            error.map_or_else(|| PollFd::new(&self.end, PollFlags::IN), |fd| PollFd::new(fd, PollFlags::IN)),
        ];
        if poll(&mut fds, Some(&timeout)).is_err() {
            return Ready::default();
        }
        let [is_output, is_end, is_input, is_error] = fds.map(|fd| !fd.revents().is_empty());
        Ready {
            output: is_output,
            end: is_end,
            input: is_input && input.is_some(),
            error: is_error && error.is_some(),
        }
    }

    /// Writes what the pipe takes; says whether it is still open.
    fn write(&mut self, outgoing: &mut Outgoing<'_>) -> bool {
        let Some(input) = &mut self.input else { return false };
        while !outgoing.is_done() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            match input.write_vectored(outgoing.next_slices(&mut slices)) {
                Ok(bytes @ 1..) => outgoing.advance(bytes),
                Err(later) if is_for_later(&later) => return true,
                Ok(0) | Err(_) => return false,
            }
        }
        true
    }
}

/// The answer, as far as it has come.
struct Reading<'a> {
    answer: &'a mut [u8],
    filled: usize,
    is_whole: bool,
}

impl Reading<'_> {
    /// Reads what there is; says whether more can come.
    fn read(
        &mut self,
        output: &mut ChildStdout,
        check: &mut impl FnMut(&[u8]) -> Result<bool, Refusal>,
    ) -> Result<bool, Trouble> {
        loop {
            match output.read(&mut self.answer[self.filled..]) {
                Ok(bytes @ 1..) => self.filled += bytes,
                Err(later) if is_for_later(&later) => return Ok(true),
                Ok(0) | Err(_) => return Ok(false),
            }
            self.is_whole = check(&self.answer[..self.filled]).map_err(|refusal| {
                let bytes = self.answer[..self.filled.min(SHOWN_BYTES)].to_vec();
                Trouble::Nonsense { refusal, bytes }
            })?;
        }
    }
}
