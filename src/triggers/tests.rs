//! The table against the files; the server over real sockets, with small handlers of its own.

mod server;
mod table;
