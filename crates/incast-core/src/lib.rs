//! The pure core of incast: every rule of measuring is written here once, as plain types and
//! state machines that are told the time and the messages.
//!
//! Nothing in this crate opens a socket, reads a clock, starts a thread or iterates an unordered
//! map. The worlds around it (real sockets, the simulator, tests) drive the same types.
//!
//! Verbs: `handle_*` takes something in, `poll_*` takes something out, `next_timeout` says when to
//! call again, `record` counts, `parse`/`emit` are wire. `now` is always an argument.

pub mod agreement;
pub mod answers;
pub mod campaign;
pub mod caveat;
pub mod clock_fit;
pub mod control;
pub mod exchange;
pub mod flood;
pub mod iperf3;
pub mod ladder;
pub mod ledger;
pub mod link;
pub mod load;
pub mod mdf;
pub mod pacer;
pub mod probe;
pub mod random;
pub mod raw;
pub mod readout;
pub mod record;
pub mod scenario;
pub mod sequence;
pub mod session;
pub mod stamp;
pub mod stats;
pub mod switch_test;
pub mod time;
pub mod tune;
pub mod units;
pub mod wire;
