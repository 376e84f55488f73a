//! What late workers and people leave for whoever holds the run.

use std::sync::Mutex;

use futures_util::FutureExt;
use jiff::Timestamp;
use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use super::{Bench, soon};
use crate::failure::Code;
use crate::ledger::Ledger;
use crate::runs::identity::hash;
use crate::runs::notes::Said;
use crate::runs::record::{Happened, Record, RunState, StepState, Transition};

const WRITE: &str = "summary: s\nsteps: [{id: put, sql: {statement: INSERT INTO t VALUES (1)}}]\n";
const STATEMENTS: &str = "/api/2.0/sql/statements";

/// Another worker writes while this one waits for its answer.
struct Meddling {
    ledger: Ledger,
    next: Mutex<Option<Record>>,
}

impl Respond for Meddling {
    fn respond(&self, _request: &Request) -> ResponseTemplate {
        if let Some(record) = self.next.lock().unwrap().take() {
            let at = crate::ledger::entry_path("runs/a", record.seq);
            let bytes = serde_json::to_vec(&record).unwrap().into();
            self.ledger.put(&at, bytes, soon()).now_or_never().expect("memory answers at once").unwrap();
        }
        ResponseTemplate::new(200).set_body_json(json!({"statement_id": "s-1", "status": {"state": "PENDING"}}))
    }
}

async fn statement_is(server: &MockServer, status: Value) {
    let body = json!({"statement_id": "s-1", "status": status});
    Mock::given(method("GET"))
        .and(path(format!("{STATEMENTS}/s-1")))
        .respond_with(ResponseTemplate::new(200).set_body_json(body))
        .mount(server)
        .await;
}

#[tokio::test]
async fn a_worker_that_is_overtaken_after_its_effect_leaves_the_id_and_recovery_takes_it() {
    let server = MockServer::start().await;
    let bench = Bench::beside(&[("write", WRITE)], &server.uri());
    let created = bench.create("write", "a").await;
    // The worker writes 1 (leased) and 2 (started); somebody else writes 3, under which the step is perhaps sent.
    let mut other = created.next(Transition::Leased, Timestamp::now());
    other.seq = 3;
    other.steps[0].state = StepState::Started;
    other.steps[0].effect = true;
    other.steps[0].rendered_inputs = Some(json!({"statement": "INSERT INTO t VALUES (1)", "parameters": [],
        "warehouseId": "w", "read": false, "idempotent": false, "expectOneRow": false}));
    let meddling = Meddling { ledger: bench.engine.ledger.clone(), next: Mutex::new(Some(other)) };
    Mock::given(method("POST")).and(path(STATEMENTS)).respond_with(meddling).expect(1).mount(&server).await;
    bench.work("a", 0, false).await;
    assert_eq!(bench.newest("a").await.seq, 3);
    let note = format!("notes/a/late-{}", hash(&["a", "put", "1"]));
    assert!(bench.engine.ledger.get(&note, soon()).await.unwrap().is_some());
    // The next worker does not look into any history, and sends nothing.
    statement_is(&server, json!({"state": "SUCCEEDED"})).await;
    bench.work("a", 3, false).await;
    let ended = bench.newest("a").await;
    assert_eq!((ended.steps[0].state, ended.steps[0].upstream_id.as_deref()), (StepState::Succeeded, Some("s-1")));
    assert_eq!(ended.state, RunState::Succeeded);
}

async fn in_doubt(bench: &Bench) -> Record {
    let mut record = bench.create("write", "a").await.next(Transition::Started, Timestamp::now());
    record.send_before = Some(Timestamp::now() - jiff::SignedDuration::from_mins(5));
    record.steps[0].state = StepState::Started;
    record.steps[0].effect = true;
    record.steps[0].rendered_inputs = Some(json!({"statement": "INSERT INTO t VALUES (1)", "parameters": [],
        "warehouseId": "w", "read": false, "idempotent": false, "expectOneRow": false}));
    bench.append(record).await
}

#[tokio::test]
async fn what_somebody_found_out_ends_the_search() {
    for (outcome, state) in [(Happened::Happened, RunState::Succeeded), (Happened::DidNotHappen, RunState::Failed)] {
        let bench = Bench::new(&[("write", WRITE)]);
        let record = in_doubt(&bench).await;
        let said = Said { outcome, output: json!({"rowCount": 7}), by: "test".into() };
        let noted = bench.engine.resolve("a", "put", &said, soon()).await.unwrap();
        assert_eq!(noted.seq, record.seq, "only the holder appends");
        assert!(bench.outbox.work().iter().any(|(after, _)| *after == record.seq), "it is woken");
        bench.work("a", record.seq, false).await;
        let ended = bench.newest("a").await;
        assert_eq!((ended.state, ended.steps[0].resolved), (state, Some(outcome)));
        let other = if outcome == Happened::Happened { Happened::DidNotHappen } else { Happened::Happened };
        let other = Said { outcome: other, output: Value::Null, by: "test".into() };
        let refused = bench.engine.resolve("a", "put", &other, soon()).await.unwrap_err();
        assert_eq!(refused.code, Code::StepNotInDoubt);
    }
}
