//! The table against the files; the server over real sockets, with small handlers of its own.

mod log;
mod probe;
mod server;
mod server_hostile;
mod server_http;
mod server_messages;
mod server_streams;
mod table;
