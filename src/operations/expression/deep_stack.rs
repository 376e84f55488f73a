//! A stack that the parser of CEL fits on.

use std::io;
use std::thread;

/// cel 0.15 takes some 150 KB for each bracket in a debug build; a worker's whole stack is 2 MiB. Untouched pages cost
/// nothing.
const STACK: usize = 64 * 1024 * 1024;

/// Runs `work` on a thread of its own and waits for it; fails when the system gives no thread.
pub(in crate::operations) fn on_a_deep_stack<T: Send>(work: impl FnOnce() -> T + Send) -> io::Result<T> {
    thread::scope(|scope| {
        let thread =
            thread::Builder::new().name("operations".to_owned()).stack_size(STACK).spawn_scoped(scope, work)?;
        thread.join().map_err(|panic| std::panic::resume_unwind(panic))
    })
}
