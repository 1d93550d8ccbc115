//! Who played: every role with what it counted; below, how roles died and what nonsense they met.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use incast_core::record::{Cpu, ReadoutRole};

use super::put;
use crate::page::{BAD, DOUBTFUL, FAINT, Label, PLAIN, Page, shown_name};
use crate::said::readout as said;
use crate::table::{Cell, GAP, KEPT, Side, Table};
use crate::text::{counted, cut, width};
use crate::units::seconds;

/// The table of roles, the deaths, the faults.
pub(super) fn show(page: &mut Page, roles: &[ReadoutRole]) {
    if roles.is_empty() {
        return;
    }
    let shown = choose(roles);
    put(page, "roles", &table(page, roles, &shown), &RANKS);
    left_out(page, roles, &shown);
    deaths(page, roles);
    faults(page, roles);
}

/// Which roles have a line: of too many those that died or met nonsense first, then those that come first.
fn choose(roles: &[ReadoutRole]) -> Vec<usize> {
    let is_calm = |role: &ReadoutRole| {
        role.deaths.is_empty() && role.lives <= 1 && role.faults.iter().all(|fault| fault.count == 0)
    };
    let mut indices: Vec<usize> = (0..roles.len()).collect();
    if roles.len() > ROLES_MAX {
        indices.sort_by_key(|index| is_calm(&roles[*index]));
        indices.truncate(ROLES_MAX);
        indices.sort_unstable();
    }
    indices
}

fn table(page: &Page, roles: &[ReadoutRole], shown: &[usize]) -> Table {
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    for role in shown.iter().map(|index| &roles[*index]) {
        let lives = if role.lives > 1 { DOUBTFUL } else { PLAIN };
        rows.push(vec![
            Cell::plain(format!("{GAP}{}", page.name(&role.name))),
            Cell::plain(shown_name(&role.kind, KIND_CELLS)),
            Cell::styled(role.lives.to_string(), lives),
            Cell::plain(seconds(role.cpu.as_ref().map(Cpu::total_s))),
        ]);
    }
    let columns =
        [("  role", Side::Left), ("kind", Side::Left), ("lives", Side::Right), ("CPU", Side::Right)];
    let mut table = Table::new(columns.to_vec());
    rows.iter().for_each(|row| table.push(row.clone()));
    let used: usize = table.widths().iter().map(|cells| cells + GAP.len()).sum();
    let room = page.width().saturating_sub(used).max(COUNTS_CELLS_MIN);
    let mut table = Table::new([&columns[..], &[("counted", Side::Left)]].concat());
    for (row, index) in rows.into_iter().zip(shown) {
        table.push(row.into_iter().chain([Cell::plain(telling(&roles[*index], room))]).collect());
    }
    table
}

/// The first counts that are not 0, as many as there is room for: a number is never cut.
fn telling(role: &ReadoutRole, room: usize) -> String {
    let mut text = String::new();
    for named in role.counts.iter().filter(|named| named.count > 0).take(COUNTS_MAX) {
        let comma = if text.is_empty() { "" } else { ", " };
        let item = format!("{comma}{}", said::counted(named, COUNT_NAME_CELLS));
        if width(&text) + width(&item) > room {
            break;
        }
        text += &item;
    }
    text
}

/// How many of each kind have no line.
fn left_out(page: &mut Page, roles: &[ReadoutRole], shown: &[usize]) {
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for role in roles {
        *kinds.entry(shown_name(&role.kind, KIND_CELLS)).or_default() += 1;
    }
    for role in shown.iter().map(|index| &roles[*index]) {
        kinds.entry(shown_name(&role.kind, KIND_CELLS)).and_modify(|of_kind| *of_kind -= 1);
    }
    kinds.retain(|_, of_kind| *of_kind > 0);
    let all: usize = kinds.values().sum();
    if all > 0 {
        let told = kinds.iter().take(KINDS_MAX);
        let told: Vec<String> = told.map(|(kind, of_kind)| format!("{kind} {of_kind}")).collect();
        let what = format!("{} in the record: {}", counted(all, "more role", "more roles"), told.join(", "));
        page.words(&Label::none().body(FAINT), &what);
    }
}

/// How roles died, each with its last words.
fn deaths(page: &mut Page, roles: &[ReadoutRole]) {
    let dead: Vec<&ReadoutRole> = roles.iter().filter(|role| !role.deaths.is_empty()).collect();
    section(page, "roles that died", BAD, &dead, |role| {
        let mut how: Vec<String> =
            role.deaths.iter().take(DEATHS_MAX).map(|death| cut(&said::shown(death), DEATH_CELLS)).collect();
        if let Some(more) = role.deaths.len().checked_sub(DEATHS_MAX).filter(|more| *more > 0) {
            how.push(format!("{more} more in the record"));
        }
        format!("{}, {}", counted(role.lives as usize, "life", "lives"), how.join("; "))
    });
}

/// Nonsense and doubts that roles counted; those with most first.
fn faults(page: &mut Page, roles: &[ReadoutRole]) {
    let all =
        |role: &ReadoutRole| role.faults.iter().fold(0_u64, |sum, fault| sum.saturating_add(fault.count));
    let mut faulty: Vec<&ReadoutRole> = roles.iter().filter(|role| all(role) > 0).collect();
    faulty.sort_by_key(|role| Reverse(all(role)));
    section(page, "faults that roles counted and survived", PLAIN, &faulty, |role| {
        let name = |name: &str| cut(&said::words(name), COUNT_NAME_CELLS);
        said::counts(&role.faults, name, FAULTS_MAX).join(", ")
    });
}

/// A paragraph for each of these roles; nothing when there is none.
fn section(
    page: &mut Page,
    title: &str,
    style: anstyle::Style,
    roles: &[&ReadoutRole],
    tell: impl Fn(&ReadoutRole) -> String,
) {
    if roles.is_empty() {
        return;
    }
    page.section(title);
    let shown = &roles[..roles.len().min(TROUBLED_MAX)];
    let names: Vec<String> = shown.iter().map(|role| page.name(&role.name)).collect();
    let cells = names.iter().map(|name| width(name)).max().unwrap_or(0);
    for (role, name) in shown.iter().zip(&names) {
        page.words(&Label::below(name, cells).style(style), &tell(role));
    }
    if let Some(more) = roles.len().checked_sub(TROUBLED_MAX).filter(|more| *more > 0) {
        let what = format!("{} in the record", counted(more, "more role", "more roles"));
        page.words(&Label::none().body(FAINT), &what);
    }
}

/// In the order of the columns: what was counted goes first when there is no room.
const RANKS: [u8; 5] = [KEPT, 3, 2, 1, 0];
/// Most roles with a line.
const ROLES_MAX: usize = 40;
/// Most roles with a paragraph about their deaths, and about their faults.
const TROUBLED_MAX: usize = 12;
/// The longest kind is `trigger`.
const KIND_CELLS: usize = 12;
/// There are five.
const KINDS_MAX: usize = 8;
/// Most counts of a role.
const COUNTS_MAX: usize = 3;
/// `decisions of another life` fits.
const COUNT_NAME_CELLS: usize = 25;
/// With less room than this the column is not worth it: it goes.
const COUNTS_CELLS_MIN: usize = 24;
/// Most deaths of one role, and cells of each.
const DEATHS_MAX: usize = 3;
const DEATH_CELLS: usize = 80;
/// Most faults of one role.
const FAULTS_MAX: usize = 6;
