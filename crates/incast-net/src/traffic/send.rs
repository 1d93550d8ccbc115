//! The thread that sends one stream, over whatever carries it.

use std::net::Shutdown;
use std::os::fd::AsFd as _;
use std::sync::Arc;

use crossbeam_channel::Sender;
use incast_core::caveat::{Caveat, CaveatKind};
use incast_core::flood::FloodSender;
use incast_core::probe::ProbeSent;
use incast_core::record::Batching;

use super::{DataEvent, SentStream, Settings};
use crate::clock;
use crate::raw::RawOutlet;
use crate::socket::{self, Granted};
use crate::tcp::{self, TcpOutlet};
use crate::udp::{self, Control, TwoWay, UdpOutlet};

/// Where a stream goes out, and what the kernel granted for it.
pub(crate) enum Outlet {
    Tcp(Box<TcpOutlet>, Granted),
    /// The same, but its end is told elsewhere: the connection stays open.
    TcpKept(Box<TcpOutlet>, Granted),
    Udp(Box<UdpOutlet>, Granted),
    Raw(Box<RawOutlet>, Granted),
}

/// Starts the thread; its account comes back as an event, whatever happens.
pub(super) fn start(
    sender: FloodSender,
    outlet: Outlet,
    settings: Settings,
    control: Arc<Control>,
    index: usize,
    events: Sender<DataEvent>,
) {
    let (to_owner, spare) = (events.clone(), sender.clone());
    let run = move || {
        let pinned = settings.sender_core.and_then(socket::pin_to_core);
        let before = (settings.thread_cpu)();
        let mut sent = send(sender, outlet, &settings, &control);
        sent.cpu = before.zip((settings.thread_cpu)()).map(|(before, after)| after.since(&before));
        sent.caveats.extend(pinned);
        let _ = to_owner.send(DataEvent::Sent { index, account: Box::new(sent) });
    };
    if let Err(error) = std::thread::Builder::new().name("send".into()).spawn(run) {
        let account = SentStream {
            sender: spare,
            cpu: None,
            buffer: None,
            tcp: None,
            batching: Batching::default(),
            raw: None,
            caveats: Vec::new(),
            failure: Some(format!("start a sending thread: {error}")),
            probe: None,
        };
        let _ = events.send(DataEvent::Sent { index, account: Box::new(account) });
    }
}

fn send(mut sender: FloodSender, outlet: Outlet, settings: &Settings, control: &Control) -> SentStream {
    let deadline = sender.deadline();
    let mut probe = None;
    let closes = matches!(outlet, Outlet::Tcp(..));
    let mut raw = None;
    let (result, granted, tcp, batching, caveats) = match outlet {
        Outlet::Udp(mut outlet, granted) => {
            // A probe whose clocks cannot be compared is still one.
            let two_way = outlet.probed().and_then(|stream| TwoWay::start(outlet.socket(), stream).ok());
            let result = udp::flood_udp(&mut sender, &mut outlet, &settings.clock, control, deadline);
            probe = outlet.probed().map(|_| {
                let exchanged = two_way.map(TwoWay::finish).unwrap_or_default();
                Box::new(ProbeSent { clock: clock::name(), ..exchanged })
            });
            let batching = Batching {
                send_calls: Some(outlet.send_calls()),
                segments_max: Some(outlet.segments_used()),
                ..Batching::default()
            };
            let caveats = outlet.caveats().iter().cloned().chain(nobody_listens(&outlet)).collect();
            (result, granted, None, batching, caveats)
        }
        Outlet::Raw(mut outlet, granted) => {
            let result = udp::drive::flood(&mut sender, &mut *outlet, &settings.clock, control, deadline);
            raw = Some(outlet.side());
            let batching = Batching { send_calls: Some(outlet.send_calls()), ..Batching::default() };
            (result, granted, None, batching, Vec::new())
        }
        Outlet::Tcp(outlet, granted) | Outlet::TcpKept(outlet, granted) => {
            let mut outlet = outlet;
            let result = tcp::flood_tcp(&mut sender, &mut outlet, &settings.clock, control, deadline);
            let summary = tcp::tcp_summary(outlet.stream().as_fd());
            // The end of the stream tells the receiver that nothing more comes.
            if closes {
                let _ = outlet.stream().shutdown(Shutdown::Write);
            }
            let batching = Batching { send_calls: Some(outlet.send_calls()), ..Batching::default() };
            (result, granted, summary, batching, Vec::new())
        }
    };
    SentStream {
        sender,
        cpu: None,
        buffer: Some(granted.buffer),
        tcp,
        batching,
        raw,
        caveats: granted.caveats.into_iter().chain(caveats).collect(),
        failure: result.err().map(|error| error.to_string()),
        probe,
    }
}

/// The doubt about messages that the network refused on arrival.
fn nobody_listens(outlet: &UdpOutlet) -> Option<Caveat> {
    let replies = outlet.refused_replies();
    let text = format!("the network answered {replies} times or more that nobody listens there");
    (replies > 0).then(|| {
        Caveat::new(CaveatKind::NobodyListens, text, "start the receiver first, and look at its port")
    })
}
