//! Storages that are blocked, links that run out, chunks that are not what they should be: whole, or an error that is seen.
//! Never a short success. And nothing of a link is told.
