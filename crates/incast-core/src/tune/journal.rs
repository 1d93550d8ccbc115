//! The journal of changes: what is written before each change, and from that, what is to be put back.
//!
//! One document per line. `change` is on disk before the setting is touched and `done` after it, so that
//! whenever the writer dies, at most the last change is in doubt. A last line without its end was never
//! finished, and then its change was never begun. Order: changes are put back from the last to the first.
//!
//! ```text
//!   began, change 1, done 1, change 2, | killed here: 2 may have been made or not
//! ```

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::knob::Knob;

/// The format of a journal.
pub const JOURNAL_FORMAT: &str = "incast.journal/1";

/// One line of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub enum JournalEntry {
    /// The first line.
    Began {
        /// [`JOURNAL_FORMAT`].
        format: String,
        /// Which start of the machine this is; settings do not outlive it.
        boot: String,
        /// Which network namespace the writer was in.
        network: u64,
        /// What changed the settings.
        by: String,
    },
    /// Is about to be changed.
    Change {
        /// From 1 on.
        number: u32,
        /// Which setting.
        knob: Knob,
        /// What it was.
        old: String,
        /// What it is to be.
        new: String,
        /// Whoever makes the change puts it back itself when it ends: one that is open after that was left by a
        /// process that died.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        for_now: bool,
    },
    /// Was changed.
    Done {
        /// Number of the change.
        number: u32,
        /// As read back: a kernel may round.
        now: String,
    },
    /// Is as it was: the kernel refused the change, or it was put back, or is no longer ours.
    Over {
        /// Number of the change.
        number: u32,
        /// How it ended.
        how: PutBack,
    },
}

/// What becomes of a change when it is undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PutBack {
    /// The old value is written again.
    Restored,
    /// It has the old value already.
    Unchanged,
    /// Somebody else has changed it since: it is left alone, and said.
    Left,
    /// What had the setting is gone: the interface, or the namespace.
    Gone,
}

/// A change that is not over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenChange {
    /// From 1 on.
    pub number: u32,
    /// Which setting.
    pub knob: Knob,
    /// What it was.
    pub old: String,
    /// What it was to be.
    pub new: String,
    /// It was to be put back by whoever made it, when that ended.
    pub for_now: bool,
    /// As read back after the change; `None` when the writer died in between.
    pub now: Option<String>,
}

/// A journal that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Journal {
    /// Which start of the machine it is of.
    pub boot: String,
    /// Which network namespace its writer was in.
    pub network: u64,
    /// What changed the settings first.
    pub by: String,
    /// Changes that are not over, from the first to the last.
    pub open: Vec<OpenChange>,
    /// The number of the last change; 0 when there is none.
    pub last: u32,
}

/// What is wrong with a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalError {
    line: usize,
    what: String,
}

impl fmt::Display for JournalError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "line {}: {}", self.line, self.what)
    }
}

impl std::error::Error for JournalError {}

impl Journal {
    /// What the entries say, line by line; `None` when not even the first was finished, and so nothing was
    /// changed.
    ///
    /// # Errors
    /// When a line cannot be what a writer of journals wrote. Nothing may be put back then by guessing.
    pub fn read(entries: impl IntoIterator<Item = JournalEntry>) -> Result<Option<Self>, JournalError> {
        let mut journal: Option<Self> = None;
        for (index, entry) in entries.into_iter().enumerate() {
            let wrong = |what: String| JournalError { line: index + 1, what };
            journal = match (journal, entry) {
                (None, JournalEntry::Began { format, boot, network, by }) if format == JOURNAL_FORMAT => {
                    Some(Self { boot, network, by, open: Vec::new(), last: 0 })
                }
                (None, _) => return Err(wrong(format!("does not begin a journal of {JOURNAL_FORMAT}"))),
                (Some(mut journal), entry) => {
                    journal.handle(entry).map_err(wrong)?;
                    Some(journal)
                }
            };
        }
        Ok(journal)
    }

    /// Takes the next line.
    ///
    /// # Errors
    /// As for [`Self::read`].
    pub fn handle(&mut self, entry: JournalEntry) -> Result<(), String> {
        match entry {
            JournalEntry::Began { .. } => Err("begins a second time".into()),
            JournalEntry::Change { number, knob, old, new, for_now } => {
                if self.last.checked_add(1) != Some(number) {
                    return Err(format!("change {number} does not follow {}", self.last));
                }
                knob.check().map_err(|error| error.to_string())?;
                self.last = number;
                self.open.push(OpenChange { number, knob, old, new, for_now, now: None });
                Ok(())
            }
            JournalEntry::Done { number, now } => {
                let change = self.open.iter_mut().find(|change| change.number == number);
                let change = change.ok_or_else(|| format!("there is no open change {number}"))?;
                change.now = Some(now);
                Ok(())
            }
            JournalEntry::Over { number, .. } => {
                let index = self.open.iter().position(|change| change.number == number);
                self.open.remove(index.ok_or_else(|| format!("there is no open change {number}"))?);
                Ok(())
            }
        }
    }
}

/// What is to be done with `change`, when the setting is `current` now (`None`: there is no such setting any
/// more). `left` are the knobs that were left alone so far: an earlier change of one of them is left as well.
#[must_use]
pub fn decide(change: &OpenChange, current: Option<&str>, left: &BTreeSet<Knob>) -> PutBack {
    let Some(current) = current else { return PutBack::Gone };
    if left.contains(&change.knob) {
        return PutBack::Left;
    }
    if is_same(current, &change.old) {
        return PutBack::Unchanged;
    }
    match &change.now {
        // The writer died within this change: whatever it is, nobody else had the time.
        None => PutBack::Restored,
        Some(now) if is_same(current, now) || is_same(current, &change.new) => PutBack::Restored,
        Some(_) => PutBack::Left,
    }
}

/// Whether two values are the same for the kernel, which separates numbers by tabs.
fn is_same(one: &str, other: &str) -> bool {
    one.split_whitespace().eq(other.split_whitespace())
}

#[cfg(test)]
mod tests {
    use super::super::knob::KnobKind;
    use super::*;

    fn sysctl(name: &str) -> Knob {
        Knob::here(KnobKind::Sysctl { name: name.into() })
    }

    fn began() -> JournalEntry {
        let format = JOURNAL_FORMAT.into();
        JournalEntry::Began { format, boot: "b".into(), network: 7, by: "a test".into() }
    }

    fn change(number: u32) -> JournalEntry {
        let (old, new) = ("1".into(), "2".into());
        JournalEntry::Change { number, knob: sysctl("net.a"), old, new, for_now: false }
    }

    #[test]
    fn a_journal_cut_anywhere_is_a_journal_of_what_was_finished() {
        let done = JournalEntry::Done { number: 1, now: "2".into() };
        let over = JournalEntry::Over { number: 1, how: PutBack::Restored };
        let whole = [began(), change(1), done, change(2), over];
        let expected: [&[u32]; 6] = [&[], &[], &[1], &[1], &[1, 2], &[2]];
        for (finished, expected) in expected.into_iter().enumerate() {
            let read = Journal::read(whole[..finished].iter().cloned()).unwrap();
            let open: Vec<u32> =
                read.iter().flat_map(|journal| &journal.open).map(|change| change.number).collect();
            assert_eq!(open, expected);
            assert_eq!(read.is_some(), finished > 0);
        }
    }

    #[test]
    fn a_line_without_a_word_on_how_long_is_of_a_change_that_stays() {
        let line = |entry: &JournalEntry| serde_json::to_string(entry).unwrap();
        assert!(!line(&change(1)).contains("for_now"));
        let JournalEntry::Change { number, knob, old, new, .. } = change(1) else { unreachable!() };
        let passing = JournalEntry::Change { number, knob, old, new, for_now: true };
        for entry in [change(1), passing] {
            assert_eq!(serde_json::from_str::<JournalEntry>(&line(&entry)).unwrap(), entry);
        }
    }

    #[test]
    fn what_no_writer_wrote_is_refused_with_its_line() {
        let JournalEntry::Change { number, old, new, for_now, .. } = change(1) else { unreachable!() };
        let outside = JournalEntry::Change { number, knob: sysctl("net/../x"), old, new, for_now };
        let done = JournalEntry::Done { number: 1, now: "x".into() };
        let cases = [
            (vec![change(1)], "line 1: does not begin a journal"),
            (vec![began(), began()], "line 2: begins a second time"),
            (vec![began(), change(2)], "line 2: change 2 does not follow 0"),
            (vec![began(), done], "line 2: there is no open"),
            (vec![began(), outside], "line 2: \"net/\" is no name"),
        ];
        for (entries, what) in cases {
            let error = Journal::read(entries).unwrap_err().to_string();
            assert!(error.starts_with(what), "{error}");
        }
    }

    #[test]
    fn a_value_that_somebody_else_changed_is_left() {
        let open = |now: Option<&str>| OpenChange {
            number: 1,
            knob: sysctl("net.a"),
            old: "4 5".into(),
            new: "6".into(),
            for_now: false,
            now: now.map(Into::into),
        };
        let nobody = BTreeSet::new();
        let cases = [
            (Some("6"), Some("6"), PutBack::Restored),
            // The kernel had rounded it.
            (Some("8"), Some("8"), PutBack::Restored),
            (Some("8"), Some("6"), PutBack::Restored),
            (Some("8"), Some("9"), PutBack::Left),
            (Some("6"), Some("4\t5"), PutBack::Unchanged),
            (None, Some("4 5"), PutBack::Unchanged),
            (None, Some("6"), PutBack::Restored),
            (None, Some("7"), PutBack::Restored),
            (Some("6"), None, PutBack::Gone),
            (None, None, PutBack::Gone),
        ];
        for (now, current, expected) in cases {
            assert_eq!(decide(&open(now), current, &nobody), expected, "{now:?} {current:?}");
        }
        let left = BTreeSet::from([sysctl("net.a")]);
        assert_eq!(decide(&open(Some("6")), Some("6"), &left), PutBack::Left);
    }
}
