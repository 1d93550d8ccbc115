//! Settings of this host and of network namespaces on it.

use std::io;

use incast_core::tune::Knob;
use incast_host::journal::Knobs;
use incast_host::knob;
use incast_lab::namespace;

/// Reads and changes a setting where it is: here, or in a namespace by its name.
pub(crate) struct HostKnobs;

impl Knobs for HostKnobs {
    fn read(&self, knob: &Knob) -> io::Result<String> {
        match &knob.namespace {
            None => knob::read(knob),
            // A name that leads out of its directory is refused before it is opened.
            Some(name) => {
                knob.check().map_err(io::Error::other)?;
                namespace::within(name, || knob::read(knob))
            }
        }
    }

    fn write(&self, knob: &Knob, value: &str) -> io::Result<()> {
        match &knob.namespace {
            None => knob::write(knob, value),
            Some(name) => {
                knob.check().map_err(io::Error::other)?;
                namespace::within(name, || knob::write(knob, value))
            }
        }
    }
}
