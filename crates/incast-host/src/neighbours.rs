//! Packets that waited for a neighbour's Ethernet address and were thrown away: `/proc/net/stat/arp_cache`.
//!
//! A line of names, then one of counts for each core, hexadecimal (Linux v6.8 `net/core/neighbour.c`,
//! `neigh_stat_seq_show`). Two of them are packets: one that a newer one pushed out of the full queue of a neighbour
//! that has not answered (`unresolved_discards`, at once), and one whose neighbour found no room in the table
//! (`table_fulls`). What still waits when the neighbour is given up dies and is in neither: a neighbour counts
//! there (`res_failed`), not its packets. So this is a lower bound; the drop trace sees all.
//!
//! The table is one for all network namespaces, and so are its counts; the kernel shows them to the first
//! namespace only.

use std::io;

use crate::bounded;

/// Packets thrown away so far, all namespaces.
///
/// # Errors
/// When the file cannot be read, which is so in all namespaces but the first, or is not what it should be.
pub fn discarded() -> io::Result<u64> {
    // `/proc/net` would be the namespace of the process's first thread.
    let text = bounded::read(PATH, BYTES_MAX).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            let why =
                "the kernel shows it to the first network namespace of a machine only, and for all of them";
            io::Error::new(error.kind(), why)
        }
        _ => error,
    })?;
    parse(&text)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("read {PATH}: not understood")))
}

fn parse(text: &str) -> Option<u64> {
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next()?.split_ascii_whitespace().collect();
    let place = |name: &str| names.iter().position(|other| *other == name);
    let (discards, fulls) = (place("unresolved_discards")?, place("table_fulls"));
    lines.try_fold(0_u64, |sum, line| {
        let counts: Vec<&str> = line.split_ascii_whitespace().collect();
        let count = |place: usize| u64::from_str_radix(counts.get(place)?, 16).ok();
        // Linux before 3.18 has no `table_fulls`.
        let here = count(discards)?.saturating_add(fulls.map_or(Some(0), count)?);
        Some(sum.saturating_add(here))
    })
}

const PATH: &str = "/proc/thread-self/net/stat/arp_cache";
/// Some 120 bytes for each core: thousands of cores.
const BYTES_MAX: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: &str = "entries  allocs   res_failed unresolved_discards table_fulls\n";

    #[test]
    fn packets_of_all_cores_are_summed_by_their_names() {
        let text =
            format!("{NAMES}00000016 000d8c77 00000005 000000b0 0000000a\n00000016 0 b 0001 00000000\n");
        assert_eq!(parse(&text), Some(0xb0 + 0xa + 1));
        assert_eq!(parse("entries unresolved_discards\n1 2\n1 3\n"), Some(5), "an older kernel");
        assert_eq!(parse(NAMES), Some(0));
    }

    #[test]
    fn nonsense_is_unknown() {
        let bad =
            ["", "entries allocs\n1 2\n", "unresolved_discards table_fulls\n1\n", "unresolved_discards\nx\n"];
        for text in bad {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn the_first_namespace_is_told_and_another_hears_why_not() {
        match discarded() {
            Ok(_) => {}
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::NotFound, "{error}");
                assert!(error.to_string().contains("first network namespace"), "{error}");
            }
        }
    }
}
