//! A socket's receive buffer, which counts what packets take in memory, not what they carry.
//!
//! Linux charges `skb->truesize`: the memory of the data with its headroom and `skb_shared_info`, rounded up to
//! what the allocator gives (`kmalloc`: powers of two), and the `sk_buff` itself (`include/linux/skbuff.h`,
//! `SKB_TRUESIZE`; `net/core/skbuff.c`, `__alloc_skb`, 64-bit sizes). That is the rule of a driver that asks
//! for memory by length (veth, loopback, and e1000 of 2003 with its buffers of 2048 B); one that receives into pages
//! charges those. A datagram takes what its fragments take.
//!
//! `net/ipv4/udp.c`, `__udp_enqueue_schedule_skb`, Linux 6: a datagram is let in while what is charged is not more
//! than the limit, so that the buffer may go beyond it by one.

use incast_core::units::Bytes;

/// The buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SocketBuffer {
    /// Bytes that may be charged before it refuses: twice what the application asks of the kernel.
    pub limit: Bytes,
    charged: u64,
    charged_max: u64,
    accepted: u64,
    dropped: u64,
    dropped_bytes: u64,
}

impl SocketBuffer {
    /// An empty one.
    #[must_use]
    pub fn new(limit: Bytes) -> Self {
        Self { limit, ..Self::default() }
    }

    /// Charges a message of `true_size` bytes; false: there is no room, and it is dropped and counted.
    #[must_use]
    pub fn charge(&mut self, true_size: u64) -> bool {
        if self.charged > self.limit.0 {
            self.dropped += 1;
            self.dropped_bytes += true_size;
            return false;
        }
        self.accepted += 1;
        self.charged += true_size;
        self.charged_max = self.charged_max.max(self.charged);
        true
    }

    /// A message was read.
    pub fn release(&mut self, true_size: u64) {
        assert!(true_size <= self.charged, "what is released was charged");
        self.charged -= true_size;
    }

    /// Bytes charged.
    #[must_use]
    pub fn charged(&self) -> u64 {
        self.charged
    }

    /// Most bytes that were charged at once.
    #[must_use]
    pub fn charged_max(&self) -> u64 {
        self.charged_max
    }

    /// Messages let in.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.accepted
    }

    /// Messages dropped for want of room.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// True sizes of these.
    #[must_use]
    pub fn dropped_bytes(&self) -> u64 {
        self.dropped_bytes
    }
}

/// `sizeof(struct sk_buff)`, rounded up to a cache line.
const SK_BUFF: u64 = 256;
/// `sizeof(struct skb_shared_info)`, rounded up to a cache line.
const SHARED_INFO: u64 = 320;
/// `NET_SKB_PAD` and the Ethernet header.
const HEADROOM: u64 = 64 + 14;

/// What a packet takes in memory: `ip_bytes` is its length from the IP header on.
#[must_use]
pub fn true_size(ip_bytes: u32) -> u64 {
    (u64::from(ip_bytes) + HEADROOM + SHARED_INFO).next_power_of_two() + SK_BUFF
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_takes_what_the_allocator_gives() {
        // kmalloc-512, -2048, -2048 and -16384, with the sk_buff.
        let sizes = [28, 1_052, 1_500, 9_000].map(true_size);
        assert_eq!(sizes, [768, 2_304, 2_304, 16_640]);
    }

    #[test]
    fn the_buffer_lets_in_until_more_than_its_limit_is_charged() {
        let mut buffer = SocketBuffer::new(Bytes(212_992));
        let size = true_size(1_052);
        let accepted = (0..200).filter(|_| buffer.charge(size)).count() as u64;
        // 212992 / 2304 = 92.4: the 93rd goes beyond the limit, the 94th is refused.
        assert_eq!((accepted, buffer.dropped(), buffer.charged_max()), (93, 107, 93 * size));
        buffer.release(size);
        assert!(buffer.charge(size), "there is room again");
        assert_eq!(buffer.accepted() + buffer.dropped(), 201);
    }
}
