//! What is told of an operation.

use super::*;

const TOP: &str = "summary: Everything
parameters:
  day: {type: date, required: true, summary: The day}
  size: {type: integer, default: 5, min: 1, max: 9}
schedule: {cron: 0 6 * * *, parameters: {day: '{{ run.dueTime | date }}'}}
steps:
  - {id: read, sql: {statement: SELECT 1 AS one}}
  - {id: write, when: parameters.size > 1, sql: {statement: DELETE FROM t}}
  - {id: again, retry: {attempts: 3}, sql: {statement: DELETE FROM t, idempotent: true}}
  - {id: call, for_each: {in: [1, 2], parallel: 2}, operation: {name: leaf}}
  - {id: tell, message: {queue: q, body: 1}}
  - {id: hook, http: {url_secret: h, body: 1}}
  - {id: ask, http: {url_secret: h}}
";
const LEAF: &str = "summary: s\nsteps: [{id: model, refresh: {workspace: w, dataset: d}}]\n";

fn explained(name: &str, as_json: bool) -> Report {
    let folder = tempfile::tempdir().unwrap();
    for (name, yaml) in [("top", TOP), ("leaf", LEAF), ("bad", "summary: s\n")] {
        std::fs::write(folder.path().join(format!("{name}.yaml")), yaml).unwrap();
    }
    let catalog = Catalog::load(folder.path(), &std::collections::BTreeMap::new()).unwrap();
    run(&catalog, name, as_json, "2026-11-28T07:00:00Z".parse().unwrap())
}

#[test]
fn each_step_says_what_becomes_of_it_when_its_answer_is_lost() {
    let Report { text, exit_code } = explained("top", false);
    assert_eq!(exit_code, 0, "{text}");
    for line in [
        "top: Everything",
        "  NAME  TYPE     REQUIRED  DEFAULT  BOUNDS        WHAT",
        "  size  integer            5        from 1, to 9",
        "run again: it only reads",
        "looked up in the query history; not found: run again",
        "its run is found again; what it does may be outcome-unknown",
        "for each item, 2 at once",
        "touches: Databricks, Power BI, Service Bus, outside",
        "may end as outcome-unknown: write, call, tell, hook",
        "next 2026-11-29T06:00:00Z, 2026-11-30T06:00:00Z, 2026-12-01T06:00:00Z",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

#[test]
fn the_same_is_told_to_programs() {
    let value: Value = serde_json::from_str(&explained("top", true).text).unwrap();
    assert_eq!(value["steps"][1]["mayEndUnknown"], true);
    assert_eq!(value["steps"][2]["attempts"], 3);
    assert_eq!(value["steps"][3]["forEach"], json!({"parallel": 2, "continues": false}));
    assert_eq!(value["touches"], json!(["Databricks", "Power BI", "Service Bus", "outside"]));
    assert_eq!(value["parameters"]["required"], json!(["day"]));
}

#[test]
fn an_operation_that_is_not_there_or_not_good_is_no_success() {
    let Report { text, exit_code } = explained("tip", false);
    assert_eq!(exit_code, 1);
    assert!(text.contains("there are: bad, leaf, top"), "{text}");
    let Report { text, exit_code } = explained("bad", false);
    assert_eq!(exit_code, 1);
    assert!(text.contains("bad.yaml:1:1: the file lacks `steps`"), "{text}");
}
