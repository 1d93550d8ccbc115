//! Requests one by one; the swarm of them is in `tests/readout_mep_requests.rs`.

use super::*;
use crate::readout::Destination;

const RUN: RunNumber = RunNumber(7);
const BUILDER: BuilderId = BuilderId(3);
const LIFE: Incarnation = Incarnation(0xfeed_beef_0123_4567);

fn token(number: u64, void_below: u64) -> Token {
    Token { from: Destination::from(BUILDER), incarnation: LIFE, number, void_below }
}

fn requests() -> MepRequests {
    let mut requests = MepRequests::new(RUN);
    requests.handle_joined(BUILDER, LIFE);
    requests
}

/// What becomes of requests that arrive in this order.
fn taken(requests: &mut MepRequests, arriving: &[MepRequest]) -> Vec<(u64, u64)> {
    let mut tokens = Vec::new();
    for request in arriving {
        requests.handle_request(&[BuilderId(9), BUILDER], request);
        while let Some((builder, token)) = requests.poll_token() {
            assert_eq!((builder, token.from, token.incarnation), (BUILDER, BUILDER.into(), LIFE));
            tokens.push((token.number, token.void_below));
        }
    }
    tokens
}

/// All requests of these tokens, in the order of sending.
fn sent(tokens: &[Token]) -> Vec<MepRequest> {
    let mut requester = MepRequester::new(RUN);
    tokens
        .iter()
        .flat_map(|token| {
            let (clear, request) = requester.handle_token(*token);
            clear.into_iter().chain([request])
        })
        .collect()
}

#[test]
fn a_clear_goes_in_front_at_the_start_and_after_tokens_were_taken_for_lost() {
    let sent = sent(&[token(1, 1), token(2, 1), token(3, 3), token(4, 3)]);
    let shown: Vec<_> = sent.iter().map(|request| (request.wish == Wish::Clear, request.sequence)).collect();
    assert_eq!(shown, [(true, 1), (false, 1), (false, 2), (true, 3), (false, 3), (false, 4)]);
    assert!(sent.iter().all(|request| (request.run, request.incarnation) == (RUN.0, LIFE.0)));
    let mut requests = requests();
    assert_eq!(taken(&mut requests, &sent), [(1, 1), (2, 1), (3, 3), (4, 3)]);
    assert_eq!(requests.counts(), &MepRequestCounts { requests: 4, clears: 2, ..Default::default() });
}

#[test]
fn a_clear_that_is_late_takes_back_only_what_it_was_sent_for() {
    let mut all = sent(&[token(1, 1), token(2, 1), token(3, 3), token(4, 3)]);
    // The second clear comes last, and the second request after it.
    let clear = all.remove(3);
    let second = all.remove(2);
    all.extend([clear, second]);
    let mut requests = requests();
    assert_eq!(taken(&mut requests, &all), [(1, 1), (3, 1), (4, 1)]);
    assert_eq!(requests.counts().void, 1);
    // The next token tells the policy.
    assert_eq!(taken(&mut requests, &sent(&[token(5, 3)])[1..]), [(5, 3)]);
}

#[test]
fn a_request_that_comes_twice_is_the_same_token_twice() {
    let sent = sent(&[token(1, 1)]);
    assert_eq!(taken(&mut requests(), &[sent[1], sent[1], sent[0], sent[1]]), [(1, 1), (1, 1), (1, 1)]);
}

#[test]
fn a_request_for_several_asks_by_as_many_numbers() {
    let many = MepRequest { incarnation: LIFE.0, ..MepRequest::new(3, 5, RUN.0).unwrap() };
    let clear = MepRequest { wish: Wish::Clear, sequence: 6, ..many };
    assert_eq!(taken(&mut requests(), &[many]), [(5, 1), (6, 1), (7, 1)]);
    assert_eq!(taken(&mut requests(), &[clear, many]), [(6, 6), (7, 6)]);
}

#[test]
fn numbers_go_on_beyond_32_bits_and_a_late_one_is_before() {
    let from = u64::from(u32::MAX) - 1;
    let tokens: Vec<_> = (from..from + 4).map(|number| token(number, 1)).collect();
    // Without the clear, which was long ago.
    let mut sent = sent(&tokens).split_off(1);
    sent.swap(1, 2);
    let mut requests = requests();
    requests.builders.get_mut(&BUILDER).unwrap().highest = from - 10;
    let numbers: Vec<_> = taken(&mut requests, &sent).into_iter().map(|(number, _)| number - from).collect();
    assert_eq!(numbers, [0, 2, 1, 3]);
}

#[test]
fn requests_of_another_run_address_or_life_are_counted_and_change_nothing() {
    let good = sent(&[token(1, 1)])[1];
    let mut requests = requests();
    let far = MepRequest { sequence: 1 << 30, ..good };
    let other_run = MepRequest { run: 8, ..far };
    let other_life = MepRequest { incarnation: LIFE.0 - 1, ..far };
    assert_eq!(taken(&mut requests, &[other_run, other_life]), []);
    requests.handle_request(&[BuilderId(9)], &far);
    requests.handle_request(&[], &far);
    let counts = *requests.counts();
    assert_eq!((counts.of_another_run, counts.of_another_life, counts.requests), (1, 3, 0));
    assert_eq!(taken(&mut requests, &[good]), [(1, 1)]);
    // A new life begins at 1; the old one is heard no more. The same life goes on.
    requests.handle_joined(BUILDER, LIFE);
    assert_eq!(requests.builders[&BUILDER].highest, 1);
    requests.handle_joined(BUILDER, Incarnation(5));
    assert_eq!((requests.builders[&BUILDER].highest, taken(&mut requests, &[good])), (0, vec![]));
}
