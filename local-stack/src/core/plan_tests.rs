//! That a plan replays, and keeps to its odds.

use super::*;

const ODDS: Odds = Odds {
    lost_reply: 0.05,
    lost_request: 0.01,
    busy: 0.05,
    killed_in_ledger: 0.0,
    killed_elsewhere: 0.0,
    most_kills: 0,
    lock_lost: 0.05,
    completion_lost: 0.05,
};

fn call(plan: &Plan, number: usize) -> Option<String> {
    let body = format!("{{\"note\":\"mark-{number}\"}}");
    plan.draw("databricks", "POST", "/api/2.0/sql/statements", body.as_bytes())
        .map(|drawn| format!("{:?}", drawn.action))
}

#[test]
fn the_same_call_fares_the_same_whatever_comes_before_it() {
    let (one, other) = (Plan::new("7", ODDS, History::default()), Plan::new("7", ODDS, History::default()));
    let forth: Vec<_> = (0..500).map(|number| call(&one, number)).collect();
    let mut back: Vec<_> = (0..500).rev().map(|number| call(&other, number)).collect();
    back.reverse();
    assert_eq!(forth, back);
    assert!(forth.iter().any(Option::is_some));
    let third = Plan::new("8", ODDS, History::default());
    assert_ne!(forth, (0..500).map(|number| call(&third, number)).collect::<Vec<_>>(), "another seed is another plan");
}

#[test]
fn a_call_that_comes_again_is_drawn_anew_and_ids_do_not_count() {
    let plan = Plan::new("7", ODDS, History::default());
    let again: Vec<_> = (0..500).map(|_| call(&plan, 1)).collect();
    assert!(again.iter().any(Option::is_some) && again.iter().any(Option::is_none));
    let poll = |plan: &Plan| {
        let target = format!("/api/2.0/sql/statements/{}", uuid::Uuid::new_v4());
        plan.draw("databricks", "GET", &target, b"").is_some()
    };
    let (one, other) = (Plan::new("7", ODDS, History::default()), Plan::new("7", ODDS, History::default()));
    let drawn = |plan: &Plan| (0..200).map(|_| poll(plan)).collect::<Vec<_>>();
    assert_eq!(drawn(&one), drawn(&other));
}

#[test]
fn faults_come_as_often_as_the_odds_say_and_stand_in_the_history() {
    let history = History::default();
    let plan = Plan::new("7", ODDS, history.clone());
    for number in 0..10_000 {
        call(&plan, number);
        plan.deliver("causeway-work", None, format!("{{\"run\":\"{number}\"}}").as_bytes());
    }
    let of = |kind: &str, name: &str, what: &str| {
        let entries = history.all().into_iter().filter(|entry| entry.kind == kind);
        entries.filter(|entry| entry.detail[name] == what).count()
    };
    for (kind, name, what, expected) in [
        ("fault", "fault", "lostReply", 500),
        ("fault", "fault", "lostRequest", 100),
        ("fault", "fault", "busy", 500),
        ("deliveredAgain", "again", "lockLost", 500),
        ("deliveredAgain", "again", "completionLost", 500),
    ] {
        let count = of(kind, name, what);
        assert!(count > expected / 2 && count < expected * 2, "{what}: {count}");
    }
    plan.end();
    let before = history.all().len();
    assert!((0..10_000).all(|number| call(&plan, number).is_none()));
    assert_eq!(history.all().len(), before);
}

#[tokio::test]
async fn a_call_that_is_a_handlers_last_waits_for_its_end_and_there_are_no_more_than_wanted() {
    let odds = Odds { killed_elsewhere: 1.0, most_kills: 1, ..Odds::default() };
    let plan = Plan::new("7", odds, History::default());
    let mut kills = plan.kills();
    let drawn = plan.draw("databricks", "POST", "/a", b"note").expect("a kill");
    let dying = tokio::spawn(drawn.kill());
    let wanted = kills.recv().await.expect("a wish");
    assert!(wanted.text.contains("note") && !dying.is_finished());
    wanted.done();
    dying.await.expect("it goes on");
    assert!(plan.draw("databricks", "POST", "/a", b"note").is_none());
}
