//! Measured beside simulated: how far the records of one scenario from two worlds agree, figure by figure.
//!
//! A disagreement is `simulated / measured - 1`. Its error is half of the 95 % confidence interval, as far as it
//! is known: Student's t over replicas, and for lost fractions the normal approximation of the binomial distribution, or three in
//! so many messages where none was lost (the "rule of three"). Losses come in runs, so that of a binomial is a
//! lower bound; and what a model leaves out is in neither. It judges nothing: no disagreement is too large here.

use std::collections::BTreeMap;

use crate::record::{Flow, Messages, Record, ReplicaFigure};
use crate::scenario::Metric;

/// A measured record and a simulated one of the same scenario and variant.
#[derive(Clone, Debug, PartialEq)]
pub struct Agreement {
    /// Which of the records was measured.
    pub measured: usize,
    /// Which of them was simulated.
    pub simulated: usize,
    /// Every figure that both have: those of the whole first, then flow by flow, then queue by queue.
    pub figures: Vec<AgreedFigure>,
    /// The largest disagreement over goodputs, or over the rates of a readout without flows; none where no such
    /// figure can be compared.
    pub largest: Option<LargestDisagreement>,
}

/// One figure in both worlds.
#[derive(Clone, Debug, PartialEq)]
pub struct AgreedFigure {
    /// Which figure; [`Metric::QueueDropped`] is of one queue.
    pub metric: Metric,
    /// Of which flow or queue; none for the whole.
    pub of: Option<String>,
    /// What was measured, in the unit of the metric.
    pub measured: f64,
    /// What was simulated; with replicas their mean.
    pub simulated: f64,
    /// `simulated / measured - 1`; 0 where both are 0, none where only the measured one is.
    pub disagreement: Option<f64>,
    /// Half of the 95 % confidence interval of the disagreement; none where nothing is known of it.
    pub error: Option<f64>,
    /// Where the error is from.
    pub error_from: ErrorFrom,
    /// What the scenario expects of it, as it says so: `= 1Gbit/s, give or take 0.05 of it`.
    pub expected: Option<String>,
    /// Where that comes from: a paper, or a formula.
    pub source: Option<String>,
}

/// Where the error of a disagreement is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorFrom {
    /// Not known: one run in each world, of something that has no simple distribution.
    Nothing,
    /// The simulation's replicas: so many.
    Replicas(u32),
    /// The binomial distribution of lost messages, in both worlds.
    Binomial,
    /// Replicas of the simulation, and the binomial distribution of what was measured.
    ReplicasAndBinomial(u32),
}

/// The agreement as a number.
#[derive(Clone, Debug, PartialEq)]
pub struct LargestDisagreement {
    /// Of which figure.
    pub metric: Metric,
    /// Of which flow; none for the whole.
    pub of: Option<String>,
    /// Its disagreement, with its sign.
    pub disagreement: f64,
    /// Its error, where that is known.
    pub error: Option<f64>,
    /// Over how many figures it is the largest.
    pub figures: usize,
}

/// The agreement of every measured record with the simulated one of the same scenario and variant; of several
/// such the one with most replicas, and the first of these.
#[must_use]
pub fn agreements(records: &[&Record]) -> Vec<Agreement> {
    let measured = records.iter().enumerate().filter(|(_, record)| MEASURED.contains(&record.world.as_str()));
    let with_its_simulation = measured.filter_map(|(index, record)| {
        let simulated = simulation_of(record, records)?;
        let figures = figures(record, records[simulated]);
        let largest = largest(&figures);
        Some(Agreement { measured: index, simulated, figures, largest })
    });
    with_its_simulation.filter(|agreement| !agreement.figures.is_empty()).collect()
}

fn simulation_of(measured: &Record, records: &[&Record]) -> Option<usize> {
    let name = |record: &Record| (record.scenario.name.clone(), record.scenario.variant.clone());
    let is_same = |record: &Record| {
        record.world == SIMULATED && !record.scenario.name.is_empty() && name(record) == name(measured)
    };
    let replicas = |record: &Record| {
        let figures = record.simulation.iter().flat_map(|simulation| &simulation.replicas);
        figures.map(|figure| figure.replicas).max().unwrap_or(0)
    };
    let found = records.iter().enumerate().filter(|(_, record)| is_same(record));
    found.min_by_key(|(index, record)| (std::cmp::Reverse(replicas(record)), *index)).map(|(index, _)| index)
}

/// Every figure that both records know.
fn figures(measured: &Record, simulated: &Record) -> Vec<AgreedFigure> {
    let mut figures: Vec<AgreedFigure> =
        OF_THE_WHOLE.into_iter().filter_map(|metric| of_the_whole(metric, measured, simulated)).collect();
    let flows: BTreeMap<&str, &Flow> =
        simulated.flows.iter().rev().map(|flow| (flow.name.as_str(), flow)).collect();
    for flow in &measured.flows {
        let Some(same) = flows.get(flow.name.as_str()) else { continue };
        figures.extend(OF_A_FLOW.into_iter().filter_map(|metric| of_a_flow(metric, flow, same)));
    }
    figures.extend(queues(measured, simulated));
    for figure in &mut figures {
        expect(figure, measured, simulated);
    }
    figures
}

fn of_the_whole(metric: Metric, measured: &Record, simulated: &Record) -> Option<AgreedFigure> {
    let was = Known {
        value: metric.of_record(measured)?,
        half_width: binomial(metric, &measured.totals.messages),
        replicas: None,
    };
    let replicated = replicas(simulated, metric);
    let is = match replicated {
        Some(figure) => Known {
            value: figure.mean,
            half_width: figure.half_width,
            replicas: figure.half_width.map(|_| figure.replicas),
        },
        None => Known {
            value: metric.of_record(simulated)?,
            half_width: binomial(metric, &simulated.totals.messages),
            replicas: None,
        },
    };
    Some(figure(metric, None, &was, &is))
}

/// The figure over replicas, where there are several.
fn replicas(record: &Record, metric: Metric) -> Option<&ReplicaFigure> {
    let mut figures = record.simulation.iter().flat_map(|simulation| &simulation.replicas);
    figures.find(|figure| figure.name == metric.name() && figure.replicas > 1 && figure.mean.is_finite())
}

fn of_a_flow(metric: Metric, measured: &Flow, simulated: &Flow) -> Option<AgreedFigure> {
    let known = |flow: &Flow| {
        let value = metric.of_flow(flow)?;
        Some(Known { value, half_width: binomial(metric, &flow.messages), replicas: None })
    };
    Some(figure(metric, Some(measured.name.clone()), &known(measured)?, &known(simulated)?))
}

/// Packets that each queue dropped, of those that dropped any in either world.
fn queues(measured: &Record, simulated: &Record) -> Vec<AgreedFigure> {
    let dropped = |record: &Record| -> BTreeMap<String, u64> {
        let cables = record.network.iter().flat_map(|network| &network.cables);
        let queues = cables.flat_map(|cable| &cable.queues);
        queues.map(|queue| (queue.place.clone(), queue.dropped_packets)).collect()
    };
    let simulated = dropped(simulated);
    let in_both = dropped(measured).into_iter().filter_map(|(place, was)| {
        let is = *simulated.get(&place)?;
        (was > 0 || is > 0).then_some((place, was, is))
    });
    let known = |packets: u64| Known { value: of_count(packets), half_width: None, replicas: None };
    in_both
        .map(|(place, was, is)| figure(Metric::QueueDropped, Some(place), &known(was), &known(is)))
        .collect()
}

/// A value, and half of the 95 % interval around it.
struct Known {
    value: f64,
    half_width: Option<f64>,
    replicas: Option<u32>,
}

fn figure(metric: Metric, of: Option<String>, measured: &Known, simulated: &Known) -> AgreedFigure {
    let (was, is) = (measured.value, simulated.value);
    let ratio = (was != 0.0).then(|| is / was).filter(|ratio| ratio.is_finite());
    let disagreement = if was == 0.0 && is == 0.0 { Some(0.0) } else { ratio.map(|ratio| ratio - 1.0) };
    let error_from = match (simulated.replicas, measured.half_width, simulated.half_width) {
        (Some(replicas), Some(_), _) => ErrorFrom::ReplicasAndBinomial(replicas),
        (Some(replicas), None, _) => ErrorFrom::Replicas(replicas),
        (None, None, None) => ErrorFrom::Nothing,
        (None, ..) => ErrorFrom::Binomial,
    };
    // Of a ratio, to first order; with absolute widths, so that a simulated 0 has an error too.
    let width = |known: &Known| known.half_width.unwrap_or(0.0);
    let error = ratio.filter(|_| error_from != ErrorFrom::Nothing).map(|ratio| {
        let of_simulated = width(simulated) / was;
        let of_measured = ratio * width(measured) / was;
        of_simulated.hypot(of_measured)
    });
    let error = error.filter(|error| error.is_finite());
    let error_from = if error.is_some() { error_from } else { ErrorFrom::Nothing };
    AgreedFigure {
        metric,
        of,
        measured: was,
        simulated: is,
        disagreement,
        error,
        error_from,
        expected: None,
        source: None,
    }
}

/// Half of the 95 % interval of a lost fraction, were messages lost one by one.
fn binomial(metric: Metric, messages: &Messages) -> Option<f64> {
    let sent = messages.sent.filter(|sent| *sent > 0 && metric == Metric::LostFraction)?;
    let lost = messages.lost?.min(sent);
    let (sent, part) = (of_count(sent), of_count(lost) / of_count(sent));
    Some(if lost == 0 { (3.0 / sent).min(1.0) } else { Z_95 * (part * (1.0 - part) / sent).sqrt() })
}

/// The expectation of the same figure, from whichever record has one.
fn expect(figure: &mut AgreedFigure, measured: &Record, simulated: &Record) {
    let begin = format!("{} of {} ", figure.metric.name(), figure.of.as_deref().unwrap_or("all flows"));
    let expectations = simulated.expectations.iter().chain(&measured.expectations);
    let found = expectations.filter_map(|expectation| {
        let limits = expectation.expected.strip_prefix(&begin)?;
        Some((limits.to_owned(), expectation.source.clone()))
    });
    if let Some((limits, source)) = found.into_iter().next() {
        (figure.expected, figure.source) = (Some(limits), source);
    }
}

fn largest(figures: &[AgreedFigure]) -> Option<LargestDisagreement> {
    let of = |metrics: &[Metric]| -> Vec<&AgreedFigure> {
        let meant = figures.iter().filter(|figure| metrics.contains(&figure.metric));
        meant.filter(|figure| figure.disagreement.is_some()).collect()
    };
    let goodputs = of(&[Metric::Goodput]);
    let meant = if goodputs.is_empty() { of(&[Metric::EventRate, Metric::BuiltRate]) } else { goodputs };
    let size = |figure: &AgreedFigure| figure.disagreement.unwrap_or(0.0).abs();
    let found =
        meant.iter().copied().reduce(|most, next| if size(next) > size(most) { next } else { most })?;
    Some(LargestDisagreement {
        metric: found.metric,
        of: found.of.clone(),
        disagreement: found.disagreement?,
        error: found.error,
        figures: meant.len(),
    })
}

#[expect(clippy::cast_precision_loss, reason = "for ratios: 53 bits are enough")]
fn of_count(count: u64) -> f64 {
    count as f64
}

/// Worlds whose numbers a kernel made.
const MEASURED: [&str; 3] = ["lab", "run", "launch"];
/// The world whose numbers were computed.
const SIMULATED: &str = "sim";
/// Of the normal distribution, two-sided.
const Z_95: f64 = 1.959_964;

/// Figures of the whole that mean the same in both worlds. Counts are not among them: a run is longer or shorter.
const OF_THE_WHOLE: [Metric; 18] = [
    Metric::Goodput,
    Metric::OfferedLoad,
    Metric::LostFraction,
    Metric::Fairness,
    Metric::Throughput,
    Metric::ThroughputFraction,
    Metric::EventRate,
    Metric::BuiltRate,
    Metric::Incomplete,
    Metric::EventsLost,
    Metric::DeadTime,
    Metric::LatencyP50,
    Metric::LatencyP99,
    Metric::LatencyP999,
    Metric::RequestP50,
    Metric::FirstRequestP50,
    Metric::NodeFairness,
    Metric::Overlap,
];
/// Figures of a flow.
const OF_A_FLOW: [Metric; 4] =
    [Metric::Goodput, Metric::OfferedLoad, Metric::LostFraction, Metric::RoundTripMedian];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{
        Expectation, Network, NetworkCable, QueueReport, Readout, ScenarioSummary, Simulation, Totals,
    };

    fn flow(name: &str, goodput: f64, sent: u64, lost: u64) -> Flow {
        Flow {
            name: name.into(),
            goodput_bits_per_s: Some(goodput),
            lost_fraction: Some(of_count(lost) / of_count(sent)),
            messages: Messages { sent: Some(sent), lost: Some(lost), ..Messages::default() },
            ..Flow::default()
        }
    }

    fn record(world: &str, goodputs: [f64; 2], lost: u64) -> Record {
        let queue = QueueReport {
            place: "port of main to x".into(),
            dropped_packets: lost,
            ..QueueReport::default()
        };
        Record {
            world: world.into(),
            scenario: ScenarioSummary { name: "sheet".into(), ..ScenarioSummary::default() },
            flows: vec![flow("y", goodputs[0], 1_000, lost), flow("z", goodputs[1], 1_000, 0)],
            totals: Totals {
                goodput_bits_per_s: Some(goodputs[0] + goodputs[1]),
                lost_fraction: Some(of_count(lost) / 2_000.0),
                messages: Messages { sent: Some(2_000), lost: Some(lost), ..Messages::default() },
                ..Totals::default()
            },
            network: Some(Network {
                cables: vec![NetworkCable { queues: vec![queue], ..NetworkCable::default() }],
                ..Network::default()
            }),
            ..Record::default()
        }
    }

    fn find<'a>(agreement: &'a Agreement, metric: Metric, of: Option<&str>) -> &'a AgreedFigure {
        let found =
            agreement.figures.iter().find(|figure| (figure.metric, figure.of.as_deref()) == (metric, of));
        found.unwrap_or_else(|| panic!("{metric:?} of {of:?} in {agreement:#?}"))
    }

    #[test]
    fn the_largest_disagreement_of_a_goodput_is_the_agreement() {
        let (lab, sim) = (record("lab", [100.0, 100.0], 250), record("sim", [98.0, 101.0], 500));
        let found = agreements(&[&sim, &lab]);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].measured, found[0].simulated), (1, 0));
        let largest = found[0].largest.as_ref().unwrap();
        assert_eq!((largest.metric, largest.of.as_deref(), largest.figures), (Metric::Goodput, Some("y"), 3));
        assert!((largest.disagreement + 0.02).abs() < 1e-12 && largest.error.is_none());
        let dropped = find(&found[0], Metric::QueueDropped, Some("port of main to x"));
        assert_eq!((dropped.measured, dropped.simulated, dropped.disagreement), (250.0, 500.0, Some(1.0)));
    }

    #[test]
    fn a_lost_fraction_has_the_error_of_a_binomial() {
        let (lab, sim) = (record("lab", [1.0; 2], 500), record("sim", [1.0; 2], 500));
        let found = agreements(&[&lab, &sim]);
        // p = 1/4 of 2000: 1.96 sqrt(3/16 / 2000) = 0.018977, twice in quadrature over 1/4.
        let loss = find(&found[0], Metric::LostFraction, None);
        assert_eq!((loss.disagreement, loss.error_from), (Some(0.0), ErrorFrom::Binomial));
        assert!((loss.error.unwrap() - 0.018_977 * 2_f64.sqrt() / 0.25).abs() < 1e-5, "{loss:?}");
        // Nothing lost in either world agrees, and has no relative error.
        let none = find(&found[0], Metric::LostFraction, Some("z"));
        assert_eq!((none.disagreement, none.error), (Some(0.0), None));
    }

    #[test]
    fn nothing_lost_in_one_world_is_bounded_by_the_rule_of_three() {
        let (lab, sim) = (record("lab", [1.0; 2], 20), record("sim", [1.0; 2], 0));
        let found = agreements(&[&lab, &sim]);
        let loss = find(&found[0], Metric::LostFraction, None);
        // 3 in 2000 over a loss of 1 %.
        assert_eq!(loss.disagreement, Some(-1.0));
        assert!((loss.error.unwrap() - 0.15).abs() < 1e-12, "{loss:?}");
        let back = agreements(&[&record("lab", [1.0; 2], 0), &record("sim", [1.0; 2], 20)]);
        let loss = find(&back[0], Metric::LostFraction, None);
        assert_eq!((loss.disagreement, loss.error, loss.error_from), (None, None, ErrorFrom::Nothing));
    }

    #[test]
    fn replicas_give_their_mean_and_their_interval() {
        let (lab, mut sim) = (record("lab", [50.0, 50.0], 0), record("sim", [50.0, 50.0], 0));
        let figure = |mean, replicas| ReplicaFigure {
            name: "goodput_bits_per_s".into(),
            replicas,
            mean,
            half_width: Some(4.0),
            ..ReplicaFigure::default()
        };
        let other = sim.clone();
        sim.simulation = Some(Simulation { replicas: vec![figure(102.0, 20)], ..Simulation::default() });
        let found = agreements(&[&other, &lab, &sim]);
        assert_eq!(found[0].simulated, 2, "the one with replicas");
        let goodput = find(&found[0], Metric::Goodput, None);
        assert_eq!((goodput.simulated, goodput.error_from), (102.0, ErrorFrom::Replicas(20)));
        assert!((goodput.disagreement.unwrap() - 0.02).abs() < 1e-12);
        assert!((goodput.error.unwrap() - 0.04).abs() < 1e-12);
    }

    #[test]
    fn an_expectation_stands_beside_its_figure_with_its_source() {
        let (lab, mut sim) = (record("lab", [1.0; 2], 1), record("sim", [1.0; 2], 1));
        let expectation = |expected: &str| Expectation {
            expected: expected.into(),
            source: Some("a paper".into()),
            ..Expectation::default()
        };
        sim.expectations = vec![
            expectation("goodput_bits_per_s of all flows >= 1Mbit/s"),
            expectation("lost_fraction of y = 0.1"),
        ];
        let found = agreements(&[&lab, &sim]);
        let said = |metric, of| {
            let figure = find(&found[0], metric, of);
            (figure.expected.clone(), figure.source.clone())
        };
        assert_eq!(said(Metric::Goodput, None), (Some(">= 1Mbit/s".into()), Some("a paper".into())));
        assert_eq!(said(Metric::LostFraction, Some("y")).0.as_deref(), Some("= 0.1"));
        assert_eq!(said(Metric::Goodput, Some("y")), (None, None));
    }

    #[test]
    fn only_the_same_scenario_in_two_worlds_is_compared() {
        let lab = record("lab", [1.0; 2], 1);
        let mut other = record("sim", [1.0; 2], 1);
        assert_eq!(agreements(&[&lab, &lab]), []);
        other.scenario.variant = Some("small".into());
        assert_eq!(agreements(&[&lab, &other]), []);
        other.scenario.variant = None;
        other.scenario.name = String::new();
        let mut nameless = lab.clone();
        nameless.scenario.name = String::new();
        assert_eq!(agreements(&[&nameless, &other]), []);
        assert_eq!(agreements(&[&lab, &Record { world: "sim".into(), ..Record::default() }]), []);
    }

    #[test]
    fn a_readout_without_flows_is_compared_by_its_rates() {
        let built = |world: &str, rate| Record {
            flows: Vec::new(),
            totals: Totals::default(),
            network: None,
            readout: Some(Readout { event_rate_per_s: Some(rate), ..Readout::default() }),
            ..record(world, [1.0; 2], 0)
        };
        let found = agreements(&[&built("run", 2_000.0), &built("sim", 1_900.0)]);
        let largest = found[0].largest.as_ref().unwrap();
        assert_eq!((largest.metric, largest.of.as_ref()), (Metric::EventRate, None));
        assert!((largest.disagreement + 0.05).abs() < 1e-12);
    }
}
