//! Inside of a queue.
