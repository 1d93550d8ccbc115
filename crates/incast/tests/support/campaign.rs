//! Campaigns in tests: started over a scenario in a directory, killed, resumed, shown.
#![allow(dead_code, reason = "every test file uses its own part")]

use std::path::Path;
use std::time::Duration;

use incast_core::record::{CAMPAIGN_SCHEMA, Campaign};
use incast_store::CampaignStore;

use crate::coordinator::{Started, incast};

/// How long a campaign in a test may take on a machine that has other work.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);

/// Starts `incast campaign` over `dir/scenario.toml`. The word behind `--into` is a directory in `dir`.
pub(crate) fn start(dir: &Path, words: &[&str]) -> Started {
    start_at(dir, "scenario.toml", words)
}

fn start_at(dir: &Path, place: &str, words: &[&str]) -> Started {
    let mut all = vec!["campaign".to_owned(), dir.join(place).display().to_string(), "--json".to_owned()];
    let mut is_directory = false;
    for word in words {
        all.push(if is_directory { dir.join(word).display().to_string() } else { (*word).to_owned() });
        is_directory = *word == "--into";
    }
    incast(all)
}

/// Starts `incast campaign --show` of a directory in `dir`.
pub(crate) fn show(dir: &Path, of: &str) -> Started {
    start_at(dir, of, &["--show"])
}

/// Waits for the end with this exit code; what it came to.
pub(crate) fn finished(started: &mut Started, code: i32) -> Campaign {
    let ended = started.wait_within(PATIENCE);
    assert_eq!(ended.status.code(), Some(code), "it said:\n{}", ended.stderr);
    let campaign: Campaign = serde_json::from_str(&ended.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}\n{}", ended.stdout, ended.stderr));
    assert_eq!(campaign.schema, CAMPAIGN_SCHEMA);
    campaign
}

/// How many runs of the campaign in `dir` are finished; 0 while there is none.
pub(crate) fn finished_runs(dir: &Path) -> u64 {
    if !CampaignStore::is_in(dir) {
        return 0;
    }
    CampaignStore::read(dir).and_then(|store| store.tally()).map_or(0, |tally| tally.finished)
}

/// Asserts that it could not run, and said these words.
pub(crate) fn refused(dir: &Path, words: &[&str], said: &[&str]) {
    refused_at(dir, "scenario.toml", words, said);
}

/// The same, over another file.
pub(crate) fn refused_at(dir: &Path, place: &str, words: &[&str], said: &[&str]) {
    let ended = start_at(dir, place, words).wait_within(PATIENCE);
    assert_eq!(ended.status.code(), Some(2), "{words:?} said:\n{}", ended.stderr);
    for words in said {
        assert!(ended.stderr.contains(words), "{words} is not in:\n{}", ended.stderr);
    }
}

/// The page of the campaign in a directory of `dir`.
pub(crate) fn report(dir: &Path, of: &str) -> String {
    let place = dir.join(of);
    let ended = incast(["report".to_owned(), place.display().to_string()]).wait_within(PATIENCE);
    assert_eq!(ended.status.code(), Some(0), "it said:\n{}", ended.stderr);
    std::fs::read_to_string(place.join("report.html")).expect("the report is there")
}
