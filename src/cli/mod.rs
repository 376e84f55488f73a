//! The commands around the server: serve, check, schema, run, explain. No rule of the product lives here.

pub mod check;
pub mod schema;
