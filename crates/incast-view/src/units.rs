//! Numbers as people read them: a few digits, and always the unit.
//!
//! What is unknown is [`UNKNOWN`], never 0; a value that is not finite is not known. What is not 0
//! is never written as 0, and a part is never written as the whole. Prefixes are powers of ten
//! (ISO 80000); bits for rates, bytes for amounts.

/// Stands for a number that is not known.
pub const UNKNOWN: &str = "-";

/// A rate in bits per second with four digits: `941.2 Mbit/s`.
#[must_use]
pub fn rate(bits_per_s: Option<f64>) -> String {
    known(bits_per_s, |rate| scaled(rate, DIGITS, 0, &BIT_RATES))
}

/// A rate with six digits, for looking closely: `941.160 Mbit/s`.
#[must_use]
pub fn rate_fine(bits_per_s: Option<f64>) -> String {
    known(bits_per_s, |rate| scaled(rate, DIGITS_FINE, 0, &BIT_RATES))
}

/// A whole number in groups of three: `1 234 567`.
#[must_use]
pub fn count(count: Option<u64>) -> String {
    count.map_or_else(|| UNKNOWN.to_owned(), |count| grouped(&count.to_string()))
}

/// A whole number of either sign in groups of three: `-1 234`.
#[must_use]
pub fn difference(difference: Option<i64>) -> String {
    difference.map_or_else(|| UNKNOWN.to_owned(), |difference| grouped(&difference.to_string()))
}

/// An amount of data: exact below 100 000 bytes (`1 024 B`), then with four digits (`1.234 GB`).
#[must_use]
pub fn bytes(bytes: Option<u64>) -> String {
    match bytes {
        Some(exact @ 0..100_000) => format!("{} B", grouped(&exact.to_string())),
        _ => known(bytes.map(f64_of), |bytes| scaled(bytes, DIGITS, 0, &BYTES)),
    }
}

/// An amount of data per second with four digits: `16.38 MB/s`.
#[must_use]
pub fn byte_rate(bytes_per_s: Option<f64>) -> String {
    known(bytes_per_s, |rate| format!("{}/s", scaled(rate, DIGITS, 0, &BYTES)))
}

/// How many of something per second, without a unit: four digits, whole ones in groups from 1000 on.
#[must_use]
pub fn frequency(per_s: Option<f64>) -> String {
    known(per_s, |rate| match rate.abs() {
        0.0 => "0".to_owned(),
        999.95..1e15 => grouped(&format!("{rate:.0}")),
        _ => significant(rate, DIGITS),
    })
}

/// A time that was counted in microseconds, with four digits.
#[must_use]
pub fn microseconds(microseconds: Option<f64>) -> String {
    seconds(microseconds.map(|us| us / 1e6))
}

/// A fraction of 1 with three digits: `0.0241` is `2.41 %`. Nearly all is not `100 %`: `99.996 %`.
#[must_use]
pub fn percent(fraction: Option<f64>) -> String {
    known(fraction.map(|fraction| fraction * 100.0), |percent| {
        if percent.abs() <= 0.0 || (percent - 100.0).abs() <= 0.0 {
            return format!("{percent:.0} %").replace('-', "");
        }
        let is_whole = |text: &String| text.parse().is_ok_and(|shown: f64| (shown - 100.0).abs() <= 0.0);
        let honest = (3..=12).map(|digits| significant(percent, digits)).find(|text| !is_whole(text));
        format!("{} %", honest.unwrap_or_else(|| percent.to_string()))
    })
}

/// A time with four digits: `9.999 s`, `12.30 us`; whole seconds from 1000 on.
#[must_use]
pub fn seconds(seconds: Option<f64>) -> String {
    known(seconds, |seconds| match seconds.abs() {
        1e3..1e15 => format!("{} s", grouped(&format!("{seconds:.0}"))),
        _ => scaled(seconds, DIGITS, -3, &SECONDS),
    })
}

/// A time that was counted in nanoseconds, with four digits.
#[must_use]
pub fn nanoseconds(nanoseconds: u64) -> String {
    seconds(Some(f64_of(nanoseconds) / 1e9))
}

/// A time that was counted in nanoseconds and may be negative, with four digits.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "for printing")]
pub fn signed_nanoseconds(nanoseconds: i64) -> String {
    seconds(Some(nanoseconds as f64 / 1e9))
}

/// A number without unit: whole ones in groups, others with six digits at most.
#[must_use]
pub fn number(number: Option<f64>) -> String {
    known(number, |number| {
        let size = number.abs();
        if size < 1e15 && number.fract().abs() <= 0.0 {
            return grouped(&format!("{number:.0}")).replace("-0", "0");
        }
        if !(1e-4..1e15).contains(&size) {
            return format!("{number:.5e}");
        }
        let digits = significant(number, DIGITS_FINE);
        if digits.contains('.') {
            digits.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            digits
        }
    })
}

/// A number without unit, with three digits: `30.8`.
#[must_use]
pub fn about(number: Option<f64>) -> String {
    known(number, |number| if number.abs() <= 0.0 { "0".to_owned() } else { significant(number, 3) })
}

/// The unit of a whole axis: numbers on it are divided by `factor`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scale {
    pub(crate) factor: f64,
    pub(crate) unit: &'static str,
}

/// The unit of an axis of rates that ends at `most` bits per second.
pub(crate) fn rate_scale(most: f64) -> Scale {
    scale(most, 0, &BIT_RATES)
}

/// The unit of an axis of times that ends at `most` seconds.
pub(crate) fn time_scale(most: f64) -> Scale {
    scale(most, -3, &SECONDS)
}

/// The unit of an axis of counts that ends at `most`.
pub(crate) fn count_scale(most: f64) -> Scale {
    scale(most, 0, &COUNTS)
}

/// The unit of an axis of amounts of data that ends at `most` bytes.
pub(crate) fn byte_scale(most: f64) -> Scale {
    scale(most, 0, &BYTES)
}

/// The largest unit that leaves a digit before the point at `most`; `units[0]` is 1000^`lowest`.
fn scale(most: f64, lowest: i32, units: &[&'static str]) -> Scale {
    // Nothing is 0 of the plain unit.
    let thousands = if most > 0.0 && most.is_finite() { exponent(most, DIGITS).div_euclid(3) } else { 0 };
    let index = usize::try_from(thousands - lowest).unwrap_or(0).min(units.len().saturating_sub(1));
    let power = lowest + i32::try_from(index).unwrap_or(0);
    Scale { factor: 1000_f64.powi(power), unit: units.get(index).copied().unwrap_or_default() }
}

fn known(value: Option<f64>, show: impl FnOnce(f64) -> String) -> String {
    value.filter(|value| value.is_finite()).map_or_else(|| UNKNOWN.to_owned(), show)
}

/// `value` in the largest unit that leaves a digit before the point; `units[0]` is 1000^`lowest`.
fn scaled(value: f64, digits: i32, lowest: i32, units: &[&str]) -> String {
    let first = units.first().copied().unwrap_or_default();
    if value.abs() <= 0.0 {
        return format!("0 {}", if lowest < 0 { units.last().copied().unwrap_or(first) } else { first });
    }
    let thousands = exponent(value, digits).div_euclid(3);
    let index = usize::try_from(thousands - lowest).unwrap_or(0).min(units.len().saturating_sub(1));
    let power = lowest + i32::try_from(index).unwrap_or(0);
    format!("{} {}", significant(value / 1000_f64.powi(power), digits), units.get(index).unwrap_or(&first))
}

/// `value` rounded to so many digits, as a plain decimal where that is readable.
fn significant(value: f64, digits: i32) -> String {
    let exponent = exponent(value, digits);
    let decimals = |count: i32| usize::try_from(count).unwrap_or(0);
    if (-4..=digits).contains(&exponent) {
        format!("{value:.*}", decimals(digits - 1 - exponent))
    } else {
        format!("{value:.*e}", decimals(digits - 1))
    }
}

/// The power of ten of the first digit, after rounding to so many digits.
fn exponent(value: f64, digits: i32) -> i32 {
    let text = format!("{value:.*e}", usize::try_from(digits - 1).unwrap_or(0));
    text.split_once('e').and_then(|(_, exponent)| exponent.parse().ok()).unwrap_or(0)
}

/// A decimal integer with a space before each group of three.
fn grouped(digits: &str) -> String {
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |digits| ("-", digits));
    let mut text = sign.to_owned();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// A count as a number to print or to draw.
#[expect(clippy::cast_precision_loss, reason = "for printing: 53 bits are enough")]
pub(crate) fn f64_of(count: u64) -> f64 {
    count as f64
}

const DIGITS: i32 = 4;
const DIGITS_FINE: i32 = 6;
const BIT_RATES: [&str; 6] = ["bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s", "Pbit/s"];
const BYTES: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
const COUNTS: [&str; 4] = ["", "thousand ", "million ", "billion "];
const SECONDS: [&str; 4] = ["ns", "us", "ms", "s"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_has_four_digits_and_a_unit() {
        for (bits_per_s, text) in [
            (0.0, "0 bit/s"),
            (-0.0, "0 bit/s"),
            (0.5, "0.5000 bit/s"),
            (1.0, "1.000 bit/s"),
            (941_234_567.0, "941.2 Mbit/s"),
            (999_940_000.0, "999.9 Mbit/s"),
            (999_960_000.0, "1.000 Gbit/s"),
            (1e10, "10.00 Gbit/s"),
            (1.23e14, "123.0 Tbit/s"),
            (1e30, "1.000e15 Pbit/s"),
            (1e-30, "1.000e-30 bit/s"),
            (-2e6, "-2.000 Mbit/s"),
        ] {
            assert_eq!(rate(Some(bits_per_s)), text);
        }
        assert_eq!(rate_fine(Some(941_160_000.0)), "941.160 Mbit/s");
    }

    #[test]
    fn what_is_not_known_is_a_dash() {
        for value in [None, Some(f64::NAN), Some(f64::INFINITY), Some(f64::NEG_INFINITY)] {
            for show in [rate, rate_fine, percent, seconds, number, about] {
                assert_eq!(show(value), UNKNOWN);
            }
        }
        assert_eq!([count(None), difference(None), bytes(None)], [UNKNOWN; 3]);
    }

    #[test]
    fn whole_numbers_are_grouped() {
        for (value, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1 000"),
            (1_234_567, "1 234 567"),
            (u64::MAX, "18 446 744 073 709 551 615"),
        ] {
            assert_eq!(count(Some(value)), text);
        }
        assert_eq!(difference(Some(-100)), "-100");
        assert_eq!(difference(Some(i64::MIN)), "-9 223 372 036 854 775 808");
    }

    #[test]
    fn an_amount_is_exact_while_it_is_small() {
        for (value, text) in [
            (0, "0 B"),
            (1024, "1 024 B"),
            (65_507, "65 507 B"),
            (16 << 20, "16.78 MB"),
            (u64::MAX, "18.45 EB"),
        ] {
            assert_eq!(bytes(Some(value)), text);
        }
    }

    #[test]
    fn a_part_is_neither_nothing_nor_the_whole() {
        for (fraction, text) in [
            (0.0, "0 %"),
            (-0.0, "0 %"),
            (1.0, "100 %"),
            (0.0241, "2.41 %"),
            (0.5, "50.0 %"),
            (0.01, "1.00 %"),
            (0.1, "10.0 %"),
            (0.999_96, "99.996 %"),
            (1.000_01, "100.001 %"),
            (1e-9, "1.00e-7 %"),
            (1.5, "150 %"),
        ] {
            assert_eq!(percent(Some(fraction)), text, "{fraction}");
        }
    }

    #[test]
    fn a_time_has_the_unit_that_fits() {
        for (value, text) in [
            (0.0, "0 s"),
            (1e-12, "0.001000 ns"),
            (1e-9, "1.000 ns"),
            (12.3e-6, "12.30 us"),
            (0.999_99, "1.000 s"),
            (9.999, "9.999 s"),
            (86_400.4, "86 400 s"),
            (1e30, "1.000e30 s"),
        ] {
            assert_eq!(seconds(Some(value)), text);
        }
        assert_eq!(nanoseconds(1_234_567), "1.235 ms");
        assert_eq!(nanoseconds(u64::MAX), "18 446 744 074 s");
    }

    #[test]
    fn so_many_per_second() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "0"),
            (0.25, "0.2500"),
            (999.94, "999.9"),
            (999.96, "1 000"),
            (1_234_567.8, "1 234 568"),
            (1e20, "1.000e20"),
        ] {
            assert_eq!(frequency(Some(value)), text);
        }
        assert_eq!([frequency(Some(f64::NAN)), byte_rate(None)], [UNKNOWN; 2]);
        assert_eq!([byte_rate(Some(16.384e6)), byte_rate(Some(0.0))], ["16.38 MB/s", "0 B/s"]);
        assert_eq!(microseconds(Some(1_234.5)), "1.234 ms");
    }

    #[test]
    fn an_axis_has_one_unit() {
        assert_eq!(rate_scale(940e6), Scale { factor: 1e6, unit: "Mbit/s" });
        assert_eq!(rate_scale(0.0), Scale { factor: 1.0, unit: "bit/s" });
        assert_eq!(time_scale(3.0), Scale { factor: 1.0, unit: "s" });
        assert_eq!(time_scale(0.25).unit, "ms");
        assert_eq!(time_scale(0.0).unit, "s");
        assert_eq!(count_scale(12_000.0), Scale { factor: 1e3, unit: "thousand " });
        assert_eq!(count_scale(f64::NAN).factor, 1.0);
        assert_eq!(byte_scale(65_536.0), Scale { factor: 1e3, unit: "kB" });
    }

    #[test]
    fn a_number_without_unit_is_short() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "0"),
            (-3.0, "-3"),
            (161_133.0, "161 133"),
            (0.95, "0.95"),
            (0.010_000_1, "0.0100001"),
            (1e-9, "1.00000e-9"),
            (1e300, "1.00000e300"),
        ] {
            assert_eq!(number(Some(value)), text);
        }
        assert_eq!([about(Some(0.0)), about(Some(30.84)), about(Some(1e6))], ["0", "30.8", "1.00e6"]);
    }
}
