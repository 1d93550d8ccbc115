//! A record as a line of JSON, and back: the same bytes.

use anyhow::{Context as _, bail};
use incast_core::mdf::header::HEADER_BYTES;
use incast_core::mdf::{BankId, Header, IndexEntry, Record, bank};
use serde::{Deserialize, Serialize};

/// A record.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    /// Number of the event. For the reader: it is not a part of the record.
    event: u64,
    run: u32,
    orbit: u32,
    bunch: u32,
    trigger_mask: [u32; 4],
    checksum: u32,
    compression: u8,
    data_type: u8,
    spare: u8,
    /// The banks; `None` when what follows the header is not banks as a writer makes them.
    banks: Option<Vec<LineBank>>,
    /// What follows the header, in hex, when there are no banks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<String>,
}

/// A bank.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LineBank {
    #[serde(rename = "type")]
    kind: u8,
    /// The name of its type. For the reader.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    version: u8,
    source: u16,
    /// In hex.
    data: String,
}

impl Line {
    /// The line of a record.
    pub(super) fn of(record: &Record<'_>, entry: &IndexEntry) -> Self {
        let header = record.header();
        let banks = banks(record);
        Self {
            event: entry.event,
            run: header.run,
            orbit: header.orbit,
            bunch: header.bunch,
            trigger_mask: header.trigger_mask,
            checksum: header.checksum,
            compression: header.compression,
            data_type: header.data_type,
            spare: header.spare,
            body: banks.is_none().then(|| hex(record.body())),
            banks,
        }
    }

    /// The record of the line.
    pub(super) fn record(&self) -> anyhow::Result<Vec<u8>> {
        let mut bytes = vec![0; HEADER_BYTES];
        match (&self.banks, &self.body) {
            (Some(banks), None) => {
                for one in banks {
                    let id = BankId { kind: one.kind, version: one.version, source: one.source };
                    bank::emit(id, &unhex(&one.data)?, &mut bytes)?;
                }
            }
            (None, Some(body)) => bytes.extend_from_slice(&unhex(body)?),
            _ => bail!("it has either \"banks\" or a \"body\""),
        }
        let header = Header {
            record_bytes: u32::try_from(bytes.len()).context("it is larger than a record can be")?,
            checksum: self.checksum,
            compression: self.compression,
            data_type: self.data_type,
            spare: self.spare,
            trigger_mask: self.trigger_mask,
            run: self.run,
            orbit: self.orbit,
            bunch: self.bunch,
        };
        bytes[..HEADER_BYTES].copy_from_slice(&header.emit());
        Record::parse(&bytes)?.check().context("set \"checksum\" to 0 if it was changed on purpose")?;
        Ok(bytes)
    }

    /// The number that the line says.
    pub(super) const fn event(&self) -> u64 {
        self.event
    }
}

/// The banks, if written again they are the same bytes.
fn banks(record: &Record<'_>) -> Option<Vec<LineBank>> {
    record.header().holds_banks().then_some(())?;
    let (mut again, mut banks) = (Vec::new(), Vec::new());
    for one in record.banks() {
        let one = one.ok()?;
        let id = one.id();
        bank::emit(id, one.data(), &mut again).ok()?;
        let name = id.kind_name().map(str::to_owned);
        banks.push(LineBank {
            kind: id.kind,
            name,
            version: id.version,
            source: id.source,
            data: hex(one.data()),
        });
    }
    (again == record.body()).then_some(banks)
}

fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn unhex(text: &str) -> anyhow::Result<Vec<u8>> {
    let digit = |character: u8| char::from(character).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().as_chunks::<2>();
    let byte = |[high, low]: &[u8; 2]| Some(digit(*high)? << 4 | digit(*low)?);
    let bytes: Option<Vec<u8>> = pairs.0.iter().map(byte).collect();
    bytes.filter(|_| pairs.1.is_empty()).context("data are pairs of hex digits")
}
