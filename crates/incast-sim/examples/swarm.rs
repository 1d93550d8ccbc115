//! Storms of readouts from seeds (`incast_sim::swarm`): `swarm [how many [from which seed on]]`.
//!
//! It ends at the first that breaks a claim, with its seed and the smallest storm that still does.

#![expect(clippy::print_stdout, reason = "that is what it is for")]
#![expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "speed is measured by a clock")]

use std::process::ExitCode;
use std::time::Instant;

use incast_sim::swarm::{Storm, Summary, check, check_storm};

/// Every so many storms one is played twice: the same seed gives the same digest.
const TWICE_EVERY: u64 = 16;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u64>());
    let (storms, first) = match (arguments.next(), arguments.next()) {
        (None, _) => (1_000, 0),
        (Some(Ok(storms)), None) => (storms, 0),
        (Some(Ok(storms)), Some(Ok(first))) => (storms, first),
        _ => {
            println!("usage: swarm [how many [from which seed on]]");
            return ExitCode::from(2);
        }
    };
    // Broken laws are told with their seed, not one by one as they are found.
    std::panic::set_hook(Box::new(|_| ()));
    let start = Instant::now();
    let mut all = Summary::default();
    for seed in first..first.saturating_add(storms) {
        let summary = match check(seed) {
            Ok(summary) => summary,
            Err(failure) => {
                println!("{failure}");
                return ExitCode::FAILURE;
            }
        };
        if seed.is_multiple_of(TWICE_EVERY) && check_storm(&Storm::draw(seed)) != Ok(summary) {
            println!("seed {seed}: played twice, it is not the same");
            return ExitCode::FAILURE;
        }
        all.digest = all.digest.rotate_left(7) ^ summary.digest;
        all.messages += summary.messages;
        all.triggered += summary.triggered;
        all.stored += summary.stored;
        all.lost += summary.lost;
        all.revised += summary.revised;
        all.deaths += summary.deaths;
    }
    println!("{storms} storms from seed {first} on in {:.1} s: {all:?}", start.elapsed().as_secs_f64());
    ExitCode::SUCCESS
}
