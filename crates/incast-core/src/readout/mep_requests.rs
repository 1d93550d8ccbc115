//! A builder's tokens as LHCb's requests for packets: what is sent for a token, and which token a request is.
//!
//! ```text
//!  Token 1, void below 1                clear 1, request 1         the clear is LHCb's at the start
//!  Token 2, void below 1                request 2
//!  ... 2 is taken for lost ...
//!  Token 3, void below 3                clear 3, request 3
//! ```
//! Requests are datagrams: they are lost, repeated and overtake each other. A clear says below which number
//! requests are void, and not just that those before it are, so that one which is late takes back nothing that
//! was asked for after it. One that is lost does no harm: a token that was taken for lost has a shorter lease at
//! the trigger, and is expired there. A request that is lost is repaired by the lease of its token. One that
//! comes twice is the same token twice, which the policy counts.
//!
//! Here is no socket: whoever carries requests says which builders send from the address that one came from.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::ids::{BuilderId, Incarnation, RunNumber};
use super::tokens::Token;
use crate::wire::mep::extend;
use crate::wire::mep_request::{MepRequest, Wish};

/// Requests that were sent, or that came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MepRequestCounts {
    /// Requests for packets.
    pub requests: u64,
    /// Requests that take back earlier ones.
    pub clears: u64,
    /// Of packets that were asked for, those that had been taken back before the request came.
    pub void: u64,
    /// Requests of another run.
    pub of_another_run: u64,
    /// Requests of no life that is connected and sends from that address.
    pub of_another_life: u64,
}

/// Makes requests of the tokens of one builder.
#[derive(Clone, Debug)]
pub struct MepRequester {
    run: RunNumber,
    /// Below which number everything has been taken back.
    told_void: u64,
    counts: MepRequestCounts,
}

impl MepRequester {
    /// Nothing was asked for yet.
    #[must_use]
    pub fn new(run: RunNumber) -> Self {
        Self { run, told_void: 0, counts: MepRequestCounts::default() }
    }

    /// What to send for a token, in this order: a clear if it voids more than those before it, and its request.
    pub fn handle_token(&mut self, token: Token) -> (Option<MepRequest>, MepRequest) {
        let request = |wish, number: u64| MepRequest {
            wish,
            sequence: low(number),
            run: self.run.0,
            sent_s: 0,
            sent_ns: 0,
            incarnation: token.incarnation.0,
        };
        let clear = (token.void_below > self.told_void).then(|| request(Wish::Clear, token.void_below));
        self.told_void = self.told_void.max(token.void_below);
        self.counts.clears += u64::from(clear.is_some());
        self.counts.requests += 1;
        (clear, request(Wish::ONE, token.number))
    }

    /// What was sent.
    #[must_use]
    pub const fn counts(&self) -> &MepRequestCounts {
        &self.counts
    }
}

/// Makes tokens of the requests of all builders.
#[derive(Clone, Debug)]
pub struct MepRequests {
    run: RunNumber,
    /// Those that are connected, or were: as many as the run has builders.
    builders: BTreeMap<BuilderId, Asking>,
    tokens: VecDeque<Token>,
    counts: MepRequestCounts,
}

/// One life of a builder.
#[derive(Clone, Copy, Debug)]
struct Asking {
    incarnation: Incarnation,
    /// The highest number that came: requests tell 32 bits of one.
    highest: u64,
    void_below: u64,
}

impl MepRequests {
    /// No builder is there yet.
    #[must_use]
    pub fn new(run: RunNumber) -> Self {
        Self { run, builders: BTreeMap::new(), tokens: VecDeque::new(), counts: MepRequestCounts::default() }
    }

    /// A builder is connected, in this life. What is known of the same life is kept: what it has taken back
    /// stays so.
    pub fn handle_joined(&mut self, builder: BuilderId, incarnation: Incarnation) {
        if self.builders.get(&builder).is_none_or(|asking| asking.incarnation != incarnation) {
            self.builders.insert(builder, Asking { incarnation, highest: 0, void_below: 1 });
        }
    }

    /// A request came from an address that these builders send from.
    pub fn handle_request(&mut self, senders: &[BuilderId], request: &MepRequest) {
        if request.run != self.run.0 {
            self.counts.of_another_run += 1;
            return;
        }
        let is_of = |builder: &&BuilderId| {
            self.builders.get(builder).is_some_and(|asking| asking.incarnation.0 == request.incarnation)
        };
        let Some((builder, asking)) = senders
            .iter()
            .find(is_of)
            .copied()
            .and_then(|builder| Some((builder, self.builders.get_mut(&builder)?)))
        else {
            self.counts.of_another_life += 1;
            return;
        };
        let number = extend(asking.highest, request.sequence);
        match request.wish {
            Wish::Clear => {
                self.counts.clears += 1;
                asking.void_below = asking.void_below.max(number);
                asking.highest = asking.highest.max(number);
            }
            Wish::Packets(packets) => {
                self.counts.requests += 1;
                // A request for several asks by as many numbers, from its own on.
                for number in (number..u64::MAX).take(packets.get().into()) {
                    asking.highest = asking.highest.max(number);
                    if number < asking.void_below {
                        self.counts.void += 1;
                        continue;
                    }
                    let Asking { incarnation, void_below, .. } = *asking;
                    self.tokens.push_back(Token { from: builder.into(), incarnation, number, void_below });
                }
            }
        }
    }

    /// The next token that was asked with, and its builder. To be taken after each request: there are then at
    /// most 254.
    pub fn poll_token(&mut self) -> Option<(BuilderId, Token)> {
        self.tokens.pop_front().map(|token| (BuilderId(token.from.0), token))
    }

    /// What came.
    #[must_use]
    pub const fn counts(&self) -> &MepRequestCounts {
        &self.counts
    }
}

/// The low 32 bits.
fn low(number: u64) -> u32 {
    let [a, b, c, d, ..] = number.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

#[cfg(test)]
mod tests;
