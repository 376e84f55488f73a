//! `causeway parked`: what waits in the parking queue, shown, sent again or thrown away. Over Service Bus' REST API, which
//! cannot look without locking: see `docs/ways-in.md`.

mod parcel;
mod shelf;
mod table;

use std::io::Write as _;

use clap::Subcommand;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::FAILED;
use crate::failure::Failure;
use crate::settings::Settings;
use parcel::Parcel;
use shelf::Shelf;

/// Looks and locks at most so many, unless told otherwise.
const MOST: usize = 100;

#[derive(Debug, Subcommand)]
pub(super) enum Parked {
    /// What is there, the oldest first.
    List {
        #[arg(long)]
        json: bool,
        /// At most so many.
        #[arg(long, default_value_t = MOST)]
        limit: usize,
        /// Those that were looked at too often, and died in the parking queue itself.
        #[arg(long)]
        dead_letters: bool,
    },
    /// One message, whole.
    Show {
        id: i64,
        #[arg(long)]
        json: bool,
    },
    /// Sends messages back to where they came from, and takes them out of the parking queue.
    Replay {
        #[arg(required_unless_present = "all")]
        ids: Vec<i64>,
        /// All of them; with --reason, all of that reason.
        #[arg(long, conflicts_with = "ids")]
        all: bool,
        /// An error code, such as operation-not-found.
        #[arg(long, requires = "all")]
        reason: Option<String>,
        /// As new requests: else the same request is the same run.
        #[arg(long)]
        as_new: bool,
    },
    /// Throws one message away, for good; asks for its id.
    Drop {
        id: i64,
        /// Does not ask.
        #[arg(long)]
        yes: bool,
    },
}

/// The exit code.
pub(super) async fn run(command: Parked, settings: &Settings) -> u8 {
    let shelf = match Shelf::new(settings) {
        Ok(shelf) => shelf,
        Err(failure) => return failed(&failure),
    };
    let done = match command {
        Parked::List { json, limit, dead_letters } => list(&shelf, json, limit, dead_letters).await,
        Parked::Show { id, json } => show(&shelf, id, json).await,
        Parked::Replay { ids, all, reason, as_new } => {
            let chosen = |parcel: &Parcel| {
                if all {
                    reason.as_ref().is_none_or(|reason| *reason == parcel.reason)
                } else {
                    ids.contains(&parcel.id)
                }
            };
            let wanted = if all { None } else { Some(ids.len()) };
            replay(&shelf, chosen, wanted, as_new).await
        }
        Parked::Drop { id, yes } => drop_one(&shelf, id, yes).await,
    };
    done.unwrap_or_else(|failure| failed(&failure))
}

async fn list(shelf: &Shelf, as_json: bool, limit: usize, dead_letters: bool) -> Result<u8, Failure> {
    let parcels = shelf.look(limit, dead_letters).await?;
    if as_json {
        let all: Vec<Value> = parcels.iter().map(|parcel| parcel.json(false)).collect();
        return Ok(say(&format!("{}\n", Value::Array(all))));
    }
    Ok(say(&table::table(&parcels, Timestamp::now())))
}

async fn show(shelf: &Shelf, id: i64, as_json: bool) -> Result<u8, Failure> {
    let Some(parcel) = shelf.look(usize::MAX, false).await?.into_iter().find(|parcel| parcel.id == id) else {
        return Ok(missing(id));
    };
    Ok(say(&if as_json { format!("{}\n", parcel.json(true)) } else { table::whole(&parcel, Timestamp::now()) }))
}

async fn replay(
    shelf: &Shelf,
    chosen: impl Fn(&Parcel) -> bool,
    wanted: Option<usize>,
    as_new: bool,
) -> Result<u8, Failure> {
    let mut code = 0;
    let done = shelf.replay(chosen, as_new).await?;
    for (parcel, to, outcome) in &done {
        let line = match outcome {
            Ok(notes) if notes.is_empty() => format!("{} sent to {to}\n", parcel.id),
            Ok(notes) => format!("{} sent to {to}; {}\n", parcel.id, notes.join("; ")),
            Err(failure) => {
                code = FAILED;
                format!("{} not done: {}\n", parcel.id, failure.detail)
            }
        };
        say(&line);
    }
    if wanted.is_some_and(|wanted| done.len() < wanted) {
        eprintln!("causeway: some of these are not in the parking queue (or another has locked them for now)");
        code = FAILED;
    }
    Ok(code)
}

async fn drop_one(shelf: &Shelf, id: i64, yes: bool) -> Result<u8, Failure> {
    let Some(parcel) = shelf.look(usize::MAX, false).await?.into_iter().find(|parcel| parcel.id == id) else {
        return Ok(missing(id));
    };
    say(&table::table(std::slice::from_ref(&parcel), Timestamp::now()));
    if !yes {
        say(&format!("It cannot be brought back. Type {id} to drop it: "));
        let mut typed = String::new();
        if std::io::stdin().read_line(&mut typed).is_err() || typed.trim() != id.to_string() {
            eprintln!("causeway: nothing was dropped");
            return Ok(FAILED);
        }
    }
    if shelf.drop_parcel(id).await? {
        return Ok(say(&format!("{}\n", json!({"dropped": id}))));
    }
    Ok(missing(id))
}

fn missing(id: i64) -> u8 {
    eprintln!("causeway: {id} is not in the parking queue (or another has locked it for now)");
    FAILED
}

fn failed(failure: &Failure) -> u8 {
    eprintln!("causeway: {}: {}", failure.code, failure.chain());
    FAILED
}

fn say(text: &str) -> u8 {
    let mut out = std::io::stdout();
    if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_ok() { 0 } else { FAILED }
}
