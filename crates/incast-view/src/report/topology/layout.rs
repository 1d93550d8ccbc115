//! Where hosts and switches stand in the drawing of a network.
//!
//! Columns: senders on the left, receivers on the right, switches between them by their distance
//! from a receiver, so that a tree of switches reads from its leaves to its root.

use incast_core::record::{Network, Record};

use crate::units::f64_of;

/// Which side of the drawing something stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Left,
    Between,
    Right,
}

/// A host or a switch, by the middle of its box.
#[derive(Clone, Debug)]
pub(super) struct Box {
    name: String,
    pub(super) place: Place,
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) height: f64,
}

/// The drawing without its lines.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    boxes: Vec<Box>,
    pub(super) width: f64,
    pub(super) height: f64,
    /// Where the drawing begins below what is said of all cables.
    top: f64,
    /// Where the boxes of the left begin.
    pub(super) left: f64,
    /// How far a cable goes level, for its label, on either side.
    pub(super) label_left: f64,
    pub(super) label_right: f64,
}

impl Box {
    pub(super) fn left(&self) -> f64 {
        self.x - BOX_WIDTH / 2.0
    }

    pub(super) fn right(&self) -> f64 {
        self.x + BOX_WIDTH / 2.0
    }
}

/// Whether a host receives more flows than it sends, or without flows plays a role that fragments or events come to: then
/// it stands on the right.
pub(super) fn receives(record: &Record, host: &str) -> bool {
    let received = record.flows.iter().filter(|flow| flow.to == host).count();
    let sent = record.flows.iter().filter(|flow| flow.from == host).count();
    let roles = record.readout.iter().flat_map(|readout| &readout.roles);
    let mut taking = roles.filter(|role| ["builder", "node", "sink"].contains(&role.kind.as_str()));
    received > sent || (received + sent == 0 && taking.any(|role| role.host.as_deref() == Some(host)))
}

/// Says of a host's name whether it stands on the right.
pub(super) type IsRight<'f> = &'f dyn Fn(&str) -> bool;

impl Layout {
    /// Places everything; a side whose cables have labels of their own gets room for them.
    pub(super) fn new(
        is_right: IsRight<'_>,
        network: &Network,
        labels_left: bool,
        labels_right: bool,
    ) -> Self {
        let level = |labels| if labels { LABEL_WIDTH } else { LEVEL_MIN };
        let (label_left, label_right) = (level(labels_left), level(labels_right));
        let distances = distances(is_right, network);
        let furthest = distances.iter().copied().max().unwrap_or(0);
        let columns = f64_of(furthest as u64);
        let first = MARGIN + BOX_WIDTH + label_left + SLANT;
        let between = (columns + 1.0) * BOX_WIDTH + columns * BETWEEN;
        let width = first + between + SLANT + label_right + BOX_WIDTH + MARGIN;
        let mut layout =
            Self { boxes: Vec::new(), width, height: 0.0, top: 0.0, left: MARGIN, label_left, label_right };
        let sides = [Place::Left, Place::Right].map(|side| hosts_of(is_right, network, side));
        let pitches = [labels_left, labels_right].map(|labels| if labels { PITCH_LABELLED } else { PITCH });
        let tall = |index: usize| f64_of(sides[index].len() as u64) * pitches[index];
        let body = tall(0).max(tall(1)).max(f64_of(network.switches.len() as u64) * PITCH_LABELLED);
        layout.top = if labels_left && labels_right { MARGIN } else { TOP };
        let top = layout.top;
        layout.height = top + body.max(PITCH_LABELLED) + MARGIN;
        for (index, (place, x)) in
            [(Place::Left, MARGIN + BOX_WIDTH / 2.0), (Place::Right, width - MARGIN - BOX_WIDTH / 2.0)]
                .into_iter()
                .enumerate()
        {
            let mut y = top + (layout.height - top - MARGIN - tall(index) + pitches[index]) / 2.0;
            for name in &sides[index] {
                layout.boxes.push(Box { name: name.clone(), place, x, y, height: HOST_HEIGHT });
                y += pitches[index];
            }
        }
        for column in 0..=furthest {
            let x = first + BOX_WIDTH / 2.0 + f64_of((furthest - column) as u64) * (BOX_WIDTH + BETWEEN);
            layout.switches(network, &distances, column, x);
        }
        layout
    }

    /// The switches of one column, each at the height of what it is cabled to, as far as there is room.
    fn switches(&mut self, network: &Network, distances: &[usize], column: usize, x: f64) {
        let middle = self.top + (self.height - self.top - MARGIN) / 2.0;
        let mut wanted: Vec<(f64, &str)> = Vec::new();
        for (switch, _) in network.switches.iter().zip(distances).filter(|(_, distance)| **distance == column)
        {
            let cables = network.cables.iter().filter(|cable| cable.to == switch.name);
            let heights: Vec<f64> =
                cables.filter_map(|cable| self.find(&cable.from)).map(|host| host.y).collect();
            let count = f64_of(heights.len() as u64);
            let y = if heights.is_empty() { middle } else { heights.iter().sum::<f64>() / count };
            wanted.push((y, &switch.name));
        }
        wanted.sort_by(|(one, _), (other, _)| one.total_cmp(other));
        let (least, most) = (self.top + SWITCH_HEIGHT / 2.0, self.height - MARGIN - SWITCH_HEIGHT / 2.0);
        let mut above = least - PITCH_LABELLED;
        let mut below = f64_of(wanted.len() as u64);
        for (y, name) in wanted {
            below -= 1.0;
            let y = y.max(above + PITCH_LABELLED).min(most - below * PITCH_LABELLED);
            above = y;
            self.boxes.push(Box {
                name: name.to_owned(),
                place: Place::Between,
                x,
                y,
                height: SWITCH_HEIGHT,
            });
        }
    }

    /// Where the host or switch of this name stands.
    pub(super) fn find(&self, name: &str) -> Option<&Box> {
        self.boxes.iter().find(|found| found.name == name)
    }
}

/// The hosts of a side, those of the same switch beside each other.
fn hosts_of(is_right: IsRight<'_>, network: &Network, side: Place) -> Vec<String> {
    let switch_of = |host: &str| {
        let to = network.cables.iter().find(|cable| cable.from == host).map(|cable| cable.to.as_str());
        network.switches.iter().position(|switch| Some(switch.name.as_str()) == to)
    };
    let here = |host: &str| is_right(host) == (side == Place::Right);
    let mut hosts: Vec<String> =
        network.hosts.iter().map(|host| host.name.clone()).filter(|host| here(host)).collect();
    hosts.sort_by_key(|host| switch_of(host));
    hosts
}

/// Cables between each switch and the nearest one that a receiver is at.
fn distances(is_right: IsRight<'_>, network: &Network) -> Vec<usize> {
    let index = |name: &str| network.switches.iter().position(|switch| switch.name == name);
    let mut distances: Vec<Option<usize>> = vec![None; network.switches.len()];
    for cable in network.cables.iter().filter(|cable| is_right(&cable.from)) {
        if let Some(index) = index(&cable.to) {
            distances[index] = Some(0);
        }
    }
    // Each round reaches one cable further; there are no more rounds than switches.
    for round in 0..network.switches.len() {
        for cable in &network.cables {
            let (Some(one), Some(other)) = (index(&cable.from), index(&cable.to)) else { continue };
            for (near, far) in [(one, other), (other, one)] {
                if distances[near] == Some(round) && distances[far].is_none() {
                    distances[far] = Some(round + 1);
                }
            }
        }
    }
    distances.into_iter().map(|distance| distance.unwrap_or(0)).collect()
}

const MARGIN: f64 = 8.0;
/// Room above for what is said of all cables.
const TOP: f64 = 34.0;
const BOX_WIDTH: f64 = 124.0;
const HOST_HEIGHT: f64 = 18.0;
const SWITCH_HEIGHT: f64 = 40.0;
/// From row to row.
const PITCH: f64 = 23.0;
/// From row to row where each cable has lines of text above and below.
const PITCH_LABELLED: f64 = 58.0;
/// `100.0 Mbit/s, queue 131.1 kB` in small type.
const LABEL_WIDTH: f64 = 190.0;
/// How far a cable without label goes level.
const LEVEL_MIN: f64 = 16.0;
/// Over which a cable reaches the height of its switch.
const SLANT: f64 = 90.0;
/// Between two columns of switches: a label fits.
const BETWEEN: f64 = 180.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::{star, tree};

    #[test]
    fn senders_stand_left_and_receivers_right_of_their_switch() {
        for senders in [1, 2, 32] {
            let record = star(senders);
            let network = record.network.as_ref().unwrap();
            let layout = Layout::new(&|host| receives(&record, host), network, true, true);
            let [switch, sink] = ["main", "sink"].map(|name| layout.find(name).unwrap());
            for host in network.hosts.iter().filter(|host| host.name != "sink") {
                let found = layout.find(&host.name).unwrap();
                assert!(found.x < switch.x && switch.x < sink.x, "{}", host.name);
                assert!(found.y > layout.top && found.y < layout.height, "{}: {}", host.name, found.y);
            }
        }
    }

    #[test]
    fn boxes_do_not_lie_over_each_other() {
        for record in [star(32), tree()] {
            let layout =
                Layout::new(&|host| receives(&record, host), record.network.as_ref().unwrap(), false, false);
            for (index, one) in layout.boxes.iter().enumerate() {
                for other in &layout.boxes[index + 1..] {
                    let apart = (one.y - other.y).abs() >= f64::midpoint(one.height, other.height);
                    assert!(apart || (one.x - other.x).abs() >= BOX_WIDTH, "{one:?} {other:?}");
                }
            }
        }
    }

    #[test]
    fn a_tree_reads_from_leaves_to_root() {
        let record = tree();
        let layout =
            Layout::new(&|host| receives(&record, host), record.network.as_ref().unwrap(), true, true);
        let x = |name: &str| layout.find(name).unwrap().x;
        assert!(x("leaf-1") < x("root") && (x("leaf-1") - x("leaf-2")).abs() < 1.0 && x("root") < x("sink"));
    }
}
