//! What a driver says of its device: its name and its own statistics (`SIOCETHTOOL`,
//! include/uapi/linux/ethtool.h).

use std::io;
use std::os::fd::BorrowedFd;

use super::ethtool::request;

const GET_DRIVER_INFO: u32 = 0x03;
const GET_STRINGS: u32 = 0x1b;
const GET_STATISTICS: u32 = 0x1d;
/// `ETH_SS_STATS`.
const STATISTICS: u32 = 1;
/// `ETH_GSTRING_LEN`.
const NAME_BYTES: usize = 32;
/// Words of `struct ethtool_drvinfo`, 196 bytes, and where in it: driver, and number of statistics.
const INFO_WORDS: usize = 49;
const INFO_DRIVER_WORD: usize = 1;
const INFO_STATISTICS_WORD: usize = 45;
/// Most statistics that are read: the largest drivers have some thousands.
const STATISTICS_MAX: u32 = 16_384;
/// Statistics for which there is room.
const ROOM: usize = 32_768;

/// Name of the driver of `interface`, and how many statistics it has.
pub(crate) fn driver(socket: BorrowedFd<'_>, interface: &str) -> io::Result<(String, u32)> {
    let mut info = [0_u32; INFO_WORDS];
    info[0] = GET_DRIVER_INFO;
    request(socket, interface, &mut info)?;
    let name: Vec<u8> = info[INFO_DRIVER_WORD..INFO_DRIVER_WORD + NAME_BYTES / 4]
        .iter()
        .flat_map(|word| word.to_ne_bytes())
        .collect();
    // One that has more than is read has none for us.
    let count = info[INFO_STATISTICS_WORD];
    Ok((text(&name), if count > STATISTICS_MAX { 0 } else { count }))
}

/// The statistics of a driver that has `count` of them, by name.
pub(crate) fn statistics(
    socket: BorrowedFd<'_>,
    interface: &str,
    count: u32,
) -> io::Result<Vec<(String, u64)>> {
    let length = usize::try_from(count).ok().filter(|length| *length <= ROOM / 2);
    let length = length.ok_or(io::ErrorKind::InvalidInput)?;
    // struct ethtool_gstrings: command, set, length; then the names. The kernel writes what the driver has now,
    // whatever it was asked for: there is room for twice the most that is asked for, however few these are.
    let mut names = vec![0_u32; 3 + ROOM * NAME_BYTES / 4];
    names[..3].copy_from_slice(&[GET_STRINGS, STATISTICS, count]);
    request(socket, interface, &mut names)?;
    // struct ethtool_stats: command, number; then 8 bytes each.
    let mut values = vec![0_u32; 2 + ROOM * 2];
    values[..2].copy_from_slice(&[GET_STATISTICS, count]);
    request(socket, interface, &mut values)?;
    let names: Vec<u8> = names[3..].iter().flat_map(|word| word.to_ne_bytes()).collect();
    let values = values[2..].chunks_exact(2).map(|pair| {
        let mut bytes = [0; 8];
        bytes[..4].copy_from_slice(&pair[0].to_ne_bytes());
        bytes[4..].copy_from_slice(&pair[1].to_ne_bytes());
        u64::from_ne_bytes(bytes)
    });
    Ok(names.chunks_exact(NAME_BYTES).map(text).zip(values).take(length).collect())
}

fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}
