//! A cable with a long or bad path in its middle: reads frames from one interface, holds them, and
//! sends them on from the other.
