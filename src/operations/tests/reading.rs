//! What a good file means: steps, templates, schedules, the catalog and the hash.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{definition, good, variables};
use crate::operations::{Catalog, MissedTicks, Overlap, Scope, StepKind, Template};

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

fn scope() -> Scope {
    Scope {
        parameters: object(&json!({"day": "2026-01-31", "n": 3, "flag": true, "none": null})),
        steps: object(&json!({"a": {
            "row": {"n": 5, "amount": "12.50", "long": "0.123456789012345678", "half": 0.5, "text": "x"},
            "rows": [{"n": 5}],
        }})),
        variables: object(&json!({"workspace": "w1"})),
        ..Scope::default()
    }
}

/// One SQL step with a parameter, and an output.
fn with(parameter: &str, output: &str) -> (Template, Option<Template>) {
    let operation = good(&format!(
        "summary: s
parameters: {{day: {{type: date}}, n: {{type: integer}}, flag: {{type: boolean}}, none: {{type: string}}}}
steps:
  - id: a
    sql: {{statement: SELECT 1, parameters: {{p: {parameter}}}}}
output: {{o: {output}}}
"
    ));
    let StepKind::Sql(sql) = &operation.steps[0].kind else { panic!("not SQL") };
    (sql.parameters.clone().expect("parameters"), operation.output)
}

fn rendered(parameter: &str) -> Result<Value, String> {
    let value = with(parameter, "1").0.render(&scope()).map_err(|error| error.to_string())?;
    Ok(value["p"].clone())
}

fn output(output: &str) -> Result<Value, String> {
    let value = with("1", output).1.expect("output").render(&scope()).map_err(|error| error.to_string())?;
    Ok(value["o"].clone())
}

#[test]
fn an_expression_alone_keeps_its_type_and_inside_text_is_text() {
    assert_eq!(rendered(r#""{{ parameters.n }}""#), Ok(json!(3)));
    assert_eq!(rendered(r#""{{ parameters.flag }}""#), Ok(json!(true)));
    assert_eq!(rendered(r#""{{ parameters.none }}""#), Ok(Value::Null));
    assert_eq!(rendered(r#""{{ parameters.day }}""#), Ok(json!("2026-01-31")));
    assert_eq!(rendered(r#""n{{ parameters.n }}-{{ parameters.day }}""#), Ok(json!("n3-2026-01-31")));
    assert_eq!(rendered(r#"{value: "{{ parameters.n }}", type: INT}"#), Ok(json!({"value": 3, "type": "INT"})));
    assert_eq!(rendered("plain"), Ok(json!("plain")));
    assert_eq!(rendered(r#""{{ '}}' + \"{{\" }}""#), Ok(json!("}}{{")));
    assert_eq!(rendered(r#""{{ {'a': {'b': 1}} }}""#), Ok(json!({"a": {"b": 1}})));
}

#[test]
fn null_and_booleans_inside_text_are_errors_at_their_place() {
    let error = rendered(r#""n: {{ parameters.none }}""#).expect_err("null in text");
    assert_eq!(error, "sales.yaml:5:55: step a: null cannot be written into text");
    assert!(rendered(r#""{{ parameters.flag }}!""#).is_err());
    assert!(rendered(r#""{{ parameters.n }} {{ {'a': 1} }}""#).is_err());
}

#[test]
fn output_converts_to_declared_types_without_losing_digits() {
    let typed = |expression: &str, kind: &str| output(&format!(r#"{{value: "{{{{ {expression} }}}}", type: {kind}}}"#));
    assert_eq!(typed("steps.a.row.n", "integer"), Ok(json!(5)));
    assert_eq!(typed("steps.a.row.n", "string"), Ok(json!("5")));
    assert_eq!(typed("steps.a.row.amount", "number"), Ok(json!(12.5)));
    assert!(typed("steps.a.row.none", "integer").is_err());
    assert_eq!(typed("parameters.none", "integer"), Ok(Value::Null));
    assert_eq!(typed("parameters.day", "date"), Ok(json!("2026-01-31")));
    assert_eq!(typed("parameters.day + duration('0s')", "date"), Ok(json!("2026-01-31")));
    assert_eq!(typed("2.0 * 3.0", "integer"), Ok(json!(6)));
    for (expression, kind) in [
        ("steps.a.row.long", "number"),
        ("steps.a.row.amount", "integer"),
        ("steps.a.row.half", "integer"),
        ("steps.a.row.text", "number"),
        ("steps.a.row.text", "datetime"),
        ("parameters.flag", "string"),
        ("parameters.day + duration('1h')", "date"),
        ("9007199254740993 + 0", "number"),
    ] {
        assert!(typed(expression, kind).is_err(), "{expression} as {kind}: {:?}", typed(expression, kind));
    }
}

#[test]
fn an_output_member_without_a_type_is_taken_as_it_is() {
    assert_eq!(output(r#""{{ steps.a.rows }}""#), Ok(json!([{"n": 5}])));
    assert_eq!(output(r#"{value: "{{ parameters.n }}", unit: EUR}"#), Ok(json!({"value": 3, "unit": "EUR"})));
}

#[test]
fn everything_that_a_step_can_say_is_read() {
    let operation = good(
        "summary: s
steps:
  - id: one
    when: 'true'
    retry: {attempts: 3, backoff: 1m, on: [warehouse-unavailable]}
    timeout: PT1H30M
    sql: {file: one.sql, warehouse: abc, catalog: c, schema: d, idempotent: true, expect: one_row, decimals: string, bigints: string}
  - {id: two, job: {job: 12, only: [t]}}
  - id: three
    refresh: {workspace: me, dataset: d, tables: [A, {table: B, partition: p}], type: full, commit_mode: partialBatch, apply_refresh_policy: false, retry_count: 2, timeout: 02:00:00}
on_failure:
  - {id: tell, assert: {that: run.error.code != 'x', message: 'failed: {{ run.error.detail }}'}}
",
    );
    let one = &operation.steps[0];
    assert_eq!(one.timeout, Some(Duration::from_mins(90)));
    let retry = one.retry.as_ref().expect("retry");
    assert_eq!(
        (retry.attempts, retry.backoff, retry.on.as_slice()),
        (3, Duration::from_mins(1), &["warehouse-unavailable".to_owned()][..])
    );
    let StepKind::Sql(sql) = &one.kind else { panic!("not SQL") };
    assert_eq!(sql.statement, "SELECT 1");
    assert!(sql.idempotent && sql.expect_one_row && sql.values.bigints_as_string);
    assert_eq!(sql.values.decimals_as_number, Some(false));
    let StepKind::Job(job) = &operation.steps[1].kind else { panic!("not a job") };
    assert_eq!(job.job.render_text(&Scope::default()).as_deref(), Ok("12"));
    let StepKind::Refresh(refresh) = &operation.steps[2].kind else { panic!("not a refresh") };
    let options = json!({
        "type": "Full", "commitMode": "PartialBatch", "retryCount": 2, "timeout": "02:00:00",
        "applyRefreshPolicy": false,
    });
    assert_eq!(Value::Object(refresh.options.clone()), options);
    assert_eq!(operation.on_failure.len(), 1);
}

#[test]
fn a_schedule_is_due_in_its_time_zone_through_daylight_saving() {
    let schedule = |cron: &str, zone: &str| {
        let yaml = format!(
            "summary: s\nschedule: {{cron: \"{cron}\", time_zone: {zone}, overlap: queue, missed: all}}\nsteps: [{{id: a, job: {{job: j}}}}]\n"
        );
        good(&yaml).schedule.expect("a schedule")
    };
    let time = |text: &str| text.parse::<jiff::Timestamp>().expect("a time");
    let daily = schedule("0 6 * * *", "Europe/Berlin");
    assert_eq!((daily.overlap, daily.missed), (Overlap::Queue, MissedTicks::All));
    // The clocks go forward on 29 March 2026.
    let due = daily.due(time("2026-03-28T00:00:00Z"), time("2026-03-30T04:00:00Z"));
    assert_eq!(due, ["2026-03-28T05:00:00Z", "2026-03-29T04:00:00Z", "2026-03-30T04:00:00Z"].map(time));
    assert_eq!(daily.due(time("2026-03-28T05:00:00Z"), time("2026-03-28T05:00:00Z")), []);
    assert_eq!(daily.next(time("2026-03-28T05:00:00Z")), Some(time("2026-03-29T04:00:00Z")));
    // An hour that comes twice starts a daily run once: on 25 October 2026, 02:30 comes at 00:30Z and 01:30Z.
    let night = schedule("30 2 * * *", "Europe/Berlin");
    assert_eq!(night.due(time("2026-10-24T12:00:00Z"), time("2026-10-25T12:00:00Z")).len(), 1);
    let seconds = schedule("*/20 * * * * *", "UTC");
    assert_eq!(seconds.due(time("2026-01-01T00:00:00Z"), time("2026-01-01T00:01:00Z")).len(), 3);
    let long = seconds.due(time("2026-01-01T00:00:00Z"), time("2026-01-02T00:00:00Z"));
    assert_eq!((long.len(), long.last().copied()), (1000, Some(time("2026-01-02T00:00:00Z"))));
    assert_eq!(schedule("0 0 30 2 *", "UTC").next(time("2026-01-01T00:00:00Z")), None);
}

#[test]
fn the_hash_tells_name_text_and_files_apart() {
    let one = definition("summary: s\n");
    let mut other = one.clone();
    assert_eq!(one.content_hash(), other.content_hash());
    assert_eq!(one.content_hash().len(), 64);
    other.files.insert("one.sql".to_owned(), "SELECT 2".to_owned());
    assert_ne!(one.content_hash(), other.content_hash());
    let moved = |name: &str, yaml: &str| {
        let mut definition = definition(yaml);
        definition.name = name.to_owned();
        definition.content_hash()
    };
    assert_ne!(moved("a", "bc"), moved("ab", "c"));
}

#[test]
fn a_bad_file_disables_its_own_operation_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &[u8]| std::fs::write(folder.path().join(name), text).expect("written");
    write("good.yaml", b"summary: s\nsteps: [{id: a, sql: {file: q.sql}}]\n");
    write("q.sql", b"SELECT 1");
    write("bad.yaml", b"summary: 5\n");
    write("binary.yaml", b"\xff\xfe");
    write("other.yml", b"summary: s\n");
    write("Upper.yaml", b"summary: s\nsteps: [{id: a, job: {job: j}}]\n");
    write("notes.txt", b"not an operation");
    let catalog = Catalog::load(folder.path(), &variables()).expect("a catalog");
    let good: Vec<_> =
        catalog.entries.iter().filter(|(_, entry)| entry.operation.is_ok()).map(|(name, _)| name.as_str()).collect();
    assert_eq!(good, ["good"]);
    assert_eq!(catalog.entries.keys().collect::<Vec<_>>(), ["Upper", "bad", "binary", "good", "other"]);
    let pinned = catalog.get("good").expect("good").definition.clone();
    assert_eq!(pinned.files, BTreeMap::from([("q.sql".to_owned(), "SELECT 1".to_owned())]));
    // What is pinned is enough: the folder may be gone.
    drop(folder);
    assert!(pinned.parse(&variables()).is_ok());
}

#[cfg(unix)]
#[test]
fn a_link_that_leads_out_of_the_folder_is_not_read() {
    let outside = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(outside.path(), "SELECT 1").expect("written");
    let folder = tempfile::tempdir().expect("a folder");
    std::os::unix::fs::symlink(outside.path(), folder.path().join("q.sql")).expect("a link");
    std::fs::write(folder.path().join("a.yaml"), "summary: s\nsteps: [{id: a, sql: {file: q.sql}}]\n")
        .expect("written");
    let catalog = Catalog::load(folder.path(), &variables()).expect("a catalog");
    assert!(catalog.get("a").expect("a").operation.is_err());
}

#[test]
fn an_absent_folder_is_an_empty_catalog() {
    let catalog = Catalog::load(std::path::Path::new("/nowhere/at/all"), &variables()).expect("a catalog");
    assert!(catalog.entries.is_empty());
}
