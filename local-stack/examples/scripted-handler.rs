//! A handler that does what its script says, to show what the host stand-in does about it.
fn main() {}
