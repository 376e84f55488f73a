//! Power BI: refreshes and their states. Every exchange is held against Microsoft's contract.

use local_stack::core::History;
use local_stack::entra::Tokens;
use local_stack::power_bi::{AUDIENCES, Clock, FailedRefresh, PowerBi, PowerBiOptions, sample};
use serde_json::{Value, json};

use crate::client::{Client, Reply};
use crate::power_bi_swagger::{check_reply, check_request};
use crate::prism::{Prism, violations};

pub(crate) struct Room {
    pub(crate) power_bi: PowerBi,
    pub(crate) tokens: Tokens,
    pub(crate) client: Client,
    prism: Option<Prism>,
}

impl Room {
    pub(crate) async fn start(change: impl FnOnce(&mut PowerBiOptions)) -> Self {
        let tokens = Tokens::new("tenant");
        let (token, _) = tokens.issue(AUDIENCES[0], "app", "object");
        let mut options = PowerBiOptions::new(tokens.clone());
        options.clock = Clock::Stepped;
        change(&mut options);
        let power_bi = PowerBi::start(options, History::default()).await.unwrap();
        let prism = Prism::before(&power_bi.url()).await;
        let client = Client::default().bearer(&token).with("content-type", "application/json");
        Self { power_bi, tokens, client, prism }
    }

    /// Sends, and holds request (when it is meant to be right) and reply against the contract.
    pub(crate) async fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Reply {
        self.send_by(&self.client, method, path, body).await
    }

    /// The same, by another client.
    pub(crate) async fn send_by(&self, client: &Client, method: &str, path: &str, body: Option<&Value>) -> Reply {
        let path = format!("/v1.0/myorg/{path}");
        let text = body.map(ToString::to_string).unwrap_or_default();
        let base = self.prism.as_ref().map_or_else(|| self.power_bi.url(), |prism| prism.url.clone());
        let reply = client.send(method, &format!("{base}{path}"), text).await;
        assert_eq!(violations(&reply), Vec::<Value>::new(), "{method} {path}");
        if reply.status < 400 {
            check_request(method, &path, body).unwrap();
        }
        check_reply(method, &path, reply.status, &reply.text).unwrap();
        assert!(!reply.header("requestid").is_empty());
        reply
    }
}

pub(crate) fn dataset(workspace: &str, dataset: &str) -> String {
    format!("groups/{workspace}/datasets/{dataset}")
}

fn refreshes(workspace: &str, id: &str) -> String {
    format!("{}/refreshes", dataset(workspace, id))
}

#[tokio::test]
async fn an_enhanced_refresh_is_followed_by_its_location() {
    let room = Room::start(|_| {}).await;
    let path = refreshes(sample::WORKSPACE, sample::SALES);
    let body = json!({"type": "Full", "objects": [{"table": "DailySales"}], "timeout": "01:00:00"});
    let started = room.send("POST", &path, Some(&body)).await;
    assert_eq!((started.status, started.text.as_str()), (202, ""));
    let id = started.header("x-ms-request-id").to_owned();
    assert!(started.header("location").ends_with(&format!("/{path}/{id}")));
    let details = format!("{path}/{id}");

    let seen = room.send("GET", &details, None).await;
    let states = |reply: &Reply| (reply.status, reply.json()["status"].clone(), reply.json()["extendedStatus"].clone());
    assert_eq!(states(&seen), (202, json!("Unknown"), json!("NotStarted")));
    assert!(!seen.json()["startTime"].as_str().unwrap().ends_with('Z'));
    room.power_bi.step();
    assert_eq!(states(&room.send("GET", &details, None).await), (202, json!("Unknown"), json!("InProgress")));
    room.power_bi.step();
    let ended = room.send("GET", &details, None).await;
    assert_eq!(states(&ended), (200, json!("Completed"), json!("Completed")));
    assert_eq!(
        ended.json()["objects"],
        json!([{"table": "DailySales", "partition": "DailySales", "status": "Completed"}])
    );
    let effects = room.power_bi.served.history.of("powerBi", "refresh");
    assert_eq!((effects.len(), &effects[0].detail["requestId"]), (1, &json!(id)));
}

#[tokio::test]
async fn a_standard_refresh_has_no_location_and_is_found_in_the_history() {
    let room = Room::start(|_| {}).await;
    let path = refreshes(sample::SHARED_WORKSPACE, sample::TEAM_SALES);
    let started = room.send("POST", &path, None).await;
    assert_eq!((started.status, started.header("location"), started.header("x-ms-request-id")), (202, "", ""));
    let history = room.send("GET", &format!("{path}?$top=1"), None).await.json();
    assert_eq!(
        (&history["value"][0]["status"], &history["value"][0]["refreshType"]),
        (&json!("Unknown"), &json!("ViaApi"))
    );
    let id = history["value"][0]["requestId"].as_str().unwrap();
    assert_eq!(room.send("DELETE", &format!("{path}/{id}"), None).await.status, 400);
    assert_eq!(room.send("GET", &format!("{path}/{id}"), None).await.status, 400);
}

#[tokio::test]
async fn one_refresh_runs_at_a_time_and_the_newest_comes_first() {
    let room = Room::start(|_| {}).await;
    let path = refreshes(sample::WORKSPACE, sample::SALES);
    room.send("POST", &path, None).await;
    let second = room.send("POST", &path, Some(&json!({"type": "Full"}))).await;
    assert_eq!(second.status, 400);
    assert!(second.text.contains("Another refresh request is already executing"));
    room.power_bi.step();
    room.power_bi.step();
    assert_eq!(room.send("POST", &path, Some(&json!({"type": "Full"}))).await.status, 202);
    let history = room.send("GET", &path, None).await.json();
    let kinds: Vec<_> = history["value"].as_array().unwrap().iter().map(|entry| entry["refreshType"].clone()).collect();
    assert_eq!(kinds, [json!("ViaEnhancedApi"), json!("ViaApi")]);
}

#[tokio::test]
async fn shared_capacity_takes_no_enhanced_field_and_eight_refreshes_a_day() {
    let room = Room::start(|_| {}).await;
    let path = refreshes(sample::SHARED_WORKSPACE, sample::TEAM_SALES);
    let enhanced = room.send("POST", &path, Some(&json!({"type": "Full"}))).await;
    assert_eq!(enhanced.status, 400);
    assert!(enhanced.text.contains("not supported for shared capacities"));
    for _ in 0..8 {
        assert_eq!(room.send("POST", &path, Some(&json!({}))).await.status, 202);
        room.power_bi.step();
        room.power_bi.step();
    }
    let ninth = room.send("POST", &path, None).await;
    assert_eq!((ninth.status, ninth.json()["error"]["code"].as_str()), (429, Some("Request Throttled")));
    room.power_bi.advance(std::time::Duration::from_hours(24));
    assert_eq!(room.send("POST", &path, None).await.status, 202);
}

#[tokio::test]
async fn a_refresh_that_fails_says_why_and_one_that_is_cancelled_ends() {
    let room = Room::start(|_| {}).await;
    let path = refreshes(sample::WORKSPACE, sample::SALES);
    let run = async |body: Value| {
        let id = room.send("POST", &path, Some(&body)).await.header("x-ms-request-id").to_owned();
        room.power_bi.step();
        room.power_bi.step();
        room.send("GET", &format!("{path}/{id}"), None).await.json()
    };
    room.power_bi.fail_next_refresh(sample::SALES, FailedRefresh::credentials());
    let failed = run(json!({"type": "Full"})).await;
    assert_eq!((&failed["status"], &failed["messages"][0]["type"]), (&json!("Failed"), &json!("Error")));
    let history = room.send("GET", &format!("{path}?$top=1"), None).await.json();
    let exception = history["value"][0]["serviceExceptionJson"].as_str().unwrap();
    let exception: Value = serde_json::from_str(exception).unwrap();
    assert_eq!(exception["errorCode"], "ModelRefreshFailed_CredentialsNotSpecified");
    assert_eq!(run(json!({"objects": [{"table": "Nowhere"}]})).await["status"], "Failed");
    assert_eq!(run(json!({"commitMode": "PartialBatch"})).await["status"], "Failed");
    assert_eq!(run(json!({"commitMode": "PartialBatch", "applyRefreshPolicy": false})).await["status"], "Completed");

    let id = room.send("POST", &path, Some(&json!({"retryCount": 1}))).await.header("x-ms-request-id").to_owned();
    assert_eq!(room.send("DELETE", &format!("{path}/{id}"), None).await.status, 200);
    let cancelled = room.send("GET", &format!("{path}/{id}"), None).await;
    assert_eq!((cancelled.status, &cancelled.json()["extendedStatus"]), (200, &json!("Cancelled")));
}

#[tokio::test]
async fn mails_cannot_be_asked_for_by_an_application_nor_with_an_enhanced_refresh() {
    let room = Room::start(|_| {}).await;
    let path = refreshes(sample::WORKSPACE, sample::SALES);
    assert_eq!(room.send("POST", &path, Some(&json!({"notifyOption": "MailOnFailure"}))).await.status, 400);
    let both = json!({"notifyOption": "NoNotification", "type": "Full"});
    assert_eq!(room.send("POST", &path, Some(&both)).await.status, 400);
    assert_eq!(room.send("POST", &path, Some(&json!({"notifyOption": "NoNotification"}))).await.status, 202);
    let push = refreshes(sample::WORKSPACE, sample::SALES_LIVE);
    assert_eq!(room.send("POST", &push, None).await.status, 415);
}

#[tokio::test(start_paused = true)]
async fn on_an_automatic_clock_a_refresh_ends_by_itself() {
    let room = Room::start(|options| options.clock = Clock::Auto(std::time::Duration::from_secs(30))).await;
    let mut watch = room.power_bi.served.history.watch();
    room.send("POST", &refreshes(sample::WORKSPACE, sample::SALES), None).await;
    while room.power_bi.served.history.of("powerBi", "refreshEnded").is_empty() {
        watch.changed().await.unwrap();
    }
    let history = room.send("GET", &refreshes(sample::WORKSPACE, sample::SALES), None).await.json();
    assert_eq!(history["value"][0]["status"], "Completed");
    assert!(history["value"][0]["startTime"].as_str().unwrap().ends_with('Z'));
}
