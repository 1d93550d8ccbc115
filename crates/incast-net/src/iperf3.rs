//! iperf3's protocol carried out: sockets and threads around the machines of `incast_core::iperf3`.
//!
//! `server` serves any number of stock clients at once, `client` runs a test against a stock
//! server. Blocks and datagrams go through the carriers of the native protocol; only receiving is
//! its own (`receive`), since blocks of TCP have no head. `account` turns what one end learned
//! into results and back.

mod account;
pub mod client;

mod control;
pub(crate) mod receive;
pub mod server;
mod session;

pub use client::{ClientPlan, flood};
pub use server::{ServerPlan, listen};

use incast_core::control::SendPlan;
use incast_core::iperf3::TestPlan;
use incast_core::load::{Spacing, Stop, Transport};
use incast_core::raw::RawPlan;
use incast_core::time::Span;

use crate::socket::{Granted, SocketError};
use crate::tcp::TcpOutlet;
use crate::traffic::Outlet;
use crate::udp::UdpOutlet;

/// What sends a stream of the test that `plan` describes.
fn outlet(
    socket: Socket,
    granted: Granted,
    plan: &TestPlan,
    segments_max: Option<u32>,
) -> Result<Outlet, SocketError> {
    Ok(match socket {
        Socket::Tcp(connection) => {
            Outlet::TcpKept(Box::new(TcpOutlet::open(connection, plan.message_bytes, None)?), granted)
        }
        Socket::Udp(socket) => {
            let outlet = UdpOutlet::open_iperf3(socket, plan.message_bytes, plan.width, segments_max)?;
            Outlet::Udp(Box::new(outlet), granted)
        }
    })
}

/// The socket of one stream.
#[derive(Debug)]
enum Socket {
    Tcp(std::net::TcpStream),
    Udp(std::net::UdpSocket),
}

/// The part of a test that a sender of ours needs to know.
fn send_plan(plan: &TestPlan, interval: Span, spin: bool) -> SendPlan {
    // Datagrams may be lost: then the client would wait for an amount that never comes.
    let messages = plan.messages.filter(|_| plan.transport == Transport::Tcp);
    SendPlan {
        transport: plan.transport,
        message_bytes: plan.message_bytes,
        streams: plan.streams,
        load: plan.load,
        spacing: Spacing::Fixed,
        stop: Stop { after: None, messages },
        start_after: Span::ZERO,
        interval,
        seed: 0,
        spin,
        send_buffer: plan.window,
        congestion: plan.congestion.clone(),
        no_delay: plan.no_delay,
        dscp: plan.dscp,
        segments_max: None,
        send_batch: None,
        raw: RawPlan::default(),
        probe: None,
    }
}
