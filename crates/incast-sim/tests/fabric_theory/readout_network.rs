//! How much a port of the 2003 readout network has to hold (acceptance test 7).
//!
//! Front-end links into multiplexing switches, these into the readout network, that to the sub-farm controllers;
//! all of 1 Gb/s, 5 us of latency in each switch, sources in step within 1 us. Level-1 packets at 44 kHz and HLT
//! packets at 4 kHz each go round; a port is fullest when both choose the same controller.

use incast_core::random::Random;
use incast_core::time::{Span, Time};
use incast_sim::fabric::computed::Computed;
use incast_sim::fabric::{End, Fabric, FabricPlan, SwitchId};
use incast_sim::packet::NicId;

use super::net::{ENDLESS, GBIT, Send, drive, link, plan};

/// One kind of traffic: links, their bytes in a packet, switches that join them, time between packets.
struct Kind {
    links: u32,
    bytes: u32,
    multiplexers: u32,
    period: Span,
}

struct System {
    kinds: [Kind; 2],
    controllers: u32,
}

const HLT: Kind = Kind { links: 323, bytes: 1_238, multiplexers: 32, period: Span::from_us(250) };
/// A packet of 25 events at 1.1 MHz.
const LEVEL_1_PERIOD: Span = Span(22_727_272);
/// 126 x 993 B x 44 kHz are 5.5 GB/s.
const SMALL: System = System {
    kinds: [Kind { links: 126, bytes: 993, multiplexers: 63, period: LEVEL_1_PERIOD }, HLT],
    controllers: 94,
};
/// 224 x 1117 B x 44 kHz are 11.0 GB/s.
const LARGE: System = System {
    kinds: [Kind { links: 224, bytes: 1_117, multiplexers: 137, period: LEVEL_1_PERIOD }, HLT],
    controllers: 175,
};

impl System {
    /// Of each kind, burst (1 - C_out / sum of C_in).
    fn formula(&self) -> u64 {
        let of = |kind: &Kind| {
            let burst = u64::from(kind.links) * u64::from(kind.bytes);
            burst - burst / u64::from(kind.multiplexers)
        };
        self.kinds.iter().map(of).sum()
    }

    fn sources(&self) -> u32 {
        self.kinds.iter().map(|kind| kind.links).sum()
    }

    /// The network; ports to controllers are the last links, and hold so much.
    fn plan(&self, port_bytes: u64) -> FabricPlan {
        let travel = Span::from_ns(500);
        let (mut links, mut source, mut switch) = (Vec::new(), 0, 1);
        for kind in &self.kinds {
            for index in 0..kind.links {
                let to = End::Switch(SwitchId(switch + index % kind.multiplexers));
                links.push(link(End::Nic(NicId(source + index)), to, GBIT, travel, ENDLESS));
            }
            source += kind.links;
            for index in 0..kind.multiplexers {
                let from = End::Switch(SwitchId(switch + index));
                links.push(link(from, End::Switch(SwitchId(0)), GBIT, travel, ENDLESS));
            }
            switch += kind.multiplexers;
        }
        for controller in 0..self.controllers {
            let nic = End::Nic(NicId(source + controller));
            links.push(link(nic, End::Switch(SwitchId(0)), GBIT, travel, ENDLESS));
        }
        for controller in 0..self.controllers {
            let nic = End::Nic(NicId(source + controller));
            links.push(link(End::Switch(SwitchId(0)), nic, GBIT, travel, port_bytes));
        }
        plan(source + self.controllers, switch, Span::from_us(5), links)
    }

    /// What the sources send while the HLT goes round once.
    fn sends(&self) -> Vec<Send> {
        let until = u64::from(self.controllers) * HLT.period.0;
        let mut random = Random::named(1, "in step");
        let mut sends = Vec::new();
        let mut source = 0;
        for kind in &self.kinds {
            for from in source..source + kind.links {
                let phase = random.next_u64() % 1_000_000;
                let starts = (0..until).step_by(usize::try_from(kind.period.0).unwrap());
                sends.extend((0..).zip(starts).map(|(cargo, start)| Send {
                    at: Time(start + phase),
                    from,
                    to: self.sources() + u32::try_from(cargo % u64::from(self.controllers)).unwrap(),
                    bytes: kind.bytes,
                    cargo,
                }));
            }
            source += kind.links;
        }
        sends.sort_unstable();
        sends
    }

    /// The fullest port to a controller, and what was dropped anywhere.
    fn run(&self, port_bytes: u64, sends: &[Send]) -> (u64, u64) {
        let plan = self.plan(port_bytes);
        let mut fabric = Computed::new(&plan);
        let until = Time(100_000_000_000);
        drive(&mut fabric, sends.iter().copied(), until, |_, _| ());
        let counts = fabric.counts(until);
        let ports = &counts[plan.links.len() - self.controllers as usize..];
        let dropped = counts.iter().flat_map(|queue| &queue.dropped).map(|(_, died)| died.packets).sum();
        (ports.iter().map(|port| port.bytes_max).max().unwrap(), dropped)
    }
}

#[test]
fn a_port_of_the_readout_network_is_as_full_as_its_formula() {
    for (name, system, design) in [("small", SMALL, 510_000), ("large", LARGE, 636_000)] {
        let formula = system.formula();
        assert!(formula.abs_diff(design) < 600, "{name}: {formula} is the design's");
        let sends = system.sends();
        let (most, dropped) = system.run(ENDLESS, &sends);
        eprintln!("{name}: {most} bytes, formula {formula}");
        // 3 %
        assert!(most.abs_diff(formula) * 100 <= formula * 3, "{name}: {most}, not {formula}");
        assert_eq!(dropped, 0);
        let (_, above) = system.run(formula * 103 / 100, &sends);
        let (_, below) = system.run(formula * 90 / 100, &sends);
        assert!(above == 0 && below > 0, "{name}: {above} lost with 3 % more, {below} with 10 % less");
    }
}
