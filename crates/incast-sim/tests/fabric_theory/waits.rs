//! Waits in one queue, and in the ports of a switch, against their formulas (acceptance tests 1 to 3).

use incast_core::random::Random;
use incast_core::time::{Span, Time};
use incast_sim::fabric::computed::Computed;
use incast_sim::fabric::{Fabric, News};

use super::net::{ENDLESS, GBIT, Send, TEN_GBIT, THE_QUEUE, drive, one_queue, star};

/// 1250 B at 1 Gb/s.
const SERVICE: u64 = 10_000_000;

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "far below 2^53, rounded on purpose"
)]
fn ps(service_times: f64) -> u64 {
    (service_times * 1e7) as u64
}

#[expect(clippy::cast_precision_loss, reason = "for comparing: 53 bits are enough")]
fn ratio(sum: u128, count: u64) -> f64 {
    sum as f64 / count as f64
}

/// Mean wait in service times of Poisson arrivals.
fn poisson_wait(load: f64, packets: u64, seed: u64) -> f64 {
    let mut fabric = Computed::new(&one_queue(GBIT));
    let mut random = Random::named(seed, "poisson");
    let mut at = Time::ZERO;
    let sends = (0..packets).map(|cargo| {
        at += Span(ps(random.exponential() / load));
        Send { at, from: 0, to: 1, bytes: 1_250, cargo }
    });
    // Twice as long as all of them take.
    let until = Time(2 * packets * SERVICE + ps(2.0 / load) * packets);
    drive(&mut fabric, sends, until, |_, _| ());
    let counts = &fabric.counts(until)[THE_QUEUE];
    assert_eq!((counts.forwarded_packets, counts.queued_packets), (packets, 0));
    ratio(counts.wait_sum_ps, packets * SERVICE)
}

/// Pollaczek and Khinchine: W = rho / (2 (1 - rho)) service times.
#[test]
fn constant_packets_of_poisson_arrivals_wait_as_m_d_1_does() {
    // As many packets for each of ten seeds as a half-width of 1 % needs.
    for (load, packets) in [(0.5, 200_000), (0.8, 700_000), (0.9, 2_400_000)] {
        let waits: Vec<f64> = (0..10).map(|seed| poisson_wait(load, packets, seed)).collect();
        let mean = waits.iter().sum::<f64>() / 10.0;
        let variance = waits.iter().map(|wait| (wait - mean).powi(2)).sum::<f64>() / 9.0;
        // Student's t, 9 degrees of freedom, 95 %.
        let half_width = 2.262 * (variance / 10.0).sqrt();
        let formula = load / (2.0 * (1.0 - load));
        eprintln!("load {load}: {mean:.4} +- {half_width:.4}, formula {formula:.4}");
        assert!((mean - formula).abs() <= half_width, "load {load}: {mean} +- {half_width}, not {formula}");
        assert!(half_width <= 0.01 * mean, "load {load}: {mean} +- {half_width} says too little");
    }
}

/// Roberts and Virtamo 1991: of the work V that `sources` sources of period `period` (in service times) leave
/// undone, at any time, P(V > x).
fn periodic_tail(sources: u32, period: f64, x: u32) -> f64 {
    let (all, x_f) = (f64::from(sources), f64::from(x));
    let ln_factorial = |n: u32| (1..=n).map(|k| f64::from(k).ln()).sum::<f64>();
    let term = |n: u32| {
        let part = (f64::from(n) - x_f) / period;
        let ln_choose = ln_factorial(sources) - ln_factorial(n) - ln_factorial(sources - n);
        let ln_rest = if n == sources { 0.0 } else { f64::from(sources - n) * (1.0 - part).ln() };
        (ln_choose + f64::from(n) * part.ln() + ln_rest).exp() * (period - all + x_f)
            / (period - f64::from(n) + x_f)
    };
    (x + 1..=sources).map(term).sum()
}

#[test]
fn the_formula_of_periodic_sources_gives_its_table() {
    // Two columns of the design's table, N = 126.
    for (load, x, expected) in [
        (0.88, 2, 0.5208),
        (0.88, 5, 0.1784),
        (0.88, 10, 0.0166),
        (0.95, 2, 0.7343),
        (0.95, 5, 0.3865),
        (0.95, 10, 0.0715),
    ] {
        let tail = periodic_tail(126, 126.0 / load, x);
        assert!((tail - expected).abs() < 6e-5, "{load} {x}: {tail}");
    }
}

/// Of periodic packets of so many sources with free phases: which fraction waits for longer than each of `xs`.
///
/// The queue is empty once in every period, so that the second period with the same phases is like all that follow.
/// Then new phases are drawn.
fn periodic_waits(sources: u32, load: f64, draws: u64, xs: &[u32]) -> Vec<f64> {
    let period = ps(f64::from(sources) / load);
    let mut fabric = Computed::new(&one_queue(GBIT));
    let mut random = Random::named(u64::from(sources), "phases");
    let mut longer = vec![0_u64; xs.len()];
    let mut sends = Vec::new();
    for draw in 0..draws {
        let start = 3 * draw * period;
        let mut phases: Vec<u64> = (0..sources).map(|_| random.next_u64() % period).collect();
        phases.sort_unstable();
        sends.clear();
        for round in 0..2 {
            let at = |phase: &u64| Time(start + round * period + phase);
            let send = |at: Time| Send { at, from: 0, to: 1, bytes: 1_250, cargo: at.0 * 2 + round };
            sends.extend(phases.iter().map(at).map(send));
        }
        drive(&mut fabric, sends.iter().copied(), Time(start + 3 * period - 1), |at, news| {
            let News::Delivered { packet } = news else { panic!("{news:?}") };
            if packet.cargo % 2 == 1 {
                let wait = at.0 - packet.cargo / 2 - SERVICE;
                for (longer, x) in longer.iter_mut().zip(xs) {
                    *longer += u64::from(wait > u64::from(*x) * SERVICE);
                }
            }
        });
    }
    longer.into_iter().map(|longer| ratio(u128::from(longer), draws * u64::from(sources))).collect()
}

#[test]
fn periodic_packets_wait_as_n_d_d_1_says_and_not_as_m_d_1() {
    let cases: [(u32, f64, u64, &[u32]); 3] = [
        (32, 0.9, 100_000, &[1, 2, 4, 6]),
        (126, 0.88, 60_000, &[2, 5, 10]),
        (224, 0.95, 20_000, &[2, 5, 10]),
    ];
    for (sources, load, draws, xs) in cases {
        for (x, measured) in xs.iter().zip(periodic_waits(sources, load, draws, xs)) {
            // A packet finds the work of all sources but its own.
            let formula = periodic_tail(sources - 1, f64::from(sources) / load, *x);
            let tolerance = if formula > 0.05 { 0.02 } else { 0.05 };
            eprintln!("{sources} sources, load {load}, x = {x}: {measured:.5}, formula {formula:.5}");
            assert!(formula > 0.01, "rarer ones would take longer");
            assert!(
                (measured / formula - 1.0).abs() <= tolerance,
                "{sources} {load} {x}: {measured}, {formula}"
            );
        }
    }
}

/// Mean wait in slots at the outputs of a switch with `ports` ports, each input with a packet in a slot with
/// probability `load`, to any output.
fn slotted_wait(ports: u32, load: f64, slots: u64) -> f64 {
    const SLOT: u64 = 1_200_000;
    let mut fabric = Computed::new(&star(ports, TEN_GBIT, Span::from_us(1), ENDLESS));
    let mut random = Random::named(ports.into(), "slots");
    let sends =
        (0..slots).flat_map(|slot| (0..ports).map(move |from| (slot, from))).filter_map(|(slot, from)| {
            let to = u32::try_from(random.next_u64() % u64::from(ports)).unwrap();
            let send = Send { at: Time(slot * SLOT), from, to, bytes: 1_500, cargo: slot };
            (random.unit() <= load).then_some(send)
        });
    let until = Time((slots + 10_000) * SLOT);
    drive(&mut fabric, sends, until, |_, _| ());
    let counts = fabric.counts(until);
    let (nics, outputs) = counts.split_at(ports as usize);
    assert!(nics.iter().all(|nic| nic.wait_sum_ps == 0), "an input has one packet in a slot");
    let packets = outputs.iter().map(|port| port.forwarded_packets).sum::<u64>();
    ratio(outputs.iter().map(|port| port.wait_sum_ps).sum(), packets * SLOT)
}

/// Karol, Hluchyj and Morgan 1987: W = (N - 1) / N p / (2 (1 - p)) slots.
#[test]
fn packets_wait_at_outputs_as_karol_says() {
    for (load, slots) in [(0.5, 60_000), (0.8, 200_000), (0.9, 800_000)] {
        let formula = 15.0 / 16.0 * load / (2.0 * (1.0 - load));
        let wait = slotted_wait(16, load, slots);
        eprintln!("load {load}: {wait:.4} slots, formula {formula:.4}");
        assert!((wait / formula - 1.0).abs() <= 0.01, "load {load}: {wait}, not {formula}");
    }
}
