//! An axis: where a value lies between its ends, and round numbers beside it.
//!
//! Ticks are multiples of 1, 2 or 5 times a power of ten; on a logarithmic axis powers of ten. Their
//! labels are without unit: the unit of the whole axis stands in its title.

use crate::units::{Scale, number};

/// One axis of a plot.
#[derive(Clone, Debug)]
pub(crate) struct Axis {
    from: f64,
    to: f64,
    is_log: bool,
    pub(crate) ticks: Vec<Tick>,
}

/// A mark on an axis.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tick {
    /// Where it is, 0 (begin) to 1 (end).
    pub(crate) place: f64,
    pub(crate) label: String,
}

impl Axis {
    /// From 0 (or from the least, if that is below) to a round number at or above `most`.
    pub(crate) fn rounded(least: f64, most: f64, scale: Scale) -> Self {
        let (least, most) = finite_ends(least.min(0.0), most.max(0.0));
        let step = round_step((most - least) / scale.factor, STEPS_UPRIGHT) * scale.factor;
        Self::linear((least / step).floor() * step, (most / step).ceil() * step, step, scale)
    }

    /// From `from` to `to` exactly, as time is.
    pub(crate) fn exact(from: f64, to: f64, scale: Scale) -> Self {
        let (from, to) = finite_ends(from, to);
        let step = round_step((to - from) / scale.factor, STEPS_ALONG) * scale.factor;
        Self::linear(from, to, step, scale)
    }

    /// Over powers of ten; both ends are above 0. A single value has room on both sides.
    pub(crate) fn log(least: f64, most: f64) -> Self {
        let power = |value: f64| value.clamp(LOG_LEAST, LOG_MOST).log10();
        let (from, to) = (power(least.max(LOG_LEAST)).floor(), power(most.max(LOG_LEAST)).ceil());
        let to = if to > from { to } else { from + 1.0 };
        let mut axis = Self { from, to, is_log: true, ticks: Vec::new() };
        let stride = ((to - from) / STEPS_UPRIGHT).ceil().max(1.0);
        let mut exponent = from;
        while exponent <= to {
            let label = power_of_ten(exponent);
            axis.ticks.push(Tick { place: (exponent - from) / (to - from), label });
            exponent += stride;
        }
        axis
    }

    /// Over powers of ten as well, with 0 below the least of them.
    pub(crate) fn log_above_zero(least: f64, most: f64) -> Self {
        let mut axis = Self::log(least / 10.0, most);
        if let Some(first) = axis.ticks.first_mut() {
            "0".clone_into(&mut first.label);
        }
        axis
    }

    fn linear(from: f64, to: f64, step: f64, scale: Scale) -> Self {
        let mut axis = Self { from, to, is_log: false, ticks: Vec::new() };
        let first = (from / step).ceil();
        let count = ((to - from) / step + 0.001).floor().min(TICKS_MAX);
        let mut index = 0.0;
        while index <= count {
            let value = (first + index) * step;
            let place = axis.place(value);
            // The last one may lie beyond an end that is not round.
            if value <= to + step * 0.001 {
                // Twelve digits: 0.1 + 0.2 is 0.3 on an axis.
                let label = number(format!("{:.12}", value / scale.factor).parse().ok());
                axis.ticks.push(Tick { place, label });
            }
            index += 1.0;
        }
        axis
    }

    /// Where `value` lies, 0 (begin) to 1 (end); beyond an end it is at the end.
    pub(crate) fn place(&self, value: f64) -> f64 {
        let value = if self.is_log { value.max(f64::MIN_POSITIVE).log10() } else { value };
        ((value - self.from) / (self.to - self.from)).clamp(0.0, 1.0)
    }
}

/// Ends that a line can be drawn between, whatever came in.
fn finite_ends(from: f64, to: f64) -> (f64, f64) {
    let from = if from.is_finite() { from } else { 0.0 };
    let to = if to.is_finite() { to } else { 0.0 };
    if to - from > f64::MIN_POSITIVE * 1e6 && (to - from).is_finite() {
        (from, to)
    } else {
        (from, from + 1.0)
    }
}

/// The round step that divides `span` into at most so many parts.
fn round_step(span: f64, parts: f64) -> f64 {
    let least = span / parts;
    let power = 10_f64.powf(least.log10().floor());
    let round = [1.0, 2.0, 5.0].into_iter().find(|round| round * power >= least * 0.999_999);
    round.unwrap_or(10.0) * power
}

/// `100`, `0.001`; what would not fit beside an axis as `1e-7`.
fn power_of_ten(exponent: f64) -> String {
    if (-4.0..15.0).contains(&exponent) {
        number(Some(10_f64.powf(exponent)))
    } else {
        format!("1e{exponent:.0}")
    }
}

/// Beyond these a logarithmic axis does not reach: more than any count, less than any fraction.
const LOG_LEAST: f64 = 1e-12;
const LOG_MOST: f64 = 1e21;
/// A number every 40 units is as close as can be read.
const STEPS_UPRIGHT: f64 = 4.0;
/// So many labels stand beside each other on a screen of 400 units.
const STEPS_ALONG: f64 = 6.0;
/// Far beyond what the two above can come to.
const TICKS_MAX: f64 = 20.0;

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Scale = Scale { factor: 1.0, unit: "" };

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|tick| tick.label.as_str()).collect()
    }

    #[test]
    fn ticks_are_round_numbers_and_the_end_is_above_the_most() {
        assert_eq!(labels(&Axis::rounded(0.0, 97.3, PLAIN)), ["0", "50", "100"]);
        assert_eq!(labels(&Axis::rounded(0.0, 0.31, PLAIN)), ["0", "0.1", "0.2", "0.3", "0.4"]);
        assert_eq!(labels(&Axis::rounded(-3.0, 10.0, PLAIN)), ["-5", "0", "5", "10"]);
        let mega = Scale { factor: 1e6, unit: "Mbit/s" };
        assert_eq!(labels(&Axis::rounded(0.0, 940e6, mega)), ["0", "500", "1 000"]);
        let axis = Axis::rounded(0.0, 97.3, PLAIN);
        assert!((axis.place(50.0) - 0.5).abs() < 1e-9);
        assert_eq!((axis.place(-1.0), axis.place(1e9)), (0.0, 1.0));
    }

    #[test]
    fn time_ends_where_the_run_does() {
        let axis = Axis::exact(0.0, 3.1, PLAIN);
        assert_eq!(labels(&axis), ["0", "1", "2", "3"]);
        assert!((axis.place(3.1) - 1.0).abs() < 1e-9 && axis.ticks[3].place < 1.0);
    }

    #[test]
    fn powers_of_ten() {
        let axis = Axis::log(1.0, 1_500.0);
        assert_eq!(labels(&axis), ["1", "10", "100", "1 000", "10 000"]);
        assert!((axis.place(100.0) - 0.5).abs() < 1e-9);
        assert_eq!(labels(&Axis::log(1.0, 1.0)), ["1", "10"]);
        assert!(Axis::log(1.0, 1e18).ticks.len() <= 6);
    }

    #[test]
    fn zero_lies_below_the_powers_of_ten() {
        let axis = Axis::log_above_zero(0.25, 39.0);
        assert_eq!(labels(&axis), ["0", "0.1", "1", "10", "100"]);
        assert_eq!((axis.place(0.0), axis.place(100.0)), (0.0, 1.0));
        assert!(axis.place(0.25) > axis.place(0.1) && axis.place(0.1) > 0.24);
        assert_eq!(labels(&Axis::log_above_zero(0.1, 0.1)), ["0", "0.1"]);
        assert_eq!(labels(&Axis::log_above_zero(3e-9, 100.0)), ["0", "1e-7", "0.0001", "0.1", "100"]);
        assert!(Axis::log_above_zero(f64::INFINITY, 0.0).ticks.len() >= 2);
    }

    #[test]
    fn nothing_and_nonsense_still_have_an_axis() {
        for (least, most) in
            [(0.0, 0.0), (f64::NAN, f64::NAN), (0.0, f64::INFINITY), (5.0, -5.0), (0.0, 1e300)]
        {
            for axis in
                [Axis::rounded(least, most, PLAIN), Axis::exact(least, most, PLAIN), Axis::log(least, most)]
            {
                assert!((2..=22).contains(&axis.ticks.len()), "{least} {most}: {axis:?}");
                assert!(axis.ticks.iter().all(|tick| (0.0..=1.0).contains(&tick.place)), "{axis:?}");
                assert!((0.0..=1.0).contains(&axis.place(1.0)));
            }
        }
    }
}
