//! What the busiest cores did while the run lasted: user, system, and the soft interrupts in which
//! the kernel receives.

use std::cmp::Ordering;

use incast_core::record::{CoreLoad, Host};

use super::HOSTS_MAX;
use crate::page::{FAINT, HEADING, Label, Page};
use crate::table::{Cell, GAP, Side, Table};
use crate::text::counted;
use crate::units::UNKNOWN;

/// The busiest cores of each host whose cores are known.
pub(super) fn show(page: &mut Page, host: &Host, agents: &[Host]) {
    let known: Vec<&Host> =
        std::iter::once(host).chain(agents).filter(|host| !host.cores.is_empty()).collect();
    for host in known.iter().take(HOSTS_MAX) {
        let of = match host.cores.len() {
            all @ 0..=CORES_MAX => format!("{all}"),
            all => format!("the {CORES_MAX} busiest of {all}"),
        };
        page.section(&format!("cores of {} ({of})", page.name(&host.name)));
        let lines = table(&host.cores).lines(&[true; COLUMNS.len()], HEADING);
        lines.iter().for_each(|line| page.line(&format!("{GAP}{line}")));
    }
    if let Some(more) = known.len().checked_sub(HOSTS_MAX).filter(|more| *more > 0) {
        let what = format!("cores of {} in the record", counted(more, "more host", "more hosts"));
        page.words(&Label::none().body(FAINT), &what);
    }
}

/// A line for each of the busiest cores, in the order of their numbers.
fn table(cores: &[CoreLoad]) -> Table {
    let mut busiest: Vec<&CoreLoad> = cores.iter().collect();
    busiest.sort_by(|one, other| idle_last(one.idle, other.idle));
    busiest.truncate(CORES_MAX);
    busiest.sort_by_key(|load| load.core);
    let mut table = Table::new(COLUMNS.to_vec());
    for load in busiest {
        let parts = [load.user, load.system, load.softirq].map(|part| Cell::plain(tenths(part)));
        table.push(std::iter::once(Cell::plain(load.core.to_string())).chain(parts).collect());
    }
    table
}

/// The least idle first, an unknown one last.
fn idle_last(one: f64, other: f64) -> Ordering {
    one.is_nan().cmp(&other.is_nan()).then(one.total_cmp(&other))
}

/// Per cent with one decimal, so that the columns can be compared; a core is never far beyond 100 %.
fn tenths(fraction: f64) -> String {
    if fraction.abs() < 10.0 { format!("{:.1} %", fraction * 100.0) } else { UNKNOWN.to_owned() }
}

const COLUMNS: [(&str, Side); 4] =
    [("core", Side::Right), ("user", Side::Right), ("system", Side::Right), ("softirq", Side::Right)];
/// Most cores of one host: a flow keeps one or two busy, an interrupt some more.
const CORES_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busiest_are_shown_in_the_order_of_their_numbers() {
        let core = |core: u32| CoreLoad {
            core,
            user: f64::from(core) / 100.0,
            softirq: if core == 7 { f64::NAN } else { 0.5 },
            idle: if core == 3 { f64::NAN } else { 1.0 - f64::from(core % 16) / 16.0 },
            ..CoreLoad::default()
        };
        let lines = table(&(0..16).map(core).collect::<Vec<_>>()).lines(&[true; 4], crate::page::PLAIN);
        assert_eq!(lines.len(), 9);
        assert_eq!(lines[0], "core    user  system  softirq");
        assert_eq!(lines[1], "   8   8.0 %   0.0 %   50.0 %");
        assert_eq!(lines[8], "  15  15.0 %   0.0 %   50.0 %");
        assert_eq!([tenths(f64::NAN), tenths(f64::INFINITY), tenths(1e300)], [UNKNOWN; 3]);
    }
}
