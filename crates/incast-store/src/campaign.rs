//! The runs of one campaign: one SQLite file in a directory of its own.
//!
//! ```text
//!  campaign: identity (what all runs are of) | asked (how many) | ended (how) | player (process)
//!  runs:     id | variant | number | state | began | ended | verdict | sent | lost | ...
//!  stages:   run -> runs.id | stage | place | packets | messages
//!  caveats:  run -> runs.id | kind | text | advice
//! ```
//! A run is entered when it begins, and what it came to is entered in one transaction that is on disk when the call
//! returns. So a kill at any moment leaves each run either finished, with all of it, or begun; who opens the campaign
//! next notes those that were begun as died. The database itself forbids that a run is finished twice. One process
//! plays a campaign, by a lock that the kernel takes back; any number may read it meanwhile.
//!
//! It judges nothing: `incast_core::campaign` does.

use std::path::{Path, PathBuf};

use incast_core::campaign::RunOutcome;
use rusqlite::{Connection, OpenFlags, TransactionBehavior, params};
use serde::{Deserialize, Serialize};

use crate::catalogue::wait_busy;
use crate::lock::FileLock;

mod error;
mod rows;

pub use error::CampaignError;

/// Name of the database in the directory of a campaign.
pub const CAMPAIGN: &str = "campaign.sqlite";

/// "ICAM": says in the file that it is ours.
const APPLICATION_ID: i32 = 0x4943_414d;
/// Version of the tables.
const VERSION: i32 = 1;
/// Held by the process that plays; the file itself stays.
const LOCK: &str = ".campaign.lock";

const TABLES: &str = "
    CREATE TABLE campaign (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        identity TEXT NOT NULL,
        asked TEXT NOT NULL,
        ended TEXT,
        player INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE runs (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        variant INTEGER NOT NULL,
        number INTEGER NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('begun', 'finished', 'failed', 'died')),
        began_unix_ns INTEGER NOT NULL,
        ended_unix_ns INTEGER,
        why TEXT,
        verdict TEXT,
        sent INTEGER,
        lost INTEGER,
        sent_bits INTEGER,
        unexplained INTEGER,
        figures TEXT
    ) STRICT;
    CREATE UNIQUE INDEX finished_once ON runs (variant, number) WHERE state = 'finished';
    CREATE TABLE stages (
        run INTEGER NOT NULL REFERENCES runs (id),
        stage TEXT NOT NULL,
        place TEXT NOT NULL,
        packets INTEGER NOT NULL,
        messages INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX stages_of_run ON stages (run);
    CREATE TABLE caveats (
        run INTEGER NOT NULL REFERENCES runs (id),
        kind TEXT NOT NULL,
        text TEXT NOT NULL,
        advice TEXT NOT NULL
    ) STRICT;
    CREATE INDEX caveats_of_run ON caveats (run);";

/// What all runs of a campaign are of. A campaign goes on only with what is equal in all of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CampaignIdentity {
    /// `run`, `lab` or `sim`.
    pub world: String,
    /// The scenario file as it was read.
    pub text: String,
    /// Every variant with its name and the values that it replaces (`TABLE.KEY=VALUE`), in the order in which they are
    /// played.
    pub variants: Vec<(Option<String>, Vec<String>)>,
    /// Seed of the first run.
    pub seed: u64,
    /// Version of incast.
    pub version: String,
    /// Commit that it was built from.
    pub commit: Option<String>,
}

/// A run that was begun.
#[derive(Debug)]
pub struct BegunRun(i64);

/// How many runs there are, over all variants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CampaignTally {
    /// That came to their end.
    pub finished: u64,
    /// That failed.
    pub failed: u64,
    /// That were begun by a process that is no more.
    pub died: u64,
    /// That were begun: under way, or died and not noted yet.
    pub begun: u64,
}

/// An open campaign.
#[derive(Debug)]
pub struct CampaignStore {
    path: PathBuf,
    connection: Connection,
    /// The process that played it before this one.
    player_before: Option<u32>,
    /// Held by the process that plays it.
    _lock: Option<FileLock>,
}

impl CampaignStore {
    /// Begins a campaign in `dir`, or goes on with the one that is there if `resume` says so: then it has to be of the
    /// same, and runs that were begun are noted as died; see [`Self::take_over`]. `asked` is kept for whoever reads it.
    ///
    /// # Errors
    /// When there is one and nobody said to go on; when it is of something else, damaged, or played by another process.
    pub fn open(
        dir: &Path,
        identity: &CampaignIdentity,
        asked: &str,
        resume: bool,
    ) -> Result<Self, CampaignError> {
        let lock = FileLock::take(&dir.join(LOCK))
            .map_err(|error| CampaignError::Io { dir: dir.to_owned(), error })?
            .ok_or_else(|| CampaignError::Locked(dir.to_owned()))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let mut store = Self::connect(dir, flags, Some(lock))?;
        // A kill in the moment of its making leaves a file with nothing in it.
        let tables = store.connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0));
        let tables: i64 = tables.map_err(|error| store.failed("read", error))?;
        if tables == 0 {
            store.prepare(identity, asked).map_err(|error| store.failed("begin", error))?;
            return Ok(store);
        }
        store.check()?;
        if !resume {
            return Err(CampaignError::Exists(dir.to_owned()));
        }
        let earlier = store.identity()?;
        if let Some(what) = error::difference(&earlier, identity) {
            return Err(CampaignError::Different { dir: dir.to_owned(), what });
        }
        store.note_died(asked).map_err(|error| store.failed("go on with", error))?;
        Ok(store)
    }

    /// Opens the campaign in `dir` to read it, also while it is played.
    ///
    /// # Errors
    /// When there is none, or it is damaged.
    pub fn read(dir: &Path) -> Result<Self, CampaignError> {
        // Not only to read: after a crash, the journal has to be rolled back first.
        let store = Self::connect(dir, OpenFlags::SQLITE_OPEN_READ_WRITE, None)?;
        store.check()?;
        Ok(store)
    }

    /// Whether there is a campaign in `dir`.
    #[must_use]
    pub fn is_in(dir: &Path) -> bool {
        dir.join(CAMPAIGN).is_file()
    }

    fn connect(dir: &Path, flags: OpenFlags, lock: Option<FileLock>) -> Result<Self, CampaignError> {
        let path = dir.join(CAMPAIGN);
        let opened = Connection::open_with_flags(&path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX);
        let opened = opened.and_then(|mut connection| {
            connection.busy_handler(Some(wait_busy))?;
            // Beyond FULL: the directory is synced after the journal was deleted, too.
            connection.pragma_update(None, "synchronous", "EXTRA")?;
            connection.pragma_update(None, "foreign_keys", true)?;
            Ok(connection)
        });
        match opened {
            Ok(connection) => Ok(Self { path, connection, player_before: None, _lock: lock }),
            Err(error) => Err(error::of_sqlite("open", &path, error)),
        }
    }

    fn prepare(&mut self, identity: &CampaignIdentity, asked: &str) -> rusqlite::Result<()> {
        let identity = rows::json_text(identity)?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(TABLES)?;
        transaction.execute(
            "INSERT INTO campaign VALUES (1, ?1, ?2, NULL, ?3)",
            params![identity, asked, std::process::id()],
        )?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
        transaction.commit()
    }

    fn check(&self) -> Result<(), CampaignError> {
        let number = |name: &str| -> Result<i32, CampaignError> {
            let read = self.connection.pragma_query_value(None, name, |row| row.get(0));
            read.map_err(|error| self.failed("read", error))
        };
        let foreign = |why| Err(CampaignError::Foreign { path: self.path.clone(), why });
        match (number("application_id")?, number("user_version")?) {
            (APPLICATION_ID, VERSION) => {}
            (APPLICATION_ID, _) => return foreign("another incast made it: use that one"),
            _ => return foreign("it is a database of another program"),
        }
        let whole = self.connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
        match whole.map_err(|error| self.failed("read", error))? {
            said if said == "ok" => Ok(()),
            said => Err(CampaignError::Damaged { path: self.path.clone(), said }),
        }
    }

    fn note_died(&mut self, asked: &str) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute("UPDATE runs SET state = 'died' WHERE state = 'begun'", [])?;
        let player = transaction.query_row("SELECT player FROM campaign", [], |row| row.get(0))?;
        transaction.execute("UPDATE campaign SET asked = ?1, ended = NULL", [asked])?;
        transaction.commit()?;
        self.player_before = Some(player);
        Ok(())
    }

    fn signed(&self, number: u64) -> Result<i64, CampaignError> {
        rows::signed(number).map_err(|error| self.failed("write", error))
    }

    fn failed(&self, action: &'static str, error: rusqlite::Error) -> CampaignError {
        error::of_sqlite(action, &self.path, error)
    }

    /// What all runs are of.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn identity(&self) -> Result<CampaignIdentity, CampaignError> {
        let read =
            self.connection.query_row("SELECT identity FROM campaign", [], |row| rows::of_json(row, 0));
        read.map_err(|error| self.failed("read", error))
    }

    /// How many runs were asked for, as the caller wrote it; and how it ended, if it did.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn asked(&self) -> Result<(String, Option<String>), CampaignError> {
        let read = self
            .connection
            .query_row("SELECT asked, ended FROM campaign", [], |row| Ok((row.get(0)?, row.get(1)?)));
        read.map_err(|error| self.failed("read", error))
    }

    /// The process that played it before this one: what it left behind has its number in its name. Whoever takes that
    /// away says so with [`Self::take_over`].
    #[must_use]
    pub const fn player_before(&self) -> Option<u32> {
        self.player_before
    }

    /// Writes down that this process plays it from now on. Not before what the one before left is taken away: its
    /// number is known nowhere else, and this process may be killed, too.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn take_over(&self) -> Result<(), CampaignError> {
        self.connection
            .execute("UPDATE campaign SET player = ?1", [std::process::id()])
            .map(drop)
            .map_err(|error| self.failed("write", error))
    }

    /// Begins a run.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn begin(&self, variant: usize, number: u64, unix_ns: u64) -> Result<BegunRun, CampaignError> {
        let insert = "INSERT INTO runs (variant, number, state, began_unix_ns) VALUES (?1, ?2, 'begun', ?3)";
        let variant = i64::try_from(variant).unwrap_or(i64::MAX);
        self.connection
            .execute(insert, params![variant, self.signed(number)?, self.signed(unix_ns)?])
            .map_err(|error| self.failed("write", error))?;
        Ok(BegunRun(self.connection.last_insert_rowid()))
    }

    /// Writes down what a run came to: all of it or nothing.
    ///
    /// # Errors
    /// When it cannot be written, or the run is there already.
    pub fn finish(
        &mut self,
        run: &BegunRun,
        unix_ns: u64,
        outcome: &RunOutcome,
    ) -> Result<(), CampaignError> {
        let written = (|| {
            let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            rows::finish(&transaction, run.0, unix_ns, outcome)?;
            transaction.commit()
        })();
        written.map_err(|error| self.failed("write", error))
    }

    /// Writes down that a run failed, and why.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn fail(&self, run: &BegunRun, unix_ns: u64, why: &str) -> Result<(), CampaignError> {
        let update = "UPDATE runs SET state = 'failed', ended_unix_ns = ?2, why = ?3 WHERE id = ?1";
        self.connection
            .execute(update, params![run.0, self.signed(unix_ns)?, why])
            .map(drop)
            .map_err(|error| self.failed("write", error))
    }

    /// Takes a run back that was ended on purpose before its time.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn take_back(&self, run: &BegunRun) -> Result<(), CampaignError> {
        self.connection
            .execute("DELETE FROM runs WHERE id = ?1 AND state = 'begun'", [run.0])
            .map(drop)
            .map_err(|error| self.failed("write", error))
    }

    /// Writes down how the campaign ended.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn end(&self, how: &str) -> Result<(), CampaignError> {
        self.connection
            .execute("UPDATE campaign SET ended = ?1", [how])
            .map(drop)
            .map_err(|error| self.failed("write", error))
    }

    /// The finished runs of a variant, in the order of their numbers.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn finished(&self, variant: usize) -> Result<Vec<RunOutcome>, CampaignError> {
        rows::finished(&self.connection, i64::try_from(variant).unwrap_or(i64::MAX))
            .map_err(|error| self.failed("read", error))
    }

    /// How many runs there are.
    ///
    /// # Errors
    /// When they cannot be counted.
    pub fn tally(&self) -> Result<CampaignTally, CampaignError> {
        rows::tally(&self.connection).map_err(|error| self.failed("read", error))
    }

    /// Why the last runs failed, at most so many of them.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn failures(&self, most: u32) -> Result<Vec<String>, CampaignError> {
        rows::failures(&self.connection, most).map_err(|error| self.failed("read", error))
    }

    /// When the first run began and the last one ended, by the wall clock.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn times(&self) -> Result<(Option<u64>, Option<u64>), CampaignError> {
        let select = "SELECT min(began_unix_ns), max(ended_unix_ns) FROM runs";
        let time = |row: &rusqlite::Row<'_>, column| match row.get::<_, Option<i64>>(column)? {
            None => Ok(None),
            Some(_) => rows::unsigned(row, column).map(Some),
        };
        self.connection
            .query_row(select, [], |row| Ok((time(row, 0)?, time(row, 1)?)))
            .map_err(|error| self.failed("read", error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_said_and_what_is_finished_stays() {
        let dir = tempfile::tempdir().unwrap();
        let identity = CampaignIdentity {
            world: "sim".into(),
            text: String::new(),
            variants: vec![(None, Vec::new())],
            seed: 1,
            version: "0".into(),
            commit: None,
        };
        let mut store = CampaignStore::open(dir.path(), &identity, "", false).unwrap();
        // SQLite's own limit of pages is met in the same place as the disk's, with the same error.
        store.connection.pragma_update(None, "max_page_count", 20).unwrap();
        let mut finished = 0;
        let full = (0..1_000).find_map(|number| {
            let figures = [("x".repeat(20_000), 1.0)].into();
            let outcome = RunOutcome { number, figures, ..RunOutcome::default() };
            let run = store.begin(0, number, 1);
            let error = run.and_then(|run| store.finish(&run, 2, &outcome)).err();
            finished += u64::from(error.is_none());
            error
        });
        let full = full.expect("twenty pages hold no thousand runs");
        assert!(matches!(full, CampaignError::Full { .. }), "{full}");
        assert!(full.to_string().contains("--resume"), "{full}");
        drop(store);
        let store = CampaignStore::open(dir.path(), &identity, "", true).unwrap();
        assert_eq!((store.tally().unwrap().finished, finished > 0), (finished, true));
    }
}
