//! What a role does beside talking, in virtual time: the data of a source, the algorithm of a node, the disk
//! of a sink. What the real program does in `incast/src/readout/{source,node,sink}.rs`.

use incast_core::readout::role::{Role, Sizes, SourceRole, Wanted};
use incast_core::readout::{Fragment, Length};
use incast_core::time::Time;

use super::lengths::content_bytes;

/// The work of a role.
pub(super) trait Work<R> {
    /// Whether nothing more is taken from the machine while a peer takes nothing.
    const WAITS_WHEN_FULL: bool = false;

    /// Carries out what the machine wishes, and hands in what is finished by `now`.
    fn attend(&mut self, now: Time, role: &mut R);

    /// When something is finished next.
    fn next_timeout(&self) -> Option<Time> {
        None
    }
}

/// A role with its work.
#[derive(Debug)]
pub(super) struct Player<R, W> {
    pub(super) role: R,
    pub(super) work: W,
}

impl<R: Role<Length>, W: Work<R>> Player<R, W> {
    /// When it wants to be woken.
    #[inline]
    pub(super) fn next_timeout(&self) -> Option<Time> {
        match (self.role.next_timeout(), self.work.next_timeout()) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }
}

/// A role that only talks.
#[derive(Debug)]
pub(super) struct Talks;

impl<R> Work<R> for Talks {
    fn attend(&mut self, _now: Time, _role: &mut R) {}
}

/// The data of a source: their lengths.
#[derive(Debug, Default)]
pub(super) struct Supply {
    /// Payload bytes that were made.
    pub(super) made_bytes: u64,
}

impl Work<SourceRole<Length>> for Supply {
    const WAITS_WHEN_FULL: bool = true;

    fn attend(&mut self, now: Time, role: &mut SourceRole<Length>) {
        while let Some(wanted) = role.poll_wanted(now) {
            let Wanted { level, run, first, events, destination, sizes } = wanted;
            let payload = Length(match sizes {
                Sizes::Same { bytes, events } => {
                    content_bytes(bytes, events).saturating_mul(u32::from(events))
                }
                Sizes::Each(sizes) => {
                    let made = sizes.iter().map(|bytes| content_bytes(*bytes, events));
                    made.fold(0, u32::saturating_add)
                }
            });
            self.made_bytes += u64::from(payload.0);
            let fragment = Fragment { run, event: first, events, source: role.source(), payload };
            role.handle_supplied(now, level, fragment, destination);
        }
    }
}
