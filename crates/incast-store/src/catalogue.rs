//! The catalogue of runs and of the files that hold their events: one SQLite file in a directory.
//!
//! ```text
//!  runs:   id | number | name | started | ended | verdict | reasons | account
//!  files:  run -> runs.id | sink | stream | path | records | bytes | first | last | crc
//! ```
//! Every change is a transaction that is on disk when the call returns. A run that was begun and has not
//! ended is shown as interrupted: that is what a killed coordinator leaves. It is no server: processes open
//! the same file, and wait for each other for [`BUSY_MAX`].
//!
//! The rollback journal is used and not the write-ahead log: a run changes a few rows, the file stays one
//! file when nobody writes, and it works on network file systems, where the log's shared memory does not.

use std::path::{Path, PathBuf};
use std::time::Duration;

use incast_core::readout::{EventNumber, RunNumber, SinkId};
use rusqlite::{Connection, OpenFlags, Row, TransactionBehavior, params};

use crate::summary::{FileSummary, Holds};

mod entry;

pub use entry::{FileEntry, RunEntry, RunVerdict};

/// Name of the catalogue in its directory.
pub const CATALOGUE: &str = "catalogue.sqlite";
/// How long another process is waited for: its transactions take milliseconds, on a bad disk seconds.
pub const BUSY_MAX: Duration = Duration::from_secs(10);
/// Between two looks whether it is done. A campaign of short runs writes one transaction after the other: who looks
/// every 100 ms, as SQLite itself does, may never meet the moment between two.
const BUSY_LOOK: Duration = Duration::from_millis(2);

/// Waits for another process's transaction, after so many looks; false when it has lasted too long.
pub(crate) fn wait_busy(looks: i32) -> bool {
    std::thread::sleep(BUSY_LOOK);
    BUSY_LOOK.saturating_mul(looks.unsigned_abs()) < BUSY_MAX
}

/// "ICAT": says in the file that it is ours.
const APPLICATION_ID: i32 = 0x4943_4154;
/// Version of the tables.
const VERSION: i32 = 1;

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS runs (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        number INTEGER NOT NULL,
        name TEXT NOT NULL,
        started_unix_ns INTEGER NOT NULL,
        ended_unix_ns INTEGER,
        verdict TEXT CHECK (verdict IN ('GOOD', 'TAINTED', 'INCOMPLETE', 'INTERRUPTED', 'ABORTED')),
        reasons TEXT NOT NULL DEFAULT '[]',
        account TEXT NOT NULL DEFAULT 'null'
    ) STRICT;
    CREATE TABLE IF NOT EXISTS files (
        run INTEGER NOT NULL REFERENCES runs (id),
        sink INTEGER NOT NULL,
        stream TEXT NOT NULL,
        path TEXT NOT NULL,
        records INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        first_event INTEGER,
        last_event INTEGER,
        crc32c INTEGER NOT NULL,
        PRIMARY KEY (run, path)
    ) STRICT;";

/// Why the catalogue could not be used.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// SQLite says no.
    #[error("{action} the catalogue {path}: {error}", path = path.display())]
    Sqlite {
        /// What was tried.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// What it says.
        error: rusqlite::Error,
    },
    /// It is a database of something else, or of a newer program.
    #[error("open the catalogue {path}: {why}", path = path.display())]
    Foreign {
        /// Which file.
        path: PathBuf,
        /// How that shows.
        why: &'static str,
    },
}

/// A run in the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunId(pub i64);

/// An open catalogue.
#[derive(Debug)]
pub struct Catalogue {
    dir: PathBuf,
    path: PathBuf,
    connection: Connection,
}

impl Catalogue {
    /// Opens the catalogue in `dir`, and makes it if need be.
    ///
    /// # Errors
    /// When it cannot be opened, or is not a catalogue of this version.
    pub fn open(dir: &Path) -> Result<Self, CatalogueError> {
        let mut catalogue =
            Self::connect(dir, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
        catalogue.prepare().map_err(|error| catalogue.failed("prepare", error))?;
        catalogue.check()?;
        Ok(catalogue)
    }

    /// Opens the catalogue in `dir` to read it; it has to be there.
    ///
    /// # Errors
    /// When it cannot be opened, or is not a catalogue of this version.
    pub fn read(dir: &Path) -> Result<Self, CatalogueError> {
        // Not only to read: after a crash, the journal has to be rolled back first.
        let catalogue = Self::connect(dir, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        catalogue.check()?;
        Ok(catalogue)
    }

    fn connect(dir: &Path, flags: OpenFlags) -> Result<Self, CatalogueError> {
        let path = dir.join(CATALOGUE);
        let opened = Connection::open_with_flags(&path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX);
        let opened = opened.and_then(|mut connection| {
            connection.busy_handler(Some(wait_busy))?;
            Ok(connection)
        });
        match opened {
            Ok(connection) => Ok(Self { dir: dir.to_owned(), path, connection }),
            Err(error) => Err(CatalogueError::Sqlite { action: "open", path, error }),
        }
    }

    /// Makes the tables if the file is new; whoever comes first does.
    fn prepare(&mut self) -> rusqlite::Result<()> {
        // EXTRA: the directory is synced after the journal was deleted, too.
        self.connection.pragma_update(None, "synchronous", "EXTRA")?;
        self.connection.pragma_update(None, "foreign_keys", true)?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let tables: i64 =
            transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        if tables == 0 {
            transaction.execute_batch(TABLES)?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
            transaction.pragma_update(None, "user_version", VERSION)?;
        }
        transaction.commit()
    }

    fn check(&self) -> Result<(), CatalogueError> {
        let number = |name: &str| -> Result<i32, CatalogueError> {
            let read = self.connection.pragma_query_value(None, name, |row| row.get(0));
            read.map_err(|error| self.failed("read", error))
        };
        let foreign = |why| Err(CatalogueError::Foreign { path: self.path.clone(), why });
        match (number("application_id")?, number("user_version")?) {
            (APPLICATION_ID, VERSION) => Ok(()),
            (APPLICATION_ID, _) => foreign("another incast made it: use that one"),
            _ => foreign("it is a database of another program"),
        }
    }

    fn failed(&self, action: &'static str, error: rusqlite::Error) -> CatalogueError {
        CatalogueError::Sqlite { action, path: self.path.clone(), error }
    }

    /// Begins a run: from now on it is in the catalogue, as interrupted.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn begin_run(
        &self,
        number: RunNumber,
        name: &str,
        started_unix_ns: u64,
    ) -> Result<RunId, CatalogueError> {
        let insert = "INSERT INTO runs (number, name, started_unix_ns) VALUES (?1, ?2, ?3)";
        self.connection
            .execute(insert, params![number.0, name, started_unix_ns.cast_signed()])
            .map_err(|error| self.failed("write", error))?;
        Ok(RunId(self.connection.last_insert_rowid()))
    }

    /// Writes down a file of a run, or what it holds by now. Paths in or below the directory of the
    /// catalogue are kept from there, so that both can be moved together.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn file(&self, run: RunId, sink: SinkId, file: &FileSummary) -> Result<(), CatalogueError> {
        let path = file.path.strip_prefix(&self.dir).unwrap_or(&file.path).to_string_lossy();
        let Holds { records, bytes, first, last, crc } = file.holds;
        let signed = |event: Option<EventNumber>| event.map(|event| event.0.cast_signed());
        let upsert = "INSERT OR REPLACE INTO files VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        let values = params![
            run.0,
            sink.0,
            file.stream,
            path,
            records.cast_signed(),
            bytes.cast_signed(),
            signed(first),
            signed(last),
            crc
        ];
        self.connection.execute(upsert, values).map(drop).map_err(|error| self.failed("write", error))
    }

    /// Ends a run, with the figures of its accounts.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn end_run(
        &self,
        run: RunId,
        ended_unix_ns: u64,
        verdict: RunVerdict,
        reasons: &[String],
        account: &serde_json::Value,
    ) -> Result<(), CatalogueError> {
        let update =
            "UPDATE runs SET ended_unix_ns = ?2, verdict = ?3, reasons = ?4, account = ?5 WHERE id = ?1";
        let reasons = serde_json::Value::from(reasons).to_string();
        let values =
            params![run.0, ended_unix_ns.cast_signed(), verdict.name(), reasons, account.to_string()];
        self.connection.execute(update, values).map(drop).map_err(|error| self.failed("write", error))
    }

    /// All runs, in the order in which they were begun.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn runs(&self) -> Result<Vec<RunEntry>, CatalogueError> {
        let select = "SELECT id, number, name, started_unix_ns, ended_unix_ns, verdict, reasons, account, \
                      (SELECT count(*) FROM files WHERE run = id), \
                      (SELECT coalesce(sum(records), 0) FROM files WHERE run = id), \
                      (SELECT coalesce(sum(bytes), 0) FROM files WHERE run = id) FROM runs ORDER BY id";
        self.rows(select, [], entry::run)
    }

    /// The files of a run, by sink, stream and path.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn files(&self, run: RunId) -> Result<Vec<FileEntry>, CatalogueError> {
        let select = "SELECT sink, stream, path, records, bytes, first_event, last_event, crc32c \
                      FROM files WHERE run = ?1 ORDER BY sink, stream, path";
        self.rows(select, [run.0], entry::file)
    }

    fn rows<T>(
        &self,
        select: &str,
        values: impl rusqlite::Params,
        read: fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, CatalogueError> {
        let rows = self.connection.prepare(select).and_then(|mut statement| {
            let rows = statement.query_map(values, read)?;
            rows.collect()
        });
        rows.map_err(|error| self.failed("read", error))
    }
}
