//! The kernel's own texts, as another kernel might write them: read as far as they make sense.
//!
//! The input is cut in two at its first byte 0: the same file before and after a run.

#![no_main]

use std::time::{Duration, Instant};

use incast_core::record::Host;
use incast_host::busy::OtherWork;
use incast_host::cpu::HostSnapshot;
use incast_host::udp::NetCounters;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(2, |byte| *byte == 0).map(String::from_utf8_lossy);
    let (before, after) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    cores(&before, &after);
    counters(&before, &after);
});

fn cores(before: &str, after: &str) {
    let start = Instant::now();
    let earlier = HostSnapshot::parse(before, start);
    let later = HostSnapshot::parse(after, start + Duration::from_secs(1));
    let mut host = Host::default();
    later.fill_since(&earlier, &mut host);
    for core in &host.cores {
        let parts = [core.user, core.system, core.softirq, core.irq, core.steal, core.idle];
        assert!(parts.iter().all(|part| (0.0..=1.0).contains(part)), "{core:?}");
        assert!((parts.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{core:?}");
    }
    if let Some(other) = OtherWork::between(&earlier, &later, 0.5) {
        assert!(
            (0.0..=1.0).contains(&other.host_fraction) && (0.0..=1.0).contains(&other.steal_fraction),
            "{other:?}"
        );
        drop((other.caveat(), other.steal_caveat()));
    }
}

fn counters(before: &str, after: &str) {
    let read = |text| {
        let mut counters = NetCounters::default();
        counters.handle_pairs(text);
        counters.handle_list(text);
        counters
    };
    let (earlier, later) = (read(before), read(after));
    if let Some(drops) = later.receive_buffer_drops_since(&earlier) {
        let now = |protocol| later.value(protocol, "RcvbufErrors").unwrap_or(0);
        assert!(u128::from(drops) <= u128::from(now("Udp")) + u128::from(now("Udp6")));
    }
}
