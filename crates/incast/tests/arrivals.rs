//! What the receiver makes of messages that are lost, doubled and reordered on the way, when the way
//! is known exactly.
//!
//! First the two demonstrations that a well-known tool gets wrong (`peers.md`): it cancels a loss by a
//! duplicate, and does not see a loss at the tail. Then a relay between sender and receiver that
//! disturbs the datagrams by a seeded rule and keeps the account: ours must equal it to the message.

#[path = "support/account.rs"]
mod account;
#[path = "support/program.rs"]
mod program;
#[path = "support/relay.rs"]
mod relay;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use account::{assert_all_explained, assert_law_1, only_flow};
use incast_core::random::Random;
use incast_core::record::{Flow, LossRuns, Record};
use program::Program;
use relay::{Datagram, Fate, Relay, Tally};

/// Lets the lab sheet's protocol bring these counters over UDP, and gives the record of the receiver.
fn receive_plainly(counters: &str) -> Record {
    let (server, address) =
        Program::serve(&["--plain", "--transport", "udp", "--message", "1024B", "--once"]);
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    let args: Vec<&str> = [&host, &port].into_iter().map(String::as_str).chain(counters.split(' ')).collect();
    Program::lab_sheet("arrivals.py", &args).finish().expect_code(0);
    let record = server.record();
    assert_law_1(&record);
    record
}

/// A native UDP sender through a relay that follows `rule`; the record of the receiver, which the
/// sender's must equal, and what the relay did.
fn send_through(rule: impl FnMut(Datagram) -> Fate + Send + 'static, args: &str) -> (Record, Tally) {
    let (server, address) = Program::serve(&["--once"]);
    let relay = Relay::start(address, rule);
    let args: Vec<&str> = ["--transport", "udp"].into_iter().chain(args.split(' ')).collect();
    let told = Program::flood(relay.addr(), "y", &args).record();
    let record = server.record();
    let tally = relay.stop();
    assert_eq!((tally.kernel_drops, tally.unsent, tally.short), (0, 0, 0), "the relay itself lost something");
    assert_eq!(record.totals.receiver_socket_drops, Some(0), "the receiving host lost something");
    assert_all_explained(&record);
    assert_all_explained(&told);
    assert_eq!(only_flow(&told).messages, only_flow(&record).messages);
    (record, tally)
}

/// Sent, unique, duplicate, lost, reordered.
fn counts(flow: &Flow) -> [u64; 5] {
    let messages = &flow.messages;
    [messages.sent, messages.unique, messages.duplicate, messages.lost, messages.reordered]
        .map(|count| count.expect("a native flow knows everything"))
}

#[test]
fn a_duplicate_does_not_give_a_loss_back() {
    // The well-known tool says of these six that 0 are lost.
    let record = receive_plainly("1 2 3 5 5 6");
    let messages = &only_flow(&record).messages;
    assert_eq!((messages.received, messages.unique), (Some(6), Some(5)));
    assert_eq!((messages.lost, messages.duplicate, messages.reordered), (Some(1), Some(1), Some(0)));
    assert_eq!(record.totals.lost_fraction, Some(1.0 / 6.0));
}

#[test]
fn a_loss_at_the_tail_is_a_loss() {
    // The well-known tool says of 1 2 3 of six that 0 are lost.
    let (record, tally) =
        send_through(|datagram| if datagram.counter > 3 { Fate::Drop } else { Fate::Pass }, "--messages 6");
    let flow = only_flow(&record);
    assert_eq!(tally.total().dropped, 3);
    assert_eq!(counts(flow), [6, 3, 0, 3, 0]);
    assert_eq!((flow.messages.unexplained, flow.lost_fraction), (Some(0), Some(0.5)));
    assert_eq!(flow.loss_runs, Some(runs_of(&BTreeSet::from([4, 5, 6]))));
}

#[test]
fn the_loss_of_everything_is_known_too() {
    let (record, _) = send_through(|_| Fate::Drop, "--messages 6");
    assert_eq!(counts(only_flow(&record)), [6, 0, 0, 6, 0]);
    assert_eq!(only_flow(&record).goodput_bits_per_s, None, "nothing was measured");
}

#[test]
fn arrivals_are_told_apart_in_the_plain_protocol() {
    // Counters as they arrive; then unique, duplicate, lost, reordered.
    let cases: [(&str, [u64; 4]); 7] = [
        ("1 2 3", [3, 0, 0, 0]),
        ("1 2 4 3", [4, 0, 0, 1]),
        ("2 3", [2, 0, 1, 0]),
        ("1 1 1", [1, 2, 0, 0]),
        ("3 2 1", [3, 0, 0, 2]),
        ("1 5 3 5 3", [3, 2, 2, 1]),
        ("1 2 100 3", [4, 0, 96, 1]),
    ];
    let running = cases.map(|(counters, expected)| {
        (counters, expected, std::thread::spawn(move || receive_plainly(counters)))
    });
    for (counters, expected, record) in running {
        let record = record.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let messages = &only_flow(&record).messages;
        let found = [messages.unique, messages.duplicate, messages.lost, messages.reordered];
        assert_eq!(found, expected.map(Some), "{counters}");
    }
}

#[test]
fn what_a_relay_does_to_one_stream_is_counted_exactly_and_so_are_its_loss_runs() {
    for seed in 1..=3 {
        let lost = Arc::<Mutex<BTreeSet<u64>>>::default();
        let (record, tally) = send_through(
            disturb(seed, 4_000, Arc::clone(&lost)),
            "--messages 4000 --message 200B --load 20kHz --interval 20ms",
        );
        let flow = only_flow(&record);
        let relay = tally.total();
        let expected = [
            relay.received,
            relay.received - relay.dropped,
            relay.duplicated,
            relay.dropped,
            relay.reordered,
        ];
        assert_eq!((counts(flow), relay.received), (expected, 4_000), "seed {seed}");
        assert!(
            relay.dropped > 100 && relay.duplicated > 100 && relay.reordered > 100,
            "seed {seed}: {relay:?}"
        );
        let lost = lost.lock().expect("the rule does not panic");
        assert_eq!(flow.loss_runs, Some(runs_of(&lost)), "seed {seed}");
        let reordering = flow.reordering.as_ref().expect("known");
        assert!(reordering.extent_max > 0 && reordering.ratio > 0.0, "seed {seed}: {reordering:?}");
    }
}

#[test]
fn what_a_relay_does_to_many_streams_adds_up() {
    for seed in 4..=5 {
        let (record, tally) = send_through(
            disturb(seed, 800, Arc::default()),
            "--messages 4003 --message 64B --load 20kHz --streams 5 --spacing burst:32",
        );
        assert_eq!(tally.streams.len(), 5);
        let relay = tally.total();
        let expected = [
            relay.received,
            relay.received - relay.dropped,
            relay.duplicated,
            relay.dropped,
            relay.reordered,
        ];
        assert_eq!((counts(only_flow(&record)), relay.received), (expected, 4_003), "seed {seed}");
    }
}

/// A rule that loses, doubles and holds back by the seed; single ones and, now and then, many in a row.
/// Nothing is held behind the end of a stream of `messages`: there it would race the end of the account.
fn disturb(
    seed: u64,
    messages: u64,
    lost: Arc<Mutex<BTreeSet<u64>>>,
) -> impl FnMut(Datagram) -> Fate + Send + 'static {
    let mut random = Random::named(seed, "relay");
    let mut outage = 0_u64;
    move |datagram| {
        if outage == 0 && random.next_u64().is_multiple_of(500) {
            outage = random.next_u64() % 100;
        }
        let dice = random.next_u64() % 100;
        let fate = match dice {
            _ if outage > 0 => Fate::Drop,
            0..5 => Fate::Drop,
            5..10 => Fate::Duplicate,
            10..15 if datagram.counter + HOLD_MAX <= messages => {
                Fate::Hold(u32::try_from(random.next_u64() % HOLD_MAX).expect("few") + 1)
            }
            _ => Fate::Pass,
        };
        outage = outage.saturating_sub(1);
        if fate == Fate::Drop {
            lost.lock().expect("nobody panics with it").insert(datagram.counter);
        }
        fate
    }
}

/// Most datagrams that one is held behind.
const HOLD_MAX: u64 = 40;

/// The runs of consecutive counters in `lost`, as a record tells them.
fn runs_of(lost: &BTreeSet<u64>) -> LossRuns {
    let mut lengths: Vec<u64> = Vec::new();
    let mut last = None;
    for counter in lost {
        match lengths.last_mut().filter(|_| last == Some(counter - 1)) {
            Some(length) => *length += 1,
            None => lengths.push(1),
        }
        last = Some(*counter);
    }
    let mut groups = std::collections::BTreeMap::<(u64, u64), u64>::new();
    for length in &lengths {
        // From 64 on by powers of two, as `docs/record.md` says.
        let group = if *length < 64 { (*length, *length) } else { power_of_two(*length) };
        *groups.entry(group).or_default() += 1;
    }
    LossRuns {
        runs: u64::try_from(lengths.len()).expect("few"),
        longest: lengths.iter().copied().max().unwrap_or(0),
        lengths: groups
            .into_iter()
            .map(|((from, to), runs)| incast_core::record::RunLength { from, to, runs })
            .collect(),
    }
}

fn power_of_two(length: u64) -> (u64, u64) {
    let from = (length / 2 + 1).next_power_of_two();
    (from, from * 2 - 1)
}
