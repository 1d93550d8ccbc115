//! Matchings on small crossbars, against all that there are.

use incast_core::random::Random;

use super::islip::Islip;
use super::longest::Longest;
use super::separate::Match;

const PORTS: usize = 4;

/// Bytes by input, then output; many are empty.
fn drawn(random: &mut Random) -> Vec<u64> {
    (0..PORTS * PORTS).map(|_| (random.next_u64() % 10).saturating_sub(4)).collect()
}

/// The places of free ports.
fn free(random: &mut Random) -> Vec<usize> {
    (0..PORTS).filter(|_| !random.next_u64().is_multiple_of(4)).collect()
}

/// The greatest weight of all matchings.
fn greatest(bytes: &[u64], inputs: &[usize], outputs: &[usize]) -> u64 {
    let Some((input, rest)) = inputs.split_first() else { return 0 };
    let joined = outputs.iter().map(|output| {
        let left: Vec<usize> = outputs.iter().copied().filter(|other| other != output).collect();
        bytes[input * PORTS + output] + greatest(bytes, rest, &left)
    });
    joined.chain([greatest(bytes, rest, outputs)]).max().unwrap_or(0)
}

/// Nobody twice, nobody for nothing, and nobody left over who could be joined.
fn check(bytes: &[u64], inputs: &[usize], outputs: &[usize], joined: &[(usize, usize)]) {
    for (index, (input, output)) in joined.iter().enumerate() {
        assert!(inputs.contains(input) && outputs.contains(output));
        assert!(bytes[input * PORTS + output] > 0);
        assert!(joined[..index].iter().all(|(other, to)| other != input && to != output));
    }
    for input in inputs.iter().filter(|input| joined.iter().all(|(taken, _)| taken != *input)) {
        for output in outputs.iter().filter(|output| joined.iter().all(|(_, taken)| taken != *output)) {
            assert_eq!(bytes[input * PORTS + output], 0, "{input} could go to {output}");
        }
    }
}

#[test]
fn matchings_join_nobody_twice_and_leave_nobody_who_could_be_joined() {
    let mut random = Random::named(1, "matchings");
    let (mut longest, mut islip) = (Longest::new(random.clone()), Islip::new(PORTS, PORTS));
    for _ in 0..2_000 {
        let (bytes, inputs, outputs) = (drawn(&mut random), free(&mut random), free(&mut random));
        let waiting = |input: usize, output: usize| bytes[input * PORTS + output];
        check(&bytes, &inputs, &outputs, &islip.join(&inputs, &outputs, waiting));
        let joined = longest.join(&inputs, &outputs, waiting);
        check(&bytes, &inputs, &outputs, &joined);
        let weight: u64 = joined.iter().map(|(input, output)| waiting(*input, *output)).sum();
        assert!(2 * weight >= greatest(&bytes, &inputs, &outputs), "half of the greatest weight");
    }
}

#[test]
fn under_full_load_islip_pointers_slip_apart_and_serve_all_pairs_equally() {
    let all: Vec<usize> = (0..PORTS).collect();
    let mut islip = Islip::new(PORTS, PORTS);
    // The first slots put the pointers apart (McKeown 1999).
    for _ in 0..PORTS {
        islip.join(&all, &all, |_, _| 1);
    }
    let mut served = [0; PORTS * PORTS];
    for _ in 0..10 * PORTS {
        let joined = islip.join(&all, &all, |_, _| 1);
        assert_eq!(joined.len(), PORTS);
        joined.into_iter().for_each(|(input, output)| served[input * PORTS + output] += 1);
    }
    assert_eq!(served, [10; PORTS * PORTS]);
}
