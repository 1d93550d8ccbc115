//! The agreement of measurement and simulation as a number, in one line.

use incast_core::agreement::LargestDisagreement;
use incast_core::scenario::Metric;

use super::simulation::{signed_percent, words};
use crate::text::{clean, counted};
use crate::units::percent;

/// `measurement and simulation agree within 2.00 %: ...`
pub(crate) fn largest(largest: &LargestDisagreement) -> String {
    let size = percent(Some(largest.disagreement.abs()));
    let whose = largest.of.as_deref().map_or_else(|| "all".to_owned(), clean);
    let error = largest.error.map_or_else(String::new, |error| format!(" ± {}", percent(Some(error))));
    let over = counted(largest.figures, "such figure", "such figures");
    format!(
        "measured and simulated differ by at most {size}{error} in {} (of {whose}: {}, the largest of {over})",
        figure(largest.metric),
        signed_percent(Some(largest.disagreement)),
    )
}

/// A figure in words; the unit stands behind its value.
pub(crate) fn figure(metric: Metric) -> String {
    words(metric.name().trim_end_matches("_bits_per_s"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agreement_is_a_number_with_its_error() {
        let mut found = LargestDisagreement {
            metric: Metric::Goodput,
            of: Some("y".into()),
            disagreement: -0.02,
            error: None,
            figures: 3,
        };
        let line = "measured and simulated differ by at most 2.00 % in goodput (of y: -2.00 %, the largest of 3 such figures)";
        assert_eq!(largest(&found), line);
        (found.of, found.error, found.figures) = (None, Some(0.004), 1);
        assert!(largest(&found).contains("2.00 % ± 0.400 % in"), "{}", largest(&found));
    }
}
