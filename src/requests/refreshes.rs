//! Power BI refreshes: start and wait, look, cancel. Without an enhanced field it is a standard refresh. While the dataset
//! is busy a refresh is queued: a run, which all that want the same follow.

mod body;
mod had;
mod queued;

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use super::answers::{Going, done};
use super::callbacks::{CALLBACK_URL, without_callback};
use super::claim::{Claimant, Claimed, Effected, Ours, search_until};
use super::token::{Signer, Target};
use super::{Answer, Call, Mode, Requests};
use crate::failure::{Code, Effect, Failure};
use crate::http::Deadline;
use crate::power_bi::Refresh;
use crate::runs::upstream_id;
use crate::steps::{Followed, Recovery, RefreshId, Turn, WantedRefresh, refresh_json, refresh_outcome, start_refresh};
use body::Body;
use had::Had;

/// The route's name in claims.
pub(super) const ROUTE: &str = "refreshes";
/// Entries of the history that are looked through for a standard refresh's id, and shown.
const HISTORY: u32 = 60;
/// More than Power BI keeps of a dataset.
const MOST_HISTORY: u32 = 1_000;

impl Requests {
    /// `POST /api/power-bi/workspaces/{w}/datasets/{d}/refreshes`.
    pub async fn start_refresh(&self, call: &Call, w: &str, d: &str, body: Bytes) -> Result<Answer, Failure> {
        let wait = super::wait_of(call)?;
        let signer = self.signer(call.deadline).await?;
        let target = format!("{w}/{d}");
        let claimant = Claimant { call, route: ROUTE, target: &target, body: &body, recovery: |_| Recovery::LookUp };
        let mut url = None;
        let inputs = super::body::inputs(&body, |mut body: Body| {
            url = self.callback_url(body.callback_url.take())?;
            let request = body.request()?;
            super::to_value(&WantedRefresh { workspace: w.to_owned(), dataset: d.to_owned(), request })
        })?;
        let inputs = self.with_callback(call, ROUTE, inputs, url).await?;
        let effected = match self.claim(&claimant, inputs).await? {
            Claimed::Before(effected) => effected,
            Claimed::Ours(ours) => {
                let sent = self.send_refresh(call, &ours).await;
                self.had(ours, call, sent).await?
            }
        };
        if effected.inputs().get(CALLBACK_URL).is_some() {
            return self.followed_refresh(call, (w, d), &effected, &signer).await;
        }
        let answer = match Had::read(&effected.upstream) {
            Had::Started(id) => self.follow_refresh(call, (w, d), &id, wait, &signer).await?,
            Had::Queued(place) => self.follow_queued(call, &place, wait, &signer).await?,
        };
        Ok(Answer { replayed: effected.replayed, ..answer })
    }

    /// Its end will be told.
    async fn followed_refresh(
        &self,
        call: &Call,
        (w, d): (&str, &str),
        effected: &Effected,
        signer: &Signer,
    ) -> Result<Answer, Failure> {
        let (workspace, dataset) = (w.to_owned(), d.to_owned());
        let (followed, target, id) = match Had::read(&effected.upstream) {
            Had::Started(id) => {
                let shown = match RefreshId::from_text(&id) {
                    RefreshId::Enhanced(id) => json!(id),
                    RefreshId::StandardSince { .. } => Value::Null,
                };
                let target = Target::Refresh { w: workspace.clone(), d: dataset.clone(), id: id.clone() };
                (Followed::Refresh { workspace, dataset, id }, target, shown)
            }
            Had::Queued(place) => {
                let followed = Followed::Run { upstream_id: upstream_id(&place) };
                let id = json!(place.run);
                (followed, Target::QueuedRefresh { run: place.run, joined: place.joined }, id)
            }
        };
        let replayed = effected.replayed;
        let going = Going { id, state: "inProgress", resource: String::new(), target, replayed };
        self.followed(call, effected, &followed, going, signer).await
    }

    async fn send_refresh(&self, call: &Call, ours: &Ours) -> Result<Value, Failure> {
        let wanted: WantedRefresh = super::from_value(&without_callback(&ours.inputs))?;
        match start_refresh(&self.0.neighbours, &wanted, &ours.key, ours.window).await {
            Ok(Turn::Started(id)) => Ok(Had::Started(id.to_text()).write()),
            Ok(Turn::Busy(_)) => {
                Ok(Had::Queued(self.0.runs.queue_refresh(&wanted, &call.caller, call.deadline).await?).write())
            }
            Err(failure) if failure.effect == Effect::Possible => {
                tracing::warn!(error = failure.chain(), "the answer to a refresh was lost; looking for it");
                let until = search_until(call);
                self.look_for_refresh(call, &ours.inputs, &ours.key, ours.started_at(), until).await?.ok_or(failure)
            }
            Err(failure) => Err(failure),
        }
    }

    async fn follow_refresh(
        &self,
        call: &Call,
        (w, d): (&str, &str),
        text: &str,
        wait: Deadline,
        signer: &Signer,
    ) -> Result<Answer, Failure> {
        let seen = if call.mode == Mode::Start { None } else { self.wait_for_refresh(w, d, text, wait).await? };
        if let Some(refresh) = &seen
            && refresh_outcome(refresh).map_err(Failure::settled)?.is_some()
        {
            return Ok(done(&refresh_json(Some(refresh), false)));
        }
        let id = match RefreshId::from_text(text) {
            RefreshId::Enhanced(id) => Some(id),
            RefreshId::StandardSince { .. } => seen.and_then(|refresh| refresh.refresh_id),
        };
        let path = format!("/api/power-bi/workspaces/{w}/datasets/{d}/refreshes");
        let going = Going {
            state: "inProgress",
            resource: id.as_ref().map_or_else(|| path.clone(), |id| format!("{path}/{id}")),
            id: json!(id),
            target: Target::Refresh { w: w.to_owned(), d: d.to_owned(), id: text.to_owned() },
            replayed: false,
        };
        self.going(call, signer, going, call.mode == Mode::Start)
    }

    /// `GET …/refreshes?top=`: the history, newest first.
    pub async fn list_refreshes(&self, call: &Call, w: &str, d: &str) -> Result<Answer, Failure> {
        let top = call.whole("top", 1..=MOST_HISTORY)?.unwrap_or(HISTORY);
        let history = self.0.neighbours.power_bi.refreshes(w, d, top, call.deadline).await?;
        let value: Vec<Value> = history.iter().map(view).collect();
        Ok(done(&json!({"value": value})))
    }

    /// `GET …/refreshes/{id}`: always 200 with the state. A standard refresh is found in the history.
    pub async fn get_refresh(&self, call: &Call, w: &str, d: &str, id: &str) -> Result<Answer, Failure> {
        Ok(done(&view(&self.find_refresh(call, w, d, id).await?)))
    }

    /// `DELETE …/refreshes/{id}`: only an enhanced refresh can be cancelled.
    pub async fn cancel_refresh(&self, call: &Call, w: &str, d: &str, id: &str) -> Result<Answer, Failure> {
        let refresh = self.find_refresh(call, w, d, id).await?;
        if refresh.refresh_type.as_deref() == Some("ViaApi") {
            return Err(Failure::new(
                Code::NotCancellable,
                "This is a standard refresh, which Power BI cannot cancel; only an enhanced one can be.",
            ));
        }
        self.0.neighbours.power_bi.cancel_refresh(w, d, id, call.deadline).await?;
        Ok(done(&refresh_json(Some(&self.find_refresh(call, w, d, id).await?), false)))
    }

    async fn find_refresh(&self, call: &Call, w: &str, d: &str, id: &str) -> Result<Refresh, Failure> {
        let history = self.0.neighbours.power_bi.refreshes(w, d, HISTORY, call.deadline).await?;
        let found = history.into_iter().find(|entry| entry.refresh_id.as_deref() == Some(id));
        match found {
            Some(standard) if standard.refresh_type.as_deref() == Some("ViaApi") => Ok(standard),
            _ => Ok(self.0.neighbours.power_bi.refresh(w, d, id, call.deadline).await?),
        }
    }

    /// What the refresh stands at when it has ended or the wait is over; `None` when it could not be seen.
    async fn wait_for_refresh(&self, w: &str, d: &str, text: &str, wait: Deadline) -> Result<Option<Refresh>, Failure> {
        let id = RefreshId::from_text(text);
        let mut pause = Duration::from_millis(250);
        let mut seen = None;
        loop {
            match id.look(&self.0.neighbours.power_bi, w, d, self.0.neighbours.clock.now(), super::looking(wait)).await
            {
                Ok(Some(refresh)) if refresh_outcome(&refresh).is_ok_and(|ended| ended.is_none()) => {
                    seen = Some(refresh);
                }
                Ok(Some(ended)) => return Ok(Some(ended)),
                Ok(None) => {}
                Err(failure) if failure.code == Code::RefreshDropped => return Err(failure.settled()),
                Err(failure) => tracing::warn!(error = failure.chain(), "could not look at the refresh"),
            }
            if wait.remaining() <= pause {
                return Ok(seen);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 3 / 2).min(Duration::from_secs(10));
        }
    }
}

/// What a status token of a refresh says.
pub(super) fn status_value(refresh: Option<&Refresh>) -> Result<Option<Value>, Failure> {
    let Some(refresh) = refresh else { return Ok(None) };
    Ok(refresh_outcome(refresh)?.map(|()| refresh_json(Some(refresh), false)))
}

/// A refresh as it stands, its failure included.
fn view(refresh: &Refresh) -> Value {
    let mut value = refresh_json(Some(refresh), false);
    value["type"] = json!(refresh.refresh_type);
    let known = [
        ("processing", json!(refresh.kind)),
        ("commitMode", json!(refresh.commit_mode)),
        ("objects", json!(refresh.objects)),
        ("attempts", json!(refresh.attempts)),
        ("messages", json!(refresh.messages)),
    ];
    for (name, member) in known {
        if !member.is_null() && member != json!([]) {
            value[name] = member;
        }
    }
    if let Err(failure) = refresh_outcome(refresh) {
        value["error"] = json!({"code": failure.code, "message": failure.detail});
    }
    value
}
