//! What this host's own counters say: read at the start and at the end, in the calling thread's network
//! namespace, and made into a book for the ledger.
//!
//! What cannot be read is a source that says why, with the stages that are uncertain then. Nothing here
//! needs root but the drop trace.

use std::os::unix::fs::MetadataExt as _;
use std::time::Instant;

use incast_core::ledger::reading::{COUNTERS, Device, HostBook, HostReading};
use incast_core::ledger::stage;
use incast_core::record::LedgerSource;
use incast_host::udp::NetCounters;
use incast_host::{device, neighbours, softnet};

use crate::drop_trace::{Tracer, Wish, in_namespace};

/// The counters of this host while a run lasts, and its drop trace.
pub(crate) struct OwnBook {
    tracer: Tracer,
    opened: HostReading,
}

impl OwnBook {
    /// Opens the book.
    pub(crate) fn open(wish: Wish) -> anyhow::Result<Self> {
        let mut tracer = Tracer::start(wish)?;
        let opened = read_with(Some(&mut tracer));
        Ok(Self { tracer, opened })
    }

    /// What was counted since, as that of `host`.
    pub(crate) fn close(&mut self, host: &str) -> HostBook {
        let mut now = read_with(Some(&mut self.tracer));
        let source = self.tracer.source("");
        now.sources.push(source);
        now.of(host).since(&self.opened)
    }
}

/// The counters of this host now, without a trace; for those who exchange theirs.
pub(crate) fn read() -> Option<HostReading> {
    Some(read_with(None))
}

fn read_with(tracer: Option<&mut Tracer>) -> HostReading {
    let namespace = std::fs::metadata("/proc/thread-self/ns/net").map(|namespace| namespace.ino());
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let mut reading = HostReading {
        at_ns: u64::try_from(started().elapsed().as_nanos()).unwrap_or(u64::MAX),
        ..HostReading::default()
    };
    let mut source = |name: &str, why: Option<String>, stages: &[&str]| {
        let uncertain = if why.is_some() { stages } else { &[] };
        reading.sources.push(LedgerSource {
            name: name.into(),
            host: String::new(),
            read: why.is_none(),
            why,
            uncertain: uncertain.iter().map(|stage| (*stage).to_owned()).collect(),
        });
    };
    let counters = NetCounters::take();
    source("snmp", why(&counters), &SNMP);
    let devices = device::all();
    source("devices", why(&devices), &DEVICES);
    // Machines that were copied from one have the same boot; their cards differ.
    let card = devices.as_ref().ok().and_then(|all| all.values().find_map(|device| device.address.clone()));
    reading.identity =
        format!("{} {} {}", boot.trim(), namespace.as_ref().unwrap_or(&0), card.unwrap_or_default());
    let softnet = softnet::dropped();
    source("softnet", why(&softnet), &[stage::RECEIVER_BACKLOG]);
    let (discarded, counted) = (neighbours::discarded(), tracer.and_then(Tracer::read));
    // The trace sees all of these, and more.
    if counted.is_none() {
        source("arp_cache", why(&discarded), &[stage::NEIGHBOUR]);
    }
    if let Ok(counters) = counters {
        let value = |(protocol, name): &(&str, &str)| {
            Some((format!("{protocol}.{name}"), counters.value(protocol, name)?))
        };
        reading.counters = COUNTERS.iter().filter_map(value).collect();
    }
    reading.devices = devices.map(|all| all.into_iter().map(plain).collect()).unwrap_or_default();
    reading.softnet_dropped = softnet.ok();
    reading.neighbours_discarded = discarded.ok();
    if let (Some(counted), Ok(namespace)) = (counted, namespace) {
        reading.traced_missed = counted.missed;
        reading.traced = Some(in_namespace(&counted, namespace));
    }
    reading
}

fn why<T>(read: &std::io::Result<T>) -> Option<String> {
    read.as_ref().err().map(ToString::to_string)
}

/// A device as the core knows it.
fn plain((index, device): (u32, device::DeviceCounters)) -> (u32, Device) {
    let plain = Device {
        name: device.name,
        driver: device.driver,
        index,
        peer: device.peer,
        queue_dropped: device.queue_dropped,
        out_dropped: device.out_dropped,
        out_errors: device.out_errors,
        in_dropped: device.in_dropped,
        in_missed: device.in_missed,
        in_damaged: device.in_damaged,
        driver_dropped: device.driver_dropped,
    };
    (index, plain)
}

/// The moment from which readings of this process count their time.
fn started() -> Instant {
    static STARTED: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    *STARTED.get_or_init(Instant::now)
}

/// Stages of which only the network layers' own counters tell.
const SNMP: [&str; 6] = [
    stage::FIREWALL,
    stage::REASSEMBLY,
    stage::CHECKSUM,
    stage::NO_LISTENER,
    stage::SOCKET_BUFFER,
    stage::SOCKET,
];
/// Stages of which only devices and their queues tell.
const DEVICES: [&str; 4] =
    [stage::HOST_QUEUE, stage::SENDER_NIC, stage::RECEIVER_RING, stage::RECEIVER_BACKLOG];
