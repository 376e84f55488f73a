//! A key that was used before: what its log says about the call that comes with it now.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::entry::{Entry, Event, Work, decode, encode};
use super::told::{reused, unknown_before};
use super::{Claimant, Claimed, Effected, search_until, upstream_id};
use crate::failure::Failure;
use crate::http::Deadline;
use crate::ledger::{Put, entry_path};
use crate::requests::body::missing;
use crate::requests::{Requests, TO_ANSWER, job_repairs, refreshes, statements};
use crate::steps::Recovery;

/// With no more time than this a sending that can be repeated is taken over from whoever may still be at it. A process
/// that has just been restarted has less time than a claim takes to settle.
const TAKE_OVER: Duration = Duration::from_secs(25);
/// How long a call looks again for what an earlier one could not find.
const ONE_LOOK: Duration = Duration::from_secs(3);

/// What the newest entry of a log means.
#[derive(Debug)]
enum Stands {
    Had(Box<Effected>),
    /// Another worker is at it.
    Held,
    /// It surely did not happen, or may be sent again.
    Free(Box<Work>),
    /// Another worker has written meanwhile.
    Moved,
}

impl Requests {
    /// What the log says: somebody had it, has it now, or it is ours to have.
    pub(super) async fn find(
        &self,
        claimant: &Claimant<'_>,
        log: String,
        mut wanted: Option<(String, Value)>,
    ) -> Result<Claimed, Failure> {
        let deadline = claimant.call.deadline;
        let mut pause = Duration::from_millis(100);
        loop {
            let newest = self.0.ledger.newest(&log, deadline).await?;
            let newest = newest.map(|(seq, bytes)| Ok::<_, Failure>((seq, decode(&bytes)?))).transpose()?;
            let fresh = |wanted: &Option<(String, Value)>, seq| match wanted {
                Some((digest, inputs)) => Ok(Work::new(digest, inputs, seq)),
                None => Err(missing()),
            };
            let (seq, work) = match newest {
                None => (0, Some(fresh(&wanted, 0)?)),
                Some((newest, entry)) if self.is_over(&entry) => (newest + 1, Some(fresh(&wanted, newest + 1)?)),
                Some((newest, entry)) => {
                    match &wanted {
                        Some((digest, _)) if *digest != entry.work.digest => return Err(reused()),
                        Some(_) => {}
                        None => wanted = Some((entry.work.digest.clone(), entry.work.inputs.clone())),
                    }
                    match self.stands(claimant, &log, newest, entry).await? {
                        Stands::Had(had) => {
                            claimant.call.trail.reached(upstream_id(&had.upstream));
                            claimant.call.trail.replayed();
                            return Ok(Claimed::Before(*had));
                        }
                        Stands::Moved => continue,
                        Stands::Held => (newest + 1, None),
                        Stands::Free(work) => {
                            let inputs = wanted.as_ref().map_or(Value::Null, |(_, inputs)| inputs.clone());
                            (newest + 1, Some(Work { inputs, ..*work }))
                        }
                    }
                }
            };
            if let Some(work) = work {
                match self.take(claimant, &log, seq, work).await? {
                    Some(ours) => return Ok(Claimed::Ours(ours)),
                    None => continue,
                }
            }
            // Somebody else is sending it right now, or has died doing so.
            if deadline.remaining() < Duration::from_secs(3) {
                return Err(unknown_before());
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(1));
        }
    }

    /// What an entry that counts means for a call that comes now.
    async fn stands(&self, claimant: &Claimant<'_>, log: &str, seq: u64, entry: Entry) -> Result<Stands, Failure> {
        let deadline = claimant.call.deadline;
        let recovery = (claimant.recovery)(&entry.work.inputs);
        match entry.event {
            Event::Submitted => {
                let upstream = entry.upstream.unwrap_or(Value::Null);
                let log = log.to_owned();
                Ok(Stands::Had(Box::new(Effected { upstream, log, seq, work: entry.work, replayed: true })))
            }
            // It was looked for once; its neighbour may know it by now.
            Event::Unknown if recovery == Recovery::LookUp => {
                let until = deadline.less(TO_ANSWER).within(ONE_LOOK);
                self.adopt(claimant, log, seq, entry, until).await
            }
            Event::Unknown => Err(unknown_before()),
            // What the claim did not keep cannot be sent; nothing has happened yet.
            Event::Released if claimant.body.is_empty() && entry.work.inputs.is_null() => Err(missing()),
            Event::Released => Ok(Stands::Free(Box::new(entry.work))),
            Event::Started => {
                let settled = entry.send_before.map(|before| before + self.0.runs_settings.send_margin);
                let settled = settled.is_none_or(|settled| settled <= Timestamp::now());
                match recovery {
                    // Safe at any time; waiting only spares a sending that is still under way.
                    Recovery::SendAgain if settled || deadline.remaining() < TAKE_OVER => {
                        Ok(Stands::Free(Box::new(Work { perhaps_sent: true, ..entry.work })))
                    }
                    Recovery::LookUp if settled => {
                        self.adopt(claimant, log, seq, entry, search_until(claimant.call)).await
                    }
                    Recovery::Unknown if settled => Err(unknown_before()),
                    _ => Ok(Stands::Held),
                }
            }
        }
    }

    /// Takes for ours what the neighbour's history shows under the claim's key. A miss proves nothing.
    async fn adopt(
        &self,
        claimant: &Claimant<'_>,
        log: &str,
        seq: u64,
        entry: Entry,
        until: Deadline,
    ) -> Result<Stands, Failure> {
        let (call, deadline) = (claimant.call, claimant.call.deadline);
        let Work { inputs, started_at, .. } = &entry.work;
        let found = match claimant.route {
            job_repairs::ROUTE => self.look_for_repair(claimant.target, inputs, until).await,
            "datasets" => self.look_for_dataset(inputs, until).await,
            refreshes::ROUTE => self.look_for_refresh(call, inputs, &entry.work.key(log), *started_at, until).await?,
            _ => {
                let this = self.running_as(statements::run_as_of(inputs), call).await?;
                this.look_for_statement(inputs, &entry.work.key(log), *started_at, until).await
            }
        };
        let event = match found {
            Some(_) => Event::Submitted,
            None if entry.event == Event::Unknown => return Err(unknown_before()),
            None => Event::Unknown,
        };
        let next = Entry::about(&entry.work, event, found.clone());
        let put = self.0.ledger.put(&entry_path(log, seq + 1), encode(&next)?, deadline).await?;
        match found {
            _ if put != Put::Written => Ok(Stands::Moved),
            None => Err(unknown_before()),
            Some(upstream) => {
                let log = log.to_owned();
                let had = Effected { upstream, log, seq: seq + 1, work: entry.work, replayed: true };
                Ok(Stands::Had(Box::new(had)))
            }
        }
    }

    /// The work is so old that its key may be used for other work.
    fn is_over(&self, entry: &Entry) -> bool {
        let life = SignedDuration::try_from(self.0.settings.claim_life).unwrap_or(SignedDuration::from_hours(24));
        entry.work.started_at.duration_until(Timestamp::now()) > life
    }
}
