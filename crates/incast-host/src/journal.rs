//! The journal on disk: a line is written and synced before a setting is touched, so that whatever happens to
//! the process, and whenever, `put_back` knows what there was.
//!
//! JSON, a line each; what the lines mean and what becomes of them is `incast_core::tune::Journal`. The file is
//! locked while it is open: two who change settings at once would each take the other's for what there was.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use incast_core::tune::{Change, JOURNAL_FORMAT, Journal, JournalEntry, Knob, OpenChange, PutBack, decide};

use crate::bounded;

/// Who reads and changes settings for a journal.
pub trait Knobs {
    /// What the setting is.
    ///
    /// # Errors
    /// `NotFound` when there is no such setting.
    fn read(&self, knob: &Knob) -> io::Result<String>;
    /// Gives it a value.
    ///
    /// # Errors
    /// When the kernel refuses.
    fn write(&self, knob: &Knob, value: &str) -> io::Result<()>;
}

/// Which start of the machine this is, and which network namespace the caller is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// `/proc/sys/kernel/random/boot_id`.
    pub boot: String,
    /// The number of the namespace's file.
    pub network: u64,
}

impl Identity {
    /// Of the caller.
    ///
    /// # Errors
    /// When `/proc` does not tell.
    pub fn here() -> io::Result<Self> {
        let boot = bounded::read("/proc/sys/kernel/random/boot_id", 256)?.trim().to_owned();
        Ok(Self { boot, network: fs::metadata("/proc/thread-self/ns/net")?.ino() })
    }
}

/// What is wrong with a journal.
#[derive(Debug)]
pub enum JournalFault {
    /// Somebody else has it.
    Locked,
    /// It is of another network namespace, with that number.
    OtherNetwork(u64),
    /// It says what no writer of journals wrote.
    Damaged(String),
    /// It cannot be read or written.
    Io(io::Error),
}

impl From<io::Error> for JournalFault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// An open journal, locked.
#[derive(Debug)]
pub struct JournalFile {
    path: PathBuf,
    file: File,
    journal: Journal,
    /// The machine was started since the last journal was written, so that nothing of it is left.
    was_of_another_boot: bool,
}

/// Changes that were to be put back, and what became of each; of those that the kernel refused, why.
pub type PutBacks = Vec<(OpenChange, Result<PutBack, io::Error>)>;

/// What became of a change.
#[derive(Debug)]
pub enum Changed {
    /// It was made; what it was, and what it is.
    Made {
        /// The value before.
        old: String,
        /// As read back.
        now: String,
    },
    /// It was so already.
    AlreadySo,
    /// There is no such setting, or the kernel refused.
    Refused(io::Error),
}

impl JournalFile {
    /// Opens the journal at `path` for changes, or begins it; `by` is who.
    ///
    /// # Errors
    /// When somebody else has it, when it is damaged, or when it cannot be written.
    pub fn open(path: &Path, identity: &Identity, by: &str) -> Result<Self, JournalFault> {
        if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
            fs::create_dir_all(dir)?;
        }
        let (mut file, journal) =
            lock(path, true)?.ok_or_else(|| JournalFault::Io(io::ErrorKind::NotFound.into()))?;
        let of_another = journal.as_ref().is_some_and(|journal| journal.boot != identity.boot);
        if let Some(journal) = journal.filter(|_| !of_another) {
            if journal.network != identity.network {
                return Err(JournalFault::OtherNetwork(journal.network));
            }
            return Ok(Self { path: path.to_owned(), file, journal, was_of_another_boot: false });
        }
        file.set_len(0)?;
        file.rewind()?;
        let (boot, network) = (identity.boot.clone(), identity.network);
        let journal = Journal { boot, network, by: by.into(), open: Vec::new(), last: 0 };
        let mut this = Self { path: path.to_owned(), file, journal, was_of_another_boot: of_another };
        let Identity { boot, network } = identity.clone();
        this.append(&JournalEntry::Began { format: JOURNAL_FORMAT.into(), boot, network, by: by.into() })?;
        // The name is on disk when its directory is.
        if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
            File::open(dir)?.sync_all()?;
        }
        Ok(this)
    }

    /// Opens the journal at `path` to put back what it says; `None` when there is none.
    ///
    /// # Errors
    /// As for [`Self::open`].
    pub fn find(path: &Path, identity: &Identity) -> Result<Option<Self>, JournalFault> {
        let Some((file, journal)) = lock(path, false)? else { return Ok(None) };
        // One without its first line changed nothing: it goes as one that is over.
        let nothing = || Journal {
            boot: identity.boot.clone(),
            network: identity.network,
            by: String::new(),
            open: Vec::new(),
            last: 0,
        };
        let mut journal = journal.unwrap_or_else(nothing);
        let of_another = journal.boot != identity.boot;
        if of_another {
            journal.open.clear();
        } else if journal.network != identity.network && !journal.open.is_empty() {
            return Err(JournalFault::OtherNetwork(journal.network));
        }
        Ok(Some(Self { path: path.to_owned(), file, journal, was_of_another_boot: of_another }))
    }

    /// Whether the machine was started since the journal was written: no setting outlives that.
    #[must_use]
    pub const fn was_of_another_boot(&self) -> bool {
        self.was_of_another_boot
    }

    /// The number of the last change; see [`Self::put_back`].
    #[must_use]
    pub const fn last(&self) -> u32 {
        self.journal.last
    }

    /// Changes that are not over.
    #[must_use]
    pub fn open_changes(&self) -> &[OpenChange] {
        &self.journal.open
    }

    /// Makes a change that stays until somebody puts it back, after it is written down.
    ///
    /// # Errors
    /// When the journal cannot be written: then nothing was changed, or it is written that it was.
    pub fn change(&mut self, knobs: &impl Knobs, change: &Change) -> io::Result<Changed> {
        self.make(knobs, change, false)
    }

    /// The same for a change that the caller puts back itself before it ends; see [`Self::put_back_of_the_dead`].
    ///
    /// # Errors
    /// As for [`Self::change`].
    pub fn change_for_now(&mut self, knobs: &impl Knobs, change: &Change) -> io::Result<Changed> {
        self.make(knobs, change, true)
    }

    fn make(&mut self, knobs: &impl Knobs, change: &Change, for_now: bool) -> io::Result<Changed> {
        let Change { knob, value } = change;
        let old = match knobs.read(knob) {
            Ok(old) => old,
            Err(error) => return Ok(Changed::Refused(error)),
        };
        if old.split_whitespace().eq(value.split_whitespace()) {
            return Ok(Changed::AlreadySo);
        }
        let number = self.journal.last + 1;
        let (knob_said, new) = (knob.clone(), value.clone());
        self.append(&JournalEntry::Change { number, knob: knob_said, old: old.clone(), new, for_now })?;
        let written = knobs.write(knob, value);
        let now = knobs.read(knob);
        match (written, now) {
            (Ok(()), Ok(now)) => {
                self.append(&JournalEntry::Done { number, now: now.clone() })?;
                Ok(Changed::Made { old, now })
            }
            (Err(error), Ok(now)) if now == old => {
                self.append(&JournalEntry::Over { number, how: PutBack::Unchanged })?;
                Ok(Changed::Refused(error))
            }
            // Half made or nobody knows: it stays open, and will be put back.
            (Err(error), _) | (_, Err(error)) => Ok(Changed::Refused(error)),
        }
    }

    /// Puts back every open change with a number above `after`, from the last to the first; what became of
    /// each, and of those that the kernel refused, why. These stay in the journal.
    ///
    /// # Errors
    /// When the journal cannot be written: everything is put back all the same, as far as it can be.
    pub fn put_back(&mut self, knobs: &impl Knobs, after: u32) -> io::Result<PutBacks> {
        self.put_back_those(knobs, |change| change.number > after)
    }

    /// Puts back every open change that was made for now: who made it held this journal, and so is no more.
    ///
    /// # Errors
    /// As for [`Self::put_back`].
    pub fn put_back_of_the_dead(&mut self, knobs: &impl Knobs) -> io::Result<PutBacks> {
        self.put_back_those(knobs, |change| change.for_now)
    }

    fn put_back_those(
        &mut self,
        knobs: &impl Knobs,
        is_meant: impl Fn(&OpenChange) -> bool,
    ) -> io::Result<PutBacks> {
        let mut open: Vec<OpenChange> = self.journal.open.clone();
        open.retain(is_meant);
        let mut left: BTreeSet<Knob> = BTreeSet::new();
        let mut ended = Vec::new();
        let mut unwritten = None;
        for change in open.into_iter().rev() {
            let current = match knobs.read(&change.knob) {
                Ok(current) => Some(current),
                Err(error) if is_gone(&error) => None,
                Err(error) => {
                    ended.push((change, Err(error)));
                    continue;
                }
            };
            let how = decide(&change, current.as_deref(), &left);
            if how == PutBack::Left {
                left.insert(change.knob.clone());
            }
            let written = match how {
                PutBack::Restored => knobs.write(&change.knob, &change.old),
                _ => Ok(()),
            };
            if written.is_ok()
                && let Err(error) = self.append(&JournalEntry::Over { number: change.number, how })
            {
                unwritten = unwritten.or(Some(error));
            }
            ended.push((change, written.map(|()| how)));
        }
        unwritten.map_or(Ok(ended), Err)
    }

    /// Ends the work: a journal without open changes is removed.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn close(self) -> io::Result<()> {
        if self.journal.open.is_empty() {
            // The lock is held until after: nobody else finds it and writes into what is gone.
            fs::remove_file(&self.path)?;
        }
        Ok(())
    }

    fn append(&mut self, entry: &JournalEntry) -> io::Result<()> {
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        let whole = self.file.stream_position()?;
        if let Err(error) = self.file.write_all(&line).and_then(|()| self.file.sync_data()) {
            // Half a line must not stand before the next one, nor a whole one that we do not count.
            let _ = self.file.set_len(whole).and_then(|()| self.file.seek(io::SeekFrom::Start(whole)));
            return Err(error);
        }
        if !matches!(entry, JournalEntry::Began { .. }) {
            self.journal.handle(entry.clone()).map_err(io::Error::other)?;
        }
        Ok(())
    }
}

/// Whether what had the setting is gone: the file, the interface or the namespace.
fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(libc::ENODEV)
}

/// Opens and locks the journal, and reads it; what follows its last whole line is cut off.
fn lock(path: &Path, create: bool) -> Result<Option<(File, Option<Journal>)>, JournalFault> {
    loop {
        let opened = File::options().read(true).write(true).create(create).truncate(false).open(path);
        let mut file = match opened {
            Ok(file) => file,
            Err(error) if !create && error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(JournalFault::Locked),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        // Whoever had the lock before may have removed the file in between.
        let is_there =
            fs::metadata(path).is_ok_and(|now| file.metadata().is_ok_and(|ours| now.ino() == ours.ino()));
        if !is_there {
            continue;
        }
        let (journal, bytes) = parse(&mut file)?;
        file.set_len(bytes)?;
        file.seek(io::SeekFrom::End(0))?;
        return Ok(Some((file, journal)));
    }
}

/// What the journal says, and how many bytes of it are whole lines.
fn parse(file: &mut File) -> Result<(Option<Journal>, u64), JournalFault> {
    let mut bytes = Vec::new();
    io::Read::by_ref(file).take(JOURNAL_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > JOURNAL_BYTES_MAX {
        return Err(JournalFault::Damaged(format!("it is longer than {JOURNAL_BYTES_MAX} bytes")));
    }
    let mut entries: Vec<JournalEntry> = Vec::new();
    let mut whole = 0;
    for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let Some(text) = line.strip_suffix(b"\n") else { break };
        let entry = serde_json::from_slice(text);
        entries.push(
            entry.map_err(|error| {
                JournalFault::Damaged(format!("line {}: is no entry: {error}", index + 1))
            })?,
        );
        whole += line.len() as u64;
    }
    let journal = Journal::read(entries).map_err(|error| JournalFault::Damaged(error.to_string()))?;
    Ok((journal, whole))
}

/// Longest journal: 100 000 changes. A ladder puts back what it changed, and each change takes three lines.
const JOURNAL_BYTES_MAX: u64 = 64 << 20;

#[cfg(test)]
mod tests;
