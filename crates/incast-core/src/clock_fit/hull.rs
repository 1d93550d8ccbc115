//! The bounds of a straight line that can still matter: their convex hull, in bounded memory.
//!
//! Of upper bounds only the corners of their lower hull can touch a line from above, and the other way round
//! (the monotone chain of A. M. Andrew, "Another efficient algorithm for convex hulls in two dimensions",
//! Information Processing Letters 9(5), 1979, kept up point by point). A corner that is dropped for want of room
//! loosens the bounds, and never makes them wrong.

use std::collections::VecDeque;

use super::CORNERS_MAX;

/// Where a hull's points are, seen from the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Upper bounds: the line is below.
    Above,
    /// Lower bounds: the line is above.
    Below,
}

/// Corners by rising moment: `(moment, bound)`.
#[derive(Clone, Debug)]
pub(super) struct Hull {
    side: Side,
    corners: VecDeque<(f64, f64)>,
}

impl Hull {
    pub(super) fn new(side: Side) -> Self {
        Self { side, corners: VecDeque::new() }
    }

    pub(super) fn corners(&self) -> &VecDeque<(f64, f64)> {
        &self.corners
    }

    /// Adds a bound; those that it makes needless go.
    pub(super) fn insert(&mut self, at: f64, bound: f64) {
        let place = self.corners.partition_point(|corner| corner.0 < at);
        if let Some(same) = self.corners.get_mut(place).filter(|corner| corner.0 <= at) {
            let tighter = if self.side == Side::Above { bound < same.1 } else { bound > same.1 };
            if !tighter {
                return;
            }
            same.1 = bound;
        } else {
            self.corners.insert(place, (at, bound));
        }
        if self.is_needless(place) {
            self.corners.remove(place);
            return;
        }
        let mut place = place;
        while place > 0 && self.is_needless(place - 1) {
            self.corners.remove(place - 1);
            place -= 1;
        }
        while self.is_needless(place + 1) {
            self.corners.remove(place + 1);
        }
        if self.corners.len() > CORNERS_MAX {
            self.drop_flattest();
        }
    }

    /// Drops what was before `moment`, but never the last corner.
    pub(super) fn forget(&mut self, moment: f64) {
        while self.corners.len() > 1 && self.corners.front().is_some_and(|corner| corner.0 < moment) {
            self.corners.pop_front();
        }
    }

    /// Whether a corner lies on or behind the edge between its neighbours. The first and the last never do.
    fn is_needless(&self, place: usize) -> bool {
        self.depth(place).is_some_and(|depth| depth <= 0.0)
    }

    /// How far a corner reaches towards the line, times twice the length between its neighbours: twice the area
    /// that the hull loses without it.
    fn depth(&self, place: usize) -> Option<f64> {
        let before = self.corners.get(place.checked_sub(1)?)?;
        let (here, after) = (self.corners.get(place)?, self.corners.get(place + 1)?);
        let turn = (here.0 - before.0) * (after.1 - before.1) - (after.0 - before.0) * (here.1 - before.1);
        Some(if self.side == Side::Above { turn } else { -turn })
    }

    fn drop_flattest(&mut self) {
        let depths = (1..self.corners.len() - 1).filter_map(|place| Some((place, self.depth(place)?)));
        if let Some((place, _)) = depths.min_by(|one, other| one.1.total_cmp(&other.1)) {
            self.corners.remove(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn no_bound_lies_on_the_lines_side_of_the_hull() {
        for seed in 0..200 {
            let mut random = Random::named(seed, "hull");
            let mut hull = Hull::new(Side::Above);
            let mut points: Vec<(f64, f64)> = Vec::new();
            for _ in 0..60 {
                // Few moments, so that some are the same; in any order.
                let point = ((random.unit() * 40.0).round(), (random.unit() * 100.0).round());
                points.push(point);
                hull.insert(point.0, point.1);
            }
            let corners: Vec<(f64, f64)> = hull.corners().iter().copied().collect();
            assert!(corners.iter().all(|corner| points.contains(corner)), "seed {seed}");
            let edges = corners.windows(2);
            assert!(edges.len() > 0, "seed {seed}");
            for edge in edges {
                let slope = (edge[1].1 - edge[0].1) / (edge[1].0 - edge[0].0);
                for point in &points {
                    let over = point.1 - edge[0].1 - slope * (point.0 - edge[0].0);
                    let within = (edge[0].0..=edge[1].0).contains(&point.0);
                    assert!(!within || over > -1e-9, "seed {seed}: {point:?} below {edge:?}");
                }
            }
        }
    }

    #[test]
    fn a_full_hull_keeps_its_ends_and_its_sharpest_corners() {
        let mut hull = Hull::new(Side::Below);
        // Lower bounds on a parabola: each is a corner.
        for step in -500_i32..=500 {
            let x = f64::from(step);
            hull.insert(x, -x * x);
        }
        let corners = hull.corners();
        assert_eq!(corners.len(), CORNERS_MAX);
        assert_eq!((corners[0].0, corners[CORNERS_MAX - 1].0), (-500.0, 500.0));
    }

    #[test]
    fn what_is_old_is_forgotten_but_for_one() {
        let mut hull = Hull::new(Side::Above);
        for x in 0..10_u8 {
            hull.insert(f64::from(x), f64::from(x) * f64::from(x));
        }
        hull.forget(5.0);
        assert_eq!(hull.corners()[0].0, 5.0);
        hull.forget(1e9);
        assert_eq!(hull.corners().len(), 1);
    }
}
