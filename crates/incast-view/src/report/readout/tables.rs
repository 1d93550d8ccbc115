//! The tables of a readout: how long things took, every role, every file.

use incast_core::record::{Cpu, ReadoutRole, StoredFile, TimeDistribution};

use crate::html::Html;
use crate::report::sheet::{Cell, Sheet};
use crate::said::readout as said;
use crate::table::Side;
use crate::text::counted;
use crate::units::{UNKNOWN, bytes, count, microseconds, seconds};

/// A row for each kind of time that happened.
pub(super) fn times(html: &mut Html, times: &[TimeDistribution], level: usize) {
    let numbers = ["count", "p50", "p99", "p99.9", "largest"].map(|name| (name, Side::Right));
    let mut sheet = Sheet::new(&[&[("what took it", Side::Left)][..], &numbers].concat());
    for time in times.iter().filter(|time| time.count > 0) {
        let quantiles = [time.us_p50, time.us_p99, time.us_p999, time.us_max];
        let cells = [Cell::plain(said::time(&time.name)), Cell::plain(count(Some(time.count)))];
        let quantiles = quantiles.map(|us| Cell::plain(microseconds(us)));
        sheet.push(cells.into_iter().chain(quantiles).collect());
    }
    if !sheet.is_empty() {
        html.heading(level, "How long things took");
        sheet.show(html, "how long things took");
        html.note("p99: 99 % took at most that long. Quantiles are of buckets one sixteenth wide.");
    }
}

/// A row for each role; of many those that died or met nonsense, and all of them folded.
pub(super) fn roles(html: &mut Html, roles: &[ReadoutRole], level: usize) {
    if roles.is_empty() {
        return;
    }
    html.heading(level, "Who played");
    let all: Vec<&ReadoutRole> = roles.iter().collect();
    if all.len() <= ROWS_MAX {
        role_table(&all).show(html, "roles");
        return;
    }
    let troubled = |role: &&ReadoutRole| {
        role.lives > 1 || !role.deaths.is_empty() || role.faults.iter().any(|fault| fault.count > 0)
    };
    let bad: Vec<&ReadoutRole> = all.iter().copied().filter(troubled).collect();
    let some = counted(bad.len(), "role", "roles");
    html.tag("p").text(&format!("{some} of {} died or counted faults.", all.len()));
    if !bad.is_empty() {
        role_table(&bad[..bad.len().min(ROWS_MAX)]).show(html, "roles that died or counted faults");
    }
    role_table(&all).fold(html, &format!("All {} roles", all.len()));
}

fn role_table(roles: &[&ReadoutRole]) -> Sheet {
    // Columns in which nothing would stand are left out.
    let has_host = roles.iter().any(|role| role.host.is_some());
    let has_faults = roles.iter().any(|role| role.faults.iter().any(|fault| fault.count > 0));
    let has_deaths = roles.iter().any(|role| !role.deaths.is_empty());
    let optional = |has: bool, name: &'static str| has.then_some((name, Side::Left));
    let columns = [("role", Side::Left), ("kind", Side::Left)].into_iter().chain(optional(has_host, "host"));
    let columns = columns.chain([("lives", Side::Right), ("CPU", Side::Right), ("counted", Side::Left)]);
    let columns = columns.chain(optional(has_faults, "faults")).chain(optional(has_deaths, "how it died"));
    let mut sheet = Sheet::new(&columns.collect::<Vec<_>>());
    for role in roles {
        let counts = role.counts.iter().filter(|named| named.count > 0).take(COUNTS_MAX);
        let counts: Vec<String> = counts.map(|named| said::counted(named, usize::MAX)).collect();
        let mut row = vec![Cell::plain(said::shown(&role.name)), Cell::plain(&role.kind)];
        if has_host {
            row.push(Cell::plain(role.host.as_deref().unwrap_or(UNKNOWN)));
        }
        row.push(Cell::flagged(role.lives.to_string(), role.lives > 1));
        row.push(Cell::plain(seconds(role.cpu.as_ref().map(Cpu::total_s))));
        row.push(Cell::marked(counts.join(", "), "wide"));
        if has_faults {
            row.push(Cell::marked(said::counts(&role.faults, said::words, COUNTS_MAX).join(", "), "wide"));
        }
        if has_deaths {
            row.push(Cell::marked(deaths(role), "wide"));
        }
        sheet.push(row);
    }
    sheet
}

/// How a role died, each time.
fn deaths(role: &ReadoutRole) -> String {
    let mut deaths: Vec<&str> = role.deaths.iter().map(String::as_str).take(DEATHS_MAX).collect();
    if role.deaths.len() > DEATHS_MAX {
        deaths.push("more in the record");
    }
    deaths.join("; ")
}

/// A row for each file; many are folded.
pub(super) fn files(html: &mut Html, files: &[StoredFile], level: usize) {
    if files.is_empty() {
        return;
    }
    html.heading(level, "What was written");
    let mut sheet = Sheet::new(&[
        ("file", Side::Left),
        ("sink", Side::Left),
        ("stream", Side::Left),
        ("records", Side::Right),
        ("bytes", Side::Right),
    ]);
    for file in files {
        sheet.push(vec![
            Cell::marked(said::shown(&file.path), "wide"),
            Cell::plain(&file.sink),
            Cell::plain(&file.stream),
            Cell::plain(count(Some(file.records))),
            Cell::plain(bytes(Some(file.bytes))),
        ]);
    }
    if files.len() <= ROWS_MAX {
        sheet.show(html, "files");
    } else {
        sheet.fold(html, &format!("All {} files", files.len()));
    }
}

/// Most rows of a table that is not folded: more than a screen is not looked at.
const ROWS_MAX: usize = 40;
/// Most counts, and most faults, of a role.
const COUNTS_MAX: usize = 12;
/// Most deaths of a role.
const DEATHS_MAX: usize = 8;
