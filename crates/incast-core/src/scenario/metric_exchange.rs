//! The numbers of exchanges that can be expected. Over several exchanges counts and rates are added, and of
//! times the longest counts: what holds for it holds for all.

use super::metric::Metric;
use crate::record::{Exchange, ExchangePeer, ExchangeTimes};

impl Metric {
    /// Its name, of those that are of exchanges; empty of any other.
    pub(super) const fn name_of_exchange(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::NotAnswered => "not_answered",
            Self::ExchangeResidual => "exchange_residual",
            Self::RoundRate => "rounds_per_s",
            Self::FirstRound => "first_round_us",
            Self::ResponseP50 => "response_us_p50",
            Self::ResponseP99 => "response_us_p99",
            Self::IntendedP99 => "intended_us_p99",
            Self::RoundP50 => "round_us_p50",
            Self::RoundP99 => "round_us_p99",
            Self::StragglerFraction => "straggler_fraction",
            Self::PacketsPerResponse => "packets_per_response",
            Self::AcknowledgementsPerResponse => "acknowledgements_per_response",
            Self::ResponseRetransmits => "response_retransmits",
            _ => "",
        }
    }

    /// Its value over all exchanges; `None` when one of them does not know it, or there is none.
    pub(super) fn of_exchanges(self, exchanges: &[Exchange]) -> Option<f64> {
        let values: Vec<f64> =
            exchanges.iter().map(|exchange| self.of_exchange(exchange)).collect::<Option<_>>()?;
        let is_sum = matches!(
            self,
            Self::Answered
                | Self::NotAnswered
                | Self::ExchangeResidual
                | Self::RoundRate
                | Self::ResponseRetransmits
        );
        let value = if is_sum {
            values.iter().copied().reduce(|sum, value| sum + value)
        } else {
            values.iter().copied().reduce(f64::max)
        };
        value.filter(|value| value.is_finite())
    }

    #[expect(clippy::cast_precision_loss, reason = "for judging: counts beyond 2^53 are not reached")]
    fn of_exchange(self, exchange: &Exchange) -> Option<f64> {
        let p50 = |times: &Option<ExchangeTimes>| times.as_ref().and_then(|times| times.us_p50);
        let p99 = |times: &Option<ExchangeTimes>| times.as_ref().and_then(|times| times.us_p99);
        let most = |of: fn(&ExchangePeer) -> Option<f64>| {
            let values: Option<Vec<f64>> = exchange.peers.iter().map(of).collect();
            values?.into_iter().reduce(f64::max)
        };
        match self {
            Self::Answered => exchange.answered.map(|count| count as f64),
            Self::NotAnswered => {
                let ends = [exchange.timed_out, exchange.failed, exchange.unanswered];
                ends.into_iter().sum::<Option<u64>>().map(|count| count as f64)
            }
            Self::ExchangeResidual => exchange.residual.map(|residual| residual as f64),
            Self::RoundRate => exchange.rounds_per_s,
            Self::FirstRound => exchange.first_us,
            Self::ResponseP50 => p50(&exchange.response),
            Self::ResponseP99 => p99(&exchange.response),
            Self::IntendedP99 => p99(&exchange.intended),
            // With one answerer a round is its exchange.
            Self::RoundP50 => p50(&exchange.round).or_else(|| p50(&exchange.response)),
            Self::RoundP99 => p99(&exchange.round).or_else(|| p99(&exchange.response)),
            Self::StragglerFraction => exchange.straggler_fraction,
            Self::PacketsPerResponse => most(|peer| peer.packets_per_response),
            Self::AcknowledgementsPerResponse => most(|peer| peer.acknowledgements_per_response),
            Self::ResponseRetransmits => {
                let counts: Option<u64> = exchange.peers.iter().map(|peer| peer.retransmits).sum();
                counts.map(|count| count as f64)
            }
            _ => None,
        }
    }
}
