//! A native client made by hand, which can say what the real one never would.
//!
//! The handshake is the real one, without a key; everything after it is up to the test.
#![allow(dead_code, reason = "every test file uses its own part")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use incast_core::control::{Hello, Message, SendPlan, VERSION};
use incast_core::load::{Direction, Load, Spacing, Stop, Transport};
use incast_core::raw::RawPlan;
use incast_core::time::Span;
use incast_core::wire::preface::{self, Preface};
use incast_net::channel::Channel;
use incast_net::key::Key;

use crate::program::PATIENCE;

/// One control connection that was let in.
pub(crate) struct Crafted {
    channel: Channel,
    /// The same connection, beneath the encryption.
    raw: TcpStream,
}

impl Crafted {
    /// Connects and proves that it has no key.
    pub(crate) fn dial(server: SocketAddr) -> Self {
        let mut raw = TcpStream::connect(server).expect("connect");
        raw.write_all(&preface::CONTROL).expect("write");
        let below = raw.try_clone().expect("clone");
        let channel = Channel::connect(below, &Key::none()).expect("the server has no key either");
        Self { channel, raw }
    }

    /// Says a message of the protocol, in turn or not.
    pub(crate) fn say(&mut self, message: &Message) {
        self.channel.send(message).expect("send");
    }

    /// Says what is no message of the protocol.
    pub(crate) fn say_anything(&mut self, anything: &serde_json::Value) {
        self.channel.send(anything).expect("send");
    }

    /// Writes bytes into the connection, beneath the encryption.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.raw.write_all(bytes).expect("write");
    }

    /// The next message that is not a sign of life; `None` when the server has ended the connection.
    pub(crate) fn hear(&mut self) -> Option<Message> {
        loop {
            let frame =
                self.channel.frames().recv_timeout(PATIENCE).expect("the server answers or leaves").ok()?;
            match self.channel.handle_frame(&frame).expect("the server says nothing unreadable") {
                None | Some(Message::Alive) => {}
                Some(message) => return Some(message),
            }
        }
    }

    /// Is granted one TCP stream of 1024 B messages, opens it, and is told to go.
    pub(crate) fn start_tcp(&mut self, name: &str, direction: Direction, server: SocketAddr) -> TcpStream {
        self.say(&hello(name, Transport::Tcp, direction, 1));
        let Some(Message::Accept { forward, reverse, .. }) = self.hear() else {
            panic!("{name} should be granted")
        };
        let stream = forward.first().or_else(|| reverse.first()).expect("one stream is granted");
        let mut data = TcpStream::connect(server).expect("connect");
        data.write_all(&Preface::emit_data(*stream)).expect("write");
        self.say(&Message::Ready);
        assert!(matches!(self.hear(), Some(Message::Go)), "{name} should start");
        data
    }

    /// Returns when the server has ended the connection.
    pub(crate) fn wait_for_the_end(mut self) {
        while self.hear().is_some() {}
        self.raw.set_read_timeout(Some(PATIENCE)).expect("set a timeout");
        assert!(self.raw.read(&mut [0; 1]).unwrap_or(0) == 0, "the server went on");
    }
}

/// The wish for three messages of 1024 B on `streams` streams; what is sent forward is up to the test.
pub(crate) fn hello(name: &str, transport: Transport, direction: Direction, streams: u32) -> Message {
    let plan = SendPlan {
        transport,
        message_bytes: 1024,
        streams,
        load: Load::Unlimited,
        spacing: Spacing::Fixed,
        stop: Stop { after: Some(Span::from_s(60)), messages: Some(3) },
        start_after: Span::ZERO,
        interval: Span::from_s(1),
        seed: 1,
        spin: false,
        send_buffer: None,
        congestion: None,
        no_delay: false,
        dscp: None,
        segments_max: None,
        send_batch: None,
        raw: RawPlan::default(),
        probe: None,
    };
    Message::Hello(Box::new(Hello {
        version: VERSION,
        host: name.to_owned(),
        flow: name.to_owned(),
        direction,
        plan,
        data: None,
    }))
}
