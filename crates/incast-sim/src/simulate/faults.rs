//! Faults of cables: when they begin and when they are over.

use std::collections::BTreeMap;

use incast_core::scenario::{CableFaultKind, FaultTimes, Scenario};
use incast_core::time::{Span, Time};

use crate::fabric::{LinkFault, LinkId};
use crate::stack::topology::Topology;

/// All faults of cables, by when something of them happens next.
#[derive(Debug)]
pub(super) struct CableFaults {
    next: BTreeMap<(Time, usize), Change>,
    each: Vec<(LinkId, LinkFault, FaultTimes)>,
}

#[derive(Clone, Copy, Debug)]
enum Change {
    Begins(Option<Span>),
    IsOver,
}

impl CableFaults {
    pub(super) fn new(scenario: &Scenario, topology: &Topology) -> Self {
        let mut faults = Self { next: BTreeMap::new(), each: Vec::new() };
        for plan in &scenario.cable_faults {
            for way in &plan.ways {
                let link = topology.cables[way.cable][usize::from(!way.is_outward)];
                let name = &topology.fabric.links[link.0 as usize].way;
                faults.each.push((link, fault(plan.what), plan.times(scenario.seed, name)));
                faults.draw(faults.each.len() - 1);
            }
        }
        faults
    }

    /// Notes when a fault begins next.
    fn draw(&mut self, index: usize) {
        if let Some((begins, ends)) = self.each[index].2.next() {
            self.next.insert((Time::ZERO + begins, index), Change::Begins(ends));
        }
    }

    /// The next change until then: `Some` fault begins, or what there was is over.
    pub(super) fn next_before(&mut self, until: Time) -> Option<(Time, LinkId, Option<LinkFault>)> {
        let entry = self.next.first_entry().filter(|entry| entry.key().0 <= until)?;
        let ((at, index), change) = entry.remove_entry();
        let (link, fault, _) = self.each[index];
        match change {
            Change::Begins(ends) => {
                if let Some(ends) = ends {
                    self.next.insert((Time::ZERO + ends, index), Change::IsOver);
                }
                Some((at, link, Some(fault)))
            }
            Change::IsOver => {
                self.draw(index);
                Some((at, link, None))
            }
        }
    }
}

const fn fault(kind: CableFaultKind) -> LinkFault {
    match kind {
        CableFaultKind::Down => LinkFault::Down,
        CableFaultKind::Drop(probability) => LinkFault::Drop(probability),
        CableFaultKind::Duplicate(probability) => LinkFault::Duplicate(probability),
        CableFaultKind::Corrupt(probability) => LinkFault::Corrupt(probability),
        CableFaultKind::Delay(by) => LinkFault::Delay(by),
        CableFaultKind::Reorder(probability, by) => LinkFault::Reorder(probability, by),
    }
}
