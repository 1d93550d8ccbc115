//! The CPU of a host: one server with preemption, interrupts before softirqs before processes.
//!
//! It knows how much work each class has left and who gets how much of the CPU; what the work is, others know.
//! A softirq that has used up its budget is demoted (Linux: ksoftirqd goes on with it) and shares the CPU with
//! processes. Shares are fluid: there are no time slices. Something else may stall it ([`super::stall`]).
//! The time of all classes together is the time that passed, to the picosecond.

use incast_core::scenario::StallHolds;
use incast_core::time::{Span, Time};

use super::stall::Stalls;

/// Who works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    Interrupt,
    Softirq,
    Process,
}

const CLASSES: [Class; 3] = [Class::Interrupt, Class::Softirq, Class::Process];

/// What the CPU did with its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuTime {
    /// In interrupts.
    pub interrupt: Span,
    /// In softirqs, ksoftirqd included.
    pub softirq: Span,
    /// In processes.
    pub process: Span,
    /// Taken by something else.
    pub stalled: Span,
    /// Nothing to do.
    pub idle: Span,
}

impl CpuTime {
    /// Of all classes: the time that passed.
    #[must_use]
    pub fn sum(&self) -> Span {
        self.interrupt + self.softirq + self.process + self.stalled + self.idle
    }
}

/// The CPU.
#[derive(Clone, Debug)]
pub(super) struct Cpu {
    /// Until when `left` and `time` are up to date.
    since: Time,
    /// Work that each class has left, picoseconds of a whole CPU.
    left: [Option<u64>; 3],
    /// Whether softirqs only have their share while a process wants the CPU.
    is_demoted: bool,
    share_milli: u64,
    stalls: Option<Stalls>,
    /// Who gets how much, until somebody begins or ends.
    speeds: Speeds,
    time: CpuTime,
}

/// All of the CPU: speeds are in millionths of it.
const WHOLE: u64 = 1_000_000;

impl Cpu {
    pub(super) fn new(share_milli: u32, stalls: Option<Stalls>) -> Self {
        let share_milli = u64::from(share_milli.clamp(1, 1_000));
        let (left, speeds, time) = ([None; 3], Speeds { of: [0; 3], taken: 0 }, CpuTime::default());
        Self { since: Time::ZERO, left, is_demoted: false, share_milli, stalls, speeds, time }
    }

    pub(super) fn has(&self, class: Class) -> bool {
        self.left[class as usize].is_some()
    }

    /// Gives a class work, or more of it. The CPU must be up to date ([`Self::advance`]).
    pub(super) fn add(&mut self, class: Class, work: u64) {
        let left = &mut self.left[class as usize];
        *left = Some(left.unwrap_or(0).saturating_add(work));
        self.speeds = self.shared_out();
    }

    /// Takes work away that will not be done after all, as packets that it was for are gone.
    pub(super) fn remove(&mut self, class: Class, work: u64) {
        if let Some(left) = &mut self.left[class as usize] {
            *left = left.saturating_sub(work);
        }
    }

    pub(super) fn demote(&mut self, is_demoted: bool) {
        if self.is_demoted != is_demoted {
            self.is_demoted = is_demoted;
            self.speeds = self.shared_out();
        }
    }

    /// The highest class that has done all its work; it has none from now on.
    pub(super) fn poll_done(&mut self) -> Option<Class> {
        // Work of no length waits for its turn like any other.
        let is_done =
            |class: &Class| self.left[*class as usize] == Some(0) && self.speeds.of[*class as usize] > 0;
        let class = CLASSES.into_iter().find(is_done)?;
        self.left[class as usize] = None;
        self.speeds = self.shared_out();
        Some(class)
    }

    /// When the highest class will have done its work, or speeds change; `None`: nothing to do.
    pub(super) fn next_timeout(&self) -> Option<Time> {
        if self.left.iter().all(Option::is_none) {
            return None;
        }
        let mut next = self.stalls.as_ref().map_or(Time(u64::MAX), Stalls::next_change);
        for (left, speed) in self.left.iter().zip(self.speeds.of) {
            let Some(left) = left else { continue };
            let span = match speed {
                0 => continue,
                WHOLE => *left,
                _ => scaled_up(*left, speed),
            };
            next = next.min(self.since + Span(span));
        }
        (next < Time(u64::MAX)).then_some(next)
    }

    /// Works until `now`.
    pub(super) fn advance(&mut self, now: Time) {
        while let Some(stalls) = &self.stalls {
            let change = stalls.next_change();
            if change > now {
                break;
            }
            self.work(change);
            if let Some(stalls) = &mut self.stalls {
                stalls.change();
            }
            self.speeds = self.shared_out();
        }
        self.work(now);
    }

    /// Work that a class will have left at `now`, if nothing happens until then.
    pub(super) fn left_at(&self, now: Time, class: Class) -> u64 {
        let Some(left) = self.left[class as usize] else { return 0 };
        let passed = now.since(self.since).0;
        match self.speeds.of[class as usize] {
            0 => left,
            WHOLE => left.saturating_sub(passed),
            speed => left.saturating_sub(scaled_down(passed, speed)),
        }
    }

    /// What it did with its time until `now`.
    pub(super) fn time(&self, now: Time) -> CpuTime {
        let mut later = self.clone();
        later.advance(now);
        later.time
    }

    /// Stalls that have begun.
    pub(super) fn stalls(&self) -> u64 {
        self.stalls.as_ref().map_or(0, Stalls::begun)
    }

    /// Works until `now`, between two changes of speed.
    fn work(&mut self, now: Time) {
        let passed = now.since(self.since).0;
        if passed == 0 {
            return;
        }
        self.since = now;
        let speeds = self.speeds;
        let mut rest = passed;
        let spent = [&mut self.time.interrupt, &mut self.time.softirq, &mut self.time.process];
        for ((left, spent), speed) in self.left.iter_mut().zip(spent).zip(speeds.of) {
            let Some(left) = left.as_mut().filter(|_| speed > 0) else { continue };
            // Of two that share, the last gets what rounding left over.
            let done = if speed == WHOLE { passed } else { scaled_down(passed, speed).min(rest) };
            let done = done.min(*left);
            *left -= done;
            spent.0 += done;
            rest -= done;
        }
        let stalled = if speeds.taken == WHOLE { rest } else { scaled_down(passed, speeds.taken).min(rest) };
        self.time.stalled.0 += stalled;
        self.time.idle.0 += rest - stalled;
    }

    /// What a stall leaves of the CPU to a class, millionths.
    fn base(&self, class: Class) -> u64 {
        let Some((holds, speed_milli)) = self.stalls.as_ref().and_then(Stalls::now) else { return WHOLE };
        match (holds, class) {
            (StallHolds::Softirqs, Class::Interrupt) => WHOLE,
            _ => speed_milli * 1_000,
        }
    }

    /// How the CPU is shared out among those who have work.
    fn shared_out(&self) -> Speeds {
        let mut of = [0; 3];
        let [interrupt, softirq, process] = self.left.map(|left| left.is_some());
        let below = self.base(Class::Softirq);
        if interrupt {
            of[0] = self.base(Class::Interrupt);
            // What an interrupt does in a stall that does not hold it off is not the stall's.
            let taken = WHOLE - of[0];
            return Speeds { of, taken };
        }
        if softirq && process && self.is_demoted {
            of[1] = below * self.share_milli / 1_000;
            of[2] = below - of[1];
        } else if softirq {
            of[1] = below;
        } else if process {
            of[2] = below;
        }
        Speeds { of, taken: WHOLE - below }
    }
}

/// Who gets how much, millionths.
#[derive(Clone, Copy, Debug)]
struct Speeds {
    of: [u64; 3],
    /// By a stall.
    taken: u64,
}

/// How long `work` takes at `speed` millionths, rounded up.
fn scaled_up(work: u64, speed: u64) -> u64 {
    let exact = (u128::from(work) * u128::from(WHOLE)).div_ceil(u128::from(speed));
    u64::try_from(exact).unwrap_or(u64::MAX)
}

/// How much is done in `passed` at `speed` millionths, rounded down.
fn scaled_down(passed: u64, speed: u64) -> u64 {
    let exact = u128::from(passed) * u128::from(speed) / u128::from(WHOLE);
    u64::try_from(exact).unwrap_or(u64::MAX)
}
