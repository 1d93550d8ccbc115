//! A ladder of optimisations: trials of several rungs, interleaved, put together into what each is worth.
//!
//! Rungs are measured in turn, round after round, and compared round by round: what the machine does slowly
//! (heat, other work) meets both. A change counts as one when the ranges of both rungs lie apart, which two rungs
//! that are alike do with a probability of 2 over the binomial coefficient (2n, n): 0.8 % for five rounds. This is
//! the extreme case of the rank-sum test of Wilcoxon (1945) and Mann and Whitney (1947). A ladder has many changes, so
//! that some lie apart by chance: how many is said beside them, and more rounds make them fewer.

use crate::caveat::{Caveat, CaveatKind};
use crate::record::{Ladder, LadderFigure, LadderRung, Record};

/// A rung that is to be measured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rung {
    /// Its name; the first one's is that of the scenario as it stands.
    pub name: String,
    /// Index of the rung that it is compared with; none for the first.
    pub against: Option<usize>,
    /// What is replaced.
    pub settings: Vec<String>,
    /// Why it cannot be measured.
    pub lacking: Option<String>,
    /// What the kernel refused of its settings, as [`refusals`] says it.
    pub refused: Vec<String>,
}

/// What one trial measured.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Trial {
    goodput_bits_per_s: Option<f64>,
    lost_fraction: Option<f64>,
    cpu_ns_per_byte: Option<f64>,
    cpu_ns_per_message: Option<f64>,
    interrupts_per_message: Option<f64>,
    softirqs_per_message: Option<f64>,
}

impl Trial {
    /// What the record of a trial says. Costs are those of all flows, by what all of them delivered.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts of one run, to be divided")]
    pub fn of(record: &Record) -> Self {
        let totals = &record.totals;
        let messages =
            totals.messages.unique.filter(|messages| *messages > 0).map(|messages| messages as f64);
        let bytes = totals.delivered_bytes.filter(|bytes| *bytes > 0).map(|bytes| bytes as f64);
        let mut cpu_s = Some(0.0);
        for flow in &record.flows {
            let both = flow.cpu.sender.as_ref().zip(flow.cpu.receiver.as_ref());
            cpu_s = cpu_s.zip(both).map(|(sum, (one, other))| sum + one.total_s() + other.total_s());
        }
        let cpu_ns = cpu_s.filter(|cpu_s| *cpu_s > 0.0).map(|cpu_s| cpu_s * 1e9);
        let over = |what: Option<f64>, by: Option<f64>| what.zip(by).map(|(what, by)| what / by);
        Self {
            goodput_bits_per_s: totals.goodput_bits_per_s,
            lost_fraction: totals.lost_fraction,
            cpu_ns_per_byte: over(cpu_ns, bytes),
            cpu_ns_per_message: over(cpu_ns, messages),
            interrupts_per_message: over(record.host.interrupts.map(|count| count as f64), messages),
            softirqs_per_message: over(record.host.network_softirqs.map(|count| count as f64), messages),
        }
    }
}

/// Puts the trials together: `trials` has for every rung one entry per round, none where it was not measured.
///
/// # Panics
/// When there is no list of trials for a rung.
#[must_use]
pub fn assemble(rungs: &[Rung], trials: &[Vec<Option<Trial>>]) -> Ladder {
    assert_eq!(rungs.len(), trials.len(), "every rung has its trials");
    let rounds = trials.iter().map(Vec::len).max().unwrap_or_default();
    let rounds = u32::try_from(rounds).unwrap_or(u32::MAX);
    let one = |(index, rung): (usize, &Rung)| {
        let own = &trials[index];
        let other = rung.against.map(|against| trials[against].as_slice());
        let figure = |of: fn(&Trial) -> Option<f64>, change: Change| figure(own, other, of, change);
        LadderRung {
            name: rung.name.clone(),
            against: rung.against.map(|against| rungs[against].name.clone()),
            settings: rung.settings.clone(),
            lacking: rung.lacking.clone(),
            refused: rung.refused.clone(),
            trials: u32::try_from(own.iter().flatten().count()).unwrap_or(u32::MAX),
            goodput_bits_per_s: figure(|trial| trial.goodput_bits_per_s, Change::Ratio),
            lost_fraction: figure(|trial| trial.lost_fraction, Change::Difference),
            cpu_ns_per_byte: figure(|trial| trial.cpu_ns_per_byte, Change::Ratio),
            cpu_ns_per_message: figure(|trial| trial.cpu_ns_per_message, Change::Ratio),
            interrupts_per_message: figure(|trial| trial.interrupts_per_message, Change::Ratio),
            softirqs_per_message: figure(|trial| trial.softirqs_per_message, Change::Ratio),
        }
    };
    let rungs: Vec<LadderRung> = rungs.iter().enumerate().map(one).collect();
    let chances: Vec<f64> = rungs.iter().flat_map(|rung| chances(rung, &rungs)).collect();
    Ladder {
        rounds,
        apart_by_chance: by_chance(rounds, rounds),
        changes_judged: u32::try_from(chances.len()).unwrap_or(u32::MAX),
        apart_by_chance_expected: (!chances.is_empty()).then(|| chances.iter().sum()),
        rungs,
    }
}

/// Every figure of a rung.
fn figures(rung: &LadderRung) -> [&LadderFigure; 6] {
    [
        &rung.goodput_bits_per_s,
        &rung.lost_fraction,
        &rung.cpu_ns_per_byte,
        &rung.cpu_ns_per_message,
        &rung.interrupts_per_message,
        &rung.softirqs_per_message,
    ]
}

/// The probability to lie apart by chance of each change that was judged. Where all trials of both came to the same,
/// as with nothing lost, there is nothing that could lie apart.
fn chances(rung: &LadderRung, all: &[LadderRung]) -> Vec<f64> {
    let Some(other) = all.iter().find(|other| Some(&other.name) == rung.against.as_ref()) else {
        return Vec::new();
    };
    let known = |figure: &LadderFigure| u32::try_from(figure.values.iter().flatten().count()).ok();
    let both = figures(rung).into_iter().zip(figures(other));
    let judged = both.filter(|(own, other)| {
        own.is_apart.is_some() && (own.least, own.most, own.least) != (other.most, other.least, own.most)
    });
    judged.filter_map(|(own, other)| by_chance(known(own)?, known(other)?)).collect()
}

/// What the kernel refused of a trial's settings, or gave less of: that trial is not what its rung says.
#[must_use]
pub fn refusals(caveats: &[Caveat]) -> Vec<String> {
    let is_refusal = |kind: CaveatKind| {
        matches!(
            kind,
            CaveatKind::SettingRefused
                | CaveatKind::GsoRefused
                | CaveatKind::GroRefused
                | CaveatKind::BufferSmallerThanAsked
        )
    };
    let mut texts: Vec<String> = Vec::new();
    for caveat in caveats.iter().filter(|caveat| is_refusal(caveat.kind)).take(REFUSALS_MAX) {
        if !texts.contains(&caveat.text) {
            texts.push(caveat.text.clone());
        }
    }
    texts
}

/// The doubts of many trials, each kind once, with how many trials had it.
#[must_use]
pub fn caveats(of_trials: &[Vec<Caveat>]) -> Vec<Caveat> {
    let mut all: Vec<(Caveat, usize)> = Vec::new();
    for caveats in of_trials {
        let mut seen: Vec<CaveatKind> = Vec::new();
        for caveat in caveats.iter().filter(|caveat| is_of_ladder(caveat.kind)) {
            if seen.contains(&caveat.kind) {
                continue;
            }
            seen.push(caveat.kind);
            match all.iter_mut().find(|(first, _)| first.kind == caveat.kind) {
                Some((_, count)) => *count += 1,
                None => all.push((caveat.clone(), 1)),
            }
        }
    }
    let told = |(caveat, count): (Caveat, usize)| {
        let text = format!("in {count} of {} trials; the first: {}", of_trials.len(), caveat.text);
        Caveat { text, ..caveat }
    };
    let mut told: Vec<Caveat> = all.into_iter().map(told).collect();
    told.sort();
    told
}

/// Most refusals of a rung that are told: a flow has some six settings.
const REFUSALS_MAX: usize = 16;

/// A ladder measures the machine: that it is the machine which is full, or drops, is the result.
fn is_of_ladder(kind: CaveatKind) -> bool {
    !matches!(kind, CaveatKind::LabOverloaded | CaveatKind::ReceiverSocketOverflow)
}

/// How two figures are compared.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Ratio,
    Difference,
}

fn figure(
    own: &[Option<Trial>],
    other: Option<&[Option<Trial>]>,
    of: fn(&Trial) -> Option<f64>,
    change: Change,
) -> LadderFigure {
    let values = |trials: &[Option<Trial>]| -> Vec<Option<f64>> {
        trials.iter().map(|trial| trial.as_ref().and_then(of).filter(|value| value.is_finite())).collect()
    };
    let own = values(own);
    let range = range(&own);
    let mut figure = LadderFigure {
        median: median(own.iter().flatten().copied().collect()),
        least: range.map(|(least, _)| least),
        most: range.map(|(_, most)| most),
        ..LadderFigure::default()
    };
    if let Some(other) = other.map(values) {
        let pairs = own.iter().zip(&other).filter_map(|(own, other)| (*own).zip(*other));
        let changes = pairs.filter_map(|(own, other)| match change {
            Change::Ratio => (other > 0.0).then(|| own / other - 1.0),
            Change::Difference => Some(own - other),
        });
        figure.change = median(changes.collect());
        let of_other = self::range(&other);
        // Of one round each, everything lies apart.
        let are_ranges = own.iter().flatten().count() > 1 && other.iter().flatten().count() > 1;
        figure.is_apart = range
            .zip(of_other)
            .filter(|_| are_ranges)
            .map(|((least, most), (below, above))| least > above || most < below);
    }
    figure.values = own;
    figure
}

fn range(values: &[Option<f64>]) -> Option<(f64, f64)> {
    let ends = |ends: Option<(f64, f64)>, value: f64| {
        let (least, most) = ends.unwrap_or((value, value));
        Some((least.min(value), most.max(value)))
    };
    values.iter().flatten().copied().fold(None, ends)
}

/// The middle one; of two, their mean.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        count if count % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}

/// 2 / (n + m over n): with twice n for 2 / (2n over n).
fn by_chance(own: u32, other: u32) -> Option<f64> {
    let part = |k: u32| f64::from(k) / (f64::from(other) + f64::from(k));
    (own >= 2 && other >= 2).then(|| 2.0 * (1..=own).map(part).product::<f64>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Cpu, Flow, Messages};

    fn trial(goodput: f64, lost: f64) -> Option<Trial> {
        Some(Trial { goodput_bits_per_s: Some(goodput), lost_fraction: Some(lost), ..Trial::default() })
    }

    fn rungs() -> [Rung; 3] {
        let rung = |name: &str, against| Rung { name: name.into(), against, ..Rung::default() };
        [rung("base", None), rung("faster", Some(0)), rung("no better", Some(1))]
    }

    #[test]
    fn a_gain_is_one_when_the_ranges_lie_apart() {
        let ladder = assemble(
            &rungs(),
            &[
                vec![trial(100.0, 0.5), trial(110.0, 0.4), trial(90.0, 0.6)],
                vec![trial(200.0, 0.0), trial(210.0, 0.0), trial(190.0, 0.0)],
                vec![trial(209.0, 0.0), trial(189.0, 0.0), None],
            ],
        );
        assert_eq!((ladder.rounds, ladder.apart_by_chance), (3, Some(0.1)));
        // Goodput and loss of one with three rounds each (10 %), goodput of the other with two of three (20 %); that
        // neither lost anything is no change that could lie apart.
        assert_eq!(ladder.changes_judged, 3);
        assert!((ladder.apart_by_chance_expected.unwrap() - 0.4).abs() < 1e-12, "{ladder:?}");
        let [base, faster, same] = &ladder.rungs[..] else { panic!("{ladder:?}") };
        assert_eq!((base.goodput_bits_per_s.median, base.goodput_bits_per_s.change), (Some(100.0), None));
        let gain = &faster.goodput_bits_per_s;
        // Round by round: 2, 1.909, 2.111.
        assert!((gain.change.unwrap() - 1.0).abs() < 1e-9, "{gain:?}");
        assert_eq!((gain.least, gain.most, gain.is_apart), (Some(190.0), Some(210.0), Some(true)));
        assert_eq!(faster.lost_fraction.change, Some(-0.5));
        assert_eq!(faster.lost_fraction.is_apart, Some(true));
        assert_eq!((same.trials, same.goodput_bits_per_s.is_apart), (2, Some(false)));
        assert_eq!(same.against.as_deref(), Some("faster"));
        assert_eq!(same.lost_fraction.is_apart, Some(false), "nothing lost on both sides is no change");
    }

    #[test]
    fn what_was_not_measured_is_unknown() {
        let mut rungs = rungs();
        rungs[1].lacking = Some("no ring".into());
        let ladder = assemble(&rungs, &[vec![trial(1.0, 0.0)], vec![None], vec![trial(2.0, 0.0)]]);
        assert_eq!((ladder.apart_by_chance, ladder.apart_by_chance_expected), (None, None));
        let unknown = LadderFigure { values: vec![None], ..LadderFigure::default() };
        assert_eq!(ladder.rungs[1].goodput_bits_per_s, unknown);
        assert_eq!(ladder.rungs[1].lacking.as_deref(), Some("no ring"));
        assert_eq!(ladder.rungs[2].goodput_bits_per_s.change, None);
        let once = assemble(&rungs, &[vec![trial(1.0, 0.0)], vec![trial(2.0, 0.0)], vec![None]]);
        let gain = &once.rungs[1].goodput_bits_per_s;
        assert_eq!((gain.change, gain.is_apart), (Some(1.0), None), "one round shows no spread");
        assert_eq!(assemble(&[], &[]), Ladder::default());
    }

    #[test]
    fn costs_are_divided_by_what_was_delivered() {
        let mut record = Record::default();
        record.totals.messages = Messages { unique: Some(1_000), ..Messages::default() };
        record.totals.delivered_bytes = Some(100_000);
        record.host.interrupts = Some(500);
        record.host.network_softirqs = Some(2_000);
        let cpu = |user_s: f64| Some(Cpu { user_s, ..Cpu::default() });
        let mut flow = Flow::default();
        (flow.cpu.sender, flow.cpu.receiver) = (cpu(0.001), cpu(0.002));
        record.flows = vec![flow];
        let trial = Trial::of(&record);
        assert!((trial.cpu_ns_per_byte.unwrap() - 30.0).abs() < 1e-9);
        assert!((trial.cpu_ns_per_message.unwrap() - 3_000.0).abs() < 1e-6);
        assert_eq!((trial.interrupts_per_message, trial.softirqs_per_message), (Some(0.5), Some(2.0)));
        // Nothing delivered: nothing to divide by.
        record.totals.messages.unique = Some(0);
        assert_eq!(Trial::of(&record).interrupts_per_message, None);
    }

    #[test]
    fn doubts_are_told_once_with_how_many_trials_had_them() {
        let doubt = |kind, text: &str| Caveat::new(kind, text, "wait");
        let busy = || doubt(CaveatKind::HostBusy, "busy");
        let trials = [
            vec![busy(), busy(), doubt(CaveatKind::LabOverloaded, "full")],
            vec![busy()],
            vec![doubt(CaveatKind::GsoRefused, "refused")],
        ];
        let refused = trials.each_ref().map(|trial| refusals(trial));
        assert_eq!(
            refused,
            [vec![], vec![], vec!["refused".to_owned()]],
            "the others are doubts of other kinds"
        );
        let told = caveats(&trials);
        let texts: Vec<&str> = told.iter().map(|caveat| caveat.text.as_str()).collect();
        assert_eq!(told.len(), 2, "{texts:?}");
        assert!(texts.contains(&"in 2 of 3 trials; the first: busy"), "{texts:?}");
    }
}
