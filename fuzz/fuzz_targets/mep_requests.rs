//! Requests of two builders for packets, as they come from a network: law 3 and the order of voids.
//!
//! Input: for each request a byte of choices, and its 44 bytes. The choices set run and incarnation right,
//! because chance does not find them, and keep the number near the last one.

#![no_main]

use incast_core::readout::{
    Assign, BuilderId, EventNumber, Incarnation, MepRequests, RunNumber, TokenPlan, Tokens,
};
use incast_core::time::{Span, Time};
use incast_core::wire::mep_request::{MepRequest, REQUEST_BYTES};
use libfuzzer_sys::fuzz_target;

const RUN: RunNumber = RunNumber(7);
const BUILDERS: [BuilderId; 2] = [BuilderId(0), BuilderId(1)];

fuzz_target!(|data: &[u8]| {
    let mut requests = MepRequests::new(RUN);
    let mut policy = Tokens::new(TokenPlan { lease: Span::from_ms(5), ..TokenPlan::default() });
    let mut void = [1; 2];
    for (builder, life) in BUILDERS.into_iter().zip([11, 12].map(Incarnation)) {
        requests.handle_joined(builder, life);
        policy.handle_joined(Time::ZERO, builder.into(), life);
    }
    let (mut now, mut event) = (Time::ZERO, EventNumber(0));
    for step in data.as_chunks::<{ REQUEST_BYTES + 1 }>().0 {
        let (choices, datagram) = (step[0], &step[1..]);
        now += Span::from_ms((choices >> 6).into());
        let Ok(mut request) = MepRequest::parse(datagram) else { continue };
        if choices & 1 == 0 {
            request.run = RUN.0;
        }
        if choices & 2 == 0 {
            request.incarnation = 11 + u64::from(choices >> 2 & 1);
        }
        if choices & 8 == 0 {
            request.sequence &= 0xff;
        }
        requests.handle_request(if choices & 16 == 0 { &BUILDERS } else { &BUILDERS[1..] }, &request);
        while let Some((builder, token)) = requests.poll_token() {
            let void = &mut void[usize::from(builder.0)];
            assert_eq!((token.from, token.incarnation.0), (builder.into(), 11 + u64::from(builder.0)));
            assert!(*void <= token.void_below && token.void_below <= token.number.max(1));
            *void = token.void_below;
            policy.handle_token(now, token);
        }
        if choices & 32 != 0 && policy.poll_assign(now, event).is_some() {
            event = event.after(1);
        }
        let credits = policy.credits();
        assert_eq!(credits.granted, credits.spent + credits.held + credits.expired, "law 3");
        assert_eq!(credits.spent, event.0);
    }
});
