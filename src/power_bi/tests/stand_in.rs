//! The client against the stand-in, which knows the service's states and limits and nothing of this client.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use local_stack::core::History;
use local_stack::entra::Tokens;
use local_stack::power_bi::{AUDIENCES, Clock, FailedRefresh, PowerBi as StandIn, PowerBiOptions, sample};
use secrecy::SecretString;
use serde_json::json;
use url::Url;

use super::soon;
use crate::entra::TokenSource;
use crate::failure::{Code, Failure};
use crate::http::{Deadline, Http};
use crate::power_bi::{PowerBi, RefreshObject, RefreshRequest, RefreshState};

#[derive(Debug)]
struct Issued {
    tokens: Tokens,
    now: Mutex<String>,
}

impl Issued {
    fn draw(tokens: &Tokens) -> String {
        tokens.issue(AUDIENCES[0], "app", "object").0
    }
}

#[async_trait]
impl TokenSource for Issued {
    async fn token(&self, _deadline: Deadline) -> Result<SecretString, Failure> {
        Ok(self.now.lock().unwrap().clone().into())
    }

    fn reject(&self, _token: &SecretString) {
        *self.now.lock().unwrap() = Self::draw(&self.tokens);
    }
}

struct Room {
    stand_in: StandIn,
    tokens: Tokens,
    client: PowerBi,
}

impl Room {
    async fn start() -> Self {
        let tokens = Tokens::new("tenant");
        let mut options = PowerBiOptions::new(tokens.clone());
        options.clock = Clock::Stepped;
        let stand_in = StandIn::start(options, History::default()).await.expect("it starts");
        let issued = Issued { tokens: tokens.clone(), now: Mutex::new(Issued::draw(&tokens)) };
        let url = Url::parse(&stand_in.url()).expect("an address");
        let client = PowerBi::new(Http::new().expect("a transport"), url, Arc::new(issued));
        Self { stand_in, tokens, client }
    }

    async fn start_refresh(&self, w: &str, d: &str, request: &RefreshRequest) -> Result<Option<String>, Failure> {
        Ok(self.client.start_refresh(w, d, request, soon()).await?.refresh_id)
    }
}

fn one_table() -> RefreshRequest {
    let objects = vec![RefreshObject { table: "Orders".to_owned(), partition: None }];
    RefreshRequest { objects, ..RefreshRequest::default() }
}

#[tokio::test]
async fn an_enhanced_refresh_is_started_seen_and_cancelled() {
    let room = Room::start().await;
    let (w, d) = (sample::WORKSPACE, sample::SALES);
    let id = room.start_refresh(w, d, &one_table()).await.expect("accepted").expect("an id");
    let busy = room.start_refresh(w, d, &one_table()).await.expect_err("one runs");
    assert_eq!(busy.code, Code::RefreshRunning);
    let going = room.client.refresh(w, d, &id, soon()).await.expect("it is known");
    assert_eq!(going.state, RefreshState::InProgress);
    assert!(going.start_time.is_some() && going.end_time.is_none());
    room.client.cancel_refresh(w, d, &id, soon()).await.expect("cancelled");
    room.client.cancel_refresh(w, d, &id, soon()).await.expect("it is cancelled already");
    let history = room.client.refreshes(w, d, 5, soon()).await.expect("a history");
    assert_eq!(history[0].refresh_id.as_deref(), Some(id.as_str()));
    assert_eq!(history[0].state, RefreshState::Cancelled);
    assert!(history[0].end_time.is_some());
}

#[tokio::test]
async fn a_failed_refresh_tells_its_reason_in_the_details_and_in_the_history() {
    let room = Room::start().await;
    let (w, d) = (sample::WORKSPACE, sample::SALES);
    room.stand_in.fail_next_refresh(d, FailedRefresh::credentials());
    let id = room.start_refresh(w, d, &one_table()).await.expect("accepted").expect("an id");
    room.stand_in.step();
    room.stand_in.step();
    let details = room.client.refresh(w, d, &id, soon()).await.expect("it is known");
    let history = room.client.refreshes(w, d, 1, soon()).await.expect("a history");
    for refresh in [&details, &history[0]] {
        assert_eq!(refresh.state, RefreshState::Failed);
        assert!(refresh.messages[0].contains("CredentialsNotSpecified"), "{:?}", refresh.messages);
    }
    let late = room.client.cancel_refresh(w, d, &id, soon()).await.map_err(Failure::from).expect_err("it ended");
    assert_eq!(late.code, Code::NotCancellable);
    assert!(late.detail.contains("ended"), "{}", late.detail);
}

#[tokio::test]
async fn shared_capacity_refreshes_whole_datasets_eight_times_a_day() {
    let room = Room::start().await;
    let (w, d) = (sample::SHARED_WORKSPACE, sample::TEAM_SALES);
    let refused = room.start_refresh(w, d, &one_table()).await.expect_err("not on shared capacity");
    assert_eq!(refused.code, Code::PremiumRequired);
    for _ in 0..8 {
        let id = room.start_refresh(w, d, &RefreshRequest::default()).await.expect("accepted");
        assert_eq!(id, None);
        room.stand_in.step();
        room.stand_in.step();
    }
    let newest = room.client.refreshes(w, d, 1, soon()).await.expect("a history").remove(0);
    assert_eq!((newest.state, newest.refresh_type.as_deref()), (RefreshState::Completed, Some("ViaApi")));
    let standard = newest.refresh_id.expect("a request id");
    let by_id = room.client.refresh(w, d, &standard, soon()).await.map_err(Failure::from).expect_err("not by id");
    assert_eq!(by_id.code, Code::RefreshNotFound);
    let cancel = room.client.cancel_refresh(w, d, &standard, soon()).await.map_err(Failure::from).expect_err("no");
    assert_eq!(cancel.code, Code::NotCancellable);
    let ninth = room.start_refresh(w, d, &RefreshRequest::default()).await.expect_err("the limit");
    assert_eq!(ninth.code, Code::RefreshLimit);
}

#[tokio::test]
async fn who_may_not_is_told_why() {
    let room = Room::start().await;
    let none = RefreshRequest::default();
    let (w, d) = (sample::FOREIGN_WORKSPACE, sample::FOREIGN_DATASET);
    let foreign = room.start_refresh(w, d, &none).await.expect_err("not ours");
    assert_eq!(foreign.code, Code::PowerBiAccessDenied);
    let mine = room.start_refresh("me", d, &none).await.expect_err("nobody's");
    assert_eq!(mine.code, Code::PowerBiAccessDenied);
    assert!(mine.detail.contains("My Workspace"), "{}", mine.detail);
    let missing = room.start_refresh(sample::WORKSPACE, d, &none).await.expect_err("not there");
    assert_eq!(missing.code, Code::DatasetNotFound);
    let push = room.start_refresh(sample::WORKSPACE, sample::SALES_LIVE, &none).await.expect_err("a push dataset");
    assert_eq!(push.code, Code::PowerBiRefused);
}

#[tokio::test]
async fn a_revoked_token_is_replaced() {
    let room = Room::start().await;
    room.client.probe(soon()).await.expect("let in");
    room.tokens.revoke_all();
    room.client.probe(soon()).await.expect("let in again");
}

#[tokio::test]
async fn rows_are_pushed_and_deleted() {
    let room = Room::start().await;
    let (w, d, t) = (sample::WORKSPACE, sample::SALES_LIVE, sample::DAILY_SALES);
    let row = json!({"day": "2026-01-02T00:00:00Z", "category": "Toys", "orders": 3});
    let rows = json!([row, row, row]).to_string();
    room.client.push_rows(w, d, t, &rows, None, soon()).await.expect("pushed");
    assert_eq!(room.stand_in.rows(d, t).len(), 3);
    let wrong = r#"[{"nope":1}]"#;
    let refused =
        room.client.push_rows(w, d, t, wrong, None, soon()).await.map_err(Failure::from).expect_err("no column");
    assert_eq!(refused.code, Code::RowsInvalid);
    assert!(refused.detail.contains("nope"), "{}", refused.detail);
    let nowhere =
        room.client.push_rows(w, d, "No such", &rows, None, soon()).await.map_err(Failure::from).expect_err("none");
    assert_eq!(nowhere.code, Code::DatasetNotFound);
    room.client.delete_rows(w, d, t, soon()).await.expect("deleted");
    assert_eq!(room.stand_in.rows(d, t).len(), 0);
}
