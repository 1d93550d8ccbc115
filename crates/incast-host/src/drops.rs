//! Every packet that the kernel drops, with the reason that it gives: the tracepoint `skb:kfree_skb`.
//!
//! A small program runs in the kernel at each drop and counts by namespace, device, reason and
//! place in the code; no packet is copied and nothing wakes up, so a flood of drops costs each of
//! them some hundred nanoseconds and this process nothing. It sees the drops of the whole machine, and
//! a caller takes those of the namespaces that are his. It needs root (`CAP_BPF`, `CAP_PERFMON`) and
//! a kernel with reasons and a description of its types (Linux 5.17, `CONFIG_DEBUG_INFO_BTF`). What is
//! attached ends with the process, however that ends; nothing is mounted.

mod btf;
mod program;

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};

use crate::sys::bpf;
use btf::Btf;
use program::{KEY_BYTES, Places};

/// A program at the tracepoint, counting; dropped, it is taken away.
#[derive(Debug)]
pub struct DropTrace {
    map: OwnedFd,
    program: OwnedFd,
    _attachment: OwnedFd,
    /// Names of the reasons by their numbers, which differ from kernel to kernel.
    reasons: BTreeMap<u32, String>,
    /// Where the kernel's functions are: begin and name, sorted; empty when it does not say.
    functions: Vec<(u64, String)>,
}

/// Packets dropped at one place for one reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dropped {
    /// Number of the network namespace (its inode, as in `/proc/self/ns/net`); 0 when not known.
    pub namespace: u32,
    /// Index of the device there; 0 when the packet was at none any more.
    pub device: u32,
    /// The reason without its prefix: `SOCKET_RCVBUFF`, `NEIGH_FAILED`.
    pub reason: String,
    /// The kernel's function that dropped it; empty when not known.
    pub function: String,
    /// Protocol number of the IPv4 header (17 is UDP); 0 for everything else.
    pub protocol: u8,
    /// Whether it was a piece of a datagram.
    pub fragment: bool,
    /// Number in the Ethernet header: 0x0800 is IPv4.
    pub ethertype: u16,
}

/// What was counted until a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Packets by where and why they died.
    pub packets: BTreeMap<Dropped, u64>,
    /// Drops that were not counted by name: the table was full, or a drop interrupted the counting of one.
    pub missed: u64,
}

impl DropTrace {
    /// Begins to count.
    ///
    /// # Errors
    /// Without root, or when the kernel lacks what is needed; the error says which.
    pub fn start() -> io::Result<Self> {
        let types = std::fs::File::open(TYPES).and_then(|file| {
            let mut bytes = Vec::new();
            io::Read::read_to_end(&mut io::Read::take(file, TYPES_BYTES_MAX), &mut bytes)?;
            Ok(bytes)
        });
        let types = types.map_err(|error| io::Error::new(error.kind(), format!("read {TYPES}: {error}")))?;
        let lacks = |what: String| {
            io::Error::new(io::ErrorKind::Unsupported, format!("this kernel does not tell {what}"))
        };
        let btf = Btf::parse(&types).ok_or_else(|| lacks("its types".into()))?;
        let places = Places::find(&btf).map_err(lacks)?;
        let reasons = btf.values("skb_drop_reason");
        let reasons = reasons.into_iter().map(|(number, name)| {
            (number, name.strip_prefix("SKB_DROP_REASON_").map(str::to_owned).unwrap_or(name))
        });
        let named = |what: &str| {
            let what = what.to_owned();
            move |error: io::Error| io::Error::new(error.kind(), format!("{what}: {error}"))
        };
        let map = bpf::map_create(KEY_BYTES_U32, PLACES_MAX).map_err(named("make a table in the kernel"))?;
        bpf::map_update(map.as_fd(), &[0; KEY_BYTES], 0)?;
        let code = program::assemble(&places, map.as_raw_fd());
        let program = bpf::program_load(&code).map_err(named("load a program into the kernel"))?;
        let attachment = bpf::raw_tracepoint_open(c"kfree_skb", program.as_fd())
            .map_err(named("attach to the tracepoint skb:kfree_skb"))?;
        Ok(Self { map, program, _attachment: attachment, reasons: reasons.collect(), functions: functions() })
    }

    /// What was counted until now.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub fn read(&self) -> io::Result<Counted> {
        let mut counted =
            Counted { missed: bpf::program_misses(self.program.as_fd())?, ..Counted::default() };
        let mut key: Option<[u8; KEY_BYTES]> = None;
        // Bounded by the table; keys are never taken out of it, so none is seen twice.
        for _ in 0..=PLACES_MAX {
            let Some(next) = bpf::map_next_key(self.map.as_fd(), key.as_ref())? else { break };
            let packets = bpf::map_lookup(self.map.as_fd(), &next)?;
            if next == [0; KEY_BYTES] {
                counted.missed += packets;
            } else {
                *counted.packets.entry(self.named(&next)).or_default() += packets;
            }
            key = Some(next);
        }
        Ok(counted)
    }

    fn named(&self, key: &[u8; KEY_BYTES]) -> Dropped {
        let word = |at: usize| u32::from_ne_bytes([key[at], key[at + 1], key[at + 2], key[at + 3]]);
        let mut location = [0; 8];
        location.copy_from_slice(&key[16..]);
        let reason = word(8);
        Dropped {
            namespace: word(0),
            device: word(4),
            reason: self.reasons.get(&reason).cloned().unwrap_or_else(|| reason.to_string()),
            function: self.function(u64::from_ne_bytes(location)),
            protocol: key[12],
            fragment: key[13] != 0,
            ethertype: u16::from_be_bytes([key[14], key[15]]),
        }
    }

    fn function(&self, location: u64) -> String {
        let after = self.functions.partition_point(|(begin, _)| *begin <= location);
        after.checked_sub(1).map(|index| self.functions[index].1.clone()).unwrap_or_default()
    }
}

impl Counted {
    /// What was counted since `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let grown = |(place, now): (&Dropped, &u64)| {
            let then = earlier.packets.get(place).copied().unwrap_or(0);
            (*now > then).then(|| (place.clone(), now - then))
        };
        Self {
            packets: self.packets.iter().filter_map(grown).collect(),
            missed: self.missed.saturating_sub(earlier.missed),
        }
    }
}

/// The functions of the kernel by where they begin (`/proc/kallsyms`, true only for root).
fn functions() -> Vec<(u64, String)> {
    let Ok(text) = crate::bounded::read("/proc/kallsyms", SYMBOLS_BYTES_MAX) else { return Vec::new() };
    let line = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let begin = u64::from_str_radix(words.next()?, 16).ok().filter(|begin| *begin > 0)?;
        let is_code = matches!(words.next()?, "t" | "T");
        Some((begin, words.next()?.to_owned())).filter(|_| is_code)
    };
    let mut all: Vec<(u64, String)> = text.lines().filter_map(line).collect();
    all.sort_unstable();
    all
}

const TYPES: &str = "/sys/kernel/btf/vmlinux";
/// Today's have 6 MB.
const TYPES_BYTES_MAX: u64 = 64 << 20;
/// Today's have 12 MB.
const SYMBOLS_BYTES_MAX: u64 = 64 << 20;
/// Most places and reasons at once, 4096: a busy machine has some tens. What is beyond is counted as missed.
const PLACES_MAX: u32 = 4096;
const KEY_BYTES_U32: u32 = 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_dies_at_a_closed_port_is_counted_by_name_and_to_the_packet() {
        let trace = match DropTrace::start() {
            Ok(trace) => trace,
            Err(error)
                if error.kind() == io::ErrorKind::PermissionDenied && std::env::var_os("CI").is_none() =>
            {
                return;
            }
            Err(error) => panic!("{error}"),
        };
        // The namespace is everybody's, and what others send to closed ports meanwhile counts too.
        let before = crate::udp::NetCounters::take().unwrap();
        let earlier = trace.read().unwrap();
        let closed = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        for _ in 0..SENT {
            let sender = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
            sender.send_to(&[0; 100], closed).unwrap();
        }
        let counted = trace.read().unwrap().since(&earlier);
        let kernel = crate::udp::NetCounters::take().unwrap().since(&before, "Udp", "NoPorts").unwrap();
        let inode = std::fs::read_link("/proc/thread-self/ns/net").unwrap();
        let (at, packets) = counted
            .packets
            .iter()
            .find(|(at, _)| {
                at.reason == "NO_SOCKET" && inode.to_string_lossy().contains(&at.namespace.to_string())
            })
            .unwrap_or_else(|| panic!("{counted:?}"));
        assert!((SENT..=kernel).contains(packets), "{packets} of {kernel}");
        assert_eq!((at.protocol, at.ethertype, at.fragment), (17, 0x0800, false), "{at:?}");
        assert_eq!(counted.missed, 0);
    }

    const SENT: u64 = 50;

    #[test]
    fn what_has_grown_is_what_is_told() {
        let place = |reason: &str| Dropped { reason: reason.into(), ..Dropped::default() };
        let at = |counts: &[(&str, u64)], missed| Counted {
            packets: counts.iter().map(|(reason, packets)| (place(reason), *packets)).collect(),
            missed,
        };
        let now = at(&[("A", 5), ("B", 7), ("C", 1)], 9);
        assert_eq!(now.since(&at(&[("A", 5), ("B", 4)], 8)), at(&[("B", 3), ("C", 1)], 1));
    }
}
