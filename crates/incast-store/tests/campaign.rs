//! The runs of a campaign: written whole, finished once, played by one process, and refused in words.

use std::path::Path;

use incast_core::campaign::RunOutcome;
use incast_core::caveat::{Caveat, CaveatKind};
use incast_core::record::{LossStage, Verdict};
use incast_store::{CAMPAIGN, CampaignError, CampaignIdentity, CampaignStore, CampaignTally};

fn identity() -> CampaignIdentity {
    CampaignIdentity {
        world: "sim".into(),
        text: "incast = 1".into(),
        variants: vec![(None, Vec::new()), (Some("tuned".into()), vec!["flow.receive_buffer=16MiB".into()])],
        seed: 7,
        version: "0.1.0".into(),
        commit: None,
    }
}

fn outcome(number: u64) -> RunOutcome {
    RunOutcome {
        number,
        verdict: Verdict::Tainted,
        sent: MOST - number,
        lost: 3,
        sent_bits: MOST,
        stages: vec![LossStage {
            stage: "socket_buffer".into(),
            place: "Udp.RcvbufErrors".into(),
            packets: 9,
            messages: 3,
        }],
        unexplained: Some(-1),
        figures: [("lost_fraction".to_owned(), 0.1 + 0.2), ("expected: a \"b\"".to_owned(), 1e-300)].into(),
        caveats: vec![Caveat::new(CaveatKind::LedgerOpen, "it does not close", "look")],
    }
}

/// Largest number that SQLite has.
const MOST: u64 = i64::MAX.unsigned_abs();

fn open(dir: &Path, resume: bool) -> Result<CampaignStore, CampaignError> {
    CampaignStore::open(dir, &identity(), "asked", resume)
}

#[test]
fn runs_come_back_as_they_were_to_the_last_digit() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path(), false).unwrap();
    for number in [2, 0, 1] {
        let run = store.begin(1, number, 5).unwrap();
        store.finish(&run, 6, &outcome(number)).unwrap();
    }
    store.end("all").unwrap();
    let reader = CampaignStore::read(dir.path()).unwrap();
    assert_eq!(reader.finished(1).unwrap(), [outcome(0), outcome(1), outcome(2)]);
    assert_eq!(reader.finished(0).unwrap(), []);
    assert_eq!(reader.identity().unwrap(), identity());
    assert_eq!(reader.asked().unwrap(), ("asked".to_owned(), Some("all".to_owned())));
    assert_eq!(reader.times().unwrap(), (Some(5), Some(6)));
}

#[test]
fn a_run_is_finished_once_and_only_if_it_was_begun() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path(), false).unwrap();
    let (run, again) = (store.begin(0, 4, 1).unwrap(), store.begin(0, 4, 1).unwrap());
    store.finish(&run, 2, &outcome(4)).unwrap();
    assert!(store.finish(&run, 2, &outcome(4)).is_err(), "it is not begun any more");
    assert!(store.finish(&again, 2, &outcome(4)).is_err(), "the number is finished");
    assert_eq!(store.finished(0).unwrap(), [outcome(4)], "nothing of the others was written");
    // The same number of another variant is another run.
    let other = store.begin(1, 4, 1).unwrap();
    store.finish(&other, 2, &outcome(4)).unwrap();
    assert_eq!(store.tally().unwrap(), CampaignTally { finished: 2, failed: 0, died: 0, begun: 1 });
}

#[test]
fn who_goes_on_notes_what_died_and_keeps_what_failed() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path(), false).unwrap();
    let (done, failed, stopped) =
        (store.begin(0, 0, 1).unwrap(), store.begin(0, 1, 1).unwrap(), store.begin(0, 1, 1).unwrap());
    store.begin(0, 2, 1).unwrap();
    store.finish(&done, 2, &outcome(0)).unwrap();
    store.fail(&failed, 2, "no root").unwrap();
    store.take_back(&stopped).unwrap();
    drop(store);
    let store = open(dir.path(), true).unwrap();
    assert_eq!(store.tally().unwrap(), CampaignTally { finished: 1, failed: 1, died: 1, begun: 0 });
    assert_eq!(store.failures(5).unwrap(), ["run 1: no root"]);
}

#[test]
fn the_player_before_is_known_until_somebody_has_cleaned_up_behind_it() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(open(dir.path(), false).unwrap().player_before(), None);
    // Somebody else was killed here; no process has this number.
    let gone = 4_194_305;
    let other = rusqlite::Connection::open(dir.path().join(CAMPAIGN)).unwrap();
    other.execute("UPDATE campaign SET player = ?1", [gone]).unwrap();
    for _killed_before_it_cleaned in 0..2 {
        assert_eq!(open(dir.path(), true).unwrap().player_before(), Some(gone));
    }
    open(dir.path(), true).unwrap().take_over().unwrap();
    assert_eq!(open(dir.path(), true).unwrap().player_before(), Some(std::process::id()));
}

#[test]
fn what_no_campaign_writes_is_refused_with_its_name_and_value() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path(), false).unwrap();
    let run = store.begin(0, 7, 1).unwrap();
    store.finish(&run, 2, &outcome(7)).unwrap();
    assert!(store.begin(0, u64::MAX, 1).is_err(), "a number that SQLite does not have");
    drop(store);
    let path = dir.path().join(CAMPAIGN);
    let whole = std::fs::read(&path).unwrap();
    let cases = [
        ("UPDATE runs SET sent = -1", "sent is -1"),
        ("UPDATE runs SET lost = -9223372036854775808", "lost is -9223372036854775808"),
        ("UPDATE runs SET sent = 10, lost = 11", "run 7 lost 11 messages of 10"),
        ("UPDATE runs SET sent_bits = -3", "sent_bits is -3"),
        ("UPDATE runs SET sent = NULL", "sent"),
        ("UPDATE runs SET figures = '{'", "figures: EOF"),
        ("UPDATE runs SET verdict = '\"nice\"'", "verdict: unknown variant `nice`"),
        ("UPDATE stages SET packets = -9", "packets is -9"),
        ("UPDATE caveats SET kind = '7'", "kind: "),
    ];
    for (damage, said) in cases {
        std::fs::write(&path, &whole).unwrap();
        rusqlite::Connection::open(&path).unwrap().execute_batch(damage).unwrap();
        let error = CampaignStore::read(dir.path()).unwrap().finished(0).unwrap_err();
        assert!(matches!(error, CampaignError::Damaged { .. }), "{damage}: {error}");
        assert!(error.to_string().contains(said), "{damage}: {error}");
    }
    std::fs::write(&path, &whole).unwrap();
    rusqlite::Connection::open(&path).unwrap().execute_batch("UPDATE runs SET began_unix_ns = -4").unwrap();
    let error = CampaignStore::read(dir.path()).unwrap().times().unwrap_err();
    assert!(error.to_string().contains("is -4"), "{error}");
}

#[test]
fn one_process_plays_and_others_read() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), false).unwrap();
    let said = open(dir.path(), true).unwrap_err().to_string();
    assert!(said.contains("another process plays"), "{said}");
    assert_eq!(CampaignStore::read(dir.path()).unwrap().tally().unwrap(), CampaignTally::default());
    drop(store);
    open(dir.path(), true).unwrap();
}

#[test]
fn what_is_of_something_else_is_refused_with_what_differs() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path(), false).unwrap());
    let said = open(dir.path(), false).unwrap_err().to_string();
    assert!(said.contains("--resume") && said.contains("--into"), "{said}");
    type Change = fn(&mut CampaignIdentity);
    let changes: [(&str, Change); 5] = [
        ("the world was sim, and is lab", |of| of.world = "lab".into()),
        ("the scenario file has changed", |of| of.text.push('\n')),
        ("was base, tuned (flow.receive_buffer=16MiB), and is base", |of| of.variants.truncate(1)),
        ("the seed was 7, and is 8", |of| of.seed = 8),
        ("the version of incast was 0.1.0, and is 0.1.0 (abc)", |of| of.commit = Some("abc".into())),
    ];
    for (what, change) in changes {
        let mut now = identity();
        change(&mut now);
        let said = CampaignStore::open(dir.path(), &now, "asked", true).unwrap_err().to_string();
        assert!(said.contains(what) && said.contains("--into"), "{what}: {said}");
    }
}

#[test]
fn a_damaged_database_and_one_of_others_are_refused_in_words() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path(), false).unwrap();
    for number in 0..200 {
        let run = store.begin(0, number, 1).unwrap();
        store.finish(&run, 2, &outcome(number)).unwrap();
    }
    drop(store);
    let path = dir.path().join(CAMPAIGN);
    let whole = std::fs::read(&path).unwrap();
    let mut damaged = whole.clone();
    damaged[4096..12_288].fill(0xa5);
    std::fs::write(&path, damaged).unwrap();
    for said in [open(dir.path(), true).unwrap_err(), CampaignStore::read(dir.path()).unwrap_err()] {
        assert!(matches!(said, CampaignError::Damaged { .. }), "{said}");
        assert!(said.to_string().contains("begin anew"), "{said}");
    }
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert!(open(dir.path(), true).is_err(), "cut in half");
    std::fs::write(&path, "no database, but long enough to be looked at".repeat(40)).unwrap();
    assert!(matches!(open(dir.path(), true), Err(CampaignError::Damaged { .. })));
    std::fs::remove_file(&path).unwrap();
    rusqlite::Connection::open(&path).unwrap().execute_batch("CREATE TABLE a (b)").unwrap();
    assert!(open(dir.path(), true).unwrap_err().to_string().contains("another program"));
}

/// As a kill leaves it: the file and its journal, copied while a run is being written.
#[test]
fn a_run_that_was_cut_off_while_it_was_written_is_not_there() {
    let (dir, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut store = open(dir.path(), false).unwrap();
    let run = store.begin(0, 0, 1).unwrap();
    store.finish(&run, 2, &outcome(0)).unwrap();
    store.begin(0, 1, 1).unwrap();
    let other = rusqlite::Connection::open(dir.path().join(CAMPAIGN)).unwrap();
    // So small a cache that changes reach the file before the transaction ends.
    other.pragma_update(None, "cache_size", 1).unwrap();
    other.execute_batch("BEGIN IMMEDIATE; UPDATE runs SET state = 'finished' WHERE number = 1").unwrap();
    for _ in 0..2_000 {
        let place = "x".repeat(200);
        other.execute("INSERT INTO stages VALUES (2, 'link', ?1, 1, 1)", [place]).unwrap();
    }
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    assert!(copy.path().join(format!("{CAMPAIGN}-journal")).exists());
    let resumed = open(copy.path(), true).unwrap();
    assert_eq!(resumed.finished(0).unwrap(), [outcome(0)]);
    assert_eq!(resumed.tally().unwrap(), CampaignTally { finished: 1, failed: 0, died: 1, begun: 0 });
    other.execute_batch("ROLLBACK").unwrap();
}
