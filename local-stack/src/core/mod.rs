//! What every stand-in shares: serving on loopback, faults on request, the history of what happened.
//! Nothing of any particular neighbour lives here.

pub mod crash;
pub mod faults;
pub mod history;
pub mod plan;
pub mod serve;
mod shape;

pub use crash::{Crash, Moment};
pub use faults::{Action, Fault, Faults};
pub use history::{Entry, History};
pub use plan::{Again, Odds, Plan, WantedKill};
pub use serve::{Served, Tls};
