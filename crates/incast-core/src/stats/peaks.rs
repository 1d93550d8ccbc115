//! Peaks in a sample of lost fractions, and the comb that they make, if they make one.
//!
//! The density is estimated with a Gaussian kernel. Every local maximum stands as high above the higher of the
//! two valleys that part it from higher ground as its samples say, and is a peak where that is more than counting
//! noise explains. The kernel's width is the one that shows most peaks, of all from the resolution of a run upwards: with
//! a Gaussian, maxima only disappear as the width grows (B. Silverman: "Using Kernel Density Estimates to
//! Investigate Multimodality", J. R. Statist. Soc. B 43, 1981; the tree of modes over all widths: M. Minnotte, D. Scott:
//! "The Mode Tree", J. Comput. Graph. Statist. 2, 1993). A comb is a straight line through the places of peaks
//! that follow each other.
//!
//! It says what is in the sample, not why. It draws nothing.

use serde::{Deserialize, Serialize};

/// What was found. Fractions are lost messages over sent ones.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Peaks {
    /// Runs in the sample.
    pub runs: u64,
    /// Runs that lost nothing; they are in the sample of the peaks, too.
    pub runs_without_loss: u64,
    /// Mean lost fraction.
    pub mean: f64,
    /// Standard deviation of the kernel.
    pub kernel: f64,
    /// By rising fraction.
    pub peaks: Vec<Peak>,
    /// The comb that most of them make.
    pub comb: Option<Comb>,
}

/// A peak.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Peak {
    /// Mean lost fraction of the runs in its upper half.
    pub fraction: f64,
    /// The same as one message in so many; none for a peak at zero.
    pub one_in: Option<f64>,
    /// Its lower valley: runs from here on are its own,
    pub from: f64,
    /// up to its upper valley, which is infinite for the last peak.
    pub to: f64,
    /// Runs between its valleys.
    pub runs: u64,
    /// Its height over the higher valley, in standard deviations of counting.
    pub significance: f64,
}

/// Peaks at equal distances: `offset + k spacing`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comb {
    /// Fraction of its first tooth.
    pub offset: f64,
    /// From tooth to tooth.
    pub spacing: f64,
    /// How many peaks lie on it, one after the other.
    pub teeth: u64,
    /// Root of the mean square of their distances from it.
    pub residual: f64,
}

/// Standard deviations that a peak stands above its valleys. Some thousand places and widths are looked at:
/// noise alone shows a peak in about one sample in thirty.
pub const SIGNIFICANCE_MIN: f64 = 4.0;
/// Teeth of a comb: three peaks are too easily in line.
const TEETH_MIN: usize = 4;
/// A tooth is at most so far off, in spacings.
const TOOTH_OFF_MAX: f64 = 0.15;
/// Cells of the density, four for each width of the kernel: 512 KiB.
const CELLS_MAX: f64 = 65_536.0;
const CELLS_PER_KERNEL: usize = 4;
/// Each kernel is so much wider than the one before.
const KERNEL_STEP: f64 = 1.25;

/// Finds the peaks of the lost fractions of many runs; `resolution` is the least that a run can lose, one over
/// its messages. What is not a finite fraction is left out.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts of runs are far below 2^53")]
pub fn find_peaks(fractions: &[f64], resolution: f64) -> Peaks {
    let is_fraction = |fraction: &f64| (0.0..=1.0).contains(fraction);
    let mut sample: Vec<f64> = fractions.iter().copied().filter(is_fraction).collect();
    sample.sort_by(f64::total_cmp);
    let Some(largest) = sample.last().copied() else { return Peaks::default() };
    let mut found = Peaks {
        runs: sample.len() as u64,
        runs_without_loss: sample.iter().filter(|fraction| **fraction == 0.0).count() as u64,
        mean: sample.iter().sum::<f64>() / sample.len() as f64,
        ..Peaks::default()
    };
    if !(resolution > 0.0 && resolution <= 1.0) {
        return found;
    }
    // A kernel as wide as the resolution hides that losses are whole messages.
    let mut kernel = resolution.max(largest * CELLS_PER_KERNEL as f64 / CELLS_MAX);
    loop {
        let peaks = Density::of(&sample, kernel).peaks(&sample);
        if peaks.len() >= found.peaks.len() {
            (found.peaks, found.kernel) = (peaks, kernel);
        }
        kernel *= KERNEL_STEP;
        if kernel > largest {
            break;
        }
    }
    found.comb = comb(&found.peaks);
    found
}

/// Samples under a Gaussian kernel of height 1, at equal steps from four widths below zero.
struct Density {
    kernel: f64,
    heights: Vec<f64>,
}

impl Density {
    const MARGIN: usize = 4 * CELLS_PER_KERNEL;

    #[expect(clippy::cast_precision_loss, reason = "offsets of a few cells")]
    fn of(sample: &[f64], kernel: f64) -> Self {
        let mut density = Self { kernel, heights: Vec::new() };
        let largest = sample.last().copied().unwrap_or(0.0);
        let mut counts = vec![0.0; density.cell(largest) + Self::MARGIN + 1];
        for fraction in sample {
            counts[density.cell(*fraction)] += 1.0;
        }
        let weight = |offset: usize| {
            let widths = offset as f64 / CELLS_PER_KERNEL as f64;
            (-widths * widths / 2.0).exp()
        };
        let weights: Vec<f64> = (0..=Self::MARGIN).map(weight).collect();
        density.heights = vec![0.0; counts.len()];
        for (cell, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0.0) {
            for (offset, weight) in weights.iter().enumerate() {
                density.heights[cell - offset] += count * weight;
                if offset > 0 && cell + offset < counts.len() {
                    density.heights[cell + offset] += count * weight;
                }
            }
        }
        density
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a fraction is not negative, and kernels are so wide that there are few cells"
    )]
    fn cell(&self, fraction: f64) -> usize {
        (fraction / self.kernel * CELLS_PER_KERNEL as f64).round() as usize + Self::MARGIN
    }

    /// All maxima that are more than noise.
    fn peaks(&self, sample: &[f64]) -> Vec<Peak> {
        let mut places = self.maxima();
        // The least of them goes first, into its higher neighbour: then what is left stands for more.
        loop {
            let valleys: Vec<usize> = places.windows(2).map(|pair| self.lowest(pair[0], pair[1])).collect();
            let rated = places.iter().enumerate().map(|(index, place)| {
                let left = index.checked_sub(1).map(|left| self.heights[valleys[left]]);
                let right = valleys.get(index).map(|right| self.heights[*right]);
                let valley = left.unwrap_or(0.0).max(right.unwrap_or(0.0));
                (index, significance(self.heights[*place], valley))
            });
            let least = rated.clone().min_by(|one, other| one.1.total_cmp(&other.1));
            match least {
                Some((index, least)) if least < SIGNIFICANCE_MIN => places.remove(index),
                _ => return rated.map(|(index, rate)| self.peak(sample, &places, index, rate)).collect(),
            };
        }
    }

    fn maxima(&self) -> Vec<usize> {
        let heights = &self.heights;
        (1..heights.len().saturating_sub(1))
            .filter(|cell| heights[cell - 1] < heights[*cell] && heights[*cell] >= heights[cell + 1])
            .collect()
    }

    /// The lowest cell between two.
    fn lowest(&self, left: usize, right: usize) -> usize {
        let between = left..=right;
        between.min_by(|one, other| self.heights[*one].total_cmp(&self.heights[*other])).unwrap_or(left)
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of runs are far below 2^53")]
    fn peak(&self, sample: &[f64], places: &[usize], index: usize, significance: f64) -> Peak {
        let place = places[index];
        let left = index.checked_sub(1).map_or(0, |left| self.lowest(places[left], place));
        let right = places.get(index + 1).map_or(self.heights.len(), |right| self.lowest(place, *right));
        let half = self.heights[place] / 2.0;
        let is_low = |cell: &usize| self.heights[*cell] < half;
        let upper_from = (left..place).rev().find(is_low).map_or(left, |cell| cell + 1);
        let upper_to = (place..right).find(is_low).unwrap_or(right);
        let within = |from: usize, to: usize| {
            let begin = sample.partition_point(|fraction| self.cell(*fraction) < from);
            let end = sample.partition_point(|fraction| self.cell(*fraction) < to);
            &sample[begin..end]
        };
        let upper = within(upper_from, upper_to);
        let fraction = upper.iter().sum::<f64>() / upper.len().max(1) as f64;
        let one_in = (fraction > 0.0).then(|| 1.0 / fraction);
        let to = if right == self.heights.len() { f64::INFINITY } else { self.edge(right) };
        let from = if left == 0 { 0.0 } else { self.edge(left) };
        Peak { fraction, one_in, from, to, runs: within(left, right).len() as u64, significance }
    }

    /// The least fraction that lies in a cell: half of a cell below its middle.
    #[expect(clippy::cast_precision_loss, reason = "there are few cells")]
    fn edge(&self, cell: usize) -> f64 {
        ((cell as f64 - Self::MARGIN as f64 - 0.5) * self.kernel / CELLS_PER_KERNEL as f64).max(0.0)
    }
}

/// How far `peak` stands above `valley`, in standard deviations: both are sums of Gaussians of height 1 around
/// samples, of which the variance is the sum of their squares, `1/sqrt(2)` of it where samples are dense.
fn significance(peak: f64, valley: f64) -> f64 {
    (peak - valley) / ((peak + valley) / std::f64::consts::SQRT_2).sqrt()
}

/// The longest row of peaks at equal distances; of two equally long ones the first.
fn comb(peaks: &[Peak]) -> Option<Comb> {
    let places: Vec<f64> = peaks.iter().map(|peak| peak.fraction).collect();
    let runs = (0..places.len()).flat_map(|from| (from + TEETH_MIN..=places.len()).map(move |to| (from, to)));
    runs.filter_map(|(from, to)| line(&places[from..to]))
        .reduce(|best, next| if next.teeth > best.teeth { next } else { best })
}

/// The straight line through `places` (least squares), if all are near it.
#[expect(clippy::cast_precision_loss, reason = "a number of peaks")]
fn line(places: &[f64]) -> Option<Comb> {
    let count = places.len() as f64;
    let (mean_index, mean) = ((count - 1.0) / 2.0, places.iter().sum::<f64>() / count);
    let (mut covariance, mut variance) = (0.0, 0.0);
    for (index, place) in places.iter().enumerate() {
        let from_mean = index as f64 - mean_index;
        covariance += from_mean * (place - mean);
        variance += from_mean * from_mean;
    }
    let spacing = covariance / variance;
    let offset = mean - spacing * mean_index;
    let off = |(index, place): (usize, &f64)| place - offset - spacing * index as f64;
    let is_straight = places.iter().enumerate().all(|tooth| off(tooth).abs() <= TOOTH_OFF_MAX * spacing);
    let squares: f64 = places.iter().enumerate().map(|tooth| off(tooth).powi(2)).sum();
    let residual = (squares / count).sqrt();
    is_straight.then_some(Comb { offset, spacing, teeth: places.len() as u64, residual })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    const MESSAGE: f64 = 1e-6;

    /// Poisson, by the product of uniforms (Knuth).
    fn poisson(random: &mut Random, mean: f64) -> f64 {
        let (mut count, mut left) = (0.0, (-mean).exp());
        loop {
            left /= random.unit();
            if left >= 1.0 {
                return count;
            }
            count += 1.0;
        }
    }

    #[test]
    fn one_hump_is_one_peak_and_no_comb() {
        for seed in 0..20 {
            let mut random = Random::named(seed, "hump");
            let sample: Vec<f64> = (0..2_600).map(|_| poisson(&mut random, 50.0) * MESSAGE).collect();
            let found = find_peaks(&sample, MESSAGE);
            assert_eq!((found.peaks.len(), found.comb), (1, None), "seed {seed}: {found:?}");
            assert!((found.peaks[0].fraction - 50e-6).abs() < 3e-6, "seed {seed}: {found:?}");
            assert!((found.mean - 50e-6).abs() < 1e-6, "seed {seed}");
        }
    }

    #[test]
    fn a_comb_is_found_with_its_spacing() {
        for seed in 0..20 {
            let mut random = Random::named(seed, "comb");
            let sample: Vec<f64> = (0..2_600)
                .map(|_| {
                    let bursts = poisson(&mut random, 3.0);
                    let noise = (random.unit() + random.unit() - 1.0) * 2.0;
                    (5.45 + 8.13 * bursts + noise).round() * MESSAGE
                })
                .collect();
            let found = find_peaks(&sample, MESSAGE);
            let comb = found.comb.unwrap_or_else(|| panic!("seed {seed}: {found:?}"));
            assert!(comb.teeth >= 6, "seed {seed}: {comb:?}");
            assert!((comb.spacing / MESSAGE - 8.13).abs() < 0.1, "seed {seed}: {comb:?}");
            assert!((comb.offset / MESSAGE - 5.45).abs() < 0.3, "seed {seed}: {comb:?}");
        }
    }

    #[test]
    fn peaks_far_apart_are_named_as_one_in_so_many() {
        let mut random = Random::named(1, "names");
        let places = [30.0, 97.0, 282.0];
        let sample: Vec<f64> = (0..2_600_usize)
            .map(|run| (places[run % 8 % 3] + (random.unit() - 0.5) * 6.0).round() * MESSAGE)
            .collect();
        let named: Vec<f64> =
            find_peaks(&sample, MESSAGE).peaks.iter().filter_map(|peak| peak.one_in).collect();
        assert_eq!(named.len(), 3, "{named:?}");
        for (one_in, place) in named.iter().zip(places) {
            assert!((one_in * place * MESSAGE - 1.0).abs() < 0.02, "{named:?}");
        }
    }

    #[test]
    fn nothing_is_found_in_nothing() {
        assert_eq!(find_peaks(&[], MESSAGE), Peaks::default());
        assert_eq!(find_peaks(&[f64::NAN, -1.0, 2.0], MESSAGE), Peaks::default());
        assert_eq!(find_peaks(&[0.5], 0.0).peaks, []);
        let clean = find_peaks(&[0.0; 100], MESSAGE);
        assert_eq!((clean.runs_without_loss, clean.peaks.len()), (100, 1));
        assert_eq!((clean.peaks[0].fraction, clean.peaks[0].one_in), (0.0, None));
    }
}
