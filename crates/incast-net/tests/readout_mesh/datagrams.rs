//! Fragments in datagrams.
