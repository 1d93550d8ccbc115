//! The `[search]` table: the scenario is a switch test, and its flows are sent at many loads.

use super::describe::packets;
use super::model::Scenario;
use super::reader::Reader;
use crate::load::{Load, Stop};
use crate::switch_test::SearchPlan;
use crate::time::Span;
use crate::units::{BIT_RATE_EXAMPLES, BitRate, SPAN_EXAMPLES};

/// Reads the `[search]` table, if there is one.
pub(super) fn read(scenario: &mut Reader<'_, '_>) -> Option<SearchPlan> {
    let (table, header) = scenario.table("search")?;
    let mut reader = Reader::open(table, "[search]", header, KEYS, scenario.findings);
    let mut fraction = |key: &str, default: f64, least: f64| {
        let value = reader.number(key, "a number from 0 to 1, for example 0.01", |_| None).unwrap_or(default);
        if (least..=1.0).contains(&value) {
            return value;
        }
        reader.fault(key, format!("`{key}` is {value}; allowed: {least} to 1, a fraction"));
        default
    };
    let loss_tolerance = fraction("loss_tolerance", 0.0, 0.0);
    let resolution = fraction("resolution", 0.01, 0.0001);
    let spans = [Span::from_ms(100), Span::from_s(3600)];
    let rates = [BitRate(8_000), BitRate(10_000_000_000_000)];
    Some(SearchPlan {
        loss_tolerance,
        resolution,
        trial: reader.quantity_within("trial", SPAN_EXAMPLES, spans).unwrap_or(Span::from_s(2)),
        most: reader.quantity_within("most", BIT_RATE_EXAMPLES, rates),
        latency: reader.flag("latency").unwrap_or(true),
        loss_series: reader.flag("loss_series").unwrap_or(true),
    })
}

const KEYS: &[&str] = &["latency", "loss_series", "loss_tolerance", "most", "resolution", "trial"];

impl Scenario {
    /// The scenario with every flow at `fraction` of its sender's full load, for one trial.
    ///
    /// The full load is what fills the sender's cable, or `most` of `[search]`; flows of one sender
    /// share it. `None` when nothing says how much that is, or when a flow would be too slow to send.
    #[must_use]
    pub fn at_load(&self, plan: &SearchPlan, fraction: f64) -> Option<Self> {
        let mut scenario = self.clone();
        for flow in &mut scenario.flows {
            let sender = self.hosts.iter().position(|host| host.name == flow.from)?;
            let network = self.network.as_ref().zip(flow.network);
            let cable = network.and_then(|(network, index)| network.cable_of(sender, index));
            let full =
                cable.and_then(|cable| cable.rate).into_iter().chain(plan.most).min_by_key(|rate| rate.0)?;
            let sharing = self.flows.iter().filter(|other| other.from == flow.from).count();
            let mtu = cable.map_or(MTU_DEFAULT, |cable| cable.mtu_bytes);
            let (_, wire_bits) = packets(flow, mtu);
            let payload_bits = f64::from(flow.message_bytes) * 8.0;
            #[expect(clippy::cast_precision_loss, reason = "a rate")]
            let load = fraction * full.0 as f64 / sharing.max(1) as f64 * payload_bits / wire_bits;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "checked just before"
            )]
            let load = (load.is_finite() && load >= 1.0).then_some(load as u64)?;
            flow.load = Load::BitRate(BitRate(load));
            flow.stop = Stop::after(plan.trial);
        }
        Some(scenario)
    }
}

/// Of Ethernet.
const MTU_DEFAULT: u32 = 1500;
