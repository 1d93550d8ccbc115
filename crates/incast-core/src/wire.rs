//! Layouts of everything that incast itself puts on a wire. Facts only: no I/O, no policy.

pub mod frame;
pub mod preface;
pub mod probe;
pub mod stream;
