//! What a link carries without loss, and how late packets leave it.
//!
//! `link_ceiling [SECONDS] [DELAY_MS] [MBIT_PER_S ...]` sends UDP of 1472 B at each rate over a path of
//! 70 ms in namespaces of its own, and prints a line for each. Needs root. Everything shares the cores
//! of this machine: sender, receiver, link and the kernel between them.
#![expect(clippy::print_stdout, clippy::cast_precision_loss, reason = "a scratch program")]

#[path = "support/three.rs"]
mod three;

use std::net::UdpSocket;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use incast_core::link::PathPlan;
use incast_core::record::LinkReport;
use incast_core::time::Span;
use incast_lab::link::{LinkPlan, LinkWatch};
use three::{SetOnDrop, Three};

const MESSAGE_BYTES: usize = 1472;

fn main() {
    let numbers: Vec<u64> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let seconds = numbers.first().copied().unwrap_or(5);
    let delay = Span::from_ms(numbers.get(1).copied().unwrap_or(70));
    let rates = numbers.get(2..).filter(|rates| !rates.is_empty()).unwrap_or(&[200, 400, 700, 1_000]);
    println!(
        "Mbit/s  packets/s    sent  received  dropped at socket/room/send  held max  late us p50 / p99 / max  link CPU %"
    );
    for rate in rates {
        let three = Three::new(1_500);
        let plan = three::plan(PathPlan { delay, ..PathPlan::default() }, 1_500);
        measure(&three, &plan, *rate, Duration::from_secs(seconds));
    }
}

fn measure(three: &Three, plan: &LinkPlan, rate: u64, span: Duration) {
    let (a, b) = three.udp_pair();
    b.set_read_timeout(Some(Duration::from_millis(20))).expect("a timeout");
    let (stop, received) = (AtomicBool::new(false), AtomicU64::new(0));
    let (reports, (sent, took, cpu)) = three.carry(plan, |watch| {
        std::thread::scope(|scope| {
            let _stop = SetOnDrop(&stop);
            scope.spawn(|| receive(&b, &received, &stop));
            let (sent, took) = send(&a, rate, span);
            wait_until_empty(watch);
            (sent, took, cpu_of_threads("link"))
        })
    });
    show(rate, sent, sent as f64 / took.as_secs_f64(), received.load(Relaxed), &reports[0]);
    println!("{:>8.0}", 100.0 * cpu / took.as_secs_f64());
}

fn show(rate: u64, sent: u64, pace: f64, received: u64, report: &LinkReport) {
    let late = [report.late_us_p50, report.late_us_p99, report.late_us_max].map(Option::unwrap_or_default);
    print!(
        "{rate:>6} {pace:>10.0} {sent:>7} {received:>9}  {:>26}  {:>8}  {:>6.0} / {:>5.0} / {:>5.0}",
        report.dropped_packets, report.held_packets_max, late[0], late[1], late[2]
    );
}

/// Sends at `rate` Mbit/s in small bursts; how many, and how long it took.
fn send(socket: &UdpSocket, rate: u64, span: Duration) -> (u64, Duration) {
    let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
    let (start, message) = (Instant::now(), [0_u8; MESSAGE_BYTES]);
    let mut sent = 0;
    while start.elapsed() < span {
        let due = u128::from(rate) * start.elapsed().as_nanos() / 8_000 / MESSAGE_BYTES as u128;
        while u128::from(sent) < due {
            sent += u64::from(socket.send(&message).is_ok());
        }
        std::thread::sleep(Duration::from_micros(50));
    }
    (sent, start.elapsed())
}

fn receive(socket: &UdpSocket, received: &AtomicU64, stop: &AtomicBool) {
    let mut buffer = [0; MESSAGE_BYTES];
    while !stop.load(Relaxed) {
        while socket.recv(&mut buffer).is_ok() {
            received.fetch_add(1, Relaxed);
        }
    }
}

fn wait_until_empty(watch: &LinkWatch) {
    let mark = watch.mark();
    while !watch.is_empty_since(&mark) {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Seconds of CPU of this process's threads of that name.
fn cpu_of_threads(name: &str) -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let ran = |task: std::fs::DirEntry| -> Option<u64> {
        let named = std::fs::read_to_string(task.path().join("comm")).ok()?.trim() == name;
        let run = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        run.split(' ').next()?.parse().ok().filter(|_| named)
    };
    tasks.filter_map(ran).sum::<u64>() as f64 / 1e9
}
