//! How fast the fabric is: packet-hops per second on two scenarios, with the meter on.
//!
//! ```text
//! cargo run --release -p incast-sim --example fabric_speed [-- ROUNDS]
//! ```
//! * `incast`: 32 sources of 1500 B at 10 Gb/s into one port of 10 Gb/s, with room for 100 packets.
//! * `all-to-all`: 16 hosts, 256 flows, load 0.9 of 10 Gb/s, one output-queued switch.
//!
//! Both: links of 1 us, phases from a seed, 100 ms. The clock is read here; the library has none.
#![expect(clippy::print_stdout, reason = "a program for people")]
#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "it measures the library from outside"
)]

use std::time::Instant;

use incast_core::random::Random;
use incast_core::scenario::{Queueing, SwitchModel};
use incast_core::time::{Span, Time};
use incast_sim::agenda::{Agenda, Rank};
use incast_sim::fabric::computed::Computed;
use incast_sim::fabric::{ByteTime, End, Fabric, FabricPlan, LinkId, LinkSpec, News, SwitchId, SwitchSpec};
use incast_sim::packet::{NicId, Packet};

const BYTES: u32 = 1_500;
const RATE: u64 = 10_000_000_000;
const END: Time = Time(100_000_000_000);
/// Of 1500 B at 10 Gb/s.
const PACKET_PS: u64 = 1_200_000;

fn main() {
    let rounds = std::env::args().nth(1).and_then(|rounds| rounds.parse().ok()).unwrap_or(5);
    let incast: Vec<Flow> =
        (0..32).map(|host| Flow { from: NicId(host), to: NicId(32), period: PACKET_PS }).collect();
    // 16 x 1.2 us / 0.9, to the picosecond.
    let period = PACKET_PS * 16 * 10 / 9;
    let all_to_all: Vec<Flow> = (0..16)
        .flat_map(|from| (0..16).map(move |to| Flow { from: NicId(from), to: NicId(to), period }))
        .collect();
    for (name, hosts, flows) in [("incast", 33, incast), ("all-to-all", 16, all_to_all)] {
        let mut spans: Vec<f64> = (0..rounds).map(|_| measure(name, hosts, &flows)).collect();
        spans.sort_by(f64::total_cmp);
        println!("{name}: median {:.1}, least {:.1} ns per hop", spans[spans.len() / 2], spans[0]);
    }
}

struct Flow {
    from: NicId,
    to: NicId,
    period: u64,
}

/// One run; nanoseconds per packet-hop.
fn measure(name: &str, hosts: u32, flows: &[Flow]) -> f64 {
    let mut fabric = Computed::new(&star(hosts));
    let mut random = Random::named(1, "phases");
    let ranks = (0..flows.len()).map(|flow| Rank { class: 0, name: flow as u64 }).collect();
    let mut sources = Agenda::new(ranks);
    for (slot, flow) in (0..).zip(flows) {
        sources.set(slot, Some(Time(random.next_u64() % flow.period)));
    }
    let (mut delivered, mut dropped) = (0_u64, 0_u64);
    let mut cargo = 0;
    let start = Instant::now();
    while let Some((now, slot)) = sources.next().filter(|(now, _)| *now <= END) {
        drain(&mut fabric, now, &mut delivered, &mut dropped);
        let flow = &flows[slot as usize];
        cargo += 1;
        fabric.handle_packet(now, flow.from, Packet { to: flow.to, wire_bytes: BYTES, cargo });
        sources.set(slot, Some(now + Span(flow.period)));
    }
    drain(&mut fabric, END, &mut delivered, &mut dropped);
    let taken = start.elapsed();
    let hops = fabric.packet_hops();
    #[expect(clippy::cast_precision_loss, reason = "for printing")]
    let ns = taken.as_secs_f64() * 1e9 / hops as f64;
    println!(
        "{name}: {hops} packet-hops, {delivered} delivered, {dropped} dropped, {} ties, digest {:016x}: {ns:.1} ns per hop",
        fabric.ties(),
        fabric.digest()
    );
    ns
}

fn drain(fabric: &mut Computed, now: Time, delivered: &mut u64, dropped: &mut u64) {
    while let Some(news) = fabric.poll(now) {
        match news {
            News::Delivered { .. } => *delivered += 1,
            News::Dropped { .. } => *dropped += 1,
            News::Left { .. } => {}
        }
    }
}

/// Hosts around one switch.
fn star(hosts: u32) -> FabricPlan {
    let link = |from, to, queue_packets: u64, place: String, way: String| LinkSpec {
        from,
        to,
        byte_time: ByteTime::of(Some(RATE)),
        travel: Span::from_us(1),
        queue_bytes: queue_packets * u64::from(BYTES),
        path: None,
        bit_errors: 0.0,
        place,
        way,
    };
    let switch = End::Switch(SwitchId(0));
    let up = (0..hosts).map(|host| {
        link(End::Nic(NicId(host)), switch, 1_000, format!("nic of h{host}"), format!("h{host} -> main"))
    });
    // One packet of the hundred is being sent.
    let down = (0..hosts).map(|host| {
        link(
            switch,
            End::Nic(NicId(host)),
            99,
            format!("port of main to h{host}"),
            format!("main -> h{host}"),
        )
    });
    FabricPlan {
        seed: 1,
        interval: Span::from_ms(1),
        links: up.chain(down).collect(),
        switches: vec![SwitchSpec {
            name: "main".into(),
            model: SwitchModel { queueing: Queueing::Output, latency: Span::ZERO, is_cut_through: false },
            pauses: false,
            routes: (0..hosts).map(|host| Some(LinkId(hosts + host))).collect(),
        }],
        nics: (0..hosts).map(LinkId).collect(),
    }
}
