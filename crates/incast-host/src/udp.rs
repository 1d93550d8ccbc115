//! The kernel's own account of UDP and its neighbours: `/proc/net/snmp`, `netstat` and `snmp6`.
//!
//! Counters are those of the calling thread's network namespace, all sockets together, so a
//! drop counted here may be another program's. Units are the kernel's: a datagram that was sent
//! with segmentation offload may count once (`OutDatagrams`) or by segment (`InDatagrams`). Names
//! as in Linux v6.8 `net/ipv4/proc.c` and `net/ipv6/proc.c`. Some entries are gauges
//! (`Tcp.CurrEstab`): their difference means nothing, and a caller asks for counters only.

use std::collections::BTreeMap;
use std::io;

use crate::bounded;

/// The counters of a network namespace at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetCounters {
    /// By protocol (`Udp`, `Udp6`, `TcpExt`), then by name.
    by_protocol: BTreeMap<String, BTreeMap<String, u64>>,
}

impl NetCounters {
    /// Reads the counters now.
    ///
    /// # Errors
    /// When `/proc/thread-self/net/snmp` cannot be read. The other two files may be missing.
    pub fn take() -> io::Result<Self> {
        // `/proc/net` would be the namespace of the process's first thread.
        let read = |name| bounded::read(&format!("/proc/thread-self/net/{name}"), MAX_BYTES);
        let mut counters = Self::default();
        counters.handle_pairs(&read("snmp")?);
        counters.handle_pairs(&read("netstat").unwrap_or_default());
        counters.handle_list(&read("snmp6").unwrap_or_default());
        Ok(counters)
    }

    /// Takes what makes sense from the text of `/proc/net/snmp` or `netstat`: a line of names, then
    /// a line of values, both after the name of the protocol. Pairs that do not match, and values
    /// that are no count (`Tcp.MaxConn` is -1), are skipped.
    pub fn handle_pairs(&mut self, text: &str) {
        let mut header: Option<(&str, &str)> = None;
        for line in text.lines().map(|line| line.split_once(':')) {
            match (header, line) {
                (Some((protocol, names)), Some((same, values))) if protocol == same => {
                    self.record_pair(protocol, names, values);
                    header = None;
                }
                _ => header = line,
            }
        }
    }

    /// Takes what makes sense from the text of `/proc/net/snmp6`: lines such as
    /// `Udp6RcvbufErrors 5`, which is the counter `RcvbufErrors` of `Udp6`.
    pub fn handle_list(&mut self, text: &str) {
        for line in text.lines() {
            let Some((name, value)) = line.split_once(char::is_whitespace) else { continue };
            if let (Some(six), Ok(value)) = (name.find('6'), value.trim().parse()) {
                let (protocol, name) = name.split_at(six + 1);
                self.by_protocol.entry(protocol.into()).or_default().insert(name.into(), value);
            }
        }
    }

    /// One counter, such as `("Udp", "RcvbufErrors")`; unknown when the kernel does not have it.
    #[must_use]
    pub fn value(&self, protocol: &str, name: &str) -> Option<u64> {
        self.by_protocol.get(protocol)?.get(name).copied()
    }

    /// By how much one counter grew since `earlier`; unknown when either is, or when it went back.
    #[must_use]
    pub fn since(&self, earlier: &Self, protocol: &str, name: &str) -> Option<u64> {
        self.value(protocol, name)?.checked_sub(earlier.value(protocol, name)?)
    }

    /// Datagrams, IPv4 and IPv6, that died since `earlier` because a socket's receive buffer was full.
    #[must_use]
    pub fn receive_buffer_drops_since(&self, earlier: &Self) -> Option<u64> {
        let ipv4 = self.since(earlier, "Udp", "RcvbufErrors")?;
        // A host without IPv6 has no such counter, and then no such drops.
        if self.value("Udp6", "RcvbufErrors").is_none() && earlier.value("Udp6", "RcvbufErrors").is_none() {
            return Some(ipv4);
        }
        ipv4.checked_add(self.since(earlier, "Udp6", "RcvbufErrors")?)
    }

    /// Records the counters of one line of names and one of values.
    fn record_pair(&mut self, protocol: &str, names: &str, values: &str) {
        if names.split_ascii_whitespace().count() != values.split_ascii_whitespace().count() {
            return;
        }
        let counters = self.by_protocol.entry(protocol.into()).or_default();
        for (name, value) in names.split_ascii_whitespace().zip(values.split_ascii_whitespace()) {
            if let Ok(value) = value.parse() {
                counters.insert(name.into(), value);
            }
        }
    }
}

/// Longest file that is read: today's have less than 8 kB, most of it names.
const MAX_BYTES: u64 = 256 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> NetCounters {
        let mut counters = NetCounters::default();
        counters.handle_pairs(text);
        counters
    }

    #[test]
    fn counters_are_found_by_protocol_and_name() {
        let text = "Tcp: MaxConn InSegs\nTcp: -1 2811\nUdp: InDatagrams RcvbufErrors\nUdp: 143 7\n";
        let mut counters = pairs(text);
        counters.handle_list(
            "Ip6InReceives   \t16\nUdp6RcvbufErrors\t5\nUdpLite6InDatagrams 1\nIcmp6OutType143 9\n",
        );
        let cases = [
            ("Udp", "RcvbufErrors", Some(7)),
            ("Udp", "InDatagrams", Some(143)),
            ("Tcp", "InSegs", Some(2811)),
            ("Tcp", "MaxConn", None),
            ("Udp", "InSegs", None),
            ("Sctp", "InSegs", None),
            ("Udp6", "RcvbufErrors", Some(5)),
            ("UdpLite6", "InDatagrams", Some(1)),
            ("Icmp6", "OutType143", Some(9)),
        ];
        for (protocol, name, expected) in cases {
            assert_eq!(counters.value(protocol, name), expected, "{protocol}.{name}");
        }
    }

    #[test]
    fn nonsense_is_skipped_and_what_follows_is_read() {
        let good = "Udp: RcvbufErrors\nUdp: 7\n";
        let bad = [
            "",
            "\0\n:\n::\nUdp",
            "Udp: A B\nUdp: 1\n",
            "Tcp: A\n",
            "Tcp: A\nIp: B\n",
            "Udp: A\nrubbish\n",
            "Udp: A\nUdp: 99999999999999999999\n",
        ];
        for text in bad {
            assert_eq!(pairs(&format!("{text}\n{good}")).value("Udp", "RcvbufErrors"), Some(7), "{text:?}");
            assert_eq!(pairs(text).value("Udp", "A"), None, "{text:?}");
        }
        let mut counters = NetCounters::default();
        counters.handle_list("\n6\n6 x\nUdp6\nUdp6A -1\nUdp6B 1 2\nNoSix 4\n");
        assert_eq!(counters, NetCounters::default());
    }

    #[test]
    fn drops_are_the_growth_of_both_families() {
        let snapshot = |ipv4: &str, ipv6: &str| {
            let mut counters = pairs(&format!("Udp: RcvbufErrors\nUdp: {ipv4}\n"));
            counters.handle_list(&format!("Udp6RcvbufErrors {ipv6}"));
            counters
        };
        let drops = |now: [&str; 2], then: [&str; 2]| {
            snapshot(now[0], now[1]).receive_buffer_drops_since(&snapshot(then[0], then[1]))
        };
        assert_eq!(drops(["10", "5"], ["4", "3"]), Some(8));
        assert_eq!(drops(["10", "-"], ["4", "-"]), Some(6));
        assert_eq!(drops(["10", "5"], ["4", "-"]), None);
        assert_eq!(drops(["10", "2"], ["4", "3"]), None);
        assert_eq!(drops(["3", "5"], ["4", "5"]), None);
        assert_eq!(drops(["-", "5"], ["-", "5"]), None);
    }

    #[test]
    fn this_machine_counts_datagrams() {
        let (before, after) = (NetCounters::take().unwrap(), NetCounters::take().unwrap());
        assert!(after.since(&before, "Udp", "InDatagrams").is_some());
        assert!(after.receive_buffer_drops_since(&before).is_some());
        assert!(after.value("TcpExt", "TCPTimeouts").is_some());
    }
}
