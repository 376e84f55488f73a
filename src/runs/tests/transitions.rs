//! The table of transitions: whole, the same as in the documentation, and obeyed.

use jiff::Timestamp;

use super::{Bench, QUICK, soon};
use crate::runs::record::{RunState, StepState, Transition};
use crate::runs::transitions::{RULES, Rule, Then, fault, rule};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/runs.md");

/// A variant as records spell it.
fn spelt(variant: impl serde::Serialize) -> String {
    format!("`{}`", serde_json::to_value(variant).unwrap().as_str().unwrap())
}

fn all<T: serde::Serialize>(variants: &[T]) -> String {
    variants.iter().map(spelt).collect::<Vec<_>>().join(", ")
}

fn does(then: Then) -> &'static str {
    match then {
        Then::Keeps => "",
        Then::Sets => "set",
        Then::Clears => "cleared",
        Then::May => "may be set",
    }
}

fn row(rule: &Rule) -> String {
    let from = if rule.from.is_empty() { "nothing".to_owned() } else { all(rule.from) };
    let to = if rule.to.is_empty() { "unchanged".to_owned() } else { all(rule.to) };
    let steps: Vec<_> = rule.steps.iter().map(|(from, to)| format!("{} → {}", all(from), all(to))).collect();
    let (lease, wake, send) = (does(rule.lease_until), does(rule.wake_at), does(rule.send_before));
    let name = spelt(rule.transition);
    format!("| {name} | {} | {from} | {to} | {} | {lease} | {wake} | {send} |", rule.when, steps.join("; "))
}

/// A table's row without the spaces that line it up.
fn squeezed(row: &str) -> String {
    row.split('|').map(str::trim).collect::<Vec<_>>().join("|")
}

#[test]
fn the_page_shows_the_table_of_the_code() {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let shown: Vec<String> = page
        .lines()
        .skip_while(|line| !line.starts_with("| transition"))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(squeezed)
        .collect();
    let rows: Vec<String> = RULES.iter().map(row).collect();
    let wanted: Vec<String> = rows.iter().map(|row| squeezed(row)).collect();
    assert_eq!(shown, wanted, "docs/runs.md, Transitions, should have these rows:\n{}", rows.join("\n"));
}

#[test]
fn every_transition_has_one_row() {
    for one in RULES {
        assert_eq!(RULES.iter().filter(|other| other.transition == one.transition).count(), 1);
        let name = spelt(one.transition);
        let read: Transition = serde_json::from_str(&name.replace('`', "\"")).unwrap();
        assert!(rule(read).is_some(), "{name}");
    }
}

#[tokio::test]
async fn an_illegal_transition_is_told_and_not_written() {
    let bench = Bench::new(&[("quick", QUICK)]);
    let created = bench.create("quick", "a").await;
    let next = |transition| created.next(transition, Timestamp::now());
    let mut straight = next(Transition::Ended);
    straight.state = RunState::Waiting;
    let mut unsent = next(Transition::Submitted);
    unsent.steps[0].state = StepState::Submitted;
    let mut again = next(Transition::StepEnded);
    again.steps[0].attempt = 0;
    let mut open = next(Transition::Started);
    open.steps[0].state = StepState::Started;
    for wrong in [straight, unsent, again, open, next(Transition::Answered), next(Transition::Retried)] {
        let failure = bench.engine.append(&wrong, soon()).await.unwrap_err();
        let told = failure.chain();
        assert!(told.contains(&format!("{:?}", wrong.transition)) && told.contains("Created in Running"), "{told}");
    }
    assert_eq!(bench.newest("a").await.seq, 0);
    bench.work("a", 0, false).await;
    let ended = bench.newest("a").await;
    assert!(fault(&ended.next(Transition::Leased, Timestamp::now())).is_some(), "a run at rest is taken by nobody");
}

#[tokio::test]
async fn a_step_that_is_done_does_not_begin_again() {
    let bench = Bench::new(&[("quick", QUICK)]);
    bench.create("quick", "a").await;
    bench.work("a", 0, false).await;
    let mut ended = bench.newest("a").await;
    ended.state = RunState::Failed;
    let mut retried = ended.next(Transition::Retried, Timestamp::now());
    assert_eq!(fault(&retried), None);
    retried.steps[0].state = StepState::Started;
    assert!(fault(&retried).unwrap().contains("goes from Succeeded to Started"));
}
