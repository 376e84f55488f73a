//! `causeway rotate-pat`: a new personal access token now, with a line for each step. What was begun, here or by the timer,
//! is gone on with.

use std::time::Duration;

use crate::app;
use crate::failure::Failure;
use crate::http::Deadline;
use crate::rotation::{Rotation, Standing, Wish, is_off};
use crate::settings::Reading;

use super::FAILED;

/// One turn.
const TURN: Duration = Duration::from_mins(4);
/// Between looks at a rotation that another has in hand, and how long it is waited for.
const PAUSE: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_mins(5);

/// What the command line says.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Arguments {
    /// A new token although the last rotation still waits for the old token's end.
    #[arg(long)]
    again: bool,
    /// Revoke the old token as soon as the new one is proved, as when it has leaked.
    #[arg(long)]
    revoke_now: bool,
    /// Give this service principal the right to use tokens, and do nothing else. Needs an admin of the workspace.
    #[arg(long, value_name = "APPLICATION_ID", conflicts_with_all = ["again", "revoke_now"])]
    allow: Option<String>,
}

/// Gives the exit code: 0 when the token that serves is new, or the right was given.
pub(super) async fn run(reading: Reading, arguments: Arguments) -> u8 {
    let rotation = match app::warm_up(reading) {
        Ok(work) => work.rotation.clone(),
        Err(failure) => return failed(&failure),
    };
    if let Some(service_principal) = &arguments.allow {
        return match rotation.allow(service_principal, Deadline::after(TURN)).await {
            Ok(()) => say(&format!("{service_principal} may use personal access tokens")),
            Err(failure) => failed(&failure),
        };
    }
    rotate(&rotation, &arguments).await
}

async fn rotate(rotation: &Rotation, arguments: &Arguments) -> u8 {
    let give_up = Deadline::after(PATIENCE);
    let mut wish = Wish { begin: true, again: arguments.again, revoke_now: arguments.revoke_now, seen: None };
    loop {
        let tell = |step: String| {
            say(&step);
        };
        let standing = match rotation.advance(wish, Deadline::after(TURN), &tell).await {
            Ok(standing) => standing,
            Err(failure) => return failed(&failure),
        };
        match standing {
            Standing::Off => return failed(&is_off()),
            Standing::Elsewhere(_) if give_up.has_passed() => {
                eprintln!("causeway: another instance has the rotation in hand; try again later");
                return FAILED;
            }
            Standing::Elsewhere(seen) => {
                if wish.seen.is_none() {
                    say("another instance has the rotation in hand, or had it and died; waiting");
                }
                // What it does is what was asked for: once it has done so there is no need for another.
                wish.seen = Some(seen);
                tokio::time::sleep(PAUSE).await;
            }
            Standing::Waiting(until) => {
                return say(&format!(
                    "the new token serves; the old one is revoked at {until} by the function rotate-pat, or by this \
                     command then, or now with --revoke-now"
                ));
            }
            Standing::NotDue(until) => return say(&format!("the token is good; it is renewed at {until}")),
            Standing::Done(until) => return say(&format!("done; the token is renewed at {until}")),
        }
    }
}

fn failed(failure: &Failure) -> u8 {
    eprintln!("causeway: {}: {}", failure.code, failure.chain());
    FAILED
}

fn say(line: &str) -> u8 {
    super::print(&format!("{line}\n"))
}
