//! What can go wrong with a lab, each in a sentence that says what was tried and what would mend it;
//! what the kernel said is its source.

use std::io;

/// Why a lab could not be built, read or taken down.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// This process may not make namespaces.
    #[error("a lab needs root, to make network namespaces: run the command with sudo")]
    NotRoot,
    /// The kernel lacks something.
    #[error("{what}: this kernel cannot ({need})")]
    Lacks {
        /// What was tried.
        what: String,
        /// What the kernel needs for it.
        need: &'static str,
        /// What it said.
        source: io::Error,
    },
    /// The kernel refused.
    #[error("{what}")]
    Kernel {
        /// What was tried.
        what: String,
        /// What it said.
        source: io::Error,
    },
    /// There is something in the way, or missing.
    #[error("{0}")]
    State(String),
}

impl LabError {
    pub(crate) fn kernel(what: impl Into<String>, source: io::Error) -> Self {
        Self::Kernel { what: what.into(), source }
    }
}

/// What a kernel without the needed part answers.
pub(crate) fn is_lacking(error: &io::Error) -> bool {
    let code = rustix::io::Errno::from_io_error(error);
    matches!(
        code,
        Some(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOENT | rustix::io::Errno::PROTONOSUPPORT)
    )
}
