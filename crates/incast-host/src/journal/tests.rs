//! A writer of journals that dies at every single step, and what is put back afterwards: everything.
//!
//! Death is a panic within a read or a write of a setting, before or after it took effect: between two of
//! these the journal only writes, so that every state on disk that a kill can leave is met.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use incast_core::tune::KnobKind;

use super::*;

/// Settings in memory, whose owner dies at a step.
struct Host {
    values: RefCell<BTreeMap<Knob, String>>,
    steps: Cell<u32>,
    dies_at: Option<u32>,
    /// Refuses every change of this one.
    stubborn: Option<Knob>,
}

impl Host {
    fn new(values: &BTreeMap<Knob, String>, dies_at: Option<u32>) -> Self {
        Self { values: RefCell::new(values.clone()), steps: Cell::new(0), dies_at, stubborn: None }
    }

    fn step(&self) {
        self.steps.set(self.steps.get() + 1);
        if Some(self.steps.get()) == self.dies_at {
            // As a panic, but without its words: there are many deaths.
            std::panic::resume_unwind(Box::new("killed"));
        }
    }
}

impl Knobs for Host {
    fn read(&self, knob: &Knob) -> io::Result<String> {
        self.step();
        self.values.borrow().get(knob).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn write(&self, knob: &Knob, value: &str) -> io::Result<()> {
        self.step();
        if self.stubborn.as_ref() == Some(knob) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        self.values.borrow_mut().insert(knob.clone(), value.into());
        self.step();
        Ok(())
    }
}

fn knob(name: &str) -> Knob {
    Knob::here(KnobKind::Sysctl { name: format!("net.{name}") })
}

fn change(name: &str, value: &str) -> Change {
    Change { knob: knob(name), value: value.into() }
}

fn before() -> BTreeMap<Knob, String> {
    [("a", "1"), ("b", "4096 16384 1"), ("c", "off")].map(|(name, value)| (knob(name), value.into())).into()
}

fn identity() -> Identity {
    Identity { boot: "first".into(), network: 7 }
}

/// Some settings twice, one to what it is, one that is not there.
fn tune(path: &Path, host: &Host) {
    let mut journal = JournalFile::open(path, &identity(), "a test").unwrap();
    for (name, value) in
        [("a", "2"), ("b", "4096 16384 9"), ("a", "3"), ("c", "off"), ("d", "1"), ("c", "on")]
    {
        journal.change(host, &change(name, value)).unwrap();
    }
}

fn restore(path: &Path, host: &Host) -> Vec<PutBack> {
    let Some(mut journal) = JournalFile::find(path, &identity()).unwrap() else { return Vec::new() };
    let ended = journal.put_back(host, 0).unwrap();
    journal.close().unwrap();
    ended.into_iter().map(|(_, how)| how.unwrap()).collect()
}

/// Does `work`, which may die; says whether it did.
fn dies(work: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(work)).is_err()
}

#[test]
fn whenever_the_tuner_dies_everything_is_as_it_was() {
    let mut deaths = 0;
    for step in 1.. {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sub/journal");
        let host = Host::new(&before(), Some(step));
        let died = dies(|| tune(&path, &host));
        let host = Host::new(&host.values.borrow(), None);
        restore(&path, &host);
        assert_eq!(*host.values.borrow(), before(), "killed at step {step}");
        assert!(!path.exists(), "killed at step {step}");
        deaths += u32::from(died);
        if !died {
            break;
        }
    }
    assert!(deaths >= 18, "{deaths}");
}

#[test]
fn whenever_the_restorer_dies_a_second_one_finishes() {
    for step in 1.. {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let host = Host::new(&before(), None);
        tune(&path, &host);
        assert_ne!(*host.values.borrow(), before());
        let host = Host::new(&host.values.borrow(), Some(step));
        let died = dies(|| drop(restore(&path, &host)));
        let host = Host::new(&host.values.borrow(), None);
        restore(&path, &host);
        assert_eq!(*host.values.borrow(), before(), "killed at step {step}");
        assert!(!path.exists());
        if !died {
            return;
        }
    }
}

#[test]
fn what_the_dead_left_is_put_back_and_what_was_tuned_to_stay_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    let host = Host::new(&before(), None);
    let mut journal = JournalFile::open(&path, &identity(), "a test").unwrap();
    journal.change(&host, &change("a", "2")).unwrap();
    journal.change_for_now(&host, &change("a", "3")).unwrap();
    journal.change_for_now(&host, &change("c", "on")).unwrap();
    drop(journal);
    let mut journal = JournalFile::find(&path, &identity()).unwrap().unwrap();
    let ended = journal.put_back_of_the_dead(&host).unwrap();
    assert!(ended.iter().all(|(_, how)| matches!(how, Ok(PutBack::Restored))), "{ended:?}");
    assert_eq!((ended.len(), &*host.values.borrow()[&knob("a")]), (2, "2"));
    assert_eq!(host.values.borrow()[&knob("c")], "off");
    assert_eq!(journal.open_changes().len(), 1);
    journal.close().unwrap();
    assert_eq!(restore(&path, &host), [PutBack::Restored]);
    assert_eq!(*host.values.borrow(), before());
}

#[test]
fn a_line_that_was_not_finished_is_a_change_that_was_not_begun() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    let host = Host::new(&before(), None);
    tune(&path, &host);
    let whole = fs::read(&path).unwrap();
    let after_first = {
        let second = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        second + whole[second..].iter().position(|byte| *byte == b'\n').unwrap() + 1
    };
    for cut in 0..after_first {
        fs::write(&path, &whole[..cut]).unwrap();
        let host = Host::new(&before(), None);
        assert_eq!(restore(&path, &host), []);
        assert!(!path.exists(), "cut at {cut}");
    }
}

#[test]
fn what_somebody_else_changed_since_is_left_and_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    let host = Host::new(&before(), None);
    tune(&path, &host);
    host.values.borrow_mut().insert(knob("a"), "77".into());
    host.values.borrow_mut().remove(&knob("c"));
    assert_eq!(restore(&path, &host), [PutBack::Gone, PutBack::Left, PutBack::Restored, PutBack::Left]);
    assert_eq!(host.values.borrow()[&knob("a")], "77");
    assert_eq!(host.values.borrow()[&knob("b")], "4096 16384 1");
}

#[test]
fn a_second_tuner_is_refused_while_the_first_is_at_work() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    let first = JournalFile::open(&path, &identity(), "the first").unwrap();
    assert!(matches!(JournalFile::open(&path, &identity(), "the second"), Err(JournalFault::Locked)));
    assert!(matches!(JournalFile::find(&path, &identity()), Err(JournalFault::Locked)));
    first.close().unwrap();
    assert!(!path.exists());
    JournalFile::open(&path, &identity(), "the second").unwrap();
}

#[test]
fn settings_do_not_outlive_the_machine_nor_leave_their_namespace() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    let host = Host::new(&before(), None);
    tune(&path, &host);
    let elsewhere = Identity { network: 8, ..identity() };
    assert!(matches!(JournalFile::find(&path, &elsewhere), Err(JournalFault::OtherNetwork(7))));
    let later = Identity { boot: "second".into(), network: 9 };
    let journal = JournalFile::find(&path, &later).unwrap().unwrap();
    assert!(journal.was_of_another_boot() && journal.open_changes().is_empty());
    drop(journal);
    let journal = JournalFile::open(&path, &later, "after").unwrap();
    assert!(journal.was_of_another_boot());
    assert_eq!((journal.last(), journal.open_changes()), (0, &[][..]));
}

#[test]
fn a_refused_change_is_told_and_a_damaged_journal_is_not_guessed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    let host = Host { stubborn: Some(knob("a")), ..Host::new(&before(), None) };
    let mut journal = JournalFile::open(&path, &identity(), "a test").unwrap();
    assert!(matches!(journal.change(&host, &change("a", "2")), Ok(Changed::Refused(_))));
    assert!(matches!(journal.change(&host, &change("c", "off")), Ok(Changed::AlreadySo)));
    assert!(journal.open_changes().is_empty());
    drop(journal);
    fs::write(&path, "{}\n").unwrap();
    let error = JournalFile::find(&path, &identity()).unwrap_err();
    assert!(matches!(&error, JournalFault::Damaged(what) if what.starts_with("line 1: ")), "{error:?}");
    assert!(path.exists());
}
