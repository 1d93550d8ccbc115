//! A builder that asks with LHCb's requests over a network that loses, repeats and reorders them: law 3 holds
//! after every step, no request is used twice, and when the network is good again the builder has all its slots.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::{BTreeMap, BTreeSet};

use incast_core::random::Random;
use incast_core::readout::{
    Assign, BuilderId, CreditTotals, EventNumber, Incarnation, MepRequester, MepRequests, NodeTokens,
    NodeTokensPlan, RunNumber, TokenPlan, Tokens,
};
use incast_core::time::{Span, Time};
use incast_core::wire::mep_request::MepRequest;

const BUILDER: BuilderId = BuilderId(4);
const LIFE: Incarnation = Incarnation(77);
const SLOTS: u32 = 8;
const LEASE: Span = Span::from_ms(50);
const STEP: Span = Span::from_ms(1);

/// Both ends, and what is on its way between them.
struct World {
    random: Random,
    now: Time,
    node: NodeTokens,
    requester: MepRequester,
    /// By when it arrives, and in which order it was sent.
    network: BTreeMap<(Time, u64), [u8; 44]>,
    sent: u64,
    requests: MepRequests,
    policy: Tokens,
    /// Assigned packets that the builder has.
    busy: u32,
    next: EventNumber,
    granted: BTreeSet<u64>,
    is_finishing: bool,
}

impl World {
    fn new(seed: u64) -> Self {
        let plan = NodeTokensPlan {
            node: BUILDER.into(),
            incarnation: LIFE,
            slots: SLOTS,
            lease: Span(2 * LEASE.0),
        };
        let mut requests = MepRequests::new(RunNumber(3));
        requests.handle_joined(BUILDER, LIFE);
        let mut policy = Tokens::new(TokenPlan { lease: LEASE, ..TokenPlan::default() });
        policy.handle_joined(Time::ZERO, BUILDER.into(), LIFE);
        Self {
            random: Random::named(seed, "mep requests"),
            now: Time::ZERO,
            node: NodeTokens::new(plan),
            requester: MepRequester::new(RunNumber(3)),
            network: BTreeMap::new(),
            sent: 0,
            requests,
            policy,
            busy: 0,
            next: EventNumber(0),
            granted: BTreeSet::new(),
            is_finishing: true,
        }
    }

    /// One in `odds`; never for 0.
    fn chance(&mut self, odds: u64) -> bool {
        odds > 0 && self.random.next_u64().is_multiple_of(odds)
    }

    /// Sends a request: lost, repeated and late, each with these odds.
    fn send(&mut self, request: &MepRequest, odds: u64) {
        if self.chance(odds) {
            return;
        }
        let copies = 1 + u64::from(self.chance(odds));
        for _ in 0..copies {
            // Up to longer than any lease.
            let late = if self.chance(odds) { self.random.next_u64() % (4 * LEASE.0 / STEP.0) } else { 0 };
            self.sent += 1;
            self.network.insert((self.now + Span(STEP.0 * late), self.sent), request.emit());
        }
    }

    fn step(&mut self, odds: u64, is_assigning: bool) {
        self.now += STEP;
        self.node.handle_timeout(self.now);
        while let Some(token) = self.node.poll_token(self.now) {
            let (clear, request) = self.requester.handle_token(token);
            for request in clear.into_iter().chain([request]) {
                self.send(&request, odds);
            }
        }
        while let Some(((_, _), datagram)) = self
            .network
            .first_key_value()
            .filter(|((at, _), _)| *at <= self.now)
            .map(|(key, value)| (*key, *value))
        {
            self.network.pop_first();
            self.requests.handle_request(&[BUILDER], &MepRequest::parse(&datagram).unwrap());
            while let Some((builder, token)) = self.requests.poll_token() {
                assert_eq!(builder, BUILDER);
                let before = self.policy.credits().granted;
                self.policy.handle_token(self.now, token);
                if self.policy.credits().granted > before {
                    assert!(self.granted.insert(token.number), "{} was granted twice", token.number);
                }
            }
        }
        self.policy.handle_timeout(self.now);
        if is_assigning && let Some(to) = self.policy.poll_assign(self.now, self.next) {
            assert_eq!(to, BUILDER.into());
            self.next = self.next.after(1);
            self.node.handle_event();
            self.busy += 1;
        }
        if self.is_finishing && self.busy > 0 && self.chance(3) {
            self.node.handle_done();
            self.policy.handle_done(BUILDER.into());
            self.busy -= 1;
        }
        let CreditTotals { granted, spent, held, expired, .. } = self.policy.credits();
        assert_eq!(granted, spent + held + expired, "law 3");
        assert_eq!(spent, self.next.0);
    }
}

#[test]
fn a_bad_network_mints_no_credit_and_leaks_no_slot() {
    let mut duplicates = 0;
    for seed in 0..40 {
        let mut world = World::new(seed);
        let odds = 1 + seed % 5;
        for _ in 0..2_000 {
            world.step(odds.max(2), true);
        }
        // The network is good again, what is late has come, and what was assigned is finished.
        for _ in 0..600 {
            world.step(0, false);
        }
        assert_eq!(world.busy, 0);
        // Without a slot that is free again, packets come as long as there are slots, and no longer. The builder
        // takes its oldest token for the one that was used: each slot can wait for the end of a lease of its own.
        world.is_finishing = false;
        for _ in 0..u64::from(SLOTS + 1) * 2 * LEASE.0 / STEP.0 {
            world.step(0, true);
        }
        assert_eq!(world.busy, SLOTS, "seed {seed}");
        duplicates += world.policy.counts().tokens_duplicate;
        assert_eq!(world.policy.counts().tokens_forged, 0, "seed {seed}");
        assert_eq!(world.requests.counts().of_another_life, 0);
    }
    assert!(duplicates > 0, "the network did repeat requests");
}

#[test]
fn every_slot_is_asked_for_again_after_all_requests_were_lost() {
    let mut world = World::new(1);
    for _ in 0..10 {
        world.step(1, true);
    }
    assert_eq!((world.policy.credits().granted, world.node.counts().0), (0, SLOTS.into()));
    // A lease of the builder later all are asked for again, under new numbers.
    for _ in 0..2 * LEASE.0 / STEP.0 {
        world.step(0, false);
    }
    assert_eq!(world.policy.credits().held, u64::from(SLOTS));
    assert!(world.granted.iter().all(|number| *number > SLOTS.into()));
    assert_eq!(world.requester.counts().clears, 2);
}
