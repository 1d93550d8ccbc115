//! The engine with an entry for every step, against cases reckoned by hand, against theory, and against the laws
//! of its books.

mod book;
mod crossbar;
mod fault;
mod fifo;
mod memory;
mod net;
mod pause;
