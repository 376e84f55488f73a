//! Whose a refresh is, in datasets that several have refreshed.

use serde_json::{Value, json};
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::power_bi::tests::client;

const DATASET: &str = "cfafbeb1-8037-4d0c-896e-a46fb27ff229";
const BEGUN: &str = "2026-10-05T12:00:00Z";

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(20))
}

fn after(milliseconds: i64) -> Timestamp {
    BEGUN.parse::<Timestamp>().unwrap() + jiff::SignedDuration::from_millis(milliseconds)
}

fn wanted() -> WantedRefresh {
    let request = serde_json::from_value(json!({})).expect("a request");
    WantedRefresh { workspace: "me".into(), dataset: DATASET.into(), request }
}

/// A dataset: who looked at it before sending, and its history, newest first.
struct Dataset {
    ledger: Ledger,
    power_bi: PowerBi,
    _server: MockServer,
}

impl Dataset {
    async fn with(senders: &[(&str, i64, Option<&str>)], history: &[(&str, i64)]) -> Self {
        let server = MockServer::start().await;
        let entry = |(id, at): &(&str, i64)| {
            let times = [after(*at), after(*at + 10)].map(|at| at.to_string());
            json!({"requestId": id, "refreshType": STANDARD, "status": "Completed", "startTime": times[0], "endTime": times[1]})
        };
        let entries: Vec<Value> = history.iter().map(entry).collect();
        let shown = ResponseTemplate::new(200).set_body_json(json!({"value": entries}));
        Mock::given(method("GET")).respond_with(shown).mount(&server).await;
        let ledger = Ledger::in_memory();
        for (by, at, newest) in senders {
            let looked = Looked { at: after(*at), newest: newest.map(str::to_owned) };
            let hold = Duration::from_mins(1);
            let held = Slot::take(&ledger, &slot(&wanted()), by, hold, soon()).await.unwrap().expect("it is free");
            let held = held.note(json!(looked), hold, soon()).await.unwrap().expect("it is held");
            held.release(soon()).await.unwrap();
        }
        let power_bi = client(&server);
        Self { ledger, power_bi, _server: server }
    }

    /// When the one that `by` is told to have asked for began; milliseconds.
    async fn found(&self, by: &str, since: i64) -> Option<i128> {
        let found = find_lost(&self.ledger, &self.power_bi, &wanted(), by, after(since), soon()).await;
        match found.expect("it is told apart")? {
            RefreshId::StandardSince { since, .. } => Some(after(0).duration_until(since).as_millis()),
            RefreshId::Enhanced(id) => panic!("{id} is none"),
        }
    }
}

#[tokio::test]
async fn who_never_sent_has_none_also_when_another_began_just_before() {
    let dataset = Dataset::with(&[("a", 0, None)], &[("as", 20)]).await;
    assert_eq!(dataset.found("a", 0).await, Some(20));
    assert_eq!(dataset.found("b", 500).await, None);
    let long_before = Dataset::with(&[("a", -60_000, None)], &[("as", -59_980)]).await;
    assert_eq!(long_before.found("b", 500).await, None);
}

#[tokio::test]
async fn of_several_the_first_after_the_own_look_is_the_own() {
    let senders = [("a", 0, None), ("b", 100, Some("as")), ("c", 200, Some("bs"))];
    let dataset = Dataset::with(&senders, &[("theirs", 300), ("cs", 220), ("bs", 120), ("as", 20)]).await;
    for (by, began) in [("a", 20), ("b", 120), ("c", 220)] {
        assert_eq!(dataset.found(by, 0).await, Some(began), "{by}");
    }
}

#[tokio::test]
async fn one_that_the_next_sender_did_not_see_never_came() {
    let senders = [("a", 0, None), ("b", 100, Some("as")), ("c", 200, Some("as"))];
    let dataset = Dataset::with(&senders, &[("cs", 220), ("as", 20)]).await;
    assert_eq!(dataset.found("b", 50).await, None);
    assert_eq!(dataset.found("c", 50).await, Some(220));
}

#[tokio::test]
async fn where_the_note_is_gone_the_time_decides_and_several_are_unknown() {
    let senders: Vec<(&str, i64, Option<&str>)> = (0..30).map(|at| ("others", at * 10, None)).collect();
    let dataset = Dataset::with(&senders, &[("late", 400), ("soon", 200), ("before", -9_000)]).await;
    let found = find_lost(&dataset.ledger, &dataset.power_bi, &wanted(), "ours", after(0), soon()).await;
    assert_eq!(found.expect_err("two").code, Code::OutcomeUnknown);
    assert_eq!(dataset.found("ours", 1_300).await, Some(400));
}
