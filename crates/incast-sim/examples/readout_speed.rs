//! How fast a whole readout of 2003 runs without a network: `readout_speed [virtual milliseconds] [size of an event's
//! fragment]`.
//!
//! 126 sources, 94 builders, 1786 nodes, 1.1 MHz of events in packets of 25, the trigger's words on wires of
//! their own. It prints virtual seconds per second, and what was done.

#![expect(clippy::print_stdout, reason = "that is what it is for")]
#![expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "speed is measured by a clock")]

use std::collections::BTreeMap;
use std::time::Instant;

use incast_core::scenario::{Scenario, SimPlan};
use incast_core::time::Span;
use incast_sim::courier::Direct;
use incast_sim::world::readout::{ReadoutSetup, ReadoutWorld};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let milliseconds: u64 = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(200);
    let fragment = arguments.next().unwrap_or_else(|| "36B".into());
    let text = format!(
        "incast = 1\nname = \"r\"\nseed = 7\nduration = \"{milliseconds}ms\"\n[readout]\npacking = 25\n\
         fragments_over = \"udp\"\n[trigger]\nload = \"1100kHz\"\n[[source]]\ncount = 126\nfragment = \"{fragment}\"\n\
         [[builder]]\ncount = 94\npolicy = \"tokens\"\n[[node]]\ncount = 1786\naccept = 0.04\ntime = \"1ms\"\n\
         spread_of_time = \"exponential\"\n[[sink]]\ncount = 4\n"
    );
    let scenario = match Scenario::parse(&text) {
        Ok(scenario) => scenario,
        Err(faults) => return println!("{faults}"),
    };
    let Some(plan) = scenario.readout else { return println!("no readout") };
    let sim = SimPlan { timing_delay: Some(Span::from_us(2)), ..SimPlan::default() };
    let places = BTreeMap::new();
    let setup = ReadoutSetup::new(&plan, scenario.seed, &places, &sim);
    let before = Instant::now();
    let mut world = ReadoutWorld::new(&setup, Direct::new(sim.direct_delay));
    println!("set up in {:.3} s", before.elapsed().as_secs_f64());
    let start = Instant::now();
    world.run();
    let wall = start.elapsed().as_secs_f64();
    let (messages, now) = (world.messages(), world.now());
    let (result, _) = world.finish();
    let events = &result.readout.events;
    let virtual_s = result.readout.running_s.unwrap_or(0.0);
    println!(
        "{virtual_s:.3} s of triggers ({:.3} s in all) in {wall:.3} s: {:.2} virtual s per s",
        now.since(incast_core::time::Time::ZERO).as_s_f64(),
        virtual_s / wall
    );
    println!("{messages} messages, {:.0} ns each; {events:?}", wall * 1e9 / messages as f64);
    for time in &result.readout.times {
        println!("{time:?}");
    }
    println!("digest {:016x}; dead {:?}", result.digest, result.readout.dead_time);
}
