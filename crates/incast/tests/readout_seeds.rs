//! Readouts of which a seed draws everything: protocol, policies, packing, levels, how many of each role,
//! and what dies or hangs when. Every account closes, and what is lost is lost for a reason that was there.
//!
//! `READOUT_SEEDS=100` runs so many; `READOUT_SEED=7` that one, as a failure says.

#[path = "support/coordinator.rs"]
mod coordinator;
#[path = "support/readout.rs"]
mod support;

use std::fmt::Write as _;
use std::io::Write as _;

use incast_core::random::Random;
use incast_core::record::{Record, Verdict};
use support::{System, assert_account, readout, run_dir};

/// Seeds that run when nobody says how many.
const SEEDS: u64 = 6;

/// What a seed has drawn.
#[derive(Debug, Default)]
struct Drawn {
    readout: String,
    trigger: String,
    source: String,
    builder: String,
    node: String,
    sink: String,
    faults: String,
    /// Kinds of roles to which something is done, and those of which one never returns.
    suffering: Vec<&'static str>,
    gone: Vec<&'static str>,
}

const KINDS: [&str; 4] = ["source", "builder", "node", "sink"];
const POLICIES: [&str; 5] = ["round-robin", "tokens", "least-loaded", "calendar", "linear-shift"];

fn below(random: &mut Random, bound: u64) -> u64 {
    random.next_u64() % bound
}

fn one_of<T: Copy, const N: usize>(random: &mut Random, all: [T; N]) -> T {
    all[usize::try_from(below(random, N as u64)).expect("an index")]
}

impl Drawn {
    fn draw(seed: u64) -> Self {
        let random = &mut Random::named(seed, "trials of readouts");
        let is_pull = below(random, 2) == 1;
        let levels = one_of(random, [1, 1, 1, 2]);
        let packing = one_of(random, [1, 1, 4, 10]);
        let counts = [1 + below(random, 4), 1 + below(random, 2), 2 + below(random, 4), 1 + below(random, 2)];
        let [sources, builders, nodes, sinks] = counts;
        let mut drawn = Self {
            readout: format!(
                "protocol = \"{}\"\nlevels = {levels}\npacking = {packing}\nevent_timeout = \"150ms\"\n\
                 drain = \"4s\"\nstreams = [\"a\", \"b\"]",
                if is_pull { "pull" } else { "push" }
            ),
            trigger: format!(
                "load = \"{}Hz\"\nspacing = \"{}\"\npolicy = \"{}\"",
                300 + below(random, 900),
                one_of(random, ["fixed", "poisson", "burst:16"]),
                one_of(random, POLICIES)
            ),
            source: format!(
                "count = {sources}\nfragment = \"{}B..{}B\"",
                below(random, 100),
                100 + below(random, 2_000)
            ),
            builder: format!("count = {builders}\nordered = {}", below(random, 4) == 0),
            node: format!(
                "count = {}\naccept = 0.{}\nstreams = [\"a:1\"]\ncopies = [\"b:0.3\"]\ntime = \"{}us\"",
                nodes.max(builders),
                3 + below(random, 7),
                below(random, 3_000)
            ),
            sink: format!("count = {sinks}\nroll = \"300KiB\""),
            ..Self::default()
        };
        if !is_pull {
            let _ = write!(drawn.builder, "\npolicy = \"{}\"", one_of(random, POLICIES));
        }
        for _ in 0..1 + below(random, 4) {
            let kind = below(random, 4);
            drawn.draw_fault(random, usize::try_from(kind).expect("an index"), counts);
        }
        drawn
    }

    fn draw_fault(&mut self, random: &mut Random, kind: usize, counts: [u64; 4]) {
        let count = if kind == 2 { counts[2].max(counts[1]) } else { counts[kind] };
        let name = KINDS[kind];
        let which = 1 + below(random, count);
        // Some come before the first event, and some when the run drains.
        let at = below(random, 1_600);
        let _ = write!(self.faults, "[[fault]]\nrole = \"{name}-{which}\"\nat = \"{at}ms\"\n");
        let fate = below(random, 10);
        let _ = match fate {
            0..6 => writeln!(self.faults, "what = \"kill\"\nfor = \"{}ms\"", below(random, 300)),
            6 => writeln!(self.faults, "what = \"kill\""),
            _ => writeln!(self.faults, "what = \"hang\"\nfor = \"{}ms\"", 100 + below(random, 3_000)),
        };
        self.suffering.push(name);
        if fate == 6 {
            self.gone.push(name);
        }
    }

    fn text(&self) -> String {
        let Self { readout, trigger, source, builder, node, sink, faults, .. } = self;
        System { duration: "1400ms", readout, trigger, source, builder, node, sink, more: faults }.text()
    }

    /// What is lost is lost for a reason that was there.
    fn assert_reasons(&self, record: &Record) {
        let suffers = |kind| self.suffering.contains(&kind);
        let events = &readout(record).events;
        for lost in &events.lost_by {
            let has_reason = match lost.name.as_str() {
                name if name.contains("builder died") => suffers("builder"),
                name if name.contains("sink died") => self.gone.contains(&"sink"),
                // A source that is gone sends no fragment of an event, and nobody else does either.
                name if name.contains("nothing of it came") => suffers("source") || suffers("builder"),
                name if name.contains("run ended before") => {
                    !self.gone.is_empty() || suffers("builder") || suffers("sink")
                }
                _ => false,
            };
            assert!(lost.count == 0 || has_reason, "{lost:?}: {self:?}");
        }
        assert!(events.incomplete == 0 || suffers("source") || suffers("builder"), "{events:?}: {self:?}");
        let is_incomplete = record.verdict == Verdict::Incomplete;
        assert_eq!(is_incomplete, events.lost > 0, "{:?}: {events:?}", record.verdict);
        assert!(is_incomplete || record.verdict == Verdict::Good, "{:?}", record.verdict);
    }
}

fn survive(seed: u64) {
    let drawn = Drawn::draw(seed);
    let text = drawn.text();
    let outcome = std::panic::catch_unwind(|| {
        let mut started = coordinator::run(&text);
        let code = started.wait().status.code();
        assert!(matches!(code, Some(0 | 1)), "ended with {code:?}; it said:\n{}", started.stderr());
        let record = started.record(code.unwrap_or_default());
        let said = started.stderr();
        let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            assert_account(&record, &run_dir(&started));
            drawn.assert_reasons(&record);
        }));
        if let Err(fault) = checked {
            let _ = writeln!(std::io::stderr(), "it said:\n{said}");
            std::panic::resume_unwind(fault);
        }
    });
    if let Err(fault) = outcome {
        let _ = writeln!(
            std::io::stderr(),
            "FAILED with seed {seed}: READOUT_SEED={seed} runs it again:\n{text}"
        );
        std::panic::resume_unwind(fault);
    }
}

#[test]
fn whatever_dies_whenever_every_event_is_in_one_place_and_what_is_stored_is_on_disk() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    if let Some(seed) = number("READOUT_SEED") {
        return survive(seed);
    }
    // Two at a time, as there are cores.
    let seeds = number("READOUT_SEEDS").unwrap_or(SEEDS);
    let next = std::sync::atomic::AtomicU64::new(0);
    let failed = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if seed >= seeds {
                        return;
                    }
                    if std::panic::catch_unwind(|| survive(seed)).is_err() {
                        failed.lock().expect("not poisoned").push(seed);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().expect("not poisoned");
    assert!(failed.is_empty(), "of {seeds} seeds these failed: {failed:?}");
}

/// Kills processes of a run that knows of nothing, at moments that the seed draws.
fn survive_from_outside(seed: u64) {
    let random = &mut Random::named(seed, "kills from outside");
    let protocol = one_of(random, ["push", "pull"]);
    let settings = format!("protocol = \"{protocol}\"\nevent_timeout = \"150ms\"");
    let system = System {
        duration: "2500ms",
        readout: &settings,
        builder: "count = 2",
        node: "count = 3\ntime = \"2ms\"",
        sink: "count = 2",
        ..System::default()
    };
    let mut started = system.start();
    support::until_state(&started, "running");
    let mut killed = 0;
    for _ in 0..3 {
        let pause = std::time::Duration::from_millis(100 + below(random, 500));
        coordinator::until(pause, || None::<()>);
        // Whoever is there, but for the trigger, which is the first.
        let roles = started.roles();
        let which = usize::try_from(below(random, roles.len() as u64 - 1)).expect("an index");
        roles[1 + which].signal(rustix::process::Signal::KILL);
        killed += 1;
    }
    let ended = started.wait();
    let record = started.record(ended.status.code().expect("it ended by itself"));
    assert_account(&record, &run_dir(&started));
    let deaths: usize = readout(&record).roles.iter().map(|role| role.deaths.len()).sum();
    assert_eq!(deaths, killed, "{:?}", record.caveats);
    let of_kind =
        |kind: &str| readout(&record).roles.iter().any(|role| role.kind == kind && !role.deaths.is_empty());
    let events = &readout(&record).events;
    assert!(events.lost == 0 || of_kind("builder"), "{events:?}");
    assert!(events.incomplete == 0 || of_kind("source") || of_kind("builder"), "{events:?}");
    assert_eq!(record.verdict, if events.lost > 0 { Verdict::Incomplete } else { Verdict::Good });
}

#[test]
fn whoever_is_killed_from_outside_returns_and_the_account_closes() {
    for seed in 0..3 {
        if let Err(fault) = std::panic::catch_unwind(|| survive_from_outside(seed)) {
            let _ = writeln!(std::io::stderr(), "FAILED with seed {seed} of kills from outside");
            std::panic::resume_unwind(fault);
        }
    }
}
