//! Request and response over sockets: the machines of `incast_core::exchange` joined to connections.
//!
//! Who may ask is settled over the control connection, by the key and the rules of every other server here: an
//! answerer sends 2 MB to whoever asks with 64 B, and over UDP the sender's address proves nothing.
//! What was agreed there has a ticket, which every connection and every datagram shows. The
//! data connections themselves are bare, so that what is measured is the transport alone.

pub mod answer;
pub mod ask;
mod sampling;

pub use answer::{AnswerNotice, AnswerOutcome, AnswerPlan, listen};
pub use ask::{AskError, AskNotice, AskOutcome, AskPlan, Target};
