//! Lets a group of sessions start together.
//!
//! A session that is ready waits here; when as many as were asked for are waiting, all of them are
//! told at once, and the next group begins.

use crossbeam_channel::Sender;

use crate::traffic::DataEvent;

pub(super) struct Barrier {
    needed: usize,
    waiting: Vec<(u64, Sender<DataEvent>)>,
}

impl Barrier {
    pub(super) fn new(needed: u32) -> Self {
        Self { needed: usize::try_from(needed.max(1)).unwrap_or(usize::MAX), waiting: Vec::new() }
    }

    /// Session `id` is ready; opens the barrier if it was the last.
    pub(super) fn arrive(&mut self, id: u64, events: Sender<DataEvent>) {
        self.waiting.push((id, events));
        if self.waiting.len() >= self.needed {
            for (_, events) in self.waiting.drain(..) {
                let _ = events.send(DataEvent::BarrierOpen);
            }
        }
    }

    /// Session `id` is gone and must not be waited for.
    pub(super) fn leave(&mut self, id: u64) {
        self.waiting.retain(|(waiting, _)| *waiting != id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossbeam_channel::unbounded;

    #[test]
    fn all_start_when_the_last_is_ready_and_the_dead_do_not_count() {
        let mut barrier = Barrier::new(2);
        let (events, opened) = unbounded();
        barrier.arrive(1, events.clone());
        barrier.leave(1);
        barrier.arrive(2, events.clone());
        assert!(opened.is_empty());
        barrier.arrive(3, events.clone());
        assert_eq!(opened.len(), 2);
        barrier.arrive(4, events);
        assert_eq!(opened.len(), 2, "the next group waits again");
    }
}
