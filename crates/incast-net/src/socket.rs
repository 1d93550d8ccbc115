//! Opens sockets with the options that a plan asks for; what the kernel did not grant is a caveat.
//!
//! Opening can fail, options cannot: a measurement with another buffer or congestion control than
//! asked for is still one, if it says so. Buffers are asked for by `SO_RCVBUFFORCE` and
//! `SO_SNDBUFFORCE` first, which pass the limits of `net.core` for root (in a network namespace
//! too, where the limits cannot be raised). Linux grants twice what is asked, for its own
//! book-keeping (socket(7)): asked and granted are kept apart, and a grant is never asked for again.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use incast_core::caveat::{Caveat, CaveatKind};
use incast_core::control::SendPlan;
use incast_core::record::Buffer;
use incast_core::units::Bytes;
use rustix::net::sockopt;
use rustix::thread::{CpuSet, sched_setaffinity};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::sys::option::{self, Readable};

/// Receive buffer of a UDP socket when nobody asks for one. A burst that the receiving host cannot
/// take is rarely what one wants to measure: 16 MiB hold 15 ms of 10 Gbit/s.
pub const UDP_RECEIVE_BUFFER: Bytes = Bytes(16 << 20);

/// An operation on a socket that failed: which, on what, and why.
#[derive(Debug, thiserror::Error)]
#[error("{operation}: {}{}", reason(.cause), advice(.cause))]
pub struct SocketError {
    /// What was tried, with its object: `bind 10.0.0.1:7000`.
    pub operation: String,
    /// Why it failed. Part of the sentence already, so it is no source of its own.
    pub cause: io::Error,
}

impl SocketError {
    pub(crate) fn new(operation: impl Into<String>, cause: io::Error) -> Self {
        Self { operation: operation.into(), cause }
    }
}

/// What the kernel made of the options that were asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Granted {
    /// The buffer that matters: for sending at a sender, for receiving at a receiver.
    pub buffer: Buffer,
    /// What was refused.
    pub caveats: Vec<Caveat>,
}

/// What was granted to a connection that is received from: the options were asked of its listener,
/// the buffer is its own.
pub(crate) fn receiving(connection: &TcpStream, asked: &Granted) -> Granted {
    let wish = asked.buffer.asked_bytes.map(Bytes);
    Granted { buffer: buffer(connection.as_fd(), Side::Receive, wish), caveats: asked.caveats.clone() }
}

/// Which of the two buffers of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// What waits to leave.
    Send,
    /// What waits to be read.
    Receive,
}

/// A UDP socket that receives on `address`; without a wish, its buffer is [`UDP_RECEIVE_BUFFER`], and
/// the record says that this was asked for. `[::]` takes IPv4 as well.
///
/// # Errors
/// When the socket cannot be made or the address not be taken.
pub fn udp_bind(
    address: SocketAddr,
    receive_buffer: Option<Bytes>,
) -> Result<(UdpSocket, Granted), SocketError> {
    let socket = open(address, Type::DGRAM, Protocol::UDP)?;
    let granted =
        ask_buffer(socket.as_fd(), Side::Receive, Some(receive_buffer.unwrap_or(UDP_RECEIVE_BUFFER)));
    bind(&socket, address)?;
    Ok((socket.into(), granted))
}

/// The same, on a port that [`udp_answer`] opens further sockets on.
///
/// # Errors
/// When the socket cannot be made or the address not be taken.
pub(crate) fn udp_bind_shared(address: SocketAddr) -> Result<UdpSocket, SocketError> {
    let socket = open(address, Type::DGRAM, Protocol::UDP)?;
    share(&socket)?;
    bind(&socket, address)?;
    Ok(socket.into())
}

/// A socket on `address`, which [`udp_bind_shared`] has, for what `peer` sends: the kernel gives a
/// datagram to the socket that is connected to its sender. Until it is connected, it may take what
/// others send: the caller looks for that.
///
/// # Errors
/// When the socket cannot be made, or there is no way to the peer.
pub(crate) fn udp_answer(
    address: SocketAddr,
    peer: SocketAddr,
    receive_buffer: Option<Bytes>,
) -> Result<(UdpSocket, Granted), SocketError> {
    let socket = open(address, Type::DGRAM, Protocol::UDP)?;
    let asked = receive_buffer.unwrap_or(UDP_RECEIVE_BUFFER);
    let granted = ask_buffer(socket.as_fd(), Side::Receive, Some(asked));
    share(&socket)?;
    bind(&socket, address)?;
    socket
        .connect(&SockAddr::from(peer))
        .map_err(|cause| SocketError::new(format!("connect to {peer} over UDP"), cause))?;
    Ok((socket.into(), granted))
}

/// A UDP socket that sends to `peer` as `plan` says.
///
/// # Errors
/// When the socket cannot be made, or there is no way to the peer.
pub fn udp_connect(peer: SocketAddr, plan: &SendPlan) -> Result<(UdpSocket, Granted), SocketError> {
    let socket = open(peer, Type::DGRAM, Protocol::UDP)?;
    let granted = prepare_udp_sender(&socket, peer.is_ipv6(), plan);
    socket
        .connect(&SockAddr::from(peer))
        .map_err(|cause| SocketError::new(format!("connect to {peer} over UDP"), cause))?;
    Ok((socket.into(), granted))
}

/// A TCP connection that sends to `peer` as `plan` says. The buffer is asked for before the
/// handshake, which settles the window scale.
///
/// # Errors
/// When the socket cannot be made, or the peer did not answer within `timeout`, or refused.
pub fn tcp_connect(
    peer: SocketAddr,
    plan: &SendPlan,
    timeout: Duration,
) -> Result<(TcpStream, Granted), SocketError> {
    let socket = open(peer, Type::STREAM, Protocol::TCP)?;
    let granted = prepare_tcp_sender(&socket, peer.is_ipv6(), plan);
    socket
        .connect_timeout(&SockAddr::from(peer), timeout)
        .map_err(|cause| SocketError::new(format!("connect to {peer} over TCP"), cause))?;
    Ok((socket.into(), granted))
}

/// A TCP socket that listens on `address`; connections inherit its receive buffer. Without a wish the
/// kernel tunes the buffer of each by itself (`tcp_rmem`). `[::]` takes IPv4 as well.
///
/// # Errors
/// When the socket cannot be made or the address not be taken.
pub fn tcp_listen(
    address: SocketAddr,
    receive_buffer: Option<Bytes>,
    backlog: u32,
) -> Result<(TcpListener, Granted), SocketError> {
    let socket = open(address, Type::STREAM, Protocol::TCP)?;
    let granted = ask_buffer(socket.as_fd(), Side::Receive, receive_buffer);
    // A server that starts again need not wait for the last connections of the one before.
    socket.set_reuse_address(true).map_err(|cause| SocketError::new("set SO_REUSEADDR", cause))?;
    bind(&socket, address)?;
    socket
        .listen(i32::try_from(backlog).unwrap_or(i32::MAX))
        .map_err(|cause| SocketError::new(format!("listen on {address}"), cause))?;
    Ok((socket.into(), granted))
}

/// Options of a sending UDP socket; for one that was not made by [`udp_connect`].
pub fn prepare_udp_sender(socket: &impl AsFd, ipv6: bool, plan: &SendPlan) -> Granted {
    let mut granted = ask_buffer(socket.as_fd(), Side::Send, plan.send_buffer);
    granted.caveats.extend(ask_dscp(socket.as_fd(), ipv6, plan.dscp));
    granted
}

/// Options of a sending TCP socket; for one that was not made by [`tcp_connect`].
pub fn prepare_tcp_sender(socket: &impl AsFd, ipv6: bool, plan: &SendPlan) -> Granted {
    let socket = socket.as_fd();
    let mut granted = ask_buffer(socket, Side::Send, plan.send_buffer);
    granted.caveats.extend(ask_dscp(socket, ipv6, plan.dscp));
    granted.caveats.extend(ask_congestion(socket, plan.congestion.as_deref()));
    if plan.no_delay
        && let Err(error) = sockopt::set_tcp_nodelay(socket, true)
    {
        granted.caveats.push(setting_refused(
            "TCP_NODELAY",
            &error.into(),
            "small messages may wait for others",
        ));
    }
    granted
}

/// Asks for a buffer of `asked` bytes, or for none; tells what is granted now.
pub fn ask_buffer(socket: BorrowedFd<'_>, side: Side, asked: Option<Bytes>) -> Granted {
    let refusal = asked.and_then(|asked| try_buffer(socket, side, asked).err());
    let buffer = buffer(socket, side, asked);
    let mut caveats = Vec::new();
    if let Some(error) = refusal {
        caveats.push(setting_refused(&format!("a {side} buffer"), &error, "choose another size"));
    } else if let Some(asked) = asked.filter(|asked| buffer.granted_bytes < asked.0.saturating_mul(2)) {
        let limit = side.limit();
        let text = format!(
            "the kernel granted a {side} buffer of {} B where {} B were asked for",
            buffer.granted_bytes / 2,
            asked.0
        );
        let advice = format!("raise it as root (`sysctl -w {limit}={}`), or run with CAP_NET_ADMIN", asked.0);
        caveats.push(Caveat::new(CaveatKind::BufferSmallerThanAsked, text, advice));
    }
    Granted { buffer, caveats }
}

/// The buffer that a socket has now, beside what was once asked for it. For a TCP connection that
/// the kernel tunes, this is what it has grown to.
pub fn buffer(socket: BorrowedFd<'_>, side: Side, asked: Option<Bytes>) -> Buffer {
    let granted = match side {
        Side::Send => sockopt::socket_send_buffer_size(socket),
        Side::Receive => sockopt::socket_recv_buffer_size(socket),
    };
    let granted_bytes = granted.ok().and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0);
    Buffer { asked_bytes: asked.map(|asked| asked.0), granted_bytes }
}

/// Datagrams that the kernel dropped at this socket because its buffer was full, since it was opened,
/// modulo 2^32. Datagrams joined by receive offload, or not yet cut, count as one. Checksum errors are
/// counted here too. `None` if the kernel does not tell (before Linux 4.12).
pub fn socket_drops(socket: BorrowedFd<'_>) -> Option<u64> {
    // `enum sk_meminfo`, u32 each (Linux `include/uapi/linux/sock_diag.h`).
    const DROPS_AT: usize = libc::SK_MEMINFO_DROPS as usize * 4;
    let mut info = [0; 64];
    let length = option::read(socket, Readable::MemoryInfo, &mut info).ok()?;
    let drops = info.get(DROPS_AT..length)?.first_chunk()?;
    Some(u32::from_ne_bytes(*drops).into())
}

/// Keeps the calling thread on `core`.
pub fn pin_to_core(core: u32) -> Option<Caveat> {
    let index = usize::try_from(core).unwrap_or(usize::MAX);
    let pinned = if index < CpuSet::MAX_CPU {
        let mut cores = CpuSet::new();
        cores.set(index);
        sched_setaffinity(None, &cores)
    } else {
        Err(rustix::io::Errno::INVAL)
    };
    let advice = "choose a core that this process may use (`taskset -p $$`, and the cpuset of its cgroup)";
    pinned.err().map(|error| setting_refused(&format!("core {core} for a thread"), &error.into(), advice))
}

/// MTU of the path of a connected socket, headers included, as far as the kernel knows it.
pub(crate) fn path_mtu(socket: BorrowedFd<'_>) -> Option<usize> {
    let mut value = [0; 4];
    [Readable::Ipv4Mtu, Readable::Ipv6Mtu].into_iter().find_map(|option| {
        let length = option::read(socket, option, &mut value).ok()?;
        let mtu = usize::try_from(i32::from_ne_bytes(value)).ok()?;
        (length == value.len() && mtu > 0).then_some(mtu)
    })
}

/// The reason alone: no capital letter, no number.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// What the user can do about it, behind the reason; nothing when that is not known.
pub(crate) fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "; is incast started there, and on this port?",
        io::ErrorKind::AddrInUse => "; choose another port, or end what uses this one",
        _ => "",
    }
}

impl fmt::Display for Side {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Send => "send",
            Self::Receive => "receive",
        })
    }
}

impl Side {
    fn limit(self) -> &'static str {
        match self {
            Self::Send => "net.core.wmem_max",
            Self::Receive => "net.core.rmem_max",
        }
    }
}

fn open(address: SocketAddr, kind: Type, protocol: Protocol) -> Result<Socket, SocketError> {
    Socket::new(Domain::for_address(address), kind, Some(protocol))
        .map_err(|cause| SocketError::new(format!("open a socket for {address}"), cause))
}

fn share(socket: &Socket) -> Result<(), SocketError> {
    socket.set_reuse_address(true).map_err(|cause| SocketError::new("set SO_REUSEADDR", cause))
}

fn bind(socket: &Socket, address: SocketAddr) -> Result<(), SocketError> {
    let failed = |cause| SocketError::new(format!("bind {address}"), cause);
    if address.is_ipv6() && address.ip().is_unspecified() {
        // Not left to `net.ipv6.bindv6only`: the same command must mean the same everywhere.
        socket.set_only_v6(false).map_err(failed)?;
    }
    socket.bind(&SockAddr::from(address)).map_err(failed)
}

fn try_buffer(socket: BorrowedFd<'_>, side: Side, asked: Bytes) -> io::Result<()> {
    // The kernel takes an `int`; what is above is granted as far as it goes, and shows.
    let bytes = usize::try_from(asked.0).unwrap_or(usize::MAX).min(BUFFER_BYTES_MAX);
    let result = match side {
        Side::Send => sockopt::set_socket_send_buffer_size_force(socket, bytes)
            .or_else(|_| sockopt::set_socket_send_buffer_size(socket, bytes)),
        Side::Receive => sockopt::set_socket_recv_buffer_size_force(socket, bytes)
            .or_else(|_| sockopt::set_socket_recv_buffer_size(socket, bytes)),
    };
    result.map_err(io::Error::from)
}

fn ask_dscp(socket: BorrowedFd<'_>, ipv6: bool, dscp: Option<u8>) -> Option<Caveat> {
    let dscp = dscp?;
    // The upper six bits of the byte; the lower two are ECN's, and the kernel's (RFC 3168 §5).
    let byte = dscp.checked_mul(4)?;
    let result =
        if ipv6 { sockopt::set_ipv6_tclass(socket, byte.into()) } else { sockopt::set_ip_tos(socket, byte) };
    let advice = "run as root, or without a code point";
    result.err().map(|error| setting_refused(&format!("the code point (DSCP) {dscp}"), &error.into(), advice))
}

pub(crate) fn ask_congestion(socket: BorrowedFd<'_>, name: Option<&str>) -> Option<Caveat> {
    let name = name?;
    let error = sockopt::set_tcp_congestion(socket, name).err()?;
    let list = |kind| std::fs::read_to_string(format!("/proc/sys/net/ipv4/tcp_{kind}_congestion_control"));
    let advice = match list("available") {
        Ok(available) => format!("choose one of: {}; or load its module, tcp_{name}", available.trim()),
        Err(_) => {
            format!("see `sysctl net.ipv4.tcp_available_congestion_control`, or load the module tcp_{name}")
        }
    };
    Some(setting_refused(&format!("the congestion control {name}"), &error.into(), &advice))
}

fn setting_refused(what: &str, error: &io::Error, advice: &str) -> Caveat {
    let text = format!("the kernel refused {what}: {}", reason(error));
    Caveat::new(CaveatKind::SettingRefused, text, advice)
}

/// Half of what an `int` can say: the kernel doubles it.
const BUFFER_BYTES_MAX: usize = 1 << 30;

#[cfg(test)]
mod tests {
    use incast_core::load::Transport;

    use super::*;
    use crate::test_plan;

    fn plan(transport: Transport) -> SendPlan {
        let send_buffer = Some(Bytes(100_000));
        SendPlan { send_buffer, no_delay: true, dscp: Some(46), ..test_plan::plan(transport, 64) }
    }

    fn localhost() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 0))
    }

    /// netperf feeds what was granted back as what is asked for: its buffer doubles with every run.
    #[test]
    fn asked_and_granted_stay_apart_however_often_they_are_used() {
        let (listener, granted) = tcp_listen(localhost(), Some(Bytes(50_000)), 8).unwrap();
        assert_eq!(granted.buffer, Buffer { asked_bytes: Some(50_000), granted_bytes: 100_000 });
        let sent = Buffer { asked_bytes: Some(100_000), granted_bytes: 200_000 };
        for _ in 0..3 {
            let plan = plan(Transport::Tcp);
            let (stream, granted) =
                tcp_connect(listener.local_addr().unwrap(), &plan, Duration::from_secs(5)).unwrap();
            assert_eq!((granted.buffer, granted.caveats), (sent.clone(), vec![]));
            assert_eq!(prepare_tcp_sender(&stream, false, &plan).buffer, sent);
            assert_eq!(buffer(stream.as_fd(), Side::Send, plan.send_buffer), sent);
            let (socket, _) = udp_bind(localhost(), None).unwrap();
            let (socket, granted) = udp_connect(socket.local_addr().unwrap(), &plan).unwrap();
            assert_eq!((granted.buffer, granted.caveats), (sent.clone(), vec![]));
            assert_eq!(prepare_udp_sender(&socket, false, &plan).buffer, sent);
        }
    }

    #[test]
    fn without_a_wish_udp_asks_for_its_own_default_and_tcp_for_nothing() {
        let (_, granted) = udp_bind(localhost(), None).unwrap();
        assert_eq!(granted.buffer.asked_bytes, Some(UDP_RECEIVE_BUFFER.0));
        let (_, granted) = tcp_listen(localhost(), None, 8).unwrap();
        assert_eq!((granted.buffer.asked_bytes, granted.caveats), (None, vec![]));
        assert!(granted.buffer.granted_bytes > 0);
    }

    #[test]
    fn a_smaller_buffer_than_asked_for_is_a_caveat() {
        // Beyond what the kernel's `int` can say, so that it is refused to root too.
        let (_, granted) = udp_bind(localhost(), Some(Bytes(3 << 30))).unwrap();
        assert_eq!(granted.buffer.asked_bytes, Some(3 << 30));
        let [caveat] = &granted.caveats[..] else { panic!("{granted:?}") };
        assert_eq!(caveat.kind, CaveatKind::BufferSmallerThanAsked);
        assert!(
            caveat.text.contains("3221225472 B") && caveat.advice.contains("net.core.rmem_max"),
            "{caveat:?}"
        );
    }

    #[test]
    fn the_code_point_is_set_on_both_families() {
        let (socket, _) = udp_bind(localhost(), None).unwrap();
        let (socket, _) = udp_connect(socket.local_addr().unwrap(), &plan(Transport::Udp)).unwrap();
        assert_eq!(sockopt::ip_tos(&socket).unwrap(), 46 << 2);
        if let Ok((socket, _)) = udp_bind("[::1]:0".parse().unwrap(), None) {
            let (socket, granted) = udp_connect(socket.local_addr().unwrap(), &plan(Transport::Udp)).unwrap();
            assert_eq!((sockopt::ipv6_tclass(&socket).unwrap(), granted.caveats), (46 << 2, vec![]));
        }
    }

    #[test]
    fn the_congestion_control_is_set_or_refused_with_what_there_is() {
        let (listener, _) = tcp_listen(localhost(), None, 8).unwrap();
        let to = listener.local_addr().unwrap();
        let with = |name: &str| {
            let plan = SendPlan { congestion: Some(name.to_owned()), ..plan(Transport::Tcp) };
            tcp_connect(to, &plan, Duration::from_secs(5)).unwrap()
        };
        let (stream, granted) = with("reno");
        let summary = crate::tcp::tcp_summary(stream.as_fd()).unwrap();
        assert_eq!((summary.congestion.as_str(), granted.caveats), ("reno", vec![]));
        assert!(summary.segment_bytes.is_some_and(|bytes| bytes > 500) && summary.retransmits == Some(0));
        let (_, granted) = with("no-such-thing");
        let [caveat] = &granted.caveats[..] else { panic!("{granted:?}") };
        assert_eq!(caveat.kind, CaveatKind::SettingRefused);
        assert_eq!(
            caveat.text,
            "the kernel refused the congestion control no-such-thing: no such file or directory"
        );
        assert!(caveat.advice.contains("reno"), "{}", caveat.advice);
    }

    #[test]
    fn a_thread_is_pinned_or_told_why_not() {
        std::thread::spawn(|| {
            let allowed = rustix::thread::sched_getaffinity(None).unwrap();
            let core = (0..CpuSet::MAX_CPU).find(|core| allowed.is_set(*core)).unwrap();
            assert_eq!(pin_to_core(core.try_into().unwrap()), None);
            assert_eq!(rustix::thread::sched_getaffinity(None).unwrap().count(), 1);
            for absent in [1_023, 1_024, u32::MAX] {
                let caveat = pin_to_core(absent).unwrap();
                assert_eq!(
                    caveat.text,
                    format!("the kernel refused core {absent} for a thread: invalid argument")
                );
            }
        })
        .join()
        .unwrap();
    }

    #[test]
    fn an_error_names_operation_object_and_reason() {
        let (taken, _) = udp_bind(localhost(), None).unwrap();
        let address = taken.local_addr().unwrap();
        let error = udp_bind(address, None).unwrap_err();
        let advice = "choose another port, or end what uses this one";
        assert_eq!(error.to_string(), format!("bind {address}: address already in use; {advice}"));
        assert_eq!(error.cause.kind(), io::ErrorKind::AddrInUse);
        let (listener, _) = tcp_listen(localhost(), None, 8).unwrap();
        let closed = listener.local_addr().unwrap();
        drop(listener);
        let error = tcp_connect(closed, &plan(Transport::Tcp), Duration::from_secs(5)).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "connect to {closed} over TCP: connection refused; is incast started there, and on this port?"
            )
        );
    }

    #[test]
    fn a_socket_that_is_not_tcp_has_no_tcp_summary() {
        let (socket, _) = udp_bind(localhost(), None).unwrap();
        assert_eq!(crate::tcp::tcp_summary(socket.as_fd()), None);
        assert_eq!(socket_drops(socket.as_fd()), Some(0));
        assert_eq!(path_mtu(socket.as_fd()), None, "not connected");
    }
}
