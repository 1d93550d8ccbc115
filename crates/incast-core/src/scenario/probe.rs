//! The `[probe]` table: one flow of the scenario is sent at many sizes and gaps, and its messages are timed.

use super::findings::quoted;
use super::flows::SPAN_MAX;
use super::model::{FlowPlan, Scenario};
use super::reader::Reader;
use crate::load::{Spacing, Transport};
use crate::probe::sweep::{LEAD, WARM_UP_MESSAGES_MAX};
use crate::probe::values::{Axis as _, Values};
use crate::probe::{ProbeStream, ProbeSweep, SweepPoint};
use crate::time::Span;
use crate::units::{Bytes, SPAN_EXAMPLES};
use crate::wire::probe::PROBE_MESSAGE_BYTES_MIN;

/// What a scenario probes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbePlan {
    /// Name of the flow whose messages are timed; the others are sent beside it as they stand.
    pub flow: String,
    /// At which points.
    pub sweep: ProbeSweep,
}

/// Reads the `[probe]` table, if there is one, when every flow is known.
pub(super) fn read(scenario: &mut Reader<'_, '_>, flows: &[FlowPlan], seed: u64) -> Option<ProbePlan> {
    let (table, header) = scenario.table("probe")?;
    if scenario.has("search") {
        scenario.fault(
            "probe",
            "a scenario has a [search] or a [probe], not both: each plays its flows many times",
        );
    }
    let mut reader = Reader::open(table, "[probe]", header, KEYS, scenario.findings);
    let flow = probed(&mut reader, flows);
    let sizes: Option<Values<Bytes>> = reader.quantity("message", Bytes::EXAMPLES);
    let gaps: Option<Values<Span>> = reader.quantity("gap", Span::EXAMPLES);
    reader.require("gap", "time between messages, for example gap = \"10us..100us+10us\"");
    let own = || flow.map_or(1024, |flow| flow.message_bytes);
    let message_bytes = sizes.map_or_else(|| vec![own()], |sizes| checked_sizes(&mut reader, &sizes));
    let messages = reader.integer("messages", 1..=1_000_000_000);
    let duration = reader.quantity_within("duration", SPAN_EXAMPLES, [Span::from_ms(1), SPAN_MAX]);
    let sweep = ProbeSweep {
        message_bytes,
        gaps: gaps.map_or_else(|| vec![Span::ZERO], |gaps| gaps.0),
        repetitions: reader.small("repetitions", 1..=1_000).unwrap_or(1),
        warm_up_messages: reader.integer("warm_up", 0..=WARM_UP_MESSAGES_MAX).unwrap_or(WARM_UP_DEFAULT),
        messages,
        duration: duration.or_else(|| messages.is_none().then_some(DURATION_DEFAULT)),
        seed,
    };
    if let Some(fault) = sweep.fault() {
        reader.fault("gap", fault);
    }
    Some(ProbePlan { flow: flow.map(|flow| flow.name.clone()).unwrap_or_default(), sweep })
}

/// The flow that is probed: the one that is named, or the only one.
fn probed<'f>(reader: &mut Reader<'_, '_>, flows: &'f [FlowPlan]) -> Option<&'f FlowPlan> {
    let named = reader.text("flow").map(|name| (*name.get_ref()).to_owned());
    let flow = match (&named, flows) {
        (Some(name), _) => flows.iter().find(|flow| flow.name == *name),
        (None, [only]) => Some(only),
        (None, _) => {
            let message =
                format!("`flow` is missing in [probe]: which of the {} flows is timed?", flows.len());
            reader.fault("flow", message);
            return None;
        }
    };
    let Some(flow) = flow else {
        let name = quoted(named.as_deref().unwrap_or_default());
        reader.fault(
            "flow",
            format!(
                "there is no flow {name}; a flow of several senders is named with its sender: flow/sender"
            ),
        );
        return None;
    };
    if flow.transport != Transport::Udp || flow.streams != 1 || flow.spacing != Spacing::Fixed {
        let message = format!(
            "flow {} cannot be probed: it needs transport = \"udp\", one stream and fixed spacing",
            quoted(&flow.name)
        );
        reader.fault("flow", message);
    }
    Some(flow)
}

fn checked_sizes(reader: &mut Reader<'_, '_>, sizes: &Values<Bytes>) -> Vec<u32> {
    let most = Transport::Udp.message_bytes_max();
    let fits = |size: &Bytes| {
        u32::try_from(size.0).ok().filter(|bytes| (PROBE_MESSAGE_BYTES_MIN..=most).contains(bytes))
    };
    if let Some(wrong) = sizes.0.iter().find(|size| fits(size).is_none()) {
        let message = format!(
            "`message` has {wrong}; allowed: {PROBE_MESSAGE_BYTES_MIN}B to {most}B, a head and a departure at least"
        );
        reader.fault("message", message);
    }
    sizes.0.iter().filter_map(fits).collect()
}

const KEYS: &[&str] = &["duration", "flow", "gap", "message", "messages", "repetitions", "warm_up"];
/// Messages that find caches, routes and clocks as the later ones do.
pub const WARM_UP_DEFAULT: u64 = 100;
/// Of a point: ten thousand messages at a usual gap of 50 us.
pub const DURATION_DEFAULT: Span = Span::from_ms(500);

impl Scenario {
    /// The scenario with its probed flow at one point; `drift_ppb` is what is known of the clocks by then.
    #[must_use]
    pub fn at_point(&self, plan: &ProbePlan, point: &SweepPoint, drift_ppb: i64) -> Self {
        let mut scenario = self.clone();
        for flow in scenario.flows.iter_mut().filter(|flow| flow.name == plan.flow) {
            flow.message_bytes = point.message_bytes;
            flow.load = point.load();
            flow.stop = plan.sweep.stop(point);
            flow.start_after = flow.start_after + LEAD;
            flow.probe = Some(ProbeStream { warm_up_messages: plan.sweep.warm_up_messages, drift_ppb });
        }
        // What is sent beside it lasts as long.
        let end = plan.sweep.stop(point).after;
        for flow in scenario.flows.iter_mut().filter(|flow| flow.name != plan.flow) {
            flow.stop.after = end.map(|end| end + LEAD).or(flow.stop.after);
        }
        scenario
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario(probe: &str, flow: &str) -> Result<Scenario, String> {
        let text = format!(
            "incast = 1\nname = \"p\"\nhost = [{{name = \"x\"}}, {{name = \"y\"}}]\n\
             flow = [{{name = \"a\", from = \"y\", to = \"x\"{flow}}}]\n[probe]\n{probe}\n"
        );
        Scenario::parse(&text).map_err(|errors| errors.explained("p.toml").to_string())
    }

    const UDP: &str = ", transport = \"udp\", message = \"512B\"";

    #[test]
    fn a_probe_is_of_the_only_flow_and_of_its_own_size() {
        let scenario = scenario("gap = \"0,10us\"", UDP).unwrap();
        let plan = scenario.probe.clone().unwrap();
        assert_eq!((plan.flow.as_str(), plan.sweep.message_bytes.as_slice()), ("a", &[512][..]));
        assert_eq!(plan.sweep.duration, Some(DURATION_DEFAULT));
        let point = SweepPoint { message_bytes: 64, gap: Span::from_us(10), repetition: 1 };
        let at = scenario.at_point(&plan, &point, 7);
        assert_eq!((at.flows[0].message_bytes, at.flows[0].load), (64, point.load()));
        assert_eq!(at.flows[0].probe, Some(ProbeStream { warm_up_messages: WARM_UP_DEFAULT, drift_ppb: 7 }));
        assert!(!scenario.not_simulable().is_empty(), "a simulator has no clocks to compare");
    }

    #[test]
    fn what_cannot_be_probed_is_refused_with_its_place() {
        let cases = [
            ("", UDP, "`gap` is missing in [probe]"),
            ("gap = \"10\"", UDP, "has no unit"),
            ("gap = \"10us\"\nmessage = \"8B\"", UDP, "allowed: 24B to 65507B"),
            ("gap = \"10us\"\nflow = \"b\"", UDP, "there is no flow `b`"),
            ("gap = \"10us\"", ", transport = \"tcp\"", "cannot be probed"),
            ("gap = \"10us\"", ", transport = \"udp\", streams = 2", "cannot be probed"),
            ("gap = \"10us\"\nspin = true", UDP, "unknown key `spin` in [probe]"),
            ("gap = \"0..99us+1us\"\nrepetitions = 100", UDP, "are more than 4096"),
        ];
        for (probe, flow, said) in cases {
            let refused = scenario(probe, flow).expect_err(said);
            assert!(refused.contains(said) && refused.contains("p.toml:"), "{probe}: {refused}");
        }
    }
}
