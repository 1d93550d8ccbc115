//! Cost of the event builder for each fragment: 8 sources, 1 KiB by reference, and 126 sources.
//!
//! The goal is 30 ns: a core that receives 6 GB/s of 1 KiB fragments has 160 ns for each of them, and
//! building must be a small part of that. Fragments come as carriers bring them: one of every source in
//! turn, or many of one source in a row; with 1 % duplicated; with 1 % lost, so that events time out.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput};
use incast_core::random::Random;
use incast_core::readout::{
    BuilderPlan, EventBuilder, EventNumber, Fragment, RunNumber, SourceId, SourceSet,
};
use incast_core::time::{Span, Time};

const RUN: RunNumber = RunNumber(1);
const PAYLOAD: [u8; 1_024] = [7; 1_024];
/// Fragments of one round: enough that the memory of closed events is full most of the time.
const FRAGMENTS: u64 = 1 << 18;

fn main() {
    let mut criterion = Criterion::default().measurement_time(Duration::from_secs(3)).configure_from_args();
    let none = |_: &mut Random| 1;
    let some =
        |of: u64| move |random: &mut Random| if random.next_u64().is_multiple_of(100) { of } else { 1 };
    let cases = [
        ("sources_8_in_turn", 8, fragments(8, 1, none)),
        ("sources_8_64_in_a_row", 8, fragments(8, 64, none)),
        ("sources_8_duplicated_1_percent", 8, fragments(8, 1, some(2))),
        ("sources_8_lost_1_percent", 8, fragments(8, 1, some(0))),
        ("sources_126_in_turn", 126, fragments(126, 1, none)),
        ("sources_126_16_in_a_row", 126, fragments(126, 16, none)),
    ];
    for (name, sources, arrivals) in &cases {
        let mut group = criterion.benchmark_group(*name);
        group.throughput(Throughput::Elements(arrivals.len() as u64));
        group.bench_function("handle_fragment", |bencher| {
            let setup = || EventBuilder::new(BuilderPlan::new(RUN, SourceSet::first(*sources)));
            bencher.iter_batched_ref(setup, |builder| feed(builder, arrivals), BatchSize::LargeInput);
        });
        group.finish();
    }
    criterion.final_summary();
}

/// As a driver does it: a batch of 64 fragments at one reading of the clock, then what is built.
fn feed<'a>(builder: &mut EventBuilder<&'a [u8]>, arrivals: &[Fragment<&'a [u8]>]) {
    let mut now = Time::ZERO;
    for batch in arrivals.chunks(64) {
        now += Span::from_us(100);
        for fragment in batch {
            black_box(builder.handle_fragment(now, black_box(*fragment)));
        }
        builder.handle_timeout(now);
        while let Some(built) = builder.poll_built() {
            builder.recycle(black_box(built).into_event());
        }
    }
}

/// Every source's fragments of `row` events in a row, then the next source's; each as often as `copies` says.
fn fragments(sources: u16, row: u64, copies: impl Fn(&mut Random) -> u64) -> Vec<Fragment<&'static [u8]>> {
    let mut random = Random::named(1, "builder bench");
    let mut arrivals = vec![];
    for first in (0..FRAGMENTS / u64::from(sources)).step_by(usize::try_from(row).unwrap_or(1)) {
        for source in 0..sources {
            for event in first..first + row {
                let payload = &PAYLOAD[..];
                let (event, source) = (EventNumber(event), SourceId(source));
                let fragment = Fragment { run: RUN, event, events: 1, source, payload };
                arrivals.extend((0..copies(&mut random)).map(|_| fragment));
            }
        }
    }
    arrivals
}
