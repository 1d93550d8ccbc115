//! Two-way messages of a probe at its hub: who is answered, how often, and from which address.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crossbeam_channel::unbounded;
use incast_core::control::SendPlan;
use incast_core::flood::FloodReceiver;
use incast_core::load::Transport;
use incast_core::probe::ProbeStream;
use incast_core::probe::report::TWO_WAY_MAX;
use incast_core::wire::two_way::{self, TwoWayTimes};

use super::{Hub, HubPlan, Report};
use crate::clock::Clock;
use crate::faults::FaultCounters;
use crate::socket;
use crate::test_plan;

const STREAM: u64 = 7;
const REQUEST: TwoWayTimes = TwoWayTimes { t1: 1, t2: 0, t3: 0 };
/// Long enough for an answer that will come; one that must not come is known by one behind it that does.
const PATIENCE: Duration = Duration::from_secs(10);

/// A hub at `bind` that is probed from `probers`.
fn probed(bind: &str, probers: &[IpAddr]) -> (Hub, Arc<FaultCounters>) {
    let clock = Clock::start();
    let plan = HubPlan {
        clock,
        spin: false,
        core: None,
        plain: None,
        held: false,
        batch: None,
        thread_cpu: || None,
    };
    let (socket, granted) = socket::udp_bind(bind.parse().unwrap(), None).unwrap();
    let faults = Arc::<FaultCounters>::default();
    let hub = Hub::start(socket, granted, plan, Arc::clone(&faults)).unwrap();
    let probe = Some(ProbeStream { warm_up_messages: 0, drift_ppb: 0 });
    let send = SendPlan { probe, ..test_plan::plan(Transport::Udp, 64) };
    let (events, _) = unbounded();
    let report = Report { index: 0, events, live: Arc::default() };
    let receiver = FloodReceiver::new(clock.now(), send.interval);
    hub.handle().receive(STREAM, receiver, &send, probers, report);
    (hub, faults)
}

/// A prober at `from` that has connected to the hub at one of its addresses.
fn prober(from: &str, hub: &Hub, at: &str) -> UdpSocket {
    let socket = UdpSocket::bind((from, 0)).unwrap();
    socket.connect((at, hub.socket().local_addr().unwrap().port())).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

fn say(socket: &UdpSocket, times: TwoWayTimes) {
    socket.send(&two_way::emit(STREAM, times)).unwrap();
}

/// The times of the next answer.
fn hear(socket: &UdpSocket) -> TwoWayTimes {
    let mut buffer = [0; 64];
    let bytes = socket.recv(&mut buffer).expect("an answer");
    two_way::parse(&buffer[..bytes]).expect("a two-way message")
}

/// Whether the socket's buffer is empty now.
fn is_silent(socket: &UdpSocket) -> bool {
    socket.set_nonblocking(true).unwrap();
    let silent = socket.recv(&mut [0; 64]).is_err();
    socket.set_nonblocking(false).unwrap();
    silent
}

/// Waits until so many datagrams were taken for those of strangers.
fn wait_for_strangers(faults: &FaultCounters, strangers: u64) {
    let deadline = Instant::now() + PATIENCE;
    while faults.strangers.load(Relaxed) < strangers && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(faults.strangers.load(Relaxed), strangers);
}

fn here() -> IpAddr {
    IpAddr::from([127, 0, 0, 1])
}

#[test]
fn only_the_prober_is_answered_and_an_answer_is_not() {
    let (hub, faults) = probed("127.0.0.1:0", &[here()]);
    let (ours, forged) = (prober("127.0.0.1", &hub, "127.0.0.1"), prober("127.0.0.2", &hub, "127.0.0.1"));
    // What looks like an answer of the hub's own: it must not go back and forth for ever.
    say(&ours, TwoWayTimes { t1: 1, t2: 2, t3: 3 });
    say(&ours, TwoWayTimes { t1: 1, t2: 0, t3: 3 });
    say(&forged, REQUEST);
    say(&ours, TwoWayTimes { t1: 5, ..REQUEST });
    let times = hear(&ours);
    assert!(times.t1 == 5 && times.t2 > 0 && times.t3 >= times.t2, "only the request: {times:?}");
    wait_for_strangers(&faults, 3);
    assert!(is_silent(&forged) && is_silent(&ours));
}

#[test]
fn the_hub_does_not_flood_itself_when_its_own_address_asks() {
    let (hub, faults) = probed("127.0.0.1:0", &[here()]);
    let own: SocketAddr = hub.socket().local_addr().unwrap();
    // A request whose sender is the hub: its answer goes to itself, and is none.
    hub.socket().send_to(&two_way::emit(STREAM, REQUEST), own).unwrap();
    wait_for_strangers(&faults, 1);
    let ours = prober("127.0.0.1", &hub, "127.0.0.1");
    say(&ours, REQUEST);
    hear(&ours);
    assert_eq!(faults.strangers.load(Relaxed), 1, "it has ended");
}

#[test]
fn a_probe_has_as_many_answers_as_a_prober_asks_and_no_more() {
    let (hub, faults) = probed("127.0.0.1:0", &[here()]);
    let ours = prober("127.0.0.1", &hub, "127.0.0.1");
    for _ in 0..TWO_WAY_MAX {
        say(&ours, REQUEST);
        hear(&ours);
    }
    say(&ours, REQUEST);
    wait_for_strangers(&faults, 1);
    assert!(is_silent(&ours));
}

#[test]
fn a_hub_on_all_addresses_answers_from_the_one_that_was_asked() {
    let mut binds = vec!["0.0.0.0:0"];
    binds.extend(UdpSocket::bind("[::]:0").is_ok().then_some("[::]:0"));
    for bind in binds {
        let (hub, _) = probed(bind, &[here()]);
        let ours = prober("127.0.0.1", &hub, "127.0.0.2");
        // The hub tells the kernel what it wants to know when it opens the stream; the first one may come before.
        let deadline = Instant::now() + PATIENCE;
        ours.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let heard = std::iter::from_fn(|| (Instant::now() < deadline).then(|| say(&ours, REQUEST)))
            .find_map(|()| ours.recv(&mut [0; 64]).ok());
        assert_eq!(heard, Some(two_way::TWO_WAY_BYTES), "{bind}");
    }
}
