//! The kernel's own description of its types (BTF): where a field is in a structure, what an enum's
//! numbers are called.
//!
//! `Documentation/bpf/btf.rst` of Linux v6.8. Only what the drop trace asks for is read: structures,
//! unions, enums, function types. The file is the kernel's, and is parsed as if it were anyone's:
//! whatever does not make sense is "not found".

/// Types of a kernel, as read from `/sys/kernel/btf/vmlinux`.
pub(super) struct Btf<'a> {
    strings: &'a [u8],
    types: Vec<Type<'a>>,
}

/// One type; its number is its place, from 1.
#[derive(Clone, Copy)]
struct Type<'a> {
    name: u32,
    kind: u8,
    /// Whether members tell the width of bit fields beside their places.
    has_widths: bool,
    /// The type that it refers to, if its kind refers to one.
    refers_to: u32,
    /// Members, values or parameters.
    body: &'a [u8],
}

const KIND_STRUCT: u8 = 4;
const KIND_UNION: u8 = 5;
const KIND_ENUM: u8 = 6;
const KIND_TYPEDEF: u8 = 8;
const KIND_FUNC_PROTO: u8 = 13;
const KIND_PTR: u8 = 2;
/// Structures within structures: the kernel's are nested five deep.
const DEPTH_MAX: u8 = 8;

impl<'a> Btf<'a> {
    /// Reads the description; `None` when it is none.
    ///
    /// ```text
    /// header:  magic u16 = 0xeb9f, version u8, flags u8, header bytes u32,
    ///          types: offset u32, bytes u32; strings: offset u32, bytes u32
    /// a type:  name u32, info u32 (members 0-15, kind 24-28, flag 31), bytes or type u32, then its body
    /// ```
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        if bytes.get(..2)? != MAGIC.to_ne_bytes() {
            return None;
        }
        let rest = bytes.get(size(word(bytes, 4)?)?..)?;
        let part = |at: usize| -> Option<&'a [u8]> {
            let (from, length) = (size(word(bytes, at)?)?, size(word(bytes, at + 4)?)?);
            rest.get(from..from.checked_add(length)?)
        };
        let (mut left, strings) = (part(8)?, part(16)?);
        let mut types = Vec::new();
        while !left.is_empty() {
            let (name, info, refers_to) = (word(left, 0)?, word(left, 4)?, word(left, 8)?);
            let kind = u8::try_from(info >> 24 & 0x1f).ok()?;
            let length = body_bytes(kind, size(info & 0xffff)?)?;
            let body = left.get(12..12 + length)?;
            left = left.get(12 + length..)?;
            types.push(Type { name, kind, has_widths: info >> 31 == 1, refers_to, body });
        }
        Some(Self { strings, types })
    }

    /// Offset in bytes of a field of a structure, such as `("sk_buff", "dev")`; `path` may lead
    /// through structures: `["ns", "inum"]`.
    pub(super) fn offset(&self, structure: &str, path: &[&str]) -> Option<u32> {
        let mut at = *self.types.iter().find(|found| {
            found.kind == KIND_STRUCT && !found.body.is_empty() && self.is_called(found.name, structure)
        })?;
        let mut bits = 0;
        for field in path {
            let (found, kind) = self.field(at, field, DEPTH_MAX)?;
            bits += found;
            at = self.resolved(kind).unwrap_or(at);
        }
        (bits % 8 == 0).then_some(bits / 8)
    }

    /// Values of an enum with their names.
    pub(super) fn values(&self, name: &str) -> Vec<(u32, String)> {
        let found =
            self.types.iter().find(|found| found.kind == KIND_ENUM && self.is_called(found.name, name));
        let body = found.map(|found| found.body).unwrap_or_default();
        let value = |entry: &[u8]| Some((word(entry, 4)?, self.string(word(entry, 0)?)?.to_owned()));
        body.chunks_exact(8).filter_map(value).collect()
    }

    /// How many arguments a raw tracepoint hands to a program.
    pub(super) fn tracepoint_arguments(&self, name: &str) -> Option<usize> {
        let alias = format!("btf_trace_{name}");
        let typedef = self
            .types
            .iter()
            .find(|found| found.kind == KIND_TYPEDEF && self.is_called(found.name, &alias))?;
        let pointer = self.at(typedef.refers_to).filter(|found| found.kind == KIND_PTR)?;
        let function = self.at(pointer.refers_to).filter(|found| found.kind == KIND_FUNC_PROTO)?;
        // The first is the tracepoint's own.
        (function.body.len() / 8).checked_sub(1)
    }

    /// Offset in bits of a field, and its type; unnamed members are looked into.
    fn field(&self, of: Type<'a>, name: &str, depth: u8) -> Option<(u32, u32)> {
        for member in of.body.chunks_exact(12) {
            let (called, kind, place) = (word(member, 0)?, word(member, 4)?, word(member, 8)?);
            let place = if of.has_widths { place & 0xff_ffff } else { place };
            if self.is_called(called, name) {
                return Some((place, kind));
            }
            if self.string(called) == Some("") && depth > 0 {
                let inner = self.resolved(kind);
                if let Some((within, kind)) = inner.and_then(|inner| self.field(inner, name, depth - 1)) {
                    return Some((place + within, kind));
                }
            }
        }
        None
    }

    /// The structure or union of that number, behind its other names.
    fn resolved(&self, number: u32) -> Option<Type<'a>> {
        let mut found = self.at(number)?;
        for _ in 0..DEPTH_MAX {
            match found.kind {
                KIND_STRUCT | KIND_UNION => return Some(found),
                // Typedef, volatile, const, restrict, a tag.
                KIND_TYPEDEF | 9..=11 | 18 => found = self.at(found.refers_to)?,
                _ => return None,
            }
        }
        None
    }

    fn at(&self, number: u32) -> Option<Type<'a>> {
        self.types.get(size(number)?.checked_sub(1)?).copied()
    }

    fn is_called(&self, at: u32, name: &str) -> bool {
        self.string(at) == Some(name)
    }

    fn string(&self, at: u32) -> Option<&'a str> {
        let text = self.strings.get(size(at)?..)?;
        let end = text.iter().position(|byte| *byte == 0)?;
        std::str::from_utf8(&text[..end]).ok()
    }
}

const MAGIC: u16 = 0xeb9f;

/// Bytes behind the head of a type.
fn body_bytes(kind: u8, members: usize) -> Option<usize> {
    Some(match kind {
        1 | 14 | 17 => 4,
        3 => 12,
        KIND_STRUCT | KIND_UNION | 15 | 19 => members * 12,
        KIND_ENUM | KIND_FUNC_PROTO => members * 8,
        KIND_PTR | 7..=12 | 16 | 18 => 0,
        _ => return None,
    })
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn size(word: u32) -> Option<usize> {
    usize::try_from(word).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `struct outer { u8[4]; struct { int inner; }; }` and `enum why { NONE = 0, FULL = 7 }`, by hand.
    fn sample() -> Vec<u8> {
        let strings = b"\0outer\0inner\0why\0NONE\0FULL\0";
        let types: [u32; 22] = [
            0,
            (4 << 24) | 1,
            8,
            7,
            0,
            0, // 1: struct, unnamed, one member `inner` at bit 0
            1,
            (4 << 24) | 1,
            8,
            0,
            1,
            32, // 2: struct outer, an unnamed member of type 1 at bit 32
            13,
            (6 << 24) | 2,
            4,
            17,
            0,
            22,
            7, // 3: enum why
            0,
            2 << 24,
            2, // 4: a pointer
        ];
        let mut bytes = Vec::new();
        bytes.extend(MAGIC.to_ne_bytes());
        bytes.extend([1, 0]);
        let header = [24, 0, 88, 88, u32::try_from(strings.len()).unwrap()];
        for word in header.iter().chain(&types) {
            bytes.extend(word.to_ne_bytes());
        }
        bytes.extend(strings);
        bytes
    }

    #[test]
    fn fields_are_found_in_unnamed_members_and_reasons_by_number() {
        let bytes = sample();
        let btf = Btf::parse(&bytes).unwrap();
        assert_eq!(btf.offset("outer", &["inner"]), Some(4));
        assert_eq!(btf.offset("outer", &["missing"]), None);
        assert_eq!(btf.offset("missing", &["inner"]), None);
        assert_eq!(btf.values("why"), [(0, "NONE".into()), (7, "FULL".into())]);
        assert_eq!(btf.values("outer"), []);
        assert_eq!(btf.tracepoint_arguments("kfree_skb"), None);
    }

    #[test]
    fn what_is_cut_or_flipped_is_not_found_and_never_a_panic() {
        let whole = sample();
        for length in 0..whole.len() {
            if let Some(btf) = Btf::parse(&whole[..length]) {
                let _ = (btf.offset("outer", &["inner"]), btf.values("why"));
            }
        }
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut bytes = whole.clone();
                bytes[at] ^= 1 << bit;
                if let Some(btf) = Btf::parse(&bytes) {
                    let _ = (btf.offset("outer", &["inner"]), btf.values("why"));
                }
            }
        }
    }
}
