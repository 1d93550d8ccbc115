//! States: the one byte with which each message of the control connection begins.

/// A state as it is announced (iperf 3.12 `iperf_api.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Server: every stream is there.
    TestStart,
    /// Server: data flows from now on.
    TestRunning,
    /// Client: its time or amount is reached.
    TestEnd,
    /// Server: send your parameters.
    ParamExchange,
    /// Server: open your streams.
    CreateStreams,
    /// Server: it ends the test.
    ServerTerminate,
    /// Client: it ends the test.
    ClientTerminate,
    /// Server: send your results, then read mine.
    ExchangeResults,
    /// Server: all is said.
    DisplayResults,
    /// Client: it leaves.
    IperfDone,
    /// Server: not you, or not now.
    AccessDenied,
    /// Server: a code and an errno follow, i32 big endian each.
    ServerError,
}

use State::{
    AccessDenied, ClientTerminate, CreateStreams, DisplayResults, ExchangeResults, IperfDone, ParamExchange,
    ServerError, ServerTerminate, TestEnd, TestRunning, TestStart,
};

/// Every state with its byte.
const BYTES: [(State, u8); 12] = [
    (TestStart, 1),
    (TestRunning, 2),
    (TestEnd, 4),
    (ParamExchange, 9),
    (CreateStreams, 10),
    (ServerTerminate, 11),
    (ClientTerminate, 12),
    (ExchangeResults, 13),
    (DisplayResults, 14),
    (IperfDone, 16),
    (AccessDenied, 0xff),
    (ServerError, 0xfe),
];

impl State {
    /// The state of this byte; `None` if it is none that travels.
    #[must_use]
    pub fn parse(byte: u8) -> Option<Self> {
        BYTES.iter().find(|(_, known)| *known == byte).map(|(state, _)| *state)
    }

    /// Its byte.
    #[must_use]
    pub fn emit(self) -> u8 {
        BYTES.iter().find(|(state, _)| *state == self).map_or(0, |(_, byte)| *byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_reads_and_writes() {
        for byte in 0..=u8::MAX {
            assert!(State::parse(byte).is_none_or(|state| state.emit() == byte), "{byte}");
        }
        assert_eq!((0..=u8::MAX).filter_map(State::parse).count(), BYTES.len());
    }
}
