//! Numbers, flags and texts as iperf3 reads them: a value of a wrong type counts as absent.

use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Doubles are whole up to here, and so is what travels as one.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// A value of any type, of which a number, a flag or a text is kept.
#[derive(Clone, Debug, PartialEq)]
enum Loose {
    Number(f64),
    Flag(bool),
    Text(String),
    Other,
}

struct LooseVisitor;

impl<'de> Visitor<'de> for LooseVisitor {
    type Value = Loose;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("any value")
    }
    fn visit_bool<E>(self, value: bool) -> Result<Loose, E> {
        Ok(Loose::Flag(value))
    }
    #[expect(clippy::cast_precision_loss, reason = "iperf3 reads every number as a double")]
    fn visit_u64<E>(self, value: u64) -> Result<Loose, E> {
        Ok(Loose::Number(value as f64))
    }
    #[expect(clippy::cast_precision_loss, reason = "iperf3 reads every number as a double")]
    fn visit_i64<E>(self, value: i64) -> Result<Loose, E> {
        Ok(Loose::Number(value as f64))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Loose, E> {
        Ok(Loose::Number(value))
    }
    fn visit_str<E>(self, value: &str) -> Result<Loose, E> {
        Ok(Loose::Text(value.into()))
    }
    fn visit_unit<E>(self) -> Result<Loose, E> {
        Ok(Loose::Other)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Loose, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Loose::Other)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Loose, A::Error> {
        while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Loose::Other)
    }
}

/// A flag: true, or a number that is not 0.
pub(super) fn flag<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    Ok(match from.deserialize_any(LooseVisitor)? {
        Loose::Flag(flag) => flag,
        Loose::Number(number) => number != 0.0,
        Loose::Text(_) | Loose::Other => false,
    })
}

/// A whole number; one that cannot be (negative, beyond 2^53) is `u64::MAX`, which no bound lets in.
pub(super) fn whole<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    Ok(number(from)?.map(|number| to_whole(number).unwrap_or(u64::MAX)))
}

/// A count; one that cannot be is unknown. iperf3 writes -1, or 2^64-1, for what it does not know.
pub(super) fn count<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    Ok(number(from)?.and_then(to_whole))
}

/// A number that is finite.
pub(super) fn number<'de, D: Deserializer<'de>>(from: D) -> Result<Option<f64>, D::Error> {
    Ok(match from.deserialize_any(LooseVisitor)? {
        Loose::Number(number) if number.is_finite() => Some(number),
        _ => None,
    })
}

/// A text.
pub(super) fn text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(match from.deserialize_any(LooseVisitor)? {
        Loose::Text(text) => Some(text),
        _ => None,
    })
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
fn to_whole(number: f64) -> Option<u64> {
    (0.0..=EXACT_MAX).contains(&number).then_some(number as u64)
}
