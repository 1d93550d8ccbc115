//! Packets of STAMP from outside, at the reflector and at the sender.
//!
//! A reply has the size of its test whatever the test says, nothing fails, and the account of the sender stays closed. Input: bits that
//! choose key and statefulness, then packets, each after its length of two bytes.

#![no_main]

use std::net::SocketAddr;

use incast_core::stamp::SenderPlan;
use incast_core::stamp::reflector::{Reflector, ReflectorPlan};
use incast_core::stamp::sender::Sender;
use incast_core::time::{Span, Time};
use incast_core::wire::stamp::mac::MacKey;
use incast_core::wire::stamp::time::{ErrorEstimate, Format, Stamp};
use incast_core::wire::stamp::{Mode, Reply, Test, tlv};
use libfuzzer_sys::fuzz_target;

const NOW_NS: i64 = 1_795_000_000_000_000_000;
/// In 2104 the second half of the era that began in 2036 would read as 1968.
const YEAR_2100_NS: i64 = 4_102_444_800_000_000_000;

fuzz_target!(|data: &[u8]| {
    let [choice, packets @ ..] = data else { return };
    let key = (choice & 1 != 0).then(|| MacKey::new([7; 32]));
    let mut reflector = Reflector::new(ReflectorPlan {
        key: key.clone(),
        stateful: choice & 2 != 0,
        synchronised_ns: None,
        rate_max: 1_000_000,
        port: 862,
    });
    let mut sender = Sender::new(plan(key.clone(), choice & 4 != 0), Time::ZERO);
    let mut test = vec![0; 400];
    let Some(length) = sender.poll_transmit(Time::ZERO, NOW_NS, &mut test) else {
        unreachable!("one is due")
    };
    test.truncate(length);
    let mut rest = packets;
    while let Some((head, body)) = rest.split_first_chunk::<2>() {
        let (packet, more) = body.split_at(usize::from(u16::from_be_bytes(*head)).min(body.len()));
        rest = more;
        layouts(packet);
        // As it is, and as a damaged copy of an honest reply.
        sender.handle_reply(Time::from_ns(9), NOW_NS + 9, packet);
        let mut damaged = reflected(&mut reflector, packet, key.as_ref());
        assert_eq!(damaged.len(), packet.len());
        reflected(&mut reflector, &test, None).clone_into(&mut damaged);
        damaged.iter_mut().zip(packet).for_each(|(byte, change)| *byte ^= change);
        sender.handle_reply(Time::from_ns(10), NOW_NS + 10, &damaged);
    }
    sender.finish(Time::from_ns(20_000_000_000));
    let account = sender.account();
    assert_eq!(account.sent, account.answered + account.late + account.lost + account.in_flight);
});

fn plan(key: Option<MacKey>, counters: bool) -> SenderPlan {
    SenderPlan {
        tests: Some(1),
        gap: Span::from_ms(1),
        timeout: Span::from_s(1),
        window: Span::from_s(1),
        packet_bytes: 300,
        ssid: 5,
        format: Format::Ntp,
        key,
        counters,
        synchronised_ns: None,
    }
}

/// What the reflector makes of a packet, which is given the right proof if there is a key for it.
fn reflected(reflector: &mut Reflector, packet: &[u8], key: Option<&MacKey>) -> Vec<u8> {
    let mut packet = packet.to_vec();
    if let Some(key) = key.filter(|_| packet.len() >= Mode::Authenticated.base_bytes()) {
        key.seal(&mut packet);
    }
    let from = SocketAddr::from(([127, 0, 0, 1], 9));
    if let Some(answer) = reflector.handle_test(Time::ZERO, from, 64, NOW_NS + 4, &mut packet) {
        reflector.seal(answer, NOW_NS + 5, &mut packet);
    }
    packet
}

fn layouts(packet: &[u8]) {
    for mode in [Mode::Open, Mode::Authenticated] {
        if let Ok(reply) = Reply::parse(mode, packet) {
            let mut written = packet.to_vec();
            reply.emit(mode, &mut written);
            assert_eq!(Reply::parse(mode, &written), Ok(reply));
        }
        assert_eq!(Test::parse(mode, packet).is_ok(), Reply::parse(mode, packet).is_ok());
    }
    let mut end = 0;
    for part in tlv::walk(packet) {
        assert_eq!(part.at, end, "they follow each other");
        end = if part.is_cut { packet.len() } else { part.at + tlv::HEAD_BYTES + part.value_bytes };
        assert!(end <= packet.len() && part.value(packet).len() == part.value_bytes);
    }
    assert_eq!(end, packet.len());
    if let Some((bits, _)) = packet.split_first_chunk::<8>() {
        let stamp = Stamp(u64::from_be_bytes(*bits));
        for format in [Format::Ntp, Format::Ptp] {
            if let Some(ns) = stamp.unix_ns(format).filter(|ns| (1..YEAR_2100_NS).contains(ns)) {
                assert_eq!(Stamp::from_unix_ns(ns, format).unix_ns(format), Some(ns));
            }
        }
        let estimate = ErrorEstimate(u16::from_be_bytes([bits[0], bits[1]]));
        if let Some(ns) = estimate.error_ns().filter(|ns| *ns < u64::MAX / 2) {
            let again = ErrorEstimate::new(estimate.format(), Some(ns)).error_ns();
            assert!(again.is_some_and(|again| again >= ns));
        }
    }
}
