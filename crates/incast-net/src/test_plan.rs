//! What the tests of this crate send: a second of messages as fast as they go, every setting left alone.

use incast_core::control::SendPlan;
use incast_core::load::{Load, Spacing, Stop, Transport};
use incast_core::raw::RawPlan;
use incast_core::time::Span;

/// One stream of messages of this length; each test changes what it is about.
pub(crate) fn plan(transport: Transport, message_bytes: u32) -> SendPlan {
    SendPlan {
        transport,
        message_bytes,
        streams: 1,
        load: Load::Unlimited,
        spacing: Spacing::Fixed,
        stop: Stop::after(Span::from_s(1)),
        start_after: Span::ZERO,
        interval: Span::from_ms(100),
        seed: 1,
        spin: false,
        send_buffer: None,
        congestion: None,
        no_delay: transport == Transport::Tcp,
        dscp: None,
        segments_max: None,
        send_batch: None,
        raw: RawPlan::default(),
        probe: None,
    }
}
