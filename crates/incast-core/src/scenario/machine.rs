//! The `[machine]` table: settings of the kernel that all hosts of a lab share, since they share a machine.
//!
//! `net.core.netdev_max_backlog` is one of them: no namespace has its own. A lab sets them for as long as it
//! stands, writes down what there was, and puts it back.

use std::collections::BTreeMap;

use super::hosts::read_sysctls;
use super::reader::Reader;

/// Reads `[machine]`, if it is there.
pub(super) fn read(scenario: &mut Reader<'_, '_>) -> BTreeMap<String, String> {
    let Some((table, header)) = scenario.table("machine") else { return BTreeMap::new() };
    let mut reader = Reader::open(table, "[machine]", header, KEYS, scenario.findings);
    read_sysctls(&mut reader)
}

const KEYS: &[&str] = &["sysctl"];
