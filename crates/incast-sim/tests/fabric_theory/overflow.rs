//! What a port drops when many sources send at once (acceptance test 6).

use incast_core::random::Random;
use incast_core::time::{Span, Time};
use incast_sim::fabric::Fabric;
use incast_sim::fabric::computed::Computed;

use super::net::{GBIT, Send, drive, star};

const BYTES: u32 = 1_540;

/// Sources, packets of each, packets that the port holds.
const CASES: [(u32, u64, u64); 6] =
    [(16, 100, 256), (32, 10, 64), (64, 1, 20), (126, 4, 128), (224, 2, 100), (320, 1, 100)];

/// dropped = burst (1 - C_out / sum of C_in) - B.
#[test]
fn an_incast_overflows_by_its_formula() {
    for (sources, packets, held) in CASES {
        let port_bytes = held * u64::from(BYTES);
        let mut fabric = Computed::new(&star(sources + 1, GBIT, Span::from_us(1), port_bytes));
        let mut random = Random::named(sources.into(), "starts");
        // Within a tenth of a packet of each other.
        let mut starts: Vec<(u64, u32)> =
            (0..sources).map(|from| (random.next_u64() % 1_232_000, from)).collect();
        starts.sort_unstable();
        let sends = starts.into_iter().flat_map(|(at, from)| {
            (0..packets).map(move |cargo| Send { at: Time(at), from, to: sources, bytes: BYTES, cargo })
        });
        let mut delivered = 0;
        let until = Time(1_000_000_000_000);
        drive(&mut fabric, sends, until, |_, news| {
            delivered += u64::from(matches!(news, incast_sim::fabric::News::Delivered { .. }));
        });
        let port = &fabric.counts(until)[2 * sources as usize + 1];
        let burst = u64::from(sources) * packets;
        let dropped: u64 = port.dropped.iter().map(|(_, died)| died.packets).sum();
        // burst (1 - 1 / sources) - held, and each source sent the same.
        let formula = burst - packets - held;
        eprintln!("{sources} x {packets} into {held}: {dropped} dropped, formula {formula}");
        assert!(
            dropped.abs_diff(formula) <= 1,
            "{sources} x {packets} into {held}: {dropped}, not {formula}"
        );
        assert_eq!((port.offered_packets, delivered), (burst, burst - dropped));
        assert_eq!(port.bytes_max, port_bytes, "it was full");
    }
}
