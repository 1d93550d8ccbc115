//! Rows of the catalogue as plain data. Numbers of 64 bits are stored with a sign, as SQLite has them.

use rusqlite::Row;
use rusqlite::types::Type;
use serde::Serialize;

use super::RunId;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RunVerdict {
    /// As it should.
    Good,
    /// A doubt voids its numbers.
    Tainted,
    /// Not all of it could be done, or stored.
    Incomplete,
    /// Somebody ended it, or its coordinator died.
    Interrupted,
    /// It ended itself, because it could not go on.
    Aborted,
}

impl RunVerdict {
    /// Every verdict.
    pub const ALL: [Self; 5] =
        [Self::Good, Self::Tainted, Self::Incomplete, Self::Interrupted, Self::Aborted];

    /// Its name in the catalogue.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Good => "GOOD",
            Self::Tainted => "TAINTED",
            Self::Incomplete => "INCOMPLETE",
            Self::Interrupted => "INTERRUPTED",
            Self::Aborted => "ABORTED",
        }
    }
}

/// A run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunEntry {
    /// Its place in the catalogue.
    pub id: i64,
    /// Its number, which its files have.
    pub run: u32,
    /// The name of its scenario.
    pub name: String,
    /// When it was begun.
    pub started_unix_ns: u64,
    /// When it ended; `None` if nobody has said that it did.
    pub ended_unix_ns: Option<u64>,
    /// How it ended; interrupted if nobody has said that it ended. It may be under way.
    pub verdict: RunVerdict,
    /// Why it is not good.
    pub reasons: Vec<String>,
    /// Figures of its accounts, as the run wrote them.
    pub account: serde_json::Value,
    /// Its files.
    pub files: u64,
    /// Their records.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl RunEntry {
    /// By which its files are found.
    #[must_use]
    pub const fn run_id(&self) -> RunId {
        RunId(self.id)
    }
}

/// A file of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileEntry {
    /// The sink that wrote it.
    pub sink: u16,
    /// The output stream.
    pub stream: String,
    /// Where it is; from the directory of the catalogue, if it is in or below it.
    pub path: String,
    /// Records.
    pub records: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Lowest event number.
    pub first_event: Option<u64>,
    /// Highest event number.
    pub last_event: Option<u64>,
    /// CRC-32C of the file.
    pub crc32c: u32,
}

pub(super) fn run(row: &Row<'_>) -> rusqlite::Result<RunEntry> {
    let unended = ["nobody has said that it ended: it is under way, or was killed".to_owned()];
    let (verdict, reasons) = match row.get::<_, Option<String>>(5)? {
        Some(name) => {
            let known = RunVerdict::ALL.into_iter().find(|verdict| verdict.name() == name);
            let verdict = known.ok_or(rusqlite::Error::InvalidColumnType(5, name, Type::Text))?;
            (verdict, json(row, 6)?)
        }
        None => (RunVerdict::Interrupted, unended.to_vec()),
    };
    Ok(RunEntry {
        id: row.get(0)?,
        run: row.get(1)?,
        name: row.get(2)?,
        started_unix_ns: unsigned(row, 3)?,
        ended_unix_ns: row.get::<_, Option<i64>>(4)?.map(i64::cast_unsigned),
        verdict,
        reasons,
        account: json(row, 7)?,
        files: unsigned(row, 8)?,
        records: unsigned(row, 9)?,
        bytes: unsigned(row, 10)?,
    })
}

pub(super) fn file(row: &Row<'_>) -> rusqlite::Result<FileEntry> {
    let event = |column| row.get::<_, Option<i64>>(column).map(|event| event.map(i64::cast_unsigned));
    Ok(FileEntry {
        sink: row.get(0)?,
        stream: row.get(1)?,
        path: row.get(2)?,
        records: unsigned(row, 3)?,
        bytes: unsigned(row, 4)?,
        first_event: event(5)?,
        last_event: event(6)?,
        crc32c: row.get(7)?,
    })
}

fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(i64::cast_unsigned)
}

fn json<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error)))
}
