//! Where it was made: the hosts with their settings and cores, and the program that wrote the record.

use incast_core::record::{Host, Record};

use super::sheet::{Cell, Sheet};
use crate::html::Html;
use crate::said;
use crate::table::Side;
use crate::units::{UNKNOWN, bytes, count};

/// The program, then each host once.
pub(super) fn show(html: &mut Html, record: &Record, level: usize) {
    html.heading(level, "Where it was made");
    let build = said::build(&record.incast);
    html.tag("p").text(&format!("Written by {build}, schema {}.", record.schema));
    let own = Some(&record.host).filter(|_| said::has_host(record));
    let hosts = || own.into_iter().chain(&record.agents);
    if hosts().next().is_none() {
        html.note("A simulation is the same on every host, so no host is named.");
        return;
    }
    table(hosts()).show(html, "hosts");
    for host in hosts().take(HOSTS_MAX) {
        cores(html, host);
        settings(html, host);
    }
    if record.agents.len() >= HOSTS_MAX {
        html.note("Cores and settings of the other hosts are in the record.");
    }
}

fn table<'r>(hosts: impl Iterator<Item = &'r Host>) -> Sheet {
    let mut sheet = Sheet::new(&[
        ("host", Side::Left),
        ("kernel", Side::Left),
        ("processor", Side::Left),
        ("usable cores", Side::Right),
        ("memory", Side::Right),
        ("interrupts", Side::Right),
        ("context switches", Side::Right),
        ("clock resolution", Side::Right),
    ]);
    for host in hosts {
        let known = |text: &Option<String>| text.clone().unwrap_or_else(|| UNKNOWN.to_owned());
        let resolution = host.clock_resolution_ns.map(|ns| format!("{} ns", count(Some(ns))));
        sheet.push(vec![
            Cell::plain(name(host)),
            Cell::plain(known(&host.kernel)),
            Cell::plain(known(&host.processor)),
            Cell::plain(count(host.cores_usable.map(u64::from))),
            Cell::plain(bytes(host.memory_bytes)),
            Cell::plain(count(host.interrupts)),
            Cell::plain(count(host.context_switches)),
            Cell::plain(known(&resolution)),
        ]);
    }
    sheet
}

fn name(host: &Host) -> &str {
    if host.name.trim().is_empty() { UNKNOWN } else { &host.name }
}

/// What each core did during the run.
fn cores(html: &mut Html, host: &Host) {
    if host.cores.is_empty() {
        return;
    }
    let columns = ["user", "system", "softirq", "irq", "steal", "idle"].map(|name| (name, Side::Right));
    let mut sheet = Sheet::new(&[&[("core", Side::Left)][..], &columns].concat());
    for load in &host.cores {
        let parts = [load.user, load.system, load.softirq, load.irq, load.steal, load.idle];
        let parts = parts.map(|part| Cell::plain(tenths(part)));
        sheet.push(std::iter::once(Cell::plain(load.core.to_string())).chain(parts).collect());
    }
    sheet.fold(html, &format!("Cores of {} during the run", name(host)));
}

/// Settings of the kernel that bear on the measurement.
fn settings(html: &mut Html, host: &Host) {
    if host.settings.is_empty() {
        return;
    }
    let mut sheet = Sheet::new(&[("setting", Side::Left), ("value", Side::Left)]);
    for (name, value) in &host.settings {
        sheet.push(vec![Cell::plain(name), Cell::marked(value, "wide")]);
    }
    sheet.fold(html, &format!("Settings of {}", name(host)));
}

/// Per cent with one decimal, so that the columns can be compared; a core is never far beyond 100 %.
fn tenths(fraction: f64) -> String {
    if fraction.abs() < 10.0 { format!("{:.1} %", fraction * 100.0) } else { UNKNOWN.to_owned() }
}

/// Most hosts whose cores and settings are shown: they are mostly alike.
const HOSTS_MAX: usize = 16;
