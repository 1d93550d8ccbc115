//! One switch in the explicit engine: its model, its memory and its crossbar, as laid out by the plan.

use std::collections::BTreeMap;

use incast_core::random::Random;
use incast_core::scenario::{Queueing, SwitchModel};
use incast_core::time::Time;

use super::crossbar::Crossbar;
use super::line::Line;
use super::memory::{Input, Pool};
use super::pause::{Marks, PausedWay};
use super::queue::Item;
use crate::fabric::{End, FabricPlan, LinkId, LinkSpec, SwitchId, SwitchSpec};
use crate::packet::NicId;

/// A switch.
#[derive(Clone, Debug)]
pub(super) struct Switch {
    /// How it works inside.
    pub(super) model: SwitchModel,
    /// Whether it pauses its partners.
    pub(super) pauses: bool,
    /// The link by which each interface is reached.
    routes: Vec<Option<LinkId>>,
    /// Links that come in, by their places. These follow from names, so that the order of declaration changes nothing.
    pub(super) inputs: Vec<LinkId>,
    /// Links that go out, by their places.
    pub(super) outputs: Vec<LinkId>,
    /// The memory of all ports together.
    pub(super) memory: Option<Pool>,
    /// Above these bytes in that memory whoever sends is asked to stop.
    pub(super) memory_high: u64,
    /// Where packets wait at inputs.
    pub(super) crossbar: Option<Crossbar>,
    /// What came in at this moment, before the crossbar is matched.
    pub(super) fresh: Vec<(LinkId, Item)>,
    /// For when matching is on the agenda.
    pub(super) match_due: Option<Time>,
}

impl Switch {
    /// The link by which an interface is reached.
    pub(super) fn route(&self, to: NicId) -> Option<LinkId> {
        self.routes.get(to.0 as usize).copied().flatten()
    }

    /// Whether packets take memory of the port by which they came, and not of the one by which they go.
    pub(super) fn keeps_by_input(&self) -> bool {
        self.pauses || self.crossbar.is_some()
    }

    fn new(plan: &FabricPlan, lines: &[Line], spec: &SwitchSpec, id: SwitchId) -> Self {
        let at = |end: fn(&LinkSpec) -> End| -> Vec<LinkId> {
            let here = |link: &LinkId| end(&plan.links[link.0 as usize]) == End::Switch(id);
            let mut links: Vec<_> = links(plan).filter(here).collect();
            links.sort_by_key(|link| (lines[link.0 as usize].name, *link));
            links
        };
        let (inputs, outputs) = (at(|link| link.to), at(|link| link.from));
        let crossbar = Crossbar::of(
            spec.model.queueing,
            inputs.len(),
            outputs.len(),
            Random::named(plan.seed, &format!("crossbar of {}", spec.name)),
        );
        let memory = match spec.model.queueing {
            Queueing::SharedMemory { bytes } => Some(Pool { bytes: bytes.0, held: 0 }),
            _ => None,
        };
        Self {
            model: spec.model,
            pauses: spec.pauses,
            routes: spec.routes.clone(),
            inputs,
            outputs,
            memory,
            memory_high: u64::MAX,
            crossbar,
            fresh: Vec::new(),
            match_due: None,
        }
    }
}

/// Every switch, and what the links know of them.
pub(super) fn switches(plan: &FabricPlan, lines: &mut [Line]) -> Vec<Switch> {
    let ids = (0..).map(SwitchId);
    let switches: Vec<_> =
        plan.switches.iter().zip(ids).map(|(spec, id)| Switch::new(plan, lines, spec, id)).collect();
    let backs = backs(plan);
    for switch in &switches {
        for (place, output) in switch.outputs.iter().enumerate() {
            lines[output.0 as usize].output = place;
        }
        for (place, link) in switch.inputs.iter().enumerate().filter(|_| switch.keeps_by_input()) {
            let back = backs.get(link).copied();
            // Cables have two ways. Where a plan has only one, the queue at its near end says what is usual.
            let port = back.unwrap_or(*link);
            let pool = Pool { bytes: plan.links[port.0 as usize].queue_bytes, held: 0 };
            lines[link.0 as usize].input =
                Some(Input { pool, marks: None, back, place, asked: None, moved: Time::ZERO });
        }
    }
    switches
}

/// Sets the marks of all switches that pause, for frames of so many bytes.
pub(super) fn set_marks(switches: &mut [Switch], lines: &mut [Line], frame_bytes: u32) {
    for switch in switches.iter_mut().filter(|switch| switch.pauses) {
        let mut headroom = 0;
        for link in &switch.inputs {
            let line = &lines[link.0 as usize];
            let Some(input) = line.input else { continue };
            let Some(back) = input.back.map(|back| &lines[back.0 as usize].spec) else { continue };
            let way = PausedWay {
                byte_time: line.spec.byte_time,
                back_byte_time: back.byte_time,
                travel: line.spec.travel + back.travel,
                latency: switch.model.latency,
                frame_bytes,
            };
            headroom += super::pause::headroom(way);
            let marks = Marks::of(input.pool.bytes, way);
            if let Some(input) = &mut lines[link.0 as usize].input {
                input.marks = Some(marks);
            }
        }
        if let Some(memory) = switch.memory {
            switch.memory_high = memory.bytes.saturating_sub(headroom);
        }
    }
}

/// For each link the one that goes the other way; of parallel ones the first belongs to the first.
fn backs(plan: &FabricPlan) -> BTreeMap<LinkId, LinkId> {
    let name = |end| match end {
        End::Nic(nic) => (0, nic.0),
        End::Switch(switch) => (1, switch.0),
    };
    let mut ways: BTreeMap<_, Vec<LinkId>> = BTreeMap::new();
    for link in links(plan) {
        let spec = &plan.links[link.0 as usize];
        ways.entry((name(spec.from), name(spec.to))).or_default().push(link);
    }
    let mut backs = BTreeMap::new();
    for ((from, to), there) in &ways {
        if let Some(back) = ways.get(&(*to, *from)) {
            backs.extend(there.iter().copied().zip(back.iter().copied()));
        }
    }
    backs
}

/// The ids of all links.
fn links(plan: &FabricPlan) -> impl Iterator<Item = LinkId> + use<> {
    (0..u32::try_from(plan.links.len()).unwrap_or(u32::MAX)).map(LinkId)
}
