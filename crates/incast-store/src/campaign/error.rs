//! Why a campaign could not be used, in words, with what would mend it.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use super::CampaignIdentity;

/// Why a campaign could not be used.
#[derive(Debug, thiserror::Error)]
pub enum CampaignError {
    /// There is a campaign, and nobody said to go on with it.
    #[error(
        "there is a campaign in {} already: go on with it with --resume, or choose another place with --into",
        .0.display()
    )]
    Exists(PathBuf),
    /// It is of something else.
    #[error(
        "the campaign in {} is of something else: {what}; its runs and these cannot be put together: choose another \
         place with --into",
        dir.display()
    )]
    Different {
        /// Its directory.
        dir: PathBuf,
        /// What differs.
        what: String,
    },
    /// Another process plays it.
    #[error("another process plays the campaign in {}: wait for it, or choose another place with --into", .0.display())]
    Locked(PathBuf),
    /// It is a database of something else, or of a newer program.
    #[error("open the campaign {}: {why}", path.display())]
    Foreign {
        /// Which file.
        path: PathBuf,
        /// How that shows.
        why: &'static str,
    },
    /// The file is damaged.
    #[error(
        "the campaign {} is damaged ({said}): its runs cannot be trusted; begin anew in another place with --into",
        path.display()
    )]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What SQLite says of it.
        said: String,
    },
    /// No room.
    #[error(
        "{action} the campaign {}: the disk is full; every finished run is safe: make room, and go on with --resume",
        path.display()
    )]
    Full {
        /// What was tried.
        action: &'static str,
        /// With which file.
        path: PathBuf,
    },
    /// SQLite says no.
    #[error("{action} the campaign {}: {error}", path.display())]
    Sqlite {
        /// What was tried.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// What it says.
        error: rusqlite::Error,
    },
    /// The kernel says no.
    #[error("use the directory {} for a campaign: {error}", dir.display())]
    Io {
        /// Which directory.
        dir: PathBuf,
        /// What it says.
        error: io::Error,
    },
}

/// What SQLite says, sorted into what can be mended and what cannot.
pub(super) fn of_sqlite(action: &'static str, path: &Path, error: rusqlite::Error) -> CampaignError {
    let path = path.to_owned();
    let error = match error {
        // A whole file with something in it that no campaign writes.
        rusqlite::Error::FromSqlConversionFailure(_, _, what) => {
            return CampaignError::Damaged { path, said: what.to_string() };
        }
        error @ (rusqlite::Error::InvalidColumnType(..) | rusqlite::Error::QueryReturnedNoRows) => {
            return CampaignError::Damaged { path, said: error.to_string() };
        }
        error => error,
    };
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => CampaignError::Full { action, path },
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            CampaignError::Damaged { path, said: error.to_string() }
        }
        _ => CampaignError::Sqlite { action, path, error },
    }
}

/// What differs between what a campaign is of and what is asked for; `None` if nothing does.
pub(super) fn difference(earlier: &CampaignIdentity, now: &CampaignIdentity) -> Option<String> {
    let differs = |what: &str, earlier: &str, now: &str| {
        (earlier != now).then(|| format!("{what} was {earlier}, and is {now}"))
    };
    let seeds = [earlier.seed, now.seed].map(|seed| seed.to_string());
    let builds = [earlier, now].map(|of| {
        let commit = of.commit.as_ref().map(|commit| format!(" ({commit})")).unwrap_or_default();
        format!("{}{commit}", of.version)
    });
    let variants = [earlier, now].map(|of| {
        let named = of.variants.iter().map(|(name, settings)| match (name, &settings[..]) {
            (None, _) => "base".to_owned(),
            (Some(name), []) => name.clone(),
            (Some(name), settings) => format!("{name} ({})", settings.join(", ")),
        });
        named.collect::<Vec<_>>().join(", ")
    });
    let text = || (earlier.text != now.text).then(|| "the scenario file has changed since".to_owned());
    differs("the world", &earlier.world, &now.world)
        .or_else(text)
        .or_else(|| differs("what is played of the scenario", &variants[0], &variants[1]))
        .or_else(|| differs("the seed", &seeds[0], &seeds[1]))
        .or_else(|| differs("the version of incast", &builds[0], &builds[1]))
}
