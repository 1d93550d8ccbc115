//! Packets that died because a core's backlog was full: `/proc/net/softnet_stat`.
//!
//! One line for each core, hexadecimal; the second column counts drops (Linux v6.8
//! `net/core/net-procfs.c`, `softnet_seq_show`). Cores are shared by all network namespaces, and so is
//! this count: it bounds what a namespace can have lost there.

use std::io;

use crate::bounded;

/// Packets dropped at full backlogs, all cores.
///
/// # Errors
/// When the file cannot be read, or is not what it should be.
pub fn dropped() -> io::Result<u64> {
    let text = bounded::read(PATH, BYTES_MAX)?;
    parse(&text)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("read {PATH}: not understood")))
}

fn parse(text: &str) -> Option<u64> {
    let column = |line: &str| u64::from_str_radix(line.split_ascii_whitespace().nth(1)?, 16).ok();
    text.lines().map(column).try_fold(0, |sum: u64, dropped| Some(sum.saturating_add(dropped?)))
}

const PATH: &str = "/proc/net/softnet_stat";
/// Some 160 bytes for each core: thousands of cores.
const BYTES_MAX: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_of_all_cores_are_summed_and_nonsense_is_unknown() {
        assert_eq!(parse("0001 0000000a 00\n0002 00000006 00\n"), Some(16));
        assert_eq!(parse(""), Some(0));
        for bad in ["0001", "1 x", "1 2\n\n"] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn this_machine_has_backlogs() {
        dropped().unwrap();
    }
}
