//! No core dumps: a process that dies must not leave its memory, and with it tokens and secrets, on a disk. Nor may another
//! process of the same user read it (`PR_SET_DUMPABLE`, prctl(2)). Linux, which the function app runs on; elsewhere nothing.

/// Once, before anything secret is read. Says why not, where the system refuses; the process goes on.
#[cfg(target_os = "linux")]
pub(super) fn off() -> Option<String> {
    use nix::sys::prctl::set_dumpable;
    use nix::sys::resource::{Resource, setrlimit};
    let limited = setrlimit(Resource::RLIMIT_CORE, 0, 0).and_then(|()| set_dumpable(false));
    limited.err().map(|error| error.to_string())
}

#[cfg(not(target_os = "linux"))]
pub(super) fn off() -> Option<String> {
    None
}
