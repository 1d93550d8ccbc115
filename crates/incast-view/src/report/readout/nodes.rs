//! What each node decided, beside the fair share: a slow node, or one that got less, is seen at once.

use incast_core::record::{Readout, ReadoutRole};

use crate::html::Html;
use crate::report::sharing::bar;
use crate::report::sheet::{Cell, Sheet};
use crate::table::Side;
use crate::units::{about, count, f64_of, percent};

/// A bar for each node; of many those that decided least and most.
pub(super) fn show(html: &mut Html, readout: &Readout, level: usize) {
    let mut nodes: Vec<(&ReadoutRole, u64)> = decided(readout).collect();
    let sum = nodes.iter().fold(0.0, |sum, (_, decided)| sum + f64_of(*decided));
    if nodes.len() < 2 || sum <= 0.0 {
        return;
    }
    html.heading(level, "How the nodes shared");
    let fair = sum / f64_of(nodes.len() as u64);
    let most = nodes.iter().fold(fair, |most, (_, decided)| most.max(f64_of(*decided)));
    html.tag("p").text(&format!(
        "Jain's index is {}; 1 is equal shares. The upright line is the fair share, {} of the events decided. \
         Nodes that are not equally fast should not have equal shares.",
        about(readout.fairness_jain),
        percent(Some(fair / sum))
    ));
    let all = nodes.len();
    if all > NODES_MAX {
        nodes.sort_by_key(|(_, decided)| *decided);
        nodes.drain(ENDS..all - ENDS);
    }
    let columns = ["decided", "share"].map(|name| (name, Side::Right));
    let mut sheet = Sheet::new(&[&[("node", Side::Left)], &columns[..], &[("", Side::Left)]].concat());
    for (node, decided) in &nodes {
        sheet.push(vec![
            Cell::plain(&node.name),
            Cell::plain(count(Some(*decided))),
            Cell::plain(percent(Some(f64_of(*decided) / sum))),
            Cell::drawn("bar-cell", |html| {
                bar(html, f64_of(*decided) / most, Some(fair / most), "fill c0");
            }),
        ]);
    }
    let left_out = all - nodes.len();
    let has_died = nodes.iter().any(|(node, _)| node.lives > 1);
    sheet.show(html, "what each node decided");
    if left_out > 0 {
        html.note(&format!(
            "{left_out} nodes between the {ENDS} that decided least and the {ENDS} that decided most are left out."
        ));
    }
    if has_died {
        html.note("Of a node that was started again, only its last life is counted.");
    }
}

/// The nodes that say how many events they decided.
pub(super) fn decided(readout: &Readout) -> impl Iterator<Item = (&ReadoutRole, u64)> {
    let nodes = readout.roles.iter().filter(|role| role.kind == "node");
    nodes.filter_map(|node| {
        let decided = node.counts.iter().find(|named| named.name == "decided")?;
        Some((node, decided.count))
    })
}

/// Most nodes of which all are shown: more than a screen is not looked at.
const NODES_MAX: usize = 40;
/// How many of those that decided least, and most, are shown of more.
const ENDS: usize = 10;
