//! What others may know of a link while it works: how much it holds, and when it was empty.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Looks at a working link from any thread.
#[derive(Clone, Debug, Default)]
pub struct LinkWatch(Arc<[WayWatch; 2]>);

/// A moment in the life of a link, to ask [`LinkWatch::is_empty_since`].
#[derive(Clone, Copy, Debug)]
pub struct LinkMark([u64; 2]);

#[derive(Debug, Default)]
struct WayWatch {
    packets: AtomicU64,
    held_packets: AtomicU64,
    /// Times at which nothing was held and then nothing waited at the interface.
    empty_looks: AtomicU64,
}

impl LinkWatch {
    /// Packets that it has read so far, each way.
    #[must_use]
    pub fn packets(&self) -> [u64; 2] {
        [0, 1].map(|way: usize| self.0[way].packets.load(Ordering::Acquire))
    }

    /// Packets that it holds now, both ways. What waits at its interfaces is not among them, so 0 does
    /// not mean that the path is empty: that is [`Self::is_empty_since`].
    #[must_use]
    pub fn held_packets(&self) -> u64 {
        self.0.iter().map(|way| way.held_packets.load(Ordering::Acquire)).sum()
    }

    /// This moment.
    #[must_use]
    pub fn mark(&self) -> LinkMark {
        LinkMark([0, 1].map(|way: usize| self.0[way].empty_looks.load(Ordering::Acquire)))
    }

    /// Whether everything that had come to its interfaces before `mark` has left: after the mark,
    /// each way was found empty. A link at rest looks every 20 ms.
    ///
    /// What a host sent may still be on its way to the interface: on a busy machine the kernel hands
    /// it over some milliseconds later.
    #[must_use]
    pub fn is_empty_since(&self, mark: &LinkMark) -> bool {
        // The look that was under way at the mark may have begun before it: one more is needed.
        self.0.iter().zip(mark.0).all(|(way, looks)| way.empty_looks.load(Ordering::Acquire) >= looks + 2)
    }

    /// One way tells: so many were read, so many are held; and whether it has just looked and found nothing at all.
    pub(super) fn tell(&self, way: usize, packets: u64, held_packets: u64, empty: bool) {
        let watch = &self.0[way];
        watch.packets.store(packets, Ordering::Release);
        watch.held_packets.store(held_packets, Ordering::Release);
        if empty {
            watch.empty_looks.fetch_add(1, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_means_a_whole_look_after_the_mark_in_both_ways() {
        let watch = LinkWatch::default();
        let mark = watch.mark();
        let looks = |way, empty: bool| watch.tell(way, 7, 3 * u64::from(!empty), empty);
        looks(0, true);
        looks(0, true);
        looks(1, true);
        assert!(!watch.is_empty_since(&mark));
        looks(1, false);
        assert_eq!(watch.held_packets(), 3);
        assert!(!watch.is_empty_since(&mark));
        looks(1, true);
        assert!(watch.is_empty_since(&mark) && !watch.is_empty_since(&watch.mark()));
        assert_eq!((watch.held_packets(), watch.packets()), (0, [7, 7]));
    }
}
