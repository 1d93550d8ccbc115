//! The mean of repeated figures, with its 95 % confidence interval.
//!
//! Student's t for few values, exact to four digits up to 30 degrees of freedom (tables of W. S. Gosset, 1908,
//! as in any collection), beyond it by the expansion of E. A. Cornish and R. A. Fisher (1938).

/// What repeated figures come to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// Their mean.
    pub mean: f64,
    /// Half of the width of the 95 % confidence interval of the mean; `None` for one value.
    pub half_width_95: Option<f64>,
    /// Smallest.
    pub least: f64,
    /// Largest.
    pub most: f64,
}

impl Summary {
    /// Of these values; `None` of none.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "numbers of runs are far below 2^53")]
    pub fn of(values: &[f64]) -> Option<Self> {
        let count = values.len() as f64;
        let (least, most) = values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), value| {
            (least.min(*value), most.max(*value))
        });
        if values.is_empty() {
            return None;
        }
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let half_width_95 = (values.len() > 1).then(|| {
            let deviation = (squares / (count - 1.0)).sqrt();
            student_t_95(values.len() - 1) * deviation / count.sqrt()
        });
        Some(Self { mean, half_width_95, least, most })
    }
}

/// The 97.5 % quantile of Student's t with so many degrees of freedom.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "numbers of runs are far below 2^53")]
pub fn student_t_95(freedom: usize) -> f64 {
    const TABLE: [f64; 30] = [
        12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281, 2.2010, 2.1788,
        2.1604, 2.1448, 2.1314, 2.1199, 2.1098, 2.1009, 2.0930, 2.0860, 2.0796, 2.0739, 2.0687, 2.0639,
        2.0595, 2.0555, 2.0518, 2.0484, 2.0452, 2.0423,
    ];
    /// Of the normal distribution.
    const Z: f64 = 1.959_964;
    if let Some(found) = freedom.checked_sub(1).and_then(|index| TABLE.get(index)) {
        return *found;
    }
    let n = (freedom as f64).max(1.0);
    Z + (Z.powi(3) + Z) / (4.0 * n) + (5.0 * Z.powi(5) + 16.0 * Z.powi(3) + 3.0 * Z) / (96.0 * n * n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_and_intervals_are_those_of_the_textbook() {
        assert_eq!(Summary::of(&[]), None);
        let one = Summary::of(&[3.0]).unwrap();
        assert_eq!((one.mean, one.half_width_95), (3.0, None));
        // Mean 5, deviation sqrt(20 / 3) = 2.582, t(3) = 3.1824: 3.1824 x 2.582 / 2.
        let four = Summary::of(&[2.0, 4.0, 6.0, 8.0]).unwrap();
        assert_eq!((four.mean, four.least, four.most), (5.0, 2.0, 8.0));
        assert!((four.half_width_95.unwrap() - 4.1085).abs() < 1e-3, "{four:?}");
    }

    #[test]
    fn the_expansion_meets_the_table() {
        for (freedom, table) in [(31, 2.0395), (60, 2.0003), (120, 1.9799), (100_000, 1.9600)] {
            assert!((student_t_95(freedom) - table).abs() < 2e-4, "{freedom}");
        }
    }
}
