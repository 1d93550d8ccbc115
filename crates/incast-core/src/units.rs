//! Quantities as people write them: `1024B`, `4MiB`, `1Gbit/s`, `100kHz`, `12us`.
//!
//! A number without its unit is refused, because "1000" has been bits, bytes, packets and
//! microseconds in as many tools. Prefixes follow ISO 80000: `k M G T` are powers of ten, `Ki Mi
//! Gi` powers of 1024 and only for bytes. Decimals are exact: `0.5us` is 500 000 ps, and `0.1ps`
//! is refused rather than rounded.

use std::fmt;
use std::str::FromStr;

use crate::time::Span;

/// An amount of data in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

/// A load in bits per second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct BitRate(pub u64);

/// A rate of messages (or events), in thousandths of a hertz.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Frequency {
    /// Messages per 1000 seconds.
    pub millihertz: u64,
}

/// Why a text is not a quantity. `Display` says what was wrong and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitError {
    text: String,
    what: &'static str,
    allowed: &'static str,
}

impl UnitError {
    pub(crate) fn new(text: &str, what: &'static str, allowed: &'static str) -> Self {
        // A hostile text must not become a hostile message.
        Self { text: text.chars().take(40).collect(), what, allowed }
    }
}

impl fmt::Display for UnitError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "\"{}\" {}; write for example {}", self.text.escape_debug(), self.what, self.allowed)
    }
}

impl std::error::Error for UnitError {}

type Scale = (&'static str, u64);

const BYTES: &[Scale] = &[
    ("B", 1),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];
const BIT_RATES: &[Scale] = &[
    ("bit/s", 1),
    ("kbit/s", 1_000),
    ("Mbit/s", 1_000_000),
    ("Gbit/s", 1_000_000_000),
    ("Tbit/s", 1_000_000_000_000),
    ("B/s", 8),
    ("kB/s", 8_000),
    ("MB/s", 8_000_000),
    ("GB/s", 8_000_000_000),
];
const FREQUENCIES: &[Scale] =
    &[("mHz", 1), ("Hz", 1_000), ("kHz", 1_000_000), ("MHz", 1_000_000_000), ("GHz", 1_000_000_000_000)];
const SPANS: &[Scale] = &[
    ("ps", 1),
    ("ns", 1_000),
    ("us", 1_000_000),
    ("µs", 1_000_000),
    ("ms", 1_000_000_000),
    ("s", 1_000_000_000_000),
    ("min", 60_000_000_000_000),
    ("h", 3_600_000_000_000_000),
];

/// Examples of each kind, as error messages quote them.
pub(crate) const BYTES_EXAMPLES: &str = "64B, 1024B, 8KiB, 1.5MB";
pub(crate) const SPAN_EXAMPLES: &str = "500ns, 12us, 100ms, 10s, 2min";
pub(crate) const BIT_RATE_EXAMPLES: &str = "200Mbit/s, 1Gbit/s, 125MB/s";
pub(crate) const FREQUENCY_EXAMPLES: &str = "10Hz, 100kHz, 1MHz";

impl FromStr for Bytes {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        parse(text, BYTES, BYTES_EXAMPLES).map(Self)
    }
}

impl FromStr for BitRate {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        parse(text, BIT_RATES, BIT_RATE_EXAMPLES).map(Self)
    }
}

impl FromStr for Frequency {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        parse(text, FREQUENCIES, FREQUENCY_EXAMPLES).map(|millihertz| Self { millihertz })
    }
}

impl FromStr for Span {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        parse(text, SPANS, SPAN_EXAMPLES).map(Self)
    }
}

/// Reads `<decimal><unit>` exactly, in the smallest unit of `scales`.
fn parse(text: &str, scales: &[Scale], examples: &'static str) -> Result<u64, UnitError> {
    let bad = |what| UnitError::new(text, what, examples);
    let trimmed = text.trim();
    let digits_end =
        trimmed.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_').unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(digits_end);
    if number.is_empty() {
        return Err(bad(if trimmed.starts_with('-') {
            "is negative"
        } else {
            "does not begin with a number"
        }));
    }
    let unit = unit.trim_start();
    if unit.is_empty() {
        return Err(bad("has no unit"));
    }
    let scale = scales.iter().find(|(name, _)| *name == unit).map(|(_, scale)| *scale);
    let Some(scale) = scale else { return Err(bad("has a unit that does not fit here")) };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let (whole, fraction) = (whole.replace('_', ""), fraction.replace('_', ""));
    if whole.is_empty() || fraction.contains('.') || (number.contains('.') && fraction.is_empty()) {
        return Err(bad("is not a plain decimal number"));
    }
    let whole: u64 = whole.parse().map_err(|_| bad("is too large"))?;
    let mut value = u128::from(whole) * u128::from(scale);
    let fraction = fraction.trim_end_matches('0');
    if !fraction.is_empty() {
        let places = u32::try_from(fraction.len()).ok().filter(|places| *places <= 18);
        let denominator =
            places.map(|places| 10_u128.pow(places)).ok_or_else(|| bad("has too many decimals"))?;
        let numerator = u128::from(fraction.parse::<u64>().map_err(|_| bad("has too many decimals"))?);
        let scaled = numerator * u128::from(scale);
        if !scaled.is_multiple_of(denominator) {
            return Err(bad("is finer than the smallest unit"));
        }
        value += scaled / denominator;
    }
    u64::try_from(value).map_err(|_| bad("is too large"))
}

/// Writes `value` in the largest unit that keeps it whole.
fn show(out: &mut fmt::Formatter<'_>, value: u64, scales: &[Scale]) -> fmt::Result {
    let fits = |scale: &&Scale| value != 0 && value.is_multiple_of(scale.1);
    let (name, scale) = scales.iter().filter(fits).max_by_key(|scale| scale.1).unwrap_or(&scales[0]);
    write!(out, "{}{name}", value / scale)
}

impl fmt::Display for Bytes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(out, self.0, BYTES)
    }
}

impl fmt::Display for BitRate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Bits, never bytes, on the way out.
        show(out, self.0, &BIT_RATES[..5])
    }
}

impl fmt::Display for Frequency {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(out, self.millihertz, FREQUENCIES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_read_exactly_and_write_back() {
        let cases: &[(&str, u64, &str)] = &[
            ("1024B", 1024, "1KiB"),
            ("1.5MB", 1_500_000, "1500kB"),
            ("0B", 0, "0B"),
            ("8 KiB", 8192, "8KiB"),
            ("1_000B", 1000, "1kB"),
        ];
        for (text, value, shown) in cases {
            let read: Bytes = text.parse().unwrap();
            assert_eq!(read.0, *value, "{text}");
            assert_eq!(read.to_string(), *shown);
            assert_eq!(read.to_string().parse::<Bytes>().unwrap(), read, "what is written reads back");
        }
        assert_eq!("1Gbit/s".parse::<BitRate>().unwrap().0, 1_000_000_000);
        assert_eq!("125MB/s".parse::<BitRate>().unwrap().to_string(), "1Gbit/s");
        assert_eq!("100kHz".parse::<Frequency>().unwrap().millihertz, 100_000_000);
        assert_eq!("12us".parse::<Span>().unwrap(), Span::from_us(12));
        assert_eq!("0.5ns".parse::<Span>().unwrap(), Span(500));
    }

    #[test]
    fn what_is_wrong_is_named_and_mended() {
        let cases = [
            ("1000", "\"1000\" has no unit; write for example 64B, 1024B, 8KiB, 1.5MB"),
            ("-1B", "is negative"),
            ("B", "does not begin with a number"),
            ("1Gbit/s", "has a unit that does not fit here"),
            ("1..5B", "is not a plain decimal number"),
            ("1.B", "is not a plain decimal number"),
            ("0.5B", "is finer than the smallest unit"),
            ("99999999999999999999B", "is too large"),
            ("99999999999TiB", "is too large"),
            ("1.0000000000000000001kB", "has too many decimals"),
        ];
        for (text, expected) in cases {
            let error = text.parse::<Bytes>().unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
