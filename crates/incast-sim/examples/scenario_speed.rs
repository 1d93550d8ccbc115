//! Simulates a scenario file and says how long it took: for profilers, which need no other part of the program.
//!
//!     cargo run --release -p incast-sim --example scenario_speed -- scenarios/lhcb-2003/level1.toml

#![expect(
    clippy::print_stdout,
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "an example looks at the clock on the wall, and says what it saw"
)]

use std::time::Instant;

use incast_core::scenario::Scenario;
use incast_core::time::{Span, Time};
use incast_sim::simulate::Run;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args().nth(1).ok_or("which scenario file?")?;
    let settings: Vec<_> = std::env::args().skip(2).map(|text| text.parse()).collect::<Result<_, _>>()?;
    let scenario = Scenario::parse_with(&std::fs::read_to_string(&file)?, &settings)
        .map_err(|errors| errors.explained(&file).to_string())?;
    let begun = Instant::now();
    let mut run = Run::new(&scenario);
    let made_s = begun.elapsed().as_secs_f64();
    let mut until = Time::ZERO + Span::from_ms(1);
    while run.advance(until) {
        until += Span::from_ms(1);
    }
    let virtual_s = run.now().since(Time::ZERO).as_s_f64();
    let simulated = run.finish();
    println!(
        "made in {made_s:.3} s; {virtual_s:.3} virtual seconds and {} packet-hops in {:.3} s",
        simulated.simulation.packet_hops,
        begun.elapsed().as_secs_f64()
    );
    Ok(())
}
