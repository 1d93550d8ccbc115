//! Sender and reflector over a path in virtual time: what is lost on which way is found exactly, the truth of every
//! delay lies within the error bar, and nothing that comes over the wire makes either of them fail.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so")]

use std::collections::BTreeMap;
use std::net::SocketAddr;

use incast_core::random::Random;
use incast_core::stamp::SenderPlan;
use incast_core::stamp::reflector::{RATE_MAX, Reflector, ReflectorPlan, SESSIONS_MAX, SILENCE};
use incast_core::stamp::sender::Sender;
use incast_core::stamp::{Account, SenderFaults, Ways};
use incast_core::time::{Span, Time};
use incast_core::wire::stamp::mac::MacKey;
use incast_core::wire::stamp::time::{ErrorEstimate, Format, Stamp};
use incast_core::wire::stamp::{Mode, Reply, Test};
use proptest::prelude::*;

/// Our wall clock at the start of the run.
const BEGAN_NS: i64 = 1_795_000_000_000_000_000;

fn plan() -> SenderPlan {
    SenderPlan {
        tests: Some(200),
        gap: Span::from_ms(10),
        timeout: Span::from_ms(500),
        window: Span::from_s(1),
        packet_bytes: 84,
        ssid: 77,
        format: Format::Ntp,
        key: None,
        counters: true,
        synchronised_ns: None,
    }
}

fn reflector(plan: &SenderPlan, stateful: bool) -> Reflector {
    Reflector::new(ReflectorPlan {
        key: plan.key.clone(),
        stateful,
        synchronised_ns: None,
        rate_max: RATE_MAX,
        port: 8_620,
    })
}

fn peer() -> SocketAddr {
    "10.0.0.1:4000".parse().unwrap()
}

fn our_ns(now: Time) -> i64 {
    BEGAN_NS + i64::try_from(now.as_ns()).unwrap()
}

/// What a path does, and what it did.
#[derive(Clone, Debug)]
struct Path {
    random: Random,
    /// Least delay and largest jitter of each way.
    forward: (Span, Span),
    backward: (Span, Span),
    /// Chances in 1000.
    lose_forward: u64,
    lose_backward: u64,
    copy_backward: u64,
    /// The reflector's clock, ahead of ours.
    ahead_ns: i64,
    lost: (u64, u64),
    copies: u64,
}

impl Path {
    fn still(forward_ms: u64, backward_ms: u64) -> Self {
        Self {
            random: Random::named(1, "path"),
            forward: (Span::from_ms(forward_ms), Span::ZERO),
            backward: (Span::from_ms(backward_ms), Span::ZERO),
            lose_forward: 0,
            lose_backward: 0,
            copy_backward: 0,
            ahead_ns: 0,
            lost: (0, 0),
            copies: 0,
        }
    }

    fn chance(&mut self, in_1000: u64) -> bool {
        self.random.next_u64() % 1_000 < in_1000
    }

    fn delay(&mut self, (least, jitter): (Span, Span)) -> Span {
        least + Span(self.random.next_u64() % (jitter.0 + 1))
    }
}

enum Due {
    Test(Vec<u8>),
    Reply(Vec<u8>),
}

/// Plays a session to its end; what is changed by `tamper` is on the way back.
fn play(
    plan: &SenderPlan,
    reflector: &mut Reflector,
    path: &mut Path,
    mut tamper: impl FnMut(u32, &mut Vec<u8>),
) -> Sender {
    let mut sender = Sender::new(plan.clone(), Time::ZERO);
    let (mut agenda, mut serial, mut now) = (BTreeMap::new(), 0_u64, Time::ZERO);
    let mut packet = vec![0; 65_536];
    while !sender.is_done() {
        let next = agenda.first_key_value().map(|((at, _), _)| *at);
        now = next.into_iter().chain(sender.next_timeout()).min().unwrap_or(now).max(now);
        while let Some(length) = sender.poll_transmit(now, our_ns(now), &mut packet) {
            if path.chance(path.lose_forward) {
                path.lost.0 += 1;
                continue;
            }
            serial += 1;
            let at = now + path.delay(path.forward);
            agenda.insert((at, serial), Due::Test(packet[..length].to_vec()));
        }
        while agenda.first_key_value().is_some_and(|((at, _), _)| *at <= now) {
            match agenda.pop_first().unwrap().1 {
                Due::Test(mut test) => {
                    let there = our_ns(now) + path.ahead_ns;
                    let asked = test.len();
                    let Some(answer) = reflector.handle_test(now, peer(), 64, there, &mut test) else {
                        continue;
                    };
                    reflector.seal(answer, there + 1_000, &mut test);
                    assert_eq!(test.len(), asked, "a reply has the size of its test");
                    let mode = if plan.key.is_some() { Mode::Authenticated } else { Mode::Open };
                    let number = Reply::parse(mode, &test).unwrap().sender_sequence;
                    tamper(number, &mut test);
                    if path.chance(path.lose_backward) {
                        path.lost.1 += 1;
                        continue;
                    }
                    let times = 1 + u64::from(path.chance(path.copy_backward));
                    path.copies += times - 1;
                    for _ in 0..times {
                        serial += 1;
                        let at = now + Span::from_us(1) + path.delay(path.backward);
                        agenda.insert((at, serial), Due::Reply(test.clone()));
                    }
                }
                Due::Reply(reply) => sender.handle_reply(now, our_ns(now), &reply),
            }
        }
        sender.handle_timeout(now);
    }
    // What is still on its way belongs to the account, too.
    for ((at, _), due) in agenda {
        if let Due::Reply(reply) = due {
            sender.handle_reply(at, our_ns(at), &reply);
        }
    }
    sender.finish(now);
    sender
}

#[test]
fn a_path_of_70_and_10_ms_is_found_to_be_one_when_clocks_agree() {
    let plan = SenderPlan { synchronised_ns: Some(1_000), ..plan() };
    let mut path = Path::still(70, 10);
    let report = play(&plan, &mut reflector(&plan, true), &mut path, |_, _| {}).report();
    let (forward, backward) = (report.forward.unwrap(), report.backward.unwrap());
    assert_eq!((forward.ns_min, forward.ns_max, forward.samples), (70_000_000, 70_000_000, 200));
    assert_eq!((backward.ns_min, backward.ns_max), (10_000_000, 10_000_000));
    assert_eq!(report.round_trip.unwrap().ns_max, 80_000_000);
    assert_eq!((report.held.unwrap().ns_max, report.time_to_live), (1_000, Some(64)));
    assert_eq!(report.clock.source, "agreed");
}

#[test]
fn without_clocks_that_agree_the_truth_lies_within_the_error_bar() {
    let mut path = Path { ahead_ns: -5_000_000_000, ..Path::still(70, 10) };
    let report = play(&plan(), &mut reflector(&plan(), true), &mut path, |_, _| {}).report();
    let error = i64::try_from(report.clock.error_ns.unwrap()).unwrap();
    assert!((40_000_000..40_300_000).contains(&error), "half of 80 ms: {error}");
    assert!((report.forward.unwrap().ns_p50 - 70_000_000).abs() <= error);
    assert!((report.backward.unwrap().ns_p50 - 10_000_000).abs() <= error);
    let offset = report.clock.offset_ns.unwrap();
    assert!((offset + 5_000_000_000).abs() <= error, "{offset}");
}

#[test]
fn a_stateless_reflector_cannot_tell_the_way_of_a_loss() {
    let mut path = Path { lose_forward: 100, lose_backward: 100, ..Path::still(1, 1) };
    let sender = play(&plan(), &mut reflector(&plan(), false), &mut path, |_, _| {});
    let account = sender.account();
    assert_eq!(account.lost, path.lost.0 + path.lost.1);
    assert!(account.lost > 10 && account.ways.is_none());
    assert!(sender.caveats().iter().any(|caveat| caveat.text.contains("on which way")));
}

#[test]
fn without_the_extension_a_reflectors_own_numbers_split_the_loss() {
    let plan = SenderPlan { counters: false, packet_bytes: 44, ..plan() };
    let mut path = Path { lose_forward: 100, lose_backward: 50, ..Path::still(1, 1) };
    let account = play(&plan, &mut reflector(&plan, true), &mut path, |_, _| {}).account();
    let ways = account.ways.unwrap();
    assert_eq!((ways.forward, ways.backward, ways.unknown), (path.lost.0, path.lost.1, 0));
}

#[test]
fn replies_that_come_after_the_time_out_are_late_and_not_lost() {
    let plan = SenderPlan { timeout: Span::from_ms(50), ..plan() };
    let mut path = Path::still(40, 40);
    let account = play(&plan, &mut reflector(&plan, true), &mut path, |_, _| {}).account();
    assert_eq!((account.answered, account.in_flight), (0, 0));
    assert_eq!(account.late + account.lost, account.sent);
    assert_eq!((account.lost, account.ways), (0, Some(Ways::default())));
}

#[test]
fn authenticated_packets_are_taken_with_the_same_key_only() {
    let plan = SenderPlan { key: Some(MacKey::new([3; 32])), packet_bytes: 200, ..plan() };
    let sender = play(&plan, &mut reflector(&plan, true), &mut Path::still(1, 1), |_, _| {});
    assert_eq!((sender.account().answered, sender.faults()), (200, SenderFaults::default()));
    assert_eq!(sender.report().reflector_counts.as_deref(), Some("counters"));
    // Counters without a proof are worth nothing: byte 121 is of those, behind base, head and what was sent.
    let sender = play(&plan, &mut reflector(&plan, true), &mut Path::still(1, 1), |_, reply| reply[121] ^= 1);
    assert_eq!((sender.account().answered, sender.report().reflector_counts), (200, None));
    let mut other = reflector(&SenderPlan { key: Some(MacKey::new([4; 32])), ..plan.clone() }, true);
    let sender = play(&plan, &mut other, &mut Path::still(1, 1), |_, _| {});
    assert_eq!(sender.account().answered, 0);
    assert_eq!(other.counts().not_authentic, sender.account().sent);
    let mut path = Path::still(1, 1);
    let sender = play(&plan, &mut reflector(&plan, true), &mut path, |number, reply| {
        if number % 2 == 0 {
            reply[20] ^= 1;
        }
    });
    assert_eq!((sender.account().answered, sender.faults().not_authentic), (100, 100));
}

#[test]
fn a_reflector_that_lies_about_its_times_is_counted_and_left_out() {
    let places = |number: u32, reply: &mut Vec<u8>| match number % 5 {
        // It left before it came; no times at all; the wrong time of departure; a test that never was.
        0 => reply[4..12].copy_from_slice(&Stamp::from_unix_ns(BEGAN_NS - 1, Format::Ntp).0.to_be_bytes()),
        1 => reply[16..24].fill(0),
        2 => reply[28] ^= 0x40,
        3 => reply[24] = 0xee,
        _ => {}
    };
    let sender = play(&plan(), &mut reflector(&plan(), true), &mut Path::still(2, 2), places);
    let faults = sender.faults();
    let (account, report) = (sender.account(), sender.report());
    assert_eq!((faults.impossible_stamps, faults.no_stamps), (40, 40));
    assert_eq!((faults.wrong_echo, faults.never_sent), (40, 40));
    assert_eq!(
        (account.answered, account.sent),
        (120, 200),
        "those with false times were answered all the same"
    );
    assert_eq!(report.round_trip.unwrap().samples, 40);
    assert!(sender.caveats().iter().any(|caveat| caveat.text.contains("no honest reflector")));
}

#[test]
fn a_clock_that_jumps_at_the_reflector_is_a_step_and_a_caveat() {
    let jump = |number: u32, reply: &mut Vec<u8>| {
        if number >= 100 {
            for place in [4, 16] {
                let seconds = u32::from_be_bytes(*reply[place..].first_chunk().unwrap());
                reply[place..place + 4].copy_from_slice(&(seconds + 60).to_be_bytes());
            }
        }
    };
    let sender = play(&plan(), &mut reflector(&plan(), true), &mut Path::still(2, 2), jump);
    let clock = sender.clock().unwrap();
    assert_eq!((clock.steps, clock.samples), (1, 100));
    assert!((clock.offset_ns - 60_000_000_000).unsigned_abs() <= clock.error_ns);
    assert!(sender.caveats().iter().any(|caveat| caveat.text.contains("was set")));
}

#[test]
fn a_reflector_has_room_for_so_many_sessions_and_forgets_silent_ones() {
    let mut reflector = reflector(&plan(), true);
    let mut packet = vec![0; 44];
    let mut ask = |reflector: &mut Reflector, now: Time, ssid: u16| {
        Test { sequence: 0, sent: Stamp(1), error: ErrorEstimate(1), ssid }.emit(Mode::Open, &mut packet);
        reflector.handle_test(now, peer(), 64, 0, &mut packet).is_some()
    };
    let mut now = Time::ZERO;
    for ssid in 0..=u16::try_from(SESSIONS_MAX).unwrap() {
        now += Span::from_us(100);
        assert_eq!(ask(&mut reflector, now, ssid), usize::from(ssid) < SESSIONS_MAX, "{ssid}");
    }
    assert_eq!((reflector.sessions(), reflector.counts().no_room), (SESSIONS_MAX, 1));
    assert!(ask(&mut reflector, now, 1), "those that are known are served");
    now += SILENCE;
    assert!(ask(&mut reflector, now, u16::MAX));
    assert_eq!(reflector.sessions(), 1);
    assert_eq!(reflector.counts().expired, SESSIONS_MAX as u64);
}

#[test]
fn replies_keep_to_their_rate() {
    let plan =
        ReflectorPlan { key: None, stateful: false, synchronised_ns: None, rate_max: 1_000, port: 8_620 };
    let mut reflector = Reflector::new(plan);
    let mut packet = vec![0; 44];
    let mut answered = 0;
    // 100 000 a second for two seconds.
    for index in 0..200_000 {
        let now = Time::from_ns(index * 10_000);
        Test { sequence: 0, sent: Stamp(1), error: ErrorEstimate(1), ssid: 0 }.emit(Mode::Open, &mut packet);
        answered += u64::from(reflector.handle_test(now, peer(), 64, 0, &mut packet).is_some());
    }
    assert!((2_000..=2_011).contains(&answered), "{answered}");
    assert_eq!(reflector.counts().over_rate, 200_000 - answered);
}

#[test]
fn two_reflectors_do_not_answer_each_other() {
    for key in [None, Some(MacKey::new([5; 32]))] {
        let mode = if key.is_some() { Mode::Authenticated } else { Mode::Open };
        let plan = SenderPlan { key: key.clone(), ..plan() };
        let mut reflectors = [reflector(&plan, true), reflector(&plan, true)];
        let mut packet = vec![0; 120];
        let test = Test { sequence: 7, sent: Stamp(1), error: ErrorEstimate(1), ssid: 0 };
        test.emit(mode, &mut packet);
        key.iter().for_each(|key| key.seal(&mut packet));
        // Somebody forges the address of the second one; ports of their own do not tell them apart from senders.
        let answer = reflectors[0].handle_test(Time::ZERO, peer(), 64, BEGAN_NS, &mut packet).unwrap();
        reflectors[0].seal(answer, BEGAN_NS + 20_000, &mut packet);
        // Whatever the other one's clock says.
        assert!(reflectors[1].handle_test(Time::ZERO, peer(), 64, 5, &mut packet).is_none());
        assert_eq!((reflectors[1].counts().of_reflectors, reflectors[1].counts().received), (1, 1));
        // Nor is anything that comes from a port of reflectors, whatever it is.
        for port in [8_620, 862] {
            test.emit(mode, &mut packet);
            key.iter().for_each(|key| key.seal(&mut packet));
            let from = SocketAddr::new(peer().ip(), port);
            assert!(reflectors[0].handle_test(Time::ZERO, from, 64, BEGAN_NS, &mut packet).is_none());
        }
        assert_eq!((reflectors[0].counts().of_reflectors, reflectors[0].counts().answered), (2, 1));
    }
}

#[test]
fn a_sender_that_is_never_settled_sends_so_many_and_gives_up_the_rest() {
    let plan = SenderPlan {
        tests: None,
        gap: Span::from_us(10),
        timeout: Span::from_ms(300),
        counters: false,
        packet_bytes: 44,
        ..plan()
    };
    plan.check().unwrap();
    let mut sender = Sender::new(plan, Time::ZERO);
    let mut packet = [0; 44];
    for index in 0..200_000 {
        let now = Time::from_ns(index * 10_000);
        while sender.poll_transmit(now, our_ns(now), &mut packet).is_some() {}
    }
    let account = sender.account();
    assert_eq!((account.sent, account.in_flight), (65_536, 65_536));
    assert_eq!(sender.skipped(), 200_000 - 65_536, "every departure is one or the other");
    let now = Time::from_ns(200_000 * 10_000);
    sender.handle_timeout(now);
    assert!(sender.poll_transmit(now, our_ns(now), &mut packet).is_some(), "and goes on when there is room");
    assert_eq!(sender.account().lost, 65_536);
}

#[test]
fn a_twamp_light_sender_is_answered_within_its_own_size_and_its_padding_comes_back() {
    let mut reflector = reflector(&plan(), true);
    for bytes in 0..80 {
        let mut packet = vec![0x11; bytes];
        let before = packet.clone();
        let answer = reflector.handle_test(Time::ZERO, peer(), 63, 5, &mut packet);
        assert_eq!(answer.is_some(), bytes >= 41, "{bytes}");
        let Some(answer) = answer else { continue };
        reflector.seal(answer, 6, &mut packet);
        let reply = Reply::parse(Mode::Open, &packet).unwrap();
        assert_eq!((reply.sender_sequence, reply.ttl), (0x1111_1111, 63));
        assert_eq!(packet[bytes.min(44)..], before[bytes.min(44)..], "{bytes}");
    }
}

proptest! {
    #[test]
    fn losses_copies_and_overtaking_are_found_exactly(
        seed in any::<u64>(),
        ways in (1_u64..80, 1_u64..80),
        jitter_ms in 0_u64..40,
        lose in (0_u64..300, 0_u64..300),
        copy_backward in 0_u64..200,
        ahead_ns in -1_000_000_000_i64..1_000_000_000,
    ) {
        let mut path = Path {
            random: Random::named(seed, "path"),
            forward: (Span::from_ms(ways.0), Span::from_ms(jitter_ms)),
            backward: (Span::from_ms(ways.1), Span::from_ms(jitter_ms)),
            lose_forward: lose.0,
            lose_backward: lose.1,
            copy_backward,
            ahead_ns,
            lost: (0, 0),
            copies: 0,
        };
        let sender = play(&plan(), &mut reflector(&plan(), true), &mut path, |_, _| {});
        let account = sender.account();
        prop_assert_eq!(sender.faults(), SenderFaults::default());
        prop_assert_eq!(account.sent, account.answered + account.late + account.lost + account.in_flight);
        prop_assert_eq!((account.in_flight, account.late), (0, 0));
        prop_assert_eq!(account.lost, path.lost.0 + path.lost.1);
        prop_assert_eq!(account.duplicate, path.copies);
        let ways = account.ways.unwrap();
        prop_assert_eq!(ways.forward + ways.backward + ways.unknown, account.lost);
        // Five tests in a row without a reply, after the last, are very rare; and without jitter all is exact.
        if ways.unknown == 0 && jitter_ms < 10 {
            prop_assert_eq!((ways.forward, ways.backward), path.lost);
        }
        let clock = sender.clock().unwrap();
        prop_assert!((clock.offset_ns - ahead_ns).unsigned_abs() <= clock.error_ns);
    }

    #[test]
    fn no_packet_makes_a_reflector_or_a_sender_fail(
        packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..180), 1..20),
        keyed in any::<bool>(),
    ) {
        let plan = SenderPlan { key: keyed.then(|| MacKey::new([9; 32])), packet_bytes: 300, ..plan() };
        let mut reflector = reflector(&plan, true);
        let mut sender = Sender::new(plan, Time::ZERO);
        let mut out = vec![0; 2_000];
        prop_assert!(sender.poll_transmit(Time::ZERO, BEGAN_NS, &mut out).is_some());
        for packet in packets {
            let mut test = packet.clone();
            let answer = reflector.handle_test(Time::ZERO, peer(), 1, BEGAN_NS, &mut test);
            if let Some(answer) = answer {
                reflector.seal(answer, BEGAN_NS, &mut test);
            }
            prop_assert_eq!(test.len(), packet.len());
            sender.handle_reply(Time::from_ns(5), BEGAN_NS + 5, &packet);
        }
        let Account { sent, answered, late, lost, in_flight, .. } = sender.account();
        prop_assert_eq!(sent, answered + late + lost + in_flight);
    }
}
