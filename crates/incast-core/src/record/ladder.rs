//! A ladder: the same flow with one optimisation after the other, and what each is worth.

use serde::{Deserialize, Serialize};

plain_data! {
    /// Rungs that were measured in turn, again and again.
    pub struct Ladder {
        /// How often every rung was measured.
        pub rounds: u32,
        /// Probability that the ranges of two rungs that are alike lie apart, so many rounds each: 2 over the
        /// binomial coefficient of twice the rounds over the rounds. Null below two rounds.
        pub apart_by_chance: Option<f64>,
        /// Changes of all rungs and figures that were held against each other's ranges.
        pub changes_judged: u32,
        /// How many of these would lie apart by chance if no rung changed anything. Null where none was judged.
        pub apart_by_chance_expected: Option<f64>,
        /// Every rung, in the order of the scenario; the first is the scenario as it stands.
        pub rungs: Vec<LadderRung>,
    }

    /// The flow with some of its settings replaced.
    pub struct LadderRung {
        /// What it is called; `base` is the scenario as it stands.
        pub name: String,
        /// The rung that it is compared with; null for `base`.
        pub against: Option<String>,
        /// What is replaced, as the scenario writes it.
        pub settings: Vec<String>,
        /// Why it could not be measured: a setting that this machine or device does not have; null otherwise.
        pub lacking: Option<String>,
        /// What the kernel refused of its settings, or gave less of, each in a sentence: the figures are without it.
        pub refused: Vec<String>,
        /// Trials that were measured.
        pub trials: u32,
        /// Payload delivered once, bits per second.
        pub goodput_bits_per_s: LadderFigure,
        /// Lost over sent, 0 to 1.
        pub lost_fraction: LadderFigure,
        /// CPU of sender and receiver, user and system, per byte delivered.
        pub cpu_ns_per_byte: LadderFigure,
        /// The same per message delivered.
        pub cpu_ns_per_message: LadderFigure,
        /// Interrupts of the whole machine per message delivered.
        pub interrupts_per_message: LadderFigure,
        /// Soft interrupts of the network (NET_TX and NET_RX), of the whole machine, per message delivered.
        pub softirqs_per_message: LadderFigure,
    }

    /// One figure of a rung over its trials.
    pub struct LadderFigure {
        /// Median.
        pub median: Option<f64>,
        /// Smallest.
        pub least: Option<f64>,
        /// Largest.
        pub most: Option<f64>,
        /// Against the other rung: the median over the rounds of the ratio of both, less 1; of the lost
        /// fraction, of their difference. Null for `base`, and where one is not known or 0.
        pub change: Option<f64>,
        /// Whether all trials of this rung lie on one side of all trials of the other: the change is not noise.
        /// Null with fewer than two trials of either.
        pub is_apart: Option<bool>,
        /// The value of every trial, in the order of the rounds; null where it is not known.
        pub values: Vec<Option<f64>>,
    }
}
