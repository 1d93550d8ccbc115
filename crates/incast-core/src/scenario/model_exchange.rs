//! Exchanges of a scenario once they have been understood: plain data that cannot be wrong.

use serde::{Deserialize, Serialize};

use crate::exchange::{AskerPlan, Terms};

/// One asker, and the answerers that each of its rounds asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExchangePlan {
    /// Unique name: the group's, followed by `/` and the asker's if the group has several askers.
    pub name: String,
    /// Name of the asking host.
    pub from: String,
    /// Names of the answering hosts.
    pub to: Vec<String>,
    /// The network to each of them, by the index of its first switch, when the file describes one.
    pub networks: Vec<Option<usize>>,
    /// What is agreed with each of them.
    pub terms: Terms,
    /// When it asks.
    pub asker: AskerPlan,
    /// Whether every request has a connection of its own.
    pub new_connections: bool,
    /// Core to which the asker is pinned.
    pub asker_core: Option<u32>,
    /// Core to which the answerers are pinned.
    pub answerer_core: Option<u32>,
}
