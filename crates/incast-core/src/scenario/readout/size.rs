//! Sizes of fragments: `fragment = "1KiB"`, `"512B..2KiB"`, or with `spread` log-normal around it.

use crate::readout::role::SizePlan;
use crate::scenario::findings::quoted;
use crate::scenario::reader::Reader;
use crate::units::{BYTES_EXAMPLES, Bytes};

/// Reads the sizes under `key`; of a log-normal one also `spread` and `fragment_max`.
pub(super) fn read(reader: &mut Reader<'_, '_>, key: &str, default_bytes: u32) -> SizePlan {
    let Some(text) = reader.text(key).map(|text| (*text.get_ref()).to_owned()) else {
        return spread(reader, key, default_bytes);
    };
    let Some((least, most)) = text.split_once("..") else {
        let bytes = bytes(reader, key, &text).unwrap_or(default_bytes);
        return spread(reader, key, bytes);
    };
    let (least, most) = (bytes(reader, key, least), bytes(reader, key, most));
    let (Some(least), Some(most)) = (least, most) else { return SizePlan::Fixed { bytes: default_bytes } };
    if least > most {
        reader.fault(key, format!("`{key}`: {} begins above its end", quoted(&text)));
    }
    if reader.has("spread") {
        reader.fault("spread", format!("`spread` goes with one size in `{key}`, which is then the median"));
    }
    SizePlan::Uniform { least, most }
}

fn spread(reader: &mut Reader<'_, '_>, key: &str, median: u32) -> SizePlan {
    let spread = reader.number("spread", "a number, for example 0.5", |_| None);
    let bounds = [Bytes(1), Bytes(FRAGMENT_BYTES_MAX.into())];
    let most = reader.quantity_within("fragment_max", BYTES_EXAMPLES, bounds);
    let Some(spread) = spread else {
        if most.is_some() {
            reader.fault(
                "fragment_max",
                format!("`fragment_max` goes with `spread`; sizes of `{key}` do not vary"),
            );
        }
        return SizePlan::Fixed { bytes: median };
    };
    if !(0.001..=10.0).contains(&spread) {
        reader.fault(
            "spread",
            format!(
                "`spread` is {spread}; allowed: 0.001 to 10, a standard deviation of the natural logarithm"
            ),
        );
        return SizePlan::Fixed { bytes: median };
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 10 000")]
    let sigma_milli = (spread * 1e3).round() as u32;
    let most = most.and_then(|most| u32::try_from(most.0).ok()).unwrap_or_else(|| median.saturating_mul(16));
    SizePlan::LogNormal { median, sigma_milli, most: most.min(FRAGMENT_BYTES_MAX).max(median) }
}

fn bytes(reader: &mut Reader<'_, '_>, key: &str, text: &str) -> Option<u32> {
    let bytes = match text.trim().parse::<Bytes>() {
        Ok(bytes) => u32::try_from(bytes.0).ok().filter(|bytes| *bytes <= FRAGMENT_BYTES_MAX),
        Err(error) => {
            reader.fault(key, format!("`{key}`: {error}"));
            return None;
        }
    };
    if bytes.is_none() {
        reader.fault(
            key,
            format!("`{key}` is {}; allowed: 0B to {}", text.trim(), Bytes(FRAGMENT_BYTES_MAX.into())),
        );
    }
    bytes
}

/// Largest fragment that a scenario may ask for: with its banks' headers it is below the frame's bound.
const FRAGMENT_BYTES_MAX: u32 = 32 << 20;
