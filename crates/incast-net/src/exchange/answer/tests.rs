//! The answering threads against sockets of a test: whom they answer, and how they behave when all room is taken.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::time::{Duration, Instant};

use incast_core::time::Span;
use incast_core::wire::exchange::Head;
use incast_core::wire::preface::Preface;
use rustix::time::{ClockId, clock_gettime};

use super::*;

const TICKET: u64 = 0x1234_5678;
const PATIENCE: Duration = Duration::from_secs(20);

fn asker(terms: Terms) -> (Arc<Shared>, Arc<Asker>) {
    let (notices, _) = crossbeam_channel::unbounded();
    let shared = Shared {
        plan: AnswerPlan {
            bind: (Ipv4Addr::UNSPECIFIED, 0).into(),
            host: "here".into(),
            key: Key::none(),
            open: false,
            spin: false,
            congestion: None,
            core: None,
            clock: Clock::start(),
            thread_cpu: || None,
        },
        acceptor: Arc::default(),
        askers: Mutex::default(),
        notices,
    };
    terms.check().expect("terms that can be agreed to");
    let asker = Asker {
        ticket: TICKET,
        terms,
        control: Ipv4Addr::LOCALHOST.into(),
        shown: Mutex::default(),
        stop: AtomicBool::new(false),
        open: AtomicUsize::new(0),
        account: Mutex::default(),
    };
    (Arc::new(shared), Arc::new(asker))
}

fn end(asker: &Asker) -> AnswererAccount {
    asker.stop.store(true, Relaxed);
    let deadline = Instant::now() + PATIENCE;
    while asker.open.load(Relaxed) > 0 {
        assert!(Instant::now() < deadline, "the thread ends");
        std::thread::sleep(Duration::from_millis(1));
    }
    lock(&asker.account).clone()
}

#[test]
fn a_ticket_from_an_address_that_is_not_the_askers_has_no_answer() {
    let (shared, asker) = asker(Terms::new(Transport::Udp, 64, 64));
    let port = datagram::start(&shared, &asker, shared.plan.bind).expect("a port");
    let at = |address: [u8; 4]| {
        let socket = UdpSocket::bind((Ipv4Addr::from(address), 0)).expect("all of 127/8 is ours");
        socket.connect((Ipv4Addr::LOCALHOST, port)).expect("connect");
        socket
    };
    let (other, own) = (at([127, 0, 0, 2]), at([127, 0, 0, 1]));
    let mut request = [0; 64];
    Head { ticket: TICKET, number: 0, index: 0 }.emit(&mut request);
    other.send(&request).expect("send");
    own.send(&request).expect("send");
    own.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    assert_eq!(own.recv(&mut [0; 99]).expect("an answer"), 64);
    // What was sent first has been taken by now, and has none.
    other.set_nonblocking(true).expect("set");
    assert!(other.recv(&mut [0; 99]).is_err(), "nobody is flooded on another's word");
    let account = end(&asker);
    assert_eq!((account.requests, account.responses, account.nonsense), (1, 1, 1));
    assert_eq!(shared.acceptor.faults.read().strangers, 1);
}

#[test]
fn an_address_that_has_shown_the_ticket_over_tcp_is_the_askers() {
    let (shared, asker) = asker(Terms::new(Transport::Udp, 64, 64));
    lock(&shared.askers).insert(TICKET, Arc::clone(&asker));
    let other = IpAddr::from([127, 0, 0, 2]);
    assert!(asker.is_at("::ffff:127.0.0.1".parse().expect("an address")) && !asker.is_at(other));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut connection = TcpStream::connect(listener.local_addr().expect("an address")).expect("connect");
    connection.write_all(&Preface::emit_data(TICKET)).expect("write");
    let (accepted, _) = listener.accept().expect("accept");
    greet(&shared, accepted, SocketAddr::new(other, 9));
    assert_eq!(connection.read(&mut [0; 9]).expect("an end"), 0, "nothing is said there");
    assert!(asker.is_at(other));
}

#[test]
fn a_connection_that_is_full_is_read_no_further_and_costs_nothing_meanwhile() {
    const REQUESTS: u32 = 2_500;
    const REQUEST_BYTES: usize = 48;
    // 85 and a third of these fit a read: it ends within one, and often would go beyond the room.
    let service = Span::from_ms(400);
    let (shared, asker) = asker(Terms { service, ..Terms::new(Transport::Tcp, 48, 64) });
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut client = TcpStream::connect(listener.local_addr().expect("an address")).expect("connect");
    let (accepted, _) = listener.accept().expect("accept");
    let answering = {
        let (shared, asker) = (Arc::clone(&shared), Arc::clone(&asker));
        std::thread::spawn(move || {
            stream::answer(&shared, &asker, &accepted);
            let used = clock_gettime(ClockId::ThreadCPUTime);
            Duration::new(used.tv_sec.unsigned_abs(), u32::try_from(used.tv_nsec).unwrap_or(0))
        })
    };
    let mut out = client.try_clone().expect("a second handle");
    let asking = std::thread::spawn(move || {
        let mut requests = vec![0; REQUEST_BYTES * 2_500];
        for (number, request) in (0..).zip(requests.chunks_mut(REQUEST_BYTES)) {
            Head { ticket: TICKET, number, index: 0 }.emit(request);
        }
        out.write_all(&requests).expect("write");
    });
    client.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    for number in 0..REQUESTS {
        let mut response = [0; 64];
        client.read_exact(&mut response).expect("every request has its answer");
        assert_eq!(Head::parse(&response).expect("a head").number, number);
    }
    asking.join().expect("all is written");
    drop(client);
    let used = answering.join().expect("the end of the stream is its end");
    let account = end(&asker);
    assert_eq!((account.requests, account.refused), (u64::from(REQUESTS), 0));
    assert_eq!((account.responses, account.nonsense), (u64::from(REQUESTS), 0));
    // Three times it is full for the service time, 1.2 s in all: one that spins uses all of that.
    assert!(used < service.to_std(), "{used:?} of CPU");
}
