//! The black-box suite: the real handler process under the local stack, driven through the front door.

mod road;
mod statements;
