//! What became of every test: `sent = answered + late + lost + in flight`, and `lost = forward + backward + unknown`.
//!
//! A reflector that counts tells with each reply how many tests it has received. Between two replies it must have
//! received as many more as were sent; what lacks was lost on the way there. What it has answered and did not come back
//! was lost on the way back. Of tests that were sent after the last one with a reply nobody knows the way.

/// The account of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Tests sent.
    pub sent: u64,
    /// With a reply in time.
    pub answered: u64,
    /// With a reply after the time-out.
    pub late: u64,
    /// Without a reply.
    pub lost: u64,
    /// Neither answered nor timed out.
    pub in_flight: u64,
    /// Replies to a test that has one.
    pub duplicate: u64,
    /// Replies to a test that was sent before one that has a reply (RFC 4737).
    pub reordered: u64,
    /// On which way they were lost; `None` when the reflector does not count.
    pub ways: Option<Ways>,
}

/// Lost tests by direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ways {
    /// Tests that did not reach the reflector.
    pub forward: u64,
    /// Replies that did not come back.
    pub backward: u64,
    /// After the last reply, or around a restart of the reflector.
    pub unknown: u64,
}

/// What a reflector tells of its count.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ReflectorCount {
    known: Option<Known>,
    /// Tests of which nobody knows whether they reached it.
    unknown: u64,
    pub(super) restarts: u64,
}

/// What its replies have told.
#[derive(Clone, Copy, Debug)]
struct Known {
    /// The furthest test with a reply.
    furthest: u64,
    /// Its largest count, and when the test that it counted came, by its clock.
    most: (u32, Option<i64>),
    /// Where counting began: a test and its count.
    base: (u64, u32),
    /// Tests that were sent and not counted up to there.
    before: i64,
}

impl Known {
    /// Tests sent less tests counted; negative for a while when tests overtake each other.
    fn lacking(&self) -> i64 {
        let sent = i64::try_from(self.furthest - self.base.0).unwrap_or(i64::MAX);
        // The count is of 32 bits and wraps.
        self.before + sent - i64::from(self.most.0.wrapping_sub(self.base.1))
    }
}

impl ReflectorCount {
    /// The reply to test number `sequence` says that so many were received, it included, and that it came at `came`.
    pub(super) fn record(&mut self, sequence: u64, received: u32, came: Option<i64>) {
        let Some(known) = &mut self.known else {
            let before = i64::try_from(sequence + 1).unwrap_or(i64::MAX) - i64::from(received);
            // One that had counted before we began can only tell differences.
            self.unknown = if before < 0 { sequence } else { 0 };
            self.known = Some(Known {
                furthest: sequence,
                most: (received, came),
                base: (sequence, received),
                before: before.max(0),
            });
            return;
        };
        let more = received.wrapping_sub(known.most.0);
        let furthest = known.furthest.max(sequence);
        if (1..=u32::MAX / 2).contains(&more) {
            known.most = (received, came);
        } else if came.zip(known.most.1).is_some_and(|(now, then)| now > then) {
            // It counted less later: it has begun anew. Without that, a reply was overtaken on its way.
            self.restarts += 1;
            self.unknown += sequence.saturating_sub(known.furthest + 1);
            known.before = known.lacking();
            known.base = (furthest, received);
            known.most = (received, came);
        }
        known.furthest = furthest;
    }

    /// A test reached the reflector twice: its count is one too high.
    pub(super) fn record_copy(&mut self) {
        if let Some(known) = &mut self.known {
            known.before += 1;
        }
    }

    /// The lost ones by direction, of `lost` in all and `replied` tests with a reply, in time or late.
    pub(super) fn ways(&self, lost: u64, replied: u64) -> Ways {
        let reached = self.known.map_or(0, |known| known.furthest + 1);
        let lacking = self.known.map_or(0, |known| known.lacking());
        // Nothing here may go beyond what was lost, whatever the reflector says.
        let known = reached.saturating_sub(replied).min(lost);
        let around = self.unknown.min(known);
        let forward = u64::try_from(lacking).unwrap_or(0).min(known - around);
        Ways { forward, backward: known - around - forward, unknown: lost - known + around }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_is_of_the_way_on_which_the_count_puts_it() {
        let mut count = ReflectorCount::default();
        // Of tests 0 to 9, 2 and 3 did not arrive; the replies to 5 and 6 did not come back; nothing is known of 9.
        for (sequence, received) in [(0, 1), (1, 2), (4, 3), (7, 6), (8, 7)] {
            count.record(sequence, received, Some(10 * i64::from(received)));
        }
        assert_eq!(count.ways(5, 5), Ways { forward: 2, backward: 2, unknown: 1 });
    }

    #[test]
    fn tests_that_overtake_each_other_are_not_lost() {
        let mut count = ReflectorCount::default();
        // Test 2 overtakes 1 on the way there, and the reply to 1 that to 2 on the way back.
        for (sequence, received) in [(0, 1), (1, 3), (2, 2), (3, 4)] {
            count.record(sequence, received, Some(10 * i64::from(received)));
        }
        assert_eq!(count.ways(0, 4), Ways::default());
        assert_eq!(count.restarts, 0);
    }

    #[test]
    fn a_reflector_that_begins_anew_leaves_a_gap_that_nobody_knows() {
        let mut count = ReflectorCount::default();
        for (sequence, received) in [(0, 1), (1, 2), (5, 1), (6, 2), (8, 3)] {
            count.record(sequence, received, i64::try_from(sequence).ok());
        }
        assert_eq!(count.ways(4, 5), Ways { forward: 1, backward: 0, unknown: 3 });
        assert_eq!(count.restarts, 1);
    }

    #[test]
    fn one_that_had_counted_before_tells_differences_and_its_count_may_wrap() {
        let mut count = ReflectorCount::default();
        for (sequence, received) in [(2, u32::MAX - 1), (3, u32::MAX), (5, 1)] {
            count.record(sequence, received, None);
        }
        // Tests 0 and 1 came before the first reply; test 4 was lost on the way back.
        assert_eq!(count.ways(3, 3), Ways { forward: 0, backward: 1, unknown: 2 });
    }

    #[test]
    fn whatever_a_reflector_says_the_ways_add_up() {
        let mut random = crate::random::Random::named(1, "lies");
        for _ in 0..2_000 {
            let mut count = ReflectorCount::default();
            let (mut sequence, mut replied) = (0, 0);
            for _ in 0..random.next_u64() % 10 {
                sequence += 1 + random.next_u64() % 4;
                replied += 1;
                let received = u32::try_from(random.next_u64() >> 32 >> (random.next_u64() % 32)).unwrap();
                count.record(sequence, received, i64::try_from(random.next_u64() % 9).ok());
            }
            let lost = sequence + 3 - replied.min(sequence);
            let ways = count.ways(lost, replied);
            assert_eq!(ways.forward + ways.backward + ways.unknown, lost);
        }
    }
}
