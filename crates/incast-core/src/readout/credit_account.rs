//! The account of credits, law 3: granted = spent + held + expired.
//!
//! A credit is granted when a policy takes a token in, held until it is used, and then either spent on
//! an event or expired. A token that is refused was never a credit; the policy counts it by kind.

use serde::{Deserialize, Serialize};

use std::fmt;

/// Sums, as one policy or all of them tell them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreditTotals {
    /// Credits taken in.
    pub granted: u64,
    /// Used for an event.
    pub spent: u64,
    /// Not used yet.
    pub held: u64,
    /// Given up: the lease ended, or the node died, left, or took it back.
    pub expired: u64,
}

impl CreditTotals {
    /// What the law leaves over: zero when the account is closed.
    #[must_use]
    pub fn residual(&self) -> i128 {
        i128::from(self.granted) - [self.spent, self.held, self.expired].map(i128::from).iter().sum::<i128>()
    }

    /// Adds the totals of another policy.
    pub fn add(&mut self, other: &Self) {
        self.granted += other.granted;
        self.spent += other.spent;
        self.held += other.held;
        self.expired += other.expired;
    }
}

/// The law with its numbers, and the residual even when it is zero.
impl fmt::Display for CreditTotals {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { granted, spent, held, expired } = self;
        let residual = self.residual();
        write!(
            out,
            "granted {granted} = spent {spent} + held {held} + expired {expired}, residual {residual}"
        )
    }
}

/// Follows credits by their number; who holds them tells `check_laws` how many there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CreditAccount {
    granted: u64,
    spent: u64,
    expired: u64,
}

impl CreditAccount {
    /// A credit was taken in.
    pub fn record_granted(&mut self) {
        self.granted += 1;
    }

    /// A credit was used.
    pub fn record_spent(&mut self) {
        self.spent += 1;
    }

    /// So many credits were given up.
    pub fn record_expired(&mut self, credits: u64) {
        self.expired += credits;
    }

    /// The sums, when `held` credits are held: counted where they are, not derived from the others.
    #[must_use]
    pub const fn totals(&self, held: u64) -> CreditTotals {
        CreditTotals { granted: self.granted, spent: self.spent, held, expired: self.expired }
    }

    /// Asserts law 3 against the credits that are really there.
    ///
    /// # Panics
    ///
    /// When it is broken: our mistake.
    pub fn check_laws(&self, held: u64) {
        let totals = self.totals(held);
        assert_eq!(totals.residual(), 0, "{totals}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaked_and_a_minted_credit_show() {
        let mut account = CreditAccount::default();
        for _ in 0..5 {
            account.record_granted();
        }
        account.record_spent();
        account.record_expired(2);
        account.check_laws(2);
        assert_eq!(account.totals(2).to_string(), "granted 5 = spent 1 + held 2 + expired 2, residual 0");
        assert_eq!((account.totals(1).residual(), account.totals(3).residual()), (1, -1));
    }
}
