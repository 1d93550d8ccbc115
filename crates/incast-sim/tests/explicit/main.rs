//! The engine with an entry for every step, against cases reckoned by hand, against theory, and against the laws
//! of its books.

mod book;
mod fifo;
mod net;
