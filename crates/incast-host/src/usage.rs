//! CPU spent by this process, one thread or the children, from getrusage(2).
//!
//! Soft interrupts are the host's, not the process's (`cpu.rs` has them), except on kernels
//! without `CONFIG_IRQ_TIME_ACCOUNTING`, which charge them to whatever they interrupted.

use std::io;
use std::time::Duration;

use incast_core::record::Cpu;

use crate::sys;

/// Whose CPU is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// All threads of this process, ended ones included.
    Process,
    /// The calling thread.
    Thread,
    /// Children that have ended and were waited for, with their own such children.
    Children,
}

/// CPU spent so far.
///
/// # Errors
/// When the kernel refuses, which it has no reason to.
pub fn cpu(whose: Whose) -> io::Result<Cpu> {
    let who = match whose {
        Whose::Process => libc::RUSAGE_SELF,
        Whose::Thread => libc::RUSAGE_THREAD,
        Whose::Children => libc::RUSAGE_CHILDREN,
    };
    let usage = sys::usage::getrusage(who)?;
    Ok(Cpu {
        user_s: seconds(usage.ru_utime),
        system_s: seconds(usage.ru_stime),
        switches_voluntary: u64::try_from(usage.ru_nvcsw).unwrap_or(0),
        switches_involuntary: u64::try_from(usage.ru_nivcsw).unwrap_or(0),
    })
}

/// A time of the kernel as seconds; a negative one, which does not occur, as 0.
fn seconds(time: libc::timeval) -> f64 {
    let whole = Duration::from_secs(u64::try_from(time.tv_sec).unwrap_or(0));
    let rest = Duration::from_micros(u64::try_from(time.tv_usec).unwrap_or(0));
    whole.saturating_add(rest).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn the_difference_never_goes_below_zero() {
        let none = Cpu::default();
        let early = Cpu { user_s: 1.5, system_s: 2.0, switches_voluntary: 9, switches_involuntary: 3 };
        let late = Cpu { user_s: 3.5, system_s: 1.0, switches_voluntary: 9, switches_involuntary: 7 };
        assert_eq!(late.since(&early), Cpu { user_s: 2.0, switches_involuntary: 4, ..none.clone() });
        assert_eq!(none.since(&late), none);
        assert_eq!(late.since(&none), late);
    }

    #[test]
    fn seconds_and_microseconds_add_up() {
        let cases = [(2, 250_000, 2.25), (0, 0, 0.0), (-1, -1, 0.0), (1, -5, 1.0)];
        for (tv_sec, tv_usec, expected) in cases {
            assert_eq!(seconds(libc::timeval { tv_sec, tv_usec }), expected);
        }
    }

    #[test]
    fn a_spinning_thread_is_charged_and_no_more_than_passed() {
        let (before, start) = (cpu(Whose::Thread).unwrap(), Instant::now());
        let mut after = before.clone();
        while after.total_s() < before.total_s() + 0.02 {
            after = cpu(Whose::Thread).unwrap();
        }
        let spent = after.since(&before).total_s();
        // The kernel may book a whole tick of its own, at most 10 ms, at once.
        assert!(spent >= 0.0199 && spent <= start.elapsed().as_secs_f64() + 0.011, "{spent}");
        assert!(cpu(Whose::Process).unwrap().total_s() + 0.011 >= after.total_s());
        assert!(cpu(Whose::Children).unwrap().total_s() >= 0.0);
    }
}
