//! The floor: the loop that anybody would write first, one `send` or `recv` per datagram.
//!
//! What incast gains is measured against it as well as against rivals. It runs as a process of its
//! own (`xtask floor ...`), so that it too can be put into a namespace and pinned.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// The receiver ends after so long without a datagram.
const QUIET: Duration = Duration::from_millis(500);

/// `receive ADDRESS` or `send ADDRESS BYTES SECONDS`; prints datagrams and seconds.
pub(crate) fn run(words: &[&str]) -> Result<()> {
    match words {
        ["receive", address] => receive(address),
        ["send", address, bytes, seconds] => send(address, bytes.parse()?, seconds.parse()?),
        _ => bail!("floor takes: receive ADDRESS, or send ADDRESS BYTES SECONDS"),
    }
}

fn receive(address: &str) -> Result<()> {
    let socket = UdpSocket::bind(address).with_context(|| format!("bind {address}"))?;
    let mut buffer = [0; 65_536];
    println!("ready");
    // For ever for the first, then until it is quiet.
    socket.recv(&mut buffer).context("receive")?;
    socket.set_read_timeout(Some(QUIET))?;
    let (began, mut datagrams) = (Instant::now(), 1_u64);
    while socket.recv(&mut buffer).is_ok() {
        datagrams += 1;
    }
    let seconds = (began.elapsed() - QUIET.min(began.elapsed())).as_secs_f64();
    println!("{datagrams} {seconds}");
    Ok(())
}

fn send(address: &str, bytes: usize, seconds: f64) -> Result<()> {
    let socket = UdpSocket::bind("0.0.0.0:0").context("bind a socket")?;
    socket.connect(address).with_context(|| format!("connect to {address}"))?;
    let message = vec![0; bytes];
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    let mut datagrams = 0_u64;
    while Instant::now() < end {
        for _ in 0..64 {
            datagrams += u64::from(socket.send(&message).is_ok());
        }
    }
    println!("{datagrams} {seconds}");
    Ok(())
}
