//! The drop trace as the user wants it: on, off, or if the kernel lets us; and why it is not on.

use std::io;

use incast_core::ledger::reading::Traced;
use incast_core::ledger::stage;
use incast_core::record::LedgerSource;
use incast_host::drops::{Counted, DropTrace};
use serde::{Deserialize, Serialize};

/// Whether drops are traced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Wish {
    /// If this kernel and our rights allow it
    #[default]
    Auto,
    /// Or nothing runs
    On,
    /// The counters alone
    Off,
}

/// A trace, or why there is none.
pub(crate) struct Tracer {
    trace: Result<DropTrace, String>,
}

impl Tracer {
    /// Begins to trace, if that is wished and possible.
    ///
    /// Fails when it must be on and cannot.
    pub(crate) fn start(wish: Wish) -> anyhow::Result<Self> {
        let trace = match wish {
            Wish::Off => Err("switched off".to_owned()),
            Wish::Auto | Wish::On => DropTrace::start().map_err(|error| why(&error)),
        };
        if let (Wish::On, Err(why)) = (wish, &trace) {
            anyhow::bail!(
                "trace drops (--drop-trace on): {why}; with --drop-trace auto the run goes on without"
            );
        }
        Ok(Self { trace })
    }

    /// What was counted until now, all namespaces; nothing without a trace.
    pub(crate) fn read(&mut self) -> Option<Counted> {
        let read = self.trace.as_ref().ok()?.read();
        read.map_err(|error| self.trace = Err(error.to_string())).ok()
    }

    /// As a source of the ledger.
    pub(crate) fn source(&self, host: &str) -> LedgerSource {
        let why = self.trace.as_ref().err().cloned();
        LedgerSource {
            name: "drop trace".into(),
            host: host.into(),
            read: why.is_none(),
            uncertain: if why.is_none() { Vec::new() } else { vec![stage::NEIGHBOUR.into()] },
            why,
        }
    }
}

/// What was counted in one namespace.
pub(crate) fn in_namespace(counted: &Counted, namespace: u64) -> Vec<Traced> {
    let here = counted.packets.iter().filter(|(place, _)| u64::from(place.namespace) == namespace);
    here.map(|(place, packets)| Traced {
        device: place.device,
        reason: place.reason.clone(),
        function: place.function.clone(),
        protocol: place.protocol,
        fragment: place.fragment,
        packets: *packets,
    })
    .collect()
}

fn why(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => format!("it needs root: {error}"),
        _ => error.to_string(),
    }
}
