//! What is said of a simulation in the same words on a terminal and on a page.

use incast_core::record::{ByteBook, DelayPart, ModelUsed, ReplicaFigure};

use crate::text::clean;
use crate::units::{UNKNOWN, count, difference, number, percent};

/// Law 4 as a sum of exact numbers, in pieces that stay whole on a line.
pub(crate) fn bytes(book: &ByteBook) -> Vec<String> {
    let parts = [
        ("offered", book.offered),
        ("= forwarded", book.forwarded),
        ("+ dropped", book.dropped),
        ("+ queued", book.queued),
    ];
    let residual = format!("+ residual {}", difference(Some(book.residual)));
    parts
        .map(|(name, bytes)| format!("{name} {}", count(Some(bytes))))
        .into_iter()
        .chain([residual])
        .collect()
}

/// `sinks: disk rate unlimited`.
pub(crate) fn model(model: &ModelUsed) -> String {
    format!("{}: {} {}", clean(&model.of), words(&model.name), clean(&model.value))
}

/// Whether the scenario stated it; anything else was assumed.
pub(crate) fn is_stated(model: &ModelUsed) -> bool {
    model.origin == "stated"
}

/// A name of the record in words: `until_empty` is `until empty`.
pub(crate) fn words(name: &str) -> String {
    clean(name).replace('_', " ")
}

/// An average number of bytes, in the unit of whole ones.
pub(crate) fn mean_bytes(mean: f64) -> String {
    if !mean.is_finite() || mean < 0.0 {
        return UNKNOWN.to_owned();
    }
    let scale = crate::units::byte_scale(mean);
    format!("{:.1} {}", mean / scale.factor, scale.unit)
}

/// Whether it is the delay itself and not a part of it.
pub(crate) fn is_whole(delay: &DelayPart) -> bool {
    delay.part == WHOLE
}

/// Whether replicas differ in it by more than rounding: sums of the same numbers in another order.
pub(crate) fn varies(figure: &ReplicaFigure) -> bool {
    let size = figure.least.abs().max(figure.most.abs());
    figure.most - figure.least > ROUNDING * size
}

/// `± 0.25`, half of the width of the 95 % confidence interval.
pub(crate) fn half_width(figure: &ReplicaFigure) -> String {
    figure.half_width.map_or_else(|| UNKNOWN.to_owned(), |half| format!("± {}", three_digits(half)))
}

/// Three digits, as a plain number where that is readable.
fn three_digits(value: f64) -> String {
    let rounded: Option<f64> = format!("{value:.2e}").parse().ok();
    number(rounded.filter(|rounded| rounded.is_finite()))
}

/// A fraction with its sign: `+2.41 %`, `-0.500 %`.
pub(crate) fn signed_percent(fraction: Option<f64>) -> String {
    let sign = if fraction.is_some_and(|fraction| fraction > 0.0) { "+" } else { "" };
    format!("{sign}{}", percent(fraction))
}

/// The part of a delay that is all of it.
pub(crate) const WHOLE: &str = "whole";
/// A formula that is further off than this is said to be: one of the two does not describe the scenario.
pub(crate) const DISAGREEMENT_FAR: f64 = 0.1;
/// Far above the rounding of 53 bits, far below what anybody would call a difference.
const ROUNDING: f64 = 1e-9;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn law_4_is_a_sum_of_exact_numbers() {
        let book =
            ByteBook { offered: 1_234_567, forwarded: 1_234_000, dropped: 500, queued: 60, residual: 7 };
        let said = "offered 1 234 567 = forwarded 1 234 000 + dropped 500 + queued 60 + residual 7";
        assert_eq!(bytes(&book).join(" "), said);
    }

    #[test]
    fn rounding_is_no_difference() {
        let figure = |least, most| ReplicaFigure { least, most, ..ReplicaFigure::default() };
        assert!(!varies(&figure(4.008_671_199_999_999, 4.008_671_2)) && !varies(&figure(0.0, 0.0)));
        assert!(varies(&figure(0.0, 1e-12)) && varies(&figure(99.9, 100.0)));
        assert!(!varies(&figure(f64::NAN, f64::NAN)));
    }

    #[test]
    fn signs_and_widths_are_short() {
        assert_eq!(signed_percent(Some(0.0241)), "+2.41 %");
        assert_eq!([signed_percent(Some(-0.005)), signed_percent(Some(0.0))], ["-0.500 %", "0 %"]);
        assert_eq!(signed_percent(None), UNKNOWN);
        let figure = |half_width| ReplicaFigure { half_width, ..ReplicaFigure::default() };
        assert_eq!(half_width(&figure(Some(0.012_345))), "± 0.0123");
        assert_eq!(half_width(&figure(None)), UNKNOWN);
        assert_eq!(
            [mean_bytes(116_141.85), mean_bytes(f64::NAN)],
            ["116.1 kB".to_owned(), UNKNOWN.to_owned()]
        );
    }
}
