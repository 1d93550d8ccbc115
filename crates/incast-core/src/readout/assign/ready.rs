//! Tokens: an event goes only to a member that said it is ready, as long as it has not been too long ago.
//!
//! Among members that are ready, the one with the fewest unfinished events is served first, and among
//! these the oldest token. First come, first served would hand second tokens to members that are at work
//! while others idle.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{Assign, MEMBERS_MAX, PolicyCounts};
use crate::readout::credit_account::{CreditAccount, CreditTotals};
use crate::readout::ids::{Destination, EventNumber, Incarnation};
use crate::readout::tokens::Token;
use crate::time::{Span, Time};

/// Bounds of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenPlan {
    /// A token that has not been used for so long expires: its sender may be gone.
    pub lease: Span,
    /// Tokens held of one member; more are refused.
    pub held_max: usize,
}

impl Default for TokenPlan {
    /// Longer than run control needs to notice that a node is gone, and as many tokens of a member as
    /// hide the longest way: 64 events of 2 MB fill 100 Gbit/s for 10 ms.
    fn default() -> Self {
        Self { lease: Span::from_s(10), held_max: 64 }
    }
}

/// Control tokens.
#[derive(Clone, Debug)]
pub struct Tokens {
    plan: TokenPlan,
    members: BTreeMap<Destination, Member>,
    /// Members with a token: unfinished events, when their oldest token came, who.
    order: BTreeSet<(u32, u64, Destination)>,
    /// The same members by the end of that token's lease.
    leases: BTreeSet<(Time, Destination)>,
    held: u64,
    account: CreditAccount,
    counts: PolicyCounts,
}

#[derive(Clone, Debug)]
struct Member {
    incarnation: Incarnation,
    /// Highest number that came, and which of the [`WINDOW`] up to it have come: bit 0 is the highest.
    highest: u64,
    seen: u128,
    void_below: u64,
    /// Oldest first.
    tokens: VecDeque<Held>,
    unfinished: u32,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    number: u64,
    until: Time,
    /// Counted over all tokens granted.
    arrival: u64,
}

/// Numbers in which a repeated token is told from a new one: twice what is held by default.
const WINDOW: u64 = 128;

/// Why a token is no credit.
enum Refusal {
    Duplicate,
    Late,
    AnotherLife,
    Forged,
    Beyond,
}

impl Tokens {
    /// Nobody is there yet.
    #[must_use]
    pub fn new(plan: TokenPlan) -> Self {
        Self {
            plan,
            members: BTreeMap::new(),
            order: BTreeSet::new(),
            leases: BTreeSet::new(),
            held: 0,
            account: CreditAccount::default(),
            counts: PolicyCounts::default(),
        }
    }

    /// Changes a member and its places in the orders.
    fn change<T>(&mut self, destination: Destination, change: impl FnOnce(&mut Member) -> T) -> Option<T> {
        let member = self.members.get_mut(&destination)?;
        if let Some(oldest) = member.tokens.front() {
            self.order.remove(&(member.unfinished, oldest.arrival, destination));
            self.leases.remove(&(oldest.until, destination));
        }
        let before = member.tokens.len();
        let outcome = change(member);
        if let Some(oldest) = member.tokens.front() {
            self.order.insert((member.unfinished, oldest.arrival, destination));
            self.leases.insert((oldest.until, destination));
        }
        // Lengths are far below 2^64.
        self.held = self.held + member.tokens.len() as u64 - before as u64;
        Some(outcome)
    }

    /// The token as a credit, if it is one.
    fn grant(&mut self, now: Time, token: Token) -> Result<(), Refusal> {
        let (until, arrival) = (now + self.plan.lease, self.account.totals(0).granted);
        let held_max = self.plan.held_max;
        let take = |member: &mut Member| {
            member.check(token)?;
            let void = member.handle_void_below(token.void_below);
            if member.tokens.len() >= held_max {
                return Ok((void, false));
            }
            member.tokens.push_back(Held { number: token.number, until, arrival });
            Ok((void, true))
        };
        let (void, is_granted) = self.change(token.from, take).unwrap_or(Err(Refusal::Forged))?;
        self.account.record_expired(void);
        if !is_granted {
            return Err(Refusal::Beyond);
        }
        self.account.record_granted();
        Ok(())
    }

    /// Law 3, against the tokens that are there.
    fn check_laws(&self) {
        self.account.check_laws(self.held);
        debug_assert_eq!(
            self.members.values().map(|member| member.tokens.len() as u64).sum::<u64>(),
            self.held,
            "held tokens are counted once"
        );
    }
}

impl Member {
    const fn new(incarnation: Incarnation) -> Self {
        Self { incarnation, highest: 0, seen: 0, void_below: 1, tokens: VecDeque::new(), unfinished: 0 }
    }

    /// Whether the token is one that this member issued and that has not come before; notes that it came.
    fn check(&mut self, token: Token) -> Result<(), Refusal> {
        let Token { incarnation, number, void_below, .. } = token;
        if incarnation != self.incarnation {
            return Err(Refusal::AnotherLife);
        }
        if number == 0 || number == u64::MAX || void_below > number {
            return Err(Refusal::Forged);
        }
        if number < self.void_below {
            return Err(Refusal::Late);
        }
        if number > self.highest {
            let steps = u32::try_from(number - self.highest).unwrap_or(u32::MAX);
            self.seen = self.seen.unbounded_shl(steps);
            self.highest = number;
        }
        let age = self.highest - number;
        if age >= WINDOW {
            return Err(Refusal::Late);
        }
        let was_seen = self.seen >> age & 1 == 1;
        self.seen |= 1 << age;
        if was_seen { Err(Refusal::Duplicate) } else { Ok(()) }
    }

    /// Gives up tokens that the member no longer stands by; says how many.
    fn handle_void_below(&mut self, void_below: u64) -> u64 {
        self.void_below = self.void_below.max(void_below);
        let before = self.tokens.len();
        self.tokens.retain(|token| token.number >= self.void_below);
        (before - self.tokens.len()) as u64
    }

    /// Gives up tokens whose lease has ended; says how many.
    fn handle_timeout(&mut self, now: Time) -> u64 {
        let mut expired = 0;
        while self.tokens.pop_front_if(|token| token.until <= now).is_some() {
            expired += 1;
        }
        expired
    }
}

impl Assign for Tokens {
    fn handle_joined(&mut self, now: Time, destination: Destination, incarnation: Incarnation) {
        match self.members.get(&destination) {
            Some(member) if member.incarnation == incarnation => return,
            Some(_) => self.handle_left(now, destination),
            None if self.members.len() == MEMBERS_MAX => {
                self.counts.members_refused += 1;
                return;
            }
            None => {}
        }
        self.members.insert(destination, Member::new(incarnation));
    }

    fn handle_left(&mut self, _now: Time, destination: Destination) {
        let drop_all = |member: &mut Member| member.tokens.drain(..).count() as u64;
        let dropped = self.change(destination, drop_all).unwrap_or(0);
        self.account.record_expired(dropped);
        self.members.remove(&destination);
        self.check_laws();
    }

    fn handle_token(&mut self, now: Time, token: Token) {
        self.handle_timeout(now);
        if let Err(refusal) = self.grant(now, token) {
            *match refusal {
                Refusal::Duplicate => &mut self.counts.tokens_duplicate,
                Refusal::Late => &mut self.counts.tokens_late,
                Refusal::AnotherLife => &mut self.counts.tokens_of_another_life,
                Refusal::Forged => &mut self.counts.tokens_forged,
                Refusal::Beyond => &mut self.counts.tokens_beyond,
            } += 1;
        }
        self.check_laws();
    }

    fn handle_done(&mut self, destination: Destination) {
        self.change(destination, |member| member.unfinished = member.unfinished.saturating_sub(1));
    }

    fn handle_timeout(&mut self, now: Time) {
        while let Some((_, destination)) = self.leases.first().copied().filter(|(until, _)| *until <= now) {
            let expired = self.change(destination, |member| member.handle_timeout(now)).unwrap_or(0);
            self.account.record_expired(expired);
            self.check_laws();
        }
    }

    fn next_timeout(&self) -> Option<Time> {
        self.leases.first().map(|(until, _)| *until)
    }

    fn poll_assign(&mut self, now: Time, _event: EventNumber) -> Option<Destination> {
        self.handle_timeout(now);
        let Some((_, _, destination)) = self.order.first().copied() else {
            self.counts.nobody += 1;
            return None;
        };
        self.change(destination, |member| {
            member.tokens.pop_front();
            member.unfinished += 1;
        });
        self.account.record_spent();
        self.counts.assigned += 1;
        self.check_laws();
        Some(destination)
    }

    fn counts(&self) -> &PolicyCounts {
        &self.counts
    }

    fn credits(&self) -> CreditTotals {
        self.account.totals(self.held)
    }
}
