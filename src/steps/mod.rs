//! One file a kind of step: prepare, send, look up, poll, cancel. The recovery table of the design is this trait.
