//! Why an algorithm cannot be run at all: told when it is opened, before any event is at stake.

use incast_core::readout::algorithm::PlanFault;
use thiserror::Error;

/// What is wrong, in words that name the program or the file.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The plan contradicts itself.
    #[error("algorithm: {0}")]
    Plan(#[from] PlanFault),
    /// The program could not be started.
    #[error("start algorithm {program}: {source}")]
    Start {
        /// The program, as it was named.
        program: String,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// The program was started, and did not get ready for events.
    #[error("start algorithm {program}: {text}")]
    NotReady {
        /// The program, as it was named.
        program: String,
        /// What became of it.
        text: String,
    },
    /// The file of the module could not be read.
    #[error("read algorithm {module}: {source}")]
    Read {
        /// The file.
        module: String,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// The file is no module that can be run here.
    #[error("load algorithm {module}: {text}")]
    Load {
        /// The file.
        module: String,
        /// Why not.
        text: String,
    },
}
