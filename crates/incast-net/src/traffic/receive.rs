//! The thread that receives one TCP stream.

use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use incast_core::flood::FloodReceiver;
use incast_core::record::Batching;
use incast_core::sequence::Arrival;
use incast_core::time::Span;
use incast_core::wire::stream::Deframer;

use super::{DataEvent, ReceiveOrders, ReceivedStream, Settings};
use crate::hub::Report;
use crate::socket::{self, Granted};
use crate::tcp::TcpInlet;
use crate::wait::Wait;

/// Starts the thread; what it counted comes back as an event, whatever happens.
pub(super) fn start(
    receiver: FloodReceiver,
    connection: TcpStream,
    granted: Granted,
    message_bytes: u32,
    settings: Settings,
    orders: Arc<ReceiveOrders>,
    report: Report,
) {
    let events = report.events.clone();
    let index = report.index;
    let spare = receiver.clone();
    let mut received = ReceivedStream {
        receiver,
        uncounted: 0,
        partial_bytes: 0,
        socket_drops: None,
        raw: None,
        cpu: None,
        buffer: Some(granted.buffer),
        batching: Batching::default(),
        caveats: granted.caveats,
        probe: None,
    };
    let run = move || {
        received.caveats.extend(settings.receiver_core.and_then(socket::pin_to_core));
        let before = (settings.thread_cpu)();
        // A connection that breaks ends the stream; the account shows what is missing.
        let _ = receive(&mut received, connection, message_bytes, &settings, &orders, &report);
        received.cpu = before.zip((settings.thread_cpu)()).map(|(before, after)| after.since(&before));
        let _ = report.events.send(DataEvent::Received { stream: 0, index, account: Box::new(received) });
    };
    if std::thread::Builder::new().name("tcp receive".into()).spawn(run).is_err() {
        let account = ReceivedStream {
            receiver: spare,
            uncounted: 0,
            partial_bytes: 0,
            socket_drops: None,
            raw: None,
            cpu: None,
            buffer: None,
            batching: Batching::default(),
            caveats: Vec::new(),
            probe: None,
        };
        let _ = events.send(DataEvent::Received { stream: 0, index, account: Box::new(account) });
    }
}

/// Longest time for taking what has arrived, once told to stop.
const TAKE_MAX: Span = Span::from_ms(500);

fn receive(
    received: &mut ReceivedStream,
    connection: TcpStream,
    message_bytes: u32,
    settings: &Settings,
    orders: &ReceiveOrders,
    report: &Report,
) -> io::Result<()> {
    let mut inlet = TcpInlet::open(connection).map_err(io::Error::other)?;
    if let Some(messages) = settings.receive_batch {
        let bytes = u64::from(messages) * u64::from(message_bytes);
        inlet.set_batch(usize::try_from(bytes).unwrap_or(usize::MAX));
    }
    let mut deframer = Deframer::new(message_bytes);
    let wait = if settings.spin { Wait::Poll } else { Wait::Block };
    let (receiver, uncounted) = (&mut received.receiver, &mut received.uncounted);
    let (mut result, mut stop_seen) = (Ok(()), None);
    loop {
        // Once told to stop, what has arrived already is still taken: it is part of the account.
        let stopping = orders.stop.load(Relaxed);
        let wait = if stopping { Wait::Poll } else { wait };
        let taken = inlet.receive(wait, |bytes| {
            receiver.handle_batch(settings.clock.now());
            deframer.handle_bytes(bytes, |counter| {
                *uncounted += u64::from(receiver.handle_message(counter) == Arrival::Implausible);
            });
            receiver.handle_batch_end();
        });
        report.live.store_counts(&receiver.counts());
        match taken {
            Ok(Some(0)) if stopping => break,
            Ok(Some(_)) if stopping => {
                // A peer that goes on sending is not waited for.
                if settings.clock.now().since(*stop_seen.get_or_insert_with(|| settings.clock.now()))
                    > TAKE_MAX
                {
                    break;
                }
            }
            Ok(Some(0)) => {
                let total = orders.total.load(Relaxed);
                if total != u64::MAX {
                    let now = settings.clock.now();
                    receiver.handle_total(now, total);
                    if receiver.is_drained(now) {
                        break;
                    }
                }
            }
            Ok(Some(_)) => {}
            Ok(None) => break,
            Err(error) => {
                result = Err(error);
                break;
            }
        }
    }
    // What we ourselves stop to read in the middle of a message is no fault of the sender's.
    if !orders.stop.load(Relaxed) {
        received.partial_bytes = u64::try_from(deframer.partial_bytes()).unwrap_or(u64::MAX);
    }
    received.batching.receive_calls = Some(inlet.receive_calls());
    result
}
