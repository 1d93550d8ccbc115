//! What many runs of one scenario came to, schema `incast.campaign/1`: plain data, written beside the database of
//! the runs, or made from it at any time.
//!
//! It is computed by [`crate::campaign`]. Fractions are of 1; `one_in` is the same as one message in so many.

use serde::{Deserialize, Serialize};

use super::{Build, Expectation, Host, ReplicaFigure, ScenarioSummary, Verdict};
use crate::caveat::Caveat;

/// The schema that this build writes.
pub const CAMPAIGN_SCHEMA: &str = "incast.campaign/1";

plain_data! {
    /// Many runs of one scenario, and what they came to.
    pub struct Campaign {
        /// Always `incast.campaign/1`.
        pub schema: String,
        /// The program that played it: all runs of a campaign are of one build.
        pub incast: Build,
        /// Where the runs took place: `run`, `lab` or `sim`.
        pub world: String,
        /// When the first run began, UTC, RFC 3339.
        pub started_at: Option<String>,
        /// When the last one ended.
        pub ended_at: Option<String>,
        /// What was asked for; the seed is that of the first run.
        pub scenario: ScenarioSummary,
        /// The host that this was written on.
        pub host: Host,
        /// How many runs were asked for, and when it is enough.
        pub asked: CampaignAsked,
        /// `all` (the runs that were asked for), `precise` (precise enough before), `stopped` (by somebody), `failures` (too many)
        /// or `unfinished` (it is under way, or was killed).
        pub end: String,
        /// Runs that came to their end, over all variants.
        pub runs_finished: u64,
        /// Runs that failed; their number was tried again.
        pub runs_failed: u64,
        /// Runs that were begun and died with the campaign; their number was tried again.
        pub runs_died: u64,
        /// The last failures, with their reasons.
        pub failures: Vec<String>,
        /// One entry for the scenario as it stands and for each of its variants.
        pub variants: Vec<CampaignVariant>,
        /// Every later variant held against the first.
        pub comparisons: Vec<CampaignComparison>,
        /// Doubts.
        pub caveats: Vec<Caveat>,
        /// As of a run: `good`, `missed`, `tainted`, `incomplete` or `interrupted`.
        pub verdict: Verdict,
    }

    /// How many runs, and when it is enough.
    pub struct CampaignAsked {
        /// Runs of each variant.
        pub runs: u64,
        /// Half of the interval over the mean at which it is enough, 0 to 1; null: all runs are played.
        pub precision: Option<f64>,
        /// Confidence of all intervals, 0 to 1.
        pub confidence: f64,
        /// Fewer runs are never enough.
        pub runs_min: u64,
        /// Failed runs that end the campaign.
        pub failures_max: u64,
    }

    /// What the runs of one variant came to.
    pub struct CampaignVariant {
        /// Name of the variant; null for the scenario as it stands.
        pub name: Option<String>,
        /// Runs that came to their end.
        pub runs: u64,
        /// Of these, runs whose numbers a doubt voids.
        pub runs_tainted: u64,
        /// Messages sent in all runs.
        pub sent: u64,
        /// Messages lost in all runs.
        pub lost: u64,
        /// Payload bits of a message, on average.
        pub message_bits: Option<f64>,
        /// Lost over sent, over all runs; null when nothing was sent.
        pub lost_fraction: Option<f64>,
        /// The same as one message in so many; null when nothing was lost.
        pub one_in: Option<f64>,
        /// The interval to be quoted: exact where losses are independent, else by runs with room for heaps.
        pub interval: Option<CampaignInterval>,
        /// Every interval that was computed.
        pub intervals: Vec<CampaignInterval>,
        /// The lost fraction that is not exceeded with the confidence that was asked for, one-sided; by the same reckoning
        /// as the quoted interval.
        pub upper_limit: Option<f64>,
        /// Bit errors per payload bit, were every loss a message with one bit error, which kills it.
        pub bit_error_rate: Option<f64>,
        /// Its upper limit under the same assumption.
        pub bit_error_rate_upper_limit: Option<f64>,
        /// Whether losses scatter as independent ones do; null for too few to tell.
        pub dispersion: Option<CampaignDispersion>,
        /// How the lost fraction of a run is spread.
        pub distribution: CampaignDistribution,
        /// Peaks of that, by rising fraction.
        pub peaks: Vec<CampaignPeak>,
        /// The comb that most peaks make, if they do.
        pub comb: Option<CampaignComb>,
        /// Where messages died, over all runs, most first; empty where nothing told.
        pub stages: Vec<CampaignStage>,
        /// Lost messages that no stage of the ledger explains, over the runs that have one; null where none has.
        pub unexplained: Option<i64>,
        /// Whether the lost fraction drifts with time; null for too few runs to tell.
        pub drift: Option<CampaignDrift>,
        /// Every figure of a run with its mean and interval (95 %, Student's t), without the single values.
        pub figures: Vec<ReplicaFigure>,
        /// What was expected, judged by the mean over the runs.
        pub expectations: Vec<Expectation>,
        /// Each kind of doubt that runs had: in how many, and what it said in the first of them.
        pub doubts: Vec<Caveat>,
        /// Lost fraction of each run in the order of their numbers, bounded at 10 000.
        pub lost_fractions: Vec<f64>,
    }

    /// An interval of the lost fraction.
    pub struct CampaignInterval {
        /// `clopper-pearson`, `garwood` (both take losses for independent), `student` (by runs) or `heaps` (by runs, with
        /// room for one more heap).
        pub method: String,
        /// At least.
        pub from: f64,
        /// At most.
        pub to: f64,
    }

    /// Whether losses scatter as independent ones do.
    pub struct CampaignDispersion {
        /// Variance of the runs' counts over that of independent losses.
        pub index: f64,
        /// Degrees of freedom.
        pub freedom: u64,
        /// Probability that independent losses scatter so much or more.
        pub p: f64,
        /// `over`, `under` or `independent`.
        pub judged: String,
    }

    /// How the lost fraction of a run is spread.
    pub struct CampaignDistribution {
        /// Runs that lost nothing.
        pub runs_without_loss: u64,
        /// Mean over the runs, each weighing the same.
        pub mean: Option<f64>,
        /// Smallest.
        pub least: Option<f64>,
        /// A quarter of the runs lost at most this.
        pub quarter: Option<f64>,
        /// Half of the runs.
        pub median: Option<f64>,
        /// Three quarters of them.
        pub three_quarters: Option<f64>,
        /// Nine in ten.
        pub p90: Option<f64>,
        /// Ninety-nine in a hundred.
        pub p99: Option<f64>,
        /// Largest.
        pub most: Option<f64>,
        /// Runs in equal parts from the least to the most; empty when all are the same.
        pub bins: Vec<CampaignBin>,
    }

    /// Runs whose lost fraction lies in one part.
    pub struct CampaignBin {
        /// From this on.
        pub from: f64,
        /// Up to this, which belongs to the next part (that of the last one to the last).
        pub to: f64,
        /// Runs.
        pub runs: u64,
    }

    /// A peak of the distribution.
    pub struct CampaignPeak {
        /// Mean lost fraction of the runs in its upper half.
        pub fraction: f64,
        /// The same as one message in so many; null for the peak of runs that lost nothing.
        pub one_in: Option<f64>,
        /// Its valleys: runs from here on,
        pub from: f64,
        /// up to here are its own.
        pub to: f64,
        /// How many they are.
        pub runs: u64,
        /// Its height over the higher valley, in standard deviations of counting.
        pub significance: f64,
        /// Where messages of its runs died, most first.
        pub stages: Vec<CampaignStage>,
    }

    /// Messages that died at one stage.
    pub struct CampaignStage {
        /// The stage of the ledger.
        pub stage: String,
        /// Where that is.
        pub place: String,
        /// Messages that died there.
        pub messages: u64,
        /// Packets that died there, of every kind.
        pub packets: u64,
        /// Runs in which a message died there.
        pub runs: u64,
        /// Messages over all that died in these runs, 0 to 1; null when none did.
        pub share: Option<f64>,
    }

    /// Peaks at equal distances.
    pub struct CampaignComb {
        /// Lost fraction of its first tooth.
        pub offset: f64,
        /// From tooth to tooth.
        pub spacing: f64,
        /// How many peaks lie on it.
        pub teeth: u64,
    }

    /// Whether the lost fraction drifts with the number of the run.
    pub struct CampaignDrift {
        /// Kendall's tau, -1 to 1.
        pub tau: f64,
        /// Probability that chance gives so much or more, either way (Mann-Kendall).
        pub p: f64,
        /// `rising`, `falling` or `none`.
        pub judged: String,
        /// Mean lost fraction of the runs of the first half.
        pub first_half: f64,
        /// Of those of the second.
        pub second_half: f64,
        /// Second less first with its interval (Welch's t); null where it cannot be told.
        pub difference: Option<CampaignInterval>,
    }

    /// Two variants held against each other.
    pub struct CampaignComparison {
        /// The later one; null for the scenario as it stands.
        pub variant: Option<String>,
        /// That it is held against.
        pub against: Option<String>,
        /// Lost fraction over that of the other; null when the other lost nothing.
        pub ratio: Option<f64>,
        /// Interval of the ratio, exact if losses are independent (conditional binomial, Przyborowski and Wilenski 1940). Its upper end
        /// is null when it has none.
        pub ratio_from: Option<f64>,
        /// Its upper end.
        pub ratio_to: Option<f64>,
        /// Mean over the runs less that of the other.
        pub difference: f64,
        /// Interval of the difference by runs (Welch's t), which holds however losses scatter; null for too few runs.
        pub difference_interval: Option<CampaignInterval>,
        /// `more`, `less` or `alike`: by the interval of the ratio if losses of both are independent, else by that of the
        /// difference.
        pub judged: String,
    }
}
