//! Which labs stand, written down where the next lab finds it: `/run/incast/<lab>.json`.
//!
//! The process that builds a lab holds a lock on `<lab>.lock` for as long as it lives, and the kernel
//! takes it back however it ends. So a lab whose lock is free was left behind, and can be cleaned.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use crate::error::LabError;
use crate::layout::PREFIX;
use crate::{namespace, quota};

/// Where labs are written down.
const DIR: &str = "/run/incast";
/// Longest file of a lab that is read.
const STATE_BYTES_MAX: u64 = 4 << 20;

/// A lab as others see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Its identifier: the scenario's name and the process that built it.
    pub id: String,
    /// Name of the scenario.
    pub scenario: String,
    /// Hosts and switches, each with its namespace.
    pub places: Vec<(String, String)>,
    /// All namespaces.
    pub namespaces: Vec<String>,
    /// Control groups that keep the quotas of hosts.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Addresses with the names of the hosts that have them, as in `/etc/hosts`.
    pub addresses: Vec<(String, String)>,
}

/// A lab written down; it is crossed out when this is dropped.
#[derive(Debug)]
pub(crate) struct Entry {
    id: String,
    /// The lock lives as long as the file is open.
    _lock: File,
}

impl Entry {
    /// Writes a lab down, before anything of it is made.
    pub(crate) fn write(found: &Found) -> Result<Self, LabError> {
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::PermissionDenied => LabError::NotRoot,
            _ => LabError::kernel(format!("write the lab down in {DIR}"), error),
        };
        fs::create_dir_all(DIR).map_err(failed)?;
        let lock = lock(&file(&found.id, "lock")).map_err(failed)?;
        let Some(lock) = lock else {
            return Err(LabError::State(format!("a lab {} stands already", found.id)));
        };
        let entry = Self { id: found.id.clone(), _lock: lock };
        let text = serde_json::to_vec_pretty(found).map_err(|error| failed(error.into()))?;
        let beside = file(&found.id, "json.new");
        fs::write(&beside, text)
            .and_then(|()| fs::rename(&beside, file(&found.id, "json")))
            .map_err(failed)?;
        Ok(entry)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        cross_out(&self.id);
    }
}

/// Labs that stand: all, or those of a scenario or with that identifier.
#[must_use]
pub fn find(name: Option<&str>) -> Vec<Found> {
    // What has no place is no lab: quotas are written down in the same way.
    let is_meant = |found: &Found| {
        !found.places.is_empty() && name.is_none_or(|name| found.id == name || found.scenario == name)
    };
    ids().iter().filter_map(|id| read(id)).filter(is_meant).filter(|found| !is_free(&found.id)).collect()
}

/// Takes away what labs left behind that ended without doing so themselves; says which.
///
/// Only namespaces that such a lab wrote down as its own are touched.
///
/// # Errors
/// Without root, or when something cannot be taken away.
pub fn clean() -> Result<Vec<Found>, LabError> {
    clean_those(|_| true)
}

/// The same, but only of labs that the process of this number made: of one that is no more, all that it left.
///
/// # Errors
/// As [`clean`].
pub fn clean_of(process: u32) -> Result<Vec<Found>, LabError> {
    let end = format!("-{process}");
    clean_those(|id| id.ends_with(&end))
}

fn clean_those(is_meant: impl Fn(&str) -> bool) -> Result<Vec<Found>, LabError> {
    let mut cleaned = Vec::new();
    for id in ids().into_iter().filter(|id| is_meant(id)) {
        let lock = match lock(&file(&id, "lock")) {
            Ok(Some(lock)) => lock,
            Ok(None) => continue,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(LabError::NotRoot),
            Err(error) => return Err(LabError::kernel(format!("lock the entry of lab {id}"), error)),
        };
        let found = read(&id);
        for name in found.iter().flat_map(|found| &found.namespaces) {
            if name.starts_with(&format!("{PREFIX}{id}-")) && !name.contains('/') {
                namespace::remove(name).map_err(|error| {
                    LabError::kernel(format!("remove the network namespace {name}"), error)
                })?;
            }
        }
        for group in found.iter().flat_map(|found| &found.groups) {
            quota::remove(group)
                .map_err(|error| LabError::kernel(format!("remove the control group {group}"), error))?;
        }
        cross_out(&id);
        drop(lock);
        cleaned.extend(found);
    }
    Ok(cleaned)
}

fn ids() -> Vec<String> {
    let names = fs::read_dir(DIR).into_iter().flatten().flatten();
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    let mut ids: Vec<String> =
        names.filter_map(|name| Some(name.strip_suffix(".lock")?.to_owned())).collect();
    ids.sort();
    ids
}

fn read(id: &str) -> Option<Found> {
    let path = file(id, "json");
    let small = fs::metadata(&path).ok().filter(|about| about.len() <= STATE_BYTES_MAX);
    let text = small.and_then(|_| fs::read(&path).ok())?;
    serde_json::from_slice(&text).ok().filter(|found: &Found| found.id == id)
}

fn is_free(id: &str) -> bool {
    let Ok(file) = File::open(file(id, "lock")) else { return true };
    flock(&file, FlockOperation::NonBlockingLockShared).is_ok()
}

fn cross_out(id: &str) {
    // The lock goes last: until then nobody else touches the others.
    for kind in ["json.new", "json", "lock"] {
        let _ = fs::remove_file(file(id, kind));
    }
}

/// The lock of a file, made if it is not there; `None` when somebody else has it.
fn lock(path: &Path) -> io::Result<Option<File>> {
    loop {
        let file = File::options().create(true).truncate(false).write(true).open(path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        // Whoever had the lock before may have removed the file in between.
        let is_there =
            fs::metadata(path).is_ok_and(|now| file.metadata().is_ok_and(|ours| now.ino() == ours.ino()));
        if is_there {
            return Ok(Some(file));
        }
    }
}

fn file(id: &str, kind: &str) -> PathBuf {
    Path::new(DIR).join(format!("{id}.{kind}"))
}
