//! That the checker bites: histories that are bad in one way each, made of a good one.

use jiff::Timestamp;
use local_stack::core::Entry;
use serde_json::{Value, json};

use super::asked::{Asked, Wanted};
use super::checker::{Broken, broken};
use super::histories::Histories;

const HOST: &str = "127.0.0.1:7071";

fn asked(operation: &'static str) -> Asked {
    let wanted = Wanted { seed: "1".into(), runs: 40 };
    let asked = wanted.asked().into_iter().find(|asked| asked.operation == operation);
    Asked { twice: false, ..asked.expect("one of each") }
}

fn entry(service: &str, kind: &str, detail: Value) -> Entry {
    Entry { at: Timestamp::now(), service: service.into(), kind: kind.into(), detail }
}

fn put(of: &mut Histories, name: &str, value: Value) {
    of.entries.push(entry("blob", "put", json!({"name": name})));
    of.ledger.insert(name.to_owned(), value);
}

fn record(of: &mut Histories, asked: &Asked, transition: &str, state: &str, step: &str) {
    let seq = of.ledger.keys().filter(|name| name.starts_with(&format!("runs/{}/", asked.run))).count();
    let value = json!({
        "seq": seq, "transition": transition, "state": state, "operation": asked.operation,
        "pinned": {"trigger": {"kind": "queue"}},
        "steps": [{"id": "put", "state": step, "renderedInputs": {"mark": format!("{}-put", asked.mark)}}],
    });
    put(of, &format!("runs/{}/{seq:08}", asked.run), value);
}

fn message(of: &mut Histories, queue: &str, id: &str, body: &Value) {
    let detail = json!({"queue": queue, "messageId": id, "body": body.to_string()});
    of.entries.push(entry("serviceBus", "message", detail));
}

/// Up to the record that the write is about to be sent, on a host that has it in hand.
fn about_to_write() -> (Histories, Asked) {
    let asked = asked("write");
    let mut of = Histories { asked: vec![asked.clone()], hosts: 2, starts: 2, ..Histories::default() };
    message(&mut of, "causeway-work", "m", &json!({"run": asked.run, "after": 0}));
    of.entries.push(entry("host", "executing", json!({"host": HOST, "invocationId": "i", "messageId": "m"})));
    for (transition, step) in [("created", "pending"), ("leased", "pending"), ("started", "started")] {
        record(&mut of, &asked, transition, "running", step);
    }
    (of, asked)
}

fn effect(of: &mut Histories, asked: &Asked) {
    let detail = json!({"statement": "INSERT", "parameters": [{"value": format!("{}-put", asked.mark)}]});
    of.entries.push(entry("databricks", "statement", detail));
}

fn end(of: &mut Histories, asked: &Asked, step: &str) {
    let state = if step == "succeeded" { "succeeded" } else { "failed" };
    record(of, asked, "stepEnded", "running", step);
    record(of, asked, "ended", state, step);
    record(of, asked, "answered", state, step);
    put(of, &format!("history/2026-11-28/write/20261128T000000Z-{}-{state}", asked.run), json!({}));
    message(of, "causeway-replies", "r", &json!({"runId": asked.run, "state": state}));
}

fn good() -> (Histories, Asked) {
    let (mut of, asked) = about_to_write();
    effect(&mut of, &asked);
    record(&mut of, &asked, "submitted", "running", "submitted");
    end(&mut of, &asked, "succeeded");
    (of, asked)
}

#[track_caller]
fn is_only(of: &Histories, wanted: fn(&Broken) -> bool) {
    let broken = broken(of);
    assert!(!broken.is_empty() && broken.iter().all(wanted), "{broken:#?}");
}

#[test]
fn a_good_history_is_good() {
    assert_eq!(broken(&good().0), []);
}

#[test]
fn a_run_that_was_lost_is_found() {
    let (mut of, asked) = good();
    of.ledger.retain(|name, _| !name.contains(&asked.run));
    is_only(&of, |broken| matches!(broken, Broken::Lost(_) | Broken::Wrong(_)));
    assert!(broken(&of).iter().any(|broken| matches!(broken, Broken::Lost(what) if what.contains("is no run"))));
}

#[test]
fn an_effect_that_was_told_and_is_not_there_is_found() {
    let (mut of, _) = good();
    of.entries.retain(|entry| entry.kind != "statement");
    is_only(&of, |broken| matches!(broken, Broken::Lost(_)));
}

#[test]
fn a_reply_that_never_came_is_found() {
    let (mut of, _) = good();
    of.entries.retain(|entry| entry.detail["queue"] != "causeway-replies");
    is_only(&of, |broken| matches!(broken, Broken::Lost(_)));
}

#[test]
fn an_effect_that_came_twice_is_found() {
    let (mut of, asked) = good();
    effect(&mut of, &asked);
    is_only(&of, |broken| matches!(broken, Broken::Doubled(_)));
}

#[test]
fn an_effect_and_a_run_that_nobody_asked_for_are_found() {
    let (mut of, asked) = good();
    of.asked.clear();
    is_only(&of, |broken| matches!(broken, Broken::Doubled(_)));
    assert_eq!(broken(&of).len(), 2, "{} is nobody's", asked.mark);
}

#[test]
fn a_run_that_is_stuck_is_found() {
    let (mut of, asked) = good();
    of.ledger.retain(|name, value| !name.contains(&asked.run) || value["seq"].as_u64() < Some(4));
    of.ledger.retain(|name, _| !name.starts_with("history/"));
    assert!(broken(&of).iter().any(|broken| matches!(broken, Broken::Stuck(_))));
}

#[test]
fn a_run_that_was_told_and_never_closed_is_found() {
    let (mut of, asked) = good();
    put(&mut of, &format!("open/{}/0", asked.run), json!({}));
    is_only(&of, |broken| matches!(broken, Broken::Stuck(_)));
}

#[test]
fn a_dead_letter_and_a_parked_message_are_found() {
    let (mut of, _) = good();
    of.entries.push(entry("serviceBus", "deadLettered", json!({"queue": "causeway-work"})));
    message(&mut of, "causeway-parking", "p", &json!({}));
    is_only(&of, |broken| matches!(broken, Broken::Dead(_)));
    assert_eq!(broken(&of).len(), 2);
}

#[test]
fn an_outcome_that_is_unknown_for_no_reason_is_found() {
    let (mut of, asked) = about_to_write();
    effect(&mut of, &asked);
    end(&mut of, &asked, "unknown");
    is_only(&of, |broken| matches!(broken, Broken::Unexplained(_)));
    // A refusal is an answer.
    let body = format!("{}-put", asked.mark);
    of.entries.push(entry("databricks", "fault", json!({"fault": "busy", "body": body})));
    is_only(&of, |broken| matches!(broken, Broken::Unexplained(_)));
    // Another's loss is no reason.
    of.entries.push(entry("databricks", "fault", json!({"fault": "lostReply", "body": format!("{body}2")})));
    is_only(&of, |broken| matches!(broken, Broken::Unexplained(_)));
    of.entries.push(entry("databricks", "fault", json!({"fault": "lostReply", "body": body})));
    assert_eq!(broken(&of), []);
}

/// The kill of one host's handler; who has it in hand is written down before.
fn kill(of: &mut Histories, host: &str) {
    of.entries.push(entry("host", "killing", json!({"host": host, "pid": 7})));
    of.entries.push(entry("host", "killed", json!({"host": host, "pid": 7})));
    of.starts += 1;
}

#[test]
fn an_outcome_is_unknown_only_when_its_own_handler_died_in_the_call() {
    let (mut of, asked) = about_to_write();
    kill(&mut of, HOST);
    end(&mut of, &asked, "unknown");
    assert_eq!(broken(&of), []);

    let (mut of, asked) = about_to_write();
    kill(&mut of, "127.0.0.1:7072");
    end(&mut of, &asked, "unknown");
    is_only(&of, |broken| matches!(broken, Broken::Unexplained(_)));

    let (mut of, asked) = about_to_write();
    end(&mut of, &asked, "unknown");
    kill(&mut of, HOST);
    is_only(&of, |broken| matches!(broken, Broken::Unexplained(_)));
}

#[test]
fn a_step_is_unknown_for_what_it_started_only_if_that_is() {
    // A run of `each`, whose item's own write was under way when its handler died.
    let below = |step: &str| {
        let (mut of, item) = about_to_write();
        kill(&mut of, HOST);
        effect(&mut of, &item);
        end(&mut of, &item, step);
        let above = asked("each");
        let trigger = json!({"kind": "parent", "run": above.run, "step": "put"});
        of.ledger.get_mut(&format!("runs/{}/00000000", item.run)).expect("a record")["pinned"]["trigger"] = trigger;
        for (transition, step) in [("created", "pending"), ("started", "started")] {
            record(&mut of, &above, transition, "running", step);
        }
        end(&mut of, &above, "unknown");
        of.asked.push(above);
        broken(&of)
    };
    assert_eq!(below("unknown"), []);
    let found = below("succeeded");
    assert!(matches!(&found[..], [Broken::Unexplained(_)]), "{found:#?}");
}

#[test]
fn a_run_that_failed_although_nothing_is_unknown_is_found() {
    let (mut of, asked) = about_to_write();
    end(&mut of, &asked, "failed");
    is_only(&of, |broken| matches!(broken, Broken::Wrong(_)));
}

#[test]
fn a_handler_that_died_by_itself_is_found() {
    let (mut of, _) = good();
    of.starts += 1;
    is_only(&of, |broken| matches!(broken, Broken::Wrong(_)));
}

#[test]
fn a_refresh_that_no_run_knows_of_is_found() {
    let (mut of, _) = good();
    of.entries.push(entry("powerBi", "refresh", json!({"requestId": "r-1"})));
    is_only(&of, |broken| matches!(broken, Broken::Doubled(_)));
}
