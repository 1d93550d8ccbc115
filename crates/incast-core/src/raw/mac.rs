//! The address of a card on an Ethernet (IEEE 802 EUI-48), as people write it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Six bytes, written `02:00:00:00:00:01`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacAddress(pub [u8; 6]);

impl MacAddress {
    /// Whether frames to it go to more than one card: the lowest bit of the first byte.
    #[must_use]
    pub const fn is_group(self) -> bool {
        self.0[0] & 1 == 1
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, f] = self.0;
        write!(out, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
    }
}

impl FromStr for MacAddress {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 6];
        let mut parts = text.split(':');
        for byte in &mut bytes {
            let part =
                parts.next().filter(|part| part.len() == 2 && part.chars().all(|c| c.is_ascii_hexdigit()));
            *byte = part.and_then(|part| u8::from_str_radix(part, 16).ok()).ok_or(WANTED)?;
        }
        if parts.next().is_some() { Err(WANTED) } else { Ok(Self(bytes)) }
    }
}

const WANTED: &str = "is not the address of a card; write for example 02:00:00:00:00:01";

impl Serialize for MacAddress {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MacAddress {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_it_is_written() {
        let mac = MacAddress([2, 0, 0xab, 0, 0, 9]);
        assert_eq!(mac.to_string(), "02:00:ab:00:00:09");
        assert_eq!("02:00:AB:00:00:09".parse(), Ok(mac));
        for bad in
            ["", "02:00:ab:00:00", "02:00:ab:00:00:09:01", "2:0:ab:0:0:9", "02:00:ab:00:00:+9", "é2:00"]
        {
            assert!(bad.parse::<MacAddress>().is_err(), "{bad}");
        }
        assert!(MacAddress([0xff; 6]).is_group() && !mac.is_group());
    }
}
