//! Faults on links, by hand. A packet of 1000 B takes 8 us, and travels for 1 us.

use incast_core::scenario::SwitchModel;
use incast_core::time::{Span, Time};
use incast_sim::fabric::{Fabric, LinkFault, Why};

use crate::net::{Run, Star, card, port};

const fn us(us: u64) -> Time {
    Time::from_ns(us * 1_000)
}

fn star(is_cut_through: bool) -> Run {
    let model = SwitchModel { is_cut_through, ..SwitchModel::default() };
    Run::new(&Star { travel: Span::from_us(1), model, ..Star::new(3) }.plan())
}

#[test]
fn a_link_that_goes_down_loses_what_is_on_it_and_what_comes_and_then_passes_again() {
    for is_cut_through in [false, true] {
        let mut run = star(is_cut_through);
        for cargo in 0..6 {
            run.send(Time::ZERO, 0, 2, 1_000, cargo);
        }
        // 0 is through; 1 is being sent; 2 is sent while it is down; 3 is being sent as it comes back.
        run.advance(us(12));
        run.fabric.handle_fault(us(12), card(0), Some(LinkFault::Down));
        run.advance(us(28));
        run.fabric.handle_fault(us(28), card(0), None);
        let end = run.finish();
        let lost = if is_cut_through {
            // The switch knew 1 before, and nothing of 3 was known after.
            [2, 3].as_slice()
        } else {
            &[1, 2, 3]
        };
        let deaths: Vec<_> = lost.iter().map(|cargo| (*cargo, card(0), Why::LinkDown)).collect();
        assert_eq!(run.deaths(), deaths, "cut through: {is_cut_through}");
        assert_eq!(run.deliveries().len(), 6 - deaths.len());
        let counts = run.counts(end, card(0));
        assert_eq!(counts.forwarded_packets, 6);
        assert_eq!(counts.lost.iter().map(|(_, died)| died.packets).sum::<u64>(), deaths.len() as u64);
    }
}

#[test]
fn faults_on_the_way_to_a_host_do_what_they_say() {
    let arrivals = |fault: LinkFault| {
        let mut run = star(false);
        run.fabric.handle_fault(Time::ZERO, port(2), Some(fault));
        for cargo in 0..3 {
            run.send(us(100 * cargo), 0, 2, 1_000, cargo);
        }
        let end = run.finish();
        let copies = run.counts(end, port(2)).copied_packets;
        let deaths: Vec<_> = run.deaths().into_iter().map(|(_, link, why)| (link, why)).collect();
        (run.deliveries(), deaths, copies)
    };
    // 8 + 1 + 8 + 1 us from host to host.
    let through = |late: u64| (0..3).map(|cargo| (us(100 * cargo + 18 + late), cargo)).collect::<Vec<_>>();
    let lost = vec![(port(2), Why::Fault); 3];
    assert_eq!(arrivals(LinkFault::Drop(1.0)), (vec![], lost.clone(), 0));
    assert_eq!(arrivals(LinkFault::Corrupt(1.0)), (vec![], lost, 0));
    assert_eq!(arrivals(LinkFault::Drop(0.0)), (through(0), vec![], 0));
    assert_eq!(arrivals(LinkFault::Delay(Span::from_us(30))), (through(30), vec![], 0));
    let twice = through(0).into_iter().flat_map(|one| [one, one]).collect();
    assert_eq!(arrivals(LinkFault::Duplicate(1.0)), (twice, vec![], 3));
}

#[test]
fn a_packet_for_which_a_switch_has_no_way_is_lost_and_counted() {
    let mut plan = Star::new(2).plan();
    plan.switches[0].routes[1] = None;
    let mut run = Run::new(&plan);
    run.send(Time::ZERO, 0, 1, 1_000, 7);
    let end = run.finish();
    assert_eq!(run.deaths(), [(7, card(0), Why::LinkDown)]);
    assert_eq!(run.counts(end, card(0)).lost.len(), 1);
}
