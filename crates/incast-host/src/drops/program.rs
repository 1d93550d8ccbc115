//! The program that the kernel runs at each dropped packet, put together by hand.
//!
//! It reads from the packet which device and network namespace it was at, what it carried, and adds
//! one to the count of that key. It keeps nothing else and changes nothing. Instructions as in
//! `Documentation/bpf/standardization/instruction-set.rst` of Linux v6.8.

use super::btf::Btf;

/// Bytes of a key.
///
/// ```text
///  0 namespace u32 | 4 device u32 | 8 reason u32 | 12 protocol u8, fragment u8, ethertype u16 | 16 location u64
/// ```
pub(super) const KEY_BYTES: usize = 24;

/// Where the kernel keeps what the program reads, bytes.
pub(super) struct Places {
    device: u32,
    head: u32,
    network_header: u32,
    ethertype: u32,
    socket: u32,
    device_index: u32,
    device_namespace: u32,
    socket_namespace: u32,
    namespace_number: u32,
    /// Whether the tracepoint names the receiving socket (Linux 6.11).
    names_socket: bool,
}

impl Places {
    /// From the kernel's types; the name of what it lacks otherwise.
    pub(super) fn find(btf: &Btf<'_>) -> Result<Self, String> {
        let at = |structure: &str, path: &[&str]| {
            btf.offset(structure, path).ok_or_else(|| format!("{structure}.{}", path.join(".")))
        };
        let arguments = btf.tracepoint_arguments("kfree_skb").ok_or("the tracepoint skb:kfree_skb")?;
        if arguments < 3 {
            return Err("reasons at the tracepoint skb:kfree_skb (Linux 5.17)".into());
        }
        Ok(Self {
            device: at("sk_buff", &["dev"])?,
            head: at("sk_buff", &["head"])?,
            network_header: at("sk_buff", &["network_header"])?,
            ethertype: at("sk_buff", &["protocol"])?,
            socket: at("sk_buff", &["sk"])?,
            device_index: at("net_device", &["ifindex"])?,
            device_namespace: at("net_device", &["nd_net", "net"])?,
            socket_namespace: at("sock_common", &["skc_net", "net"])?,
            namespace_number: at("net", &["ns", "inum"])?,
            names_socket: arguments > 3,
        })
    }
}

/// The program: counts into the map of that descriptor.
pub(super) fn assemble(places: &Places, map: i32) -> Vec<u64> {
    let mut code = Code::default();
    // r6: the arguments; r7: the packet; r8: a pointer that is followed; r9: spare.
    code.op(MOV, 6, 1, 0, 0);
    code.op(LOAD8, 7, 6, 0, 0);
    for place in [KEY, KEY + 8] {
        code.op(STORE8_IMM, FRAME, 0, place, 0);
    }
    code.op(LOAD8, 1, 6, 8, 0);
    code.op(STORE8, FRAME, 1, KEY + 16, 0);
    code.op(LOAD8, 1, 6, 16, 0);
    code.op(STORE4, FRAME, 1, KEY + 8, 0);

    // The device, and its namespace.
    code.read(BUFFER, 8, 7, places.device);
    code.op(LOAD8, 8, FRAME, BUFFER, 0);
    code.read(KEY + 4, 4, 8, places.device_index);
    code.read(BUFFER, 8, 8, places.device_namespace);
    code.op(LOAD8, 9, FRAME, BUFFER, 0);
    code.read(KEY, 4, 9, places.namespace_number);

    // A packet at a socket may have no device any more (its place is used for other things): the
    // socket knows its namespace. What cannot be read is 0.
    code.op(LOAD4, 1, FRAME, KEY, 0);
    let has_namespace = code.jump(JNE_IMM, 1, 0);
    code.op(STORE4_IMM, FRAME, 0, KEY + 4, 0);
    if places.names_socket {
        code.op(LOAD8, 8, 6, 24, 0);
        let named = code.jump(JNE_IMM, 8, 0);
        code.read(BUFFER, 8, 7, places.socket);
        code.op(LOAD8, 8, FRAME, BUFFER, 0);
        code.land(named);
    } else {
        code.read(BUFFER, 8, 7, places.socket);
        code.op(LOAD8, 8, FRAME, BUFFER, 0);
    }
    code.read(BUFFER, 8, 8, places.socket_namespace);
    code.op(LOAD8, 9, FRAME, BUFFER, 0);
    code.read(KEY, 4, 9, places.namespace_number);
    code.land(has_namespace);

    // What it carries: of IPv4 the protocol, and whether it is a piece of a datagram.
    code.read(KEY + 14, 2, 7, places.ethertype);
    code.op(LOAD2, 1, FRAME, KEY + 14, 0);
    let other = code.jump(JNE_IMM, 1, i32::from(0x0800_u16.to_be()));
    code.op(STORE8_IMM, FRAME, 0, BUFFER + 8, 0);
    code.read(BUFFER, 8, 7, places.head);
    code.read(BUFFER + 8, 2, 7, places.network_header);
    code.op(LOAD8, 8, FRAME, BUFFER, 0);
    code.op(LOAD8, 9, FRAME, BUFFER + 8, 0);
    code.op(ADD, 8, 9, 0, 0);
    // Bytes 6 to 9 of the header: flags and offset, time to live, protocol.
    code.read(BUFFER, 4, 8, 6);
    code.op(LOAD1, 1, FRAME, BUFFER + 3, 0);
    code.op(STORE1, FRAME, 1, KEY + 12, 0);
    code.op(LOAD2, 1, FRAME, BUFFER, 0);
    // More fragments, or an offset.
    code.op(AND_IMM, 1, 0, 0, i32::from(0x3fff_u16.to_be()));
    let whole = code.jump(JEQ_IMM, 1, 0);
    code.op(STORE1_IMM, FRAME, 0, KEY + 13, 1);
    code.land(whole);
    code.land(other);
    code.count(map);
    code.words
}

/// Instructions in the making.
#[derive(Default)]
struct Code {
    words: Vec<u64>,
}

impl Code {
    /// One instruction: code u8, destination and source of 4 bits each, offset i16, constant i32.
    fn op(&mut self, code: u8, to: u8, from: u8, offset: i16, constant: i32) {
        let mut bytes = [0; 8];
        bytes[0] = code;
        bytes[1] = if cfg!(target_endian = "little") { to | from << 4 } else { to << 4 | from };
        bytes[2..4].copy_from_slice(&offset.to_ne_bytes());
        bytes[4..].copy_from_slice(&constant.to_ne_bytes());
        self.words.push(u64::from_ne_bytes(bytes));
    }

    /// Reads `bytes` of the kernel's memory at `base + offset` into the frame; what cannot be read is 0.
    fn read(&mut self, into: i16, bytes: i32, base: u8, offset: u32) {
        self.op(MOV, 1, FRAME, 0, 0);
        self.op(ADD_IMM, 1, 0, 0, i32::from(into));
        self.op(MOV_IMM, 2, 0, 0, bytes);
        self.op(MOV, 3, base, 0, 0);
        self.op(ADD_IMM, 3, 0, 0, i32::try_from(offset).unwrap_or(0));
        self.op(CALL, 0, 0, 0, PROBE_READ_KERNEL);
    }

    /// A jump whose aim is not known yet.
    fn jump(&mut self, code: u8, register: u8, constant: i32) -> usize {
        self.op(code, register, 0, 0, constant);
        self.words.len() - 1
    }

    /// The jump at `from` lands here.
    fn land(&mut self, from: usize) {
        let distance = i16::try_from(self.words.len() - from - 1).unwrap_or(0);
        let mut bytes = self.words[from].to_ne_bytes();
        bytes[2..4].copy_from_slice(&distance.to_ne_bytes());
        self.words[from] = u64::from_ne_bytes(bytes);
    }

    /// Adds one to the count of the key, or begins it with one; then ends.
    fn count(&mut self, map: i32) {
        self.lookup(map);
        let missing = self.jump(JEQ_IMM, 0, 0);
        self.add_one();
        self.land(missing);
        self.op(STORE8_IMM, FRAME, 0, BUFFER, 1);
        self.map_and_key(map);
        self.op(MOV, 3, FRAME, 0, 0);
        self.op(ADD_IMM, 3, 0, 0, i32::from(BUFFER));
        self.op(MOV_IMM, 4, 0, 0, BPF_NOEXIST);
        self.op(CALL, 0, 0, 0, MAP_UPDATE);
        let begun = self.jump(JEQ_IMM, 0, 0);
        // Another core was first, or the map is full.
        self.lookup(map);
        let full = self.jump(JEQ_IMM, 0, 0);
        self.add_one();
        self.land(begun);
        self.end();
        self.land(full);
        // Counted under the key of all zeros, which was put in first.
        for place in [KEY, KEY + 8, KEY + 16] {
            self.op(STORE8_IMM, FRAME, 0, place, 0);
        }
        self.lookup(map);
        let none = self.jump(JEQ_IMM, 0, 0);
        self.add_one();
        self.land(none);
        self.end();
    }

    fn map_and_key(&mut self, map: i32) {
        // A constant of 64 bits takes two; its source says that it is the descriptor of a map.
        self.op(LOAD_WIDE, 1, PSEUDO_MAP_FD, 0, map);
        self.op(0, 0, 0, 0, 0);
        self.op(MOV, 2, FRAME, 0, 0);
        self.op(ADD_IMM, 2, 0, 0, i32::from(KEY));
    }

    fn lookup(&mut self, map: i32) {
        self.map_and_key(map);
        self.op(CALL, 0, 0, 0, MAP_LOOKUP);
    }

    /// Adds one, as one step, to the count that was found, and ends.
    fn add_one(&mut self) {
        self.op(MOV_IMM, 1, 0, 0, 1);
        self.op(ATOMIC8, 0, 1, 0, ATOMIC_ADD);
        self.end();
    }

    fn end(&mut self) {
        self.op(MOV_IMM, 0, 0, 0, 0);
        self.op(EXIT, 0, 0, 0, 0);
    }
}

/// The register of the stack frame.
const FRAME: u8 = 10;
/// Where in the frame the key is, and 16 bytes for what is read on the way.
const KEY: i16 = -24;
const BUFFER: i16 = -40;

const MOV: u8 = 0xbf;
const MOV_IMM: u8 = 0xb7;
const ADD: u8 = 0x0f;
const ADD_IMM: u8 = 0x07;
const AND_IMM: u8 = 0x57;
const LOAD1: u8 = 0x71;
const LOAD2: u8 = 0x69;
const LOAD4: u8 = 0x61;
const LOAD8: u8 = 0x79;
const LOAD_WIDE: u8 = 0x18;
const STORE1: u8 = 0x73;
const STORE4: u8 = 0x63;
const STORE8: u8 = 0x7b;
const STORE1_IMM: u8 = 0x72;
const STORE4_IMM: u8 = 0x62;
const STORE8_IMM: u8 = 0x7a;
const ATOMIC8: u8 = 0xdb;
const JEQ_IMM: u8 = 0x15;
const JNE_IMM: u8 = 0x55;
const CALL: u8 = 0x85;
const EXIT: u8 = 0x95;

const ATOMIC_ADD: i32 = 0;
const PSEUDO_MAP_FD: u8 = 1;
const BPF_NOEXIST: i32 = 1;
const MAP_LOOKUP: i32 = 1;
const MAP_UPDATE: i32 = 2;
const PROBE_READ_KERNEL: i32 = 113;
