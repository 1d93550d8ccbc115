//! What this machine can carry: packets per second across an unshaped switch of the lab's own,
//! two senders into one receiver, measured just before the run that needs to know.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use incast_core::scenario::{CableEnd, CablePlan, HostPlan, NetworkPlan, Subnet, SwitchModel, SwitchPlan};
use incast_core::time::Span;
use incast_core::units::Bytes;

use crate::build;
use crate::error::LabError;
use crate::layout::Layout;
use crate::state::{Entry, Found};

/// What was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Calibration {
    /// Packets per second that arrived.
    pub packets_per_s: f64,
}

/// How long the machine is tried.
const TRIAL: Duration = Duration::from_millis(250);

/// Measures with packets of `payload_bytes` over switches and cables as `like` has them.
///
/// # Errors
/// As [`crate::Lab::build`].
pub fn calibrate(like: &NetworkPlan, payload_bytes: usize) -> Result<Calibration, LabError> {
    if !rustix::process::geteuid().is_root() {
        return Err(LabError::NotRoot);
    }
    let id = format!("calibration-{}", std::process::id());
    let hosts: Vec<HostPlan> = ["a", "b", "x"].map(host).into();
    let network = plan(like);
    let layout = Layout::new(&id, &hosts, &network);
    let found = Found {
        id: id.clone(),
        scenario: id,
        places: Vec::new(),
        namespaces: layout.namespaces.clone(),
        groups: Vec::new(),
        addresses: Vec::new(),
    };
    let _entry = Entry::write(&found)?;
    let places = build::build(&layout, &hosts, &network)?;
    let failed = |error| LabError::kernel("calibrate", error);
    let to = SocketAddr::new(layout.hosts[2].addresses[0].1.into(), 6000);
    let (over, received) = (AtomicBool::new(false), AtomicU64::new(0));
    let socket = places[2].run(|| UdpSocket::bind(to)).and_then(|bound| bound).map_err(failed)?;
    socket.set_read_timeout(Some(Duration::from_millis(20))).map_err(failed)?;
    let senders: Result<Vec<UdpSocket>, LabError> = places[..2]
        .iter()
        .map(|place| place.run(|| UdpSocket::bind("0.0.0.0:0")).and_then(|bound| bound).map_err(failed))
        .collect();
    let message = vec![0_u8; payload_bytes];
    let started = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut buffer = vec![0_u8; 65_536];
            while !over.load(Relaxed) {
                if socket.recv(&mut buffer).is_ok() {
                    received.fetch_add(1, Relaxed);
                }
            }
        });
        for sender in senders.iter().flatten() {
            let (over, message) = (&over, &message);
            scope.spawn(move || {
                while !over.load(Relaxed) {
                    let _ = sender.send_to(message, to);
                }
            });
        }
        std::thread::sleep(TRIAL);
        over.store(true, Relaxed);
    });
    senders?;
    #[expect(clippy::cast_precision_loss, reason = "a count of a quarter of a second")]
    let packets_per_s = received.load(Relaxed) as f64 / started.elapsed().as_secs_f64();
    Ok(Calibration { packets_per_s })
}

fn host(name: &str) -> HostPlan {
    HostPlan { name: name.into(), ..HostPlan::default() }
}

/// Three hosts at a switch like the first of `like`, on cables like its first, without rates.
fn plan(like: &NetworkPlan) -> NetworkPlan {
    let subnet = Subnet { base: std::net::Ipv4Addr::new(10, 77, 0, 0), prefix: 16 };
    let first = like.cables.first();
    let cable = |host: u32| CablePlan {
        from: CableEnd::Host(host as usize),
        to: 0,
        mtu_bytes: first.map_or(1500, |cable| cable.mtu_bytes),
        rate: None,
        queue: Bytes(0),
        port_rate: None,
        port_queue: Bytes(0),
        burst: None,
        offloads: first.is_some_and(|cable| cable.offloads),
        path: None,
        travel: Span::ZERO,
        bit_errors: 0.0,
        address: subnet.host(host + 1),
    };
    let switch = like.switches.first();
    let switch = SwitchPlan {
        name: "switch".into(),
        network: 0,
        forwarding: switch.map(|switch| switch.forwarding).unwrap_or_default(),
        when_full: switch.map(|switch| switch.when_full).unwrap_or_default(),
        model: SwitchModel::default(),
    };
    NetworkPlan { switches: vec![switch], cables: (0..3).map(cable).collect(), subnets: vec![subnet] }
}
