//! Small exact cases of the path; long random ones are in `tests/link_laws.rs`.

use super::*;

const WIDE: LinkBounds = LinkBounds { packets: 1_000, bytes: 1_000_000 };
const MS: Span = Span::from_ms(1);

fn at(ms: u64) -> Time {
    Time::ZERO + Span::from_ms(ms)
}

fn link(plan: PathPlan) -> Link<u32> {
    Link::new(plan, Random::named(1, "link"), WIDE)
}

fn delayed(ms: u64) -> PathPlan {
    PathPlan { delay: Span::from_ms(ms), ..PathPlan::default() }
}

/// Everything due at `now`, in its order.
fn leaving(link: &mut Link<u32>, now: Time) -> Vec<u32> {
    std::iter::from_fn(|| link.poll_transmit(now)).map(|departure| departure.packet).collect()
}

/// As if the plan had been changed in between, with what is held kept.
fn with_reorder(link: &mut Link<u32>, reorder: f64) {
    link.plan.reorder = reorder;
}

fn hand_in(link: &mut Link<u32>, now: Time, packet: u32) -> Fate<u32> {
    link.handle_packet(now, packet, 100, |packet| packet + 1_000)
}

#[test]
fn a_plain_path_gives_out_at_once_what_it_takes_in() {
    let mut link = link(PathPlan::default());
    let fate = hand_in(&mut link, at(5), 7);
    assert_eq!(fate, Fate::Held { departure: at(5), overtakes: false, copied: false });
    assert_eq!(link.next_timeout(), Some(at(5)));
    assert_eq!(link.poll_transmit(at(5)), Some(Departure { packet: 7, due: at(5) }));
    assert_eq!((link.next_timeout(), link.held_packets(), link.held_bytes()), (None, 0, 0));
}

#[test]
fn a_packet_is_due_after_the_delay_and_not_before() {
    let mut link = link(delayed(70));
    hand_in(&mut link, at(5), 1);
    hand_in(&mut link, at(6), 2);
    assert_eq!(link.next_timeout(), Some(at(75)));
    assert!(leaving(&mut link, Time(at(75).0 - 1)).is_empty());
    assert_eq!(leaving(&mut link, at(75)), [1]);
    assert_eq!((link.held_packets(), link.held_bytes()), (1, 100));
    assert_eq!(leaving(&mut link, at(500)), [2], "however late the driver is");
}

#[test]
fn with_jitter_nothing_leaves_before_what_came_before_it() {
    let mut link = link(PathPlan { jitter: Span::from_ms(50), ..delayed(10) });
    let mut last = Time::ZERO;
    for packet in 0..200 {
        let now = at(u64::from(packet));
        let Fate::Held { departure, .. } = hand_in(&mut link, now, packet) else { panic!("no loss") };
        assert!(departure >= last && departure >= now + MS, "{packet}");
        // Later than its own share only when it waits for the one in front.
        assert!(departure <= last.max(now + Span::from_ms(60)), "{packet}");
        last = departure;
    }
    assert_eq!(leaving(&mut link, last), (0..200).collect::<Vec<_>>());
}

#[test]
fn the_chosen_one_overtakes_what_is_held_and_not_what_was_due() {
    let mut link = link(delayed(10));
    hand_in(&mut link, at(0), 1);
    hand_in(&mut link, at(5), 2);
    with_reorder(&mut link, 1.0);
    // At 10 ms the first is due and has not been fetched: it is not overtaken, the second is.
    assert_eq!(
        hand_in(&mut link, at(10), 3),
        Fate::Held { departure: at(10), overtakes: true, copied: false }
    );
    with_reorder(&mut link, 0.0);
    hand_in(&mut link, at(10), 4);
    assert_eq!(leaving(&mut link, at(10)), [1, 3]);
    assert_eq!(leaving(&mut link, at(100)), [2, 4]);
    assert_eq!(link.counts().overtaking, 1);
}

#[test]
fn a_chosen_packet_with_nobody_to_pass_leaves_at_once_and_counts_as_nothing() {
    for plan in [delayed(10), PathPlan::default()] {
        let mut link = link(PathPlan { reorder: 1.0, ..plan });
        for packet in 0..3 {
            let fate = hand_in(&mut link, at(5), packet);
            assert_eq!(fate, Fate::Held { departure: at(5), overtakes: false, copied: false });
        }
        assert_eq!(leaving(&mut link, at(5)), [0, 1, 2]);
        assert_eq!(link.counts().overtaking, 0);
    }
}

#[test]
fn without_delay_order_is_kept_whoever_is_chosen() {
    let mut link = link(PathPlan { reorder: 0.5, ..PathPlan::default() });
    for packet in 0..100 {
        hand_in(&mut link, at(5), packet);
    }
    assert_eq!(leaving(&mut link, at(5)), (0..100).collect::<Vec<_>>());
    assert_eq!(link.counts().overtaking, 0);
}

#[test]
fn a_packet_that_is_read_late_is_due_by_its_arrival() {
    let mut link = link(delayed(10));
    hand_in(&mut link, at(0), 1);
    assert_eq!(leaving(&mut link, at(15)), [1]);
    // It came at 3 ms and the driver looked at 16 ms.
    assert_eq!(
        hand_in(&mut link, at(3), 2),
        Fate::Held { departure: at(13), overtakes: false, copied: false }
    );
    assert_eq!(link.poll_transmit(at(16)), Some(Departure { packet: 2, due: at(13) }));
    // Arrivals do not run backwards.
    assert_eq!(
        hand_in(&mut link, at(1), 3),
        Fate::Held { departure: at(13), overtakes: false, copied: false }
    );
}

#[test]
fn a_copy_leaves_right_behind_its_original() {
    let mut link = link(PathPlan { duplicate: 1.0, ..delayed(1) });
    hand_in(&mut link, at(0), 1);
    assert_eq!(hand_in(&mut link, at(0), 2), Fate::Held { departure: at(1), overtakes: false, copied: true });
    with_reorder(&mut link, 1.0);
    hand_in(&mut link, at(0), 3);
    assert_eq!(leaving(&mut link, at(1)), [3, 1_003, 1, 1_001, 2, 1_002]);
    let counts = link.counts();
    assert_eq!((counts.packets, counts.copies, counts.forwarded, counts.overtaking), (3, 3, 6, 1));
}

#[test]
fn certain_loss_gives_every_packet_back_and_makes_no_copy() {
    let mut link = link(PathPlan { loss: 1.0, duplicate: 1.0, reorder: 1.0, ..delayed(1) });
    assert_eq!(hand_in(&mut link, at(0), 9), Fate::Lost(9));
    assert_eq!((link.next_timeout(), link.counts().lost, link.counts().copies), (None, 1, 0));
}

#[test]
fn what_finds_no_room_is_given_back_and_counted() {
    let cases = [
        // Bounds, duplicates: packets held, dropped, of three of 100 bytes.
        (LinkBounds { packets: 2, ..WIDE }, 0.0, 2, 1),
        (LinkBounds { bytes: 299, ..WIDE }, 0.0, 2, 1),
        (LinkBounds { bytes: 300, ..WIDE }, 0.0, 3, 0),
        // Each brings a copy: the second one's finds no room, nor does anything after it.
        (LinkBounds { packets: 3, ..WIDE }, 1.0, 3, 2),
        (LinkBounds { bytes: 350, ..WIDE }, 1.0, 3, 2),
        (LinkBounds { packets: 0, ..WIDE }, 1.0, 0, 3),
    ];
    for (bounds, duplicate, held, dropped) in cases {
        let plan = PathPlan { duplicate, ..delayed(1) };
        let mut link = Link::new(plan, Random::named(1, "room"), bounds);
        for packet in 0..3 {
            hand_in(&mut link, at(0), packet);
        }
        let counts = link.counts();
        assert_eq!((link.held_packets(), counts.dropped), (held, dropped), "{bounds:?} {duplicate}");
        assert_eq!(counts.held_packets_max, held);
        assert_eq!(counts.held_bytes_max, held * 100);
        // What has left makes room.
        leaving(&mut link, at(1));
        let fate = hand_in(&mut link, at(2), 3);
        assert_eq!(matches!(fate, Fate::Dropped(3)), bounds.packets == 0, "{bounds:?}");
    }
}

#[test]
fn a_delay_beyond_the_end_of_time_never_ends() {
    let mut link = link(PathPlan { jitter: Span(u64::MAX), ..PathPlan::default() });
    link.plan.delay = Span(u64::MAX);
    hand_in(&mut link, at(1), 1);
    assert_eq!(link.next_timeout(), Some(Time(u64::MAX)));
    assert!(leaving(&mut link, at(1_000_000)).is_empty());
}

#[test]
fn more_loss_loses_the_same_packets_and_more() {
    let lost = |loss| {
        let mut link = link(PathPlan { loss, duplicate: loss, ..delayed(1) });
        let lost = |packet: &u32| matches!(hand_in(&mut link, at(0), *packet), Fate::Lost(_));
        (0..500).filter(lost).collect::<Vec<_>>()
    };
    let (few, many) = (lost(0.1), lost(0.3));
    assert!(few.len() < many.len() && few.iter().all(|packet| many.contains(packet)));
}
