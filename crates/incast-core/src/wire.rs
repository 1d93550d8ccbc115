//! Layouts of everything that goes over a wire: our own, and those of other readout systems that are
//! spoken here. Facts only: no I/O, no policy.
//!
//! `parse` gives a view that was checked once, or a named [`Refusal`](refusal::Refusal); `emit` writes
//! into a buffer of the caller.

pub mod algorithm;
pub mod built_event;
pub mod content;
pub mod crc32c;
pub mod ethernet;
pub mod exchange;
pub mod fragment;
pub mod frame;
pub(crate) mod little_endian;
pub mod mep;
pub mod mep_file;
pub mod mep_request;
pub mod mfp;
pub mod mfp_event;
pub mod packed;
pub mod preface;
pub mod probe;
pub mod readout;
pub mod reassembly;
pub mod refusal;
pub mod stamp;
pub mod stream;
pub mod two_way;
