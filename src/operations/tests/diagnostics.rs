//! Every slip has a message, and the exact line and column.

use rstest::rstest;

use super::{definition, parse, variables};
use crate::operations::Definition;

/// `«` marks where the problem must be told; it is taken out before the file is read.
fn check(marked: &str, expected: &str) {
    let before = marked.split('«').next().unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let problems = parse(&marked.replace('«', "")).expect_err(marked);
    let told: Vec<_> = problems.iter().map(ToString::to_string).collect();
    let found = problems
        .iter()
        .any(|problem| (problem.line, problem.column) == (line, column) && problem.message.contains(expected));
    assert!(found, "wanted {line}:{column} {expected}\ntold {told:#?}\n{marked}");
    assert_eq!(problems.len(), 1, "one slip, one message: {told:#?}\n{marked}");
}

#[rstest]
#[case("summary: s\n«sumary: s\nsteps: [{id: a, job: {job: j}}]\n", "unknown key `sumary`; known here: summary")]
#[case("summary: «[s]\nsteps: [{id: a, job: {job: j}}]\n", "`summary` must be a text, not a list")]
#[case("summary: «5\nsteps: [{id: a, job: {job: j}}]\n", "put quotes around it")]
#[case("summary: s\ndescription«:\nsteps: [{id: a, job: {job: j}}]\n", "must be a text, not nothing")]
#[case("«steps: [{id: a, job: {job: j}}]\n", "the file lacks `summary`")]
#[case("summary: s\nsteps: «[]\n", "`steps` must not be empty")]
#[case("summary: s\nrun_as: «1\nsteps: [{id: a, job: {job: j}}]\n", "`run_as` must be a text, not a number")]
#[case(
    "summary: s\nrun_as: «me\nsteps: [{id: a, sql: {statement: SELECT 1}}]\n",
    "`run_as` must be one of: app, caller"
)]
fn the_file(#[case] marked: &str, #[case] expected: &str) {
    check(marked, expected);
}

#[rstest]
#[case("- id: «Aa\n  job: {job: j}", "`id` must match ^[a-z]")]
#[case("- id: «in\n  job: {job: j}", "a word of the expression language")]
#[case("- {id: a, job: {job: j}}\n- {id: «a, job: {job: j}}", "two steps have the id `a`")]
#[case("- «id: a", "the step does nothing: it wants one of sql, job")]
#[case("- id: a\n  job: {job: j}\n  «sql: {statement: SELECT 1}", "`sql` stands beside `job`")]
#[case("- id: a\n  operation: «b", "`operation` must be a mapping")]
#[case("- id: a\n  operation: «{parameters: {}}", "operation lacks `name`")]
#[case("- id: a\n  operation: {name: «B_c}", "`name` must match")]
#[case("- id: a\n  operation: {name: b, parameters: {x: \"{{ «item }}\"}}", "only in a step with for_each")]
#[case("- id: a\n  for_each: «{}\n  job: {job: j}", "for_each lacks `in`")]
#[case("- id: a\n  for_each: {in: «x}\n  job: {job: j}", "a list, or an expression for one")]
#[case("- id: a\n  for_each: {in: «5}\n  job: {job: j}", "`in` must be a text or a list")]
#[case("- id: a\n  for_each: {in: [1], parallel: «11}\n  job: {job: j}", "at most 10")]
#[case("- id: a\n  for_each: {in: [1], on_item_failure: «ignore}\n  job: {job: j}", "must be one of: stop, continue")]
#[case("- id: a\n  when: «item == 1\n  for_each: {in: [1]}\n  job: {job: j}", "not in its `when`")]
#[case("- id: a\n  for_each: {in: \"{{ [«item] }}\"}\n  job: {job: j}", "only in a step with for_each")]
#[case(
    "- id: a\n  for_each: {in: [1]}\n  job: {job: j}\n- id: b\n  job: {job: \"{{ «item }}\"}",
    "only in a step with for_each"
)]
#[case("- id: a\n  http: {url: «u}", "`url` must begin with https://")]
#[case("- id: a\n  http: «{method: GET}", "http lacks `url` or `url_secret`")]
#[case("- id: a\n  http: {url: 'https://a.example', url_secret: «b}", "only one may")]
#[case("- id: a\n  http: {url_secret: «'{{ parameters.x1 }}'}", "the name of a secret")]
#[case("- id: a\n  http: {url: 'https://a.example', headers: {«Host: b}}", "not a maker's to set")]
#[case("- id: a\n  http: {url: 'https://a.example', method: GET, body: «{a: 1}}", "a GET has no `body`")]
#[case("- id: a\n  http: {url: 'https://a.example', headers: {A: {secret: «b c}}}", "the name of a secret")]
#[case("- id: a\n  timeout: «soon\n  job: {job: j}", "a duration is wanted, such as 90s")]
#[case("- id: a\n  timeout: «-5s\n  job: {job: j}", "a duration is wanted")]
#[case("- id: a\n  timeout: «90\n  job: {job: j}", "put quotes around it")]
#[case("- id: a\n  retry: {attempts: «0}\n  job: {job: j}", "at least 1")]
#[case("- id: a\n  retry: {attempts: 2, on: [«nope]}\n  job: {job: j}", "no error code `nope`")]
#[case("- id: a\n  retry: {attempts: 2, backoff: «x}\n  job: {job: j}", "a duration is wanted")]
#[case("- id: a\n  when: parameters.x1 == 1 && «parameters.y\n  job: {job: j}", "no parameter `y`; known here: x1")]
#[case("- id: a\n  when: «\"{{ true }}\"\n  job: {job: j}", "without {{ }}")]
#[case("- id: a\n  when: 1 +«\n  job: {job: j}", "not an expression")]
#[case("- id: a\n  job: {job: j, «name: x}", "unknown key `name`")]
#[case("- id: a\n  job: «{parameters: {}}", "job lacks `job`")]
#[case("- id: a\n  sql: {statement: «5}", "`statement` must be a text")]
#[case("- id: a\n  sql: «{idempotent: true}", "sql lacks `statement` or `file`")]
#[case("- id: a\n  sql: {statement: SELECT 1, file: «one.sql}", "`file` stands beside `statement`")]
#[case("- id: a\n  sql: {file: «two.sql}", "there is no file two.sql")]
#[case("- id: a\n  sql: {file: «../one.sql}", "the plain name of a .sql file")]
#[case("- id: a\n  sql: {file: «/etc/x.sql}", "the plain name of a .sql file")]
#[case("- id: a\n  sql: {statement: \"SELECT «{{ parameters.x1 }}\"}", "{{ }} has no place inside SQL")]
#[case(
    "- id: a\n  sql:\n    statement: |\n      SELECT\n        «{{ parameters.x1 }}",
    "{{ }} has no place inside SQL"
)]
#[case("- id: a\n  sql: {statement: SELECT 1, expect: «rows}", "must be one of: one_row")]
#[case(
    "- id: a\n  sql: {statement: SELECT 1, parameters: {p: {value: 1, «kind: INT}}}",
    "a parameter has value and type"
)]
#[case("- id: a\n  sql: {statement: SELECT 1, parameters: {p: «[1]}}", "a list cannot be bound")]
#[case(
    "- id: a\n  sql: {statement: S, parameters: {p: \"{{ «steps.b.row }}\"}}\n- {id: b, job: {job: j}}",
    "step `b` comes later, or is this one"
)]
#[case(
    "- id: a\n  sql: {statement: S, parameters: {p: \"x {{ parameters.x1 }} {{ «variables.w }}\"}}",
    "CAUSEWAY_VAR_W"
)]
#[case(
    "- id: a\n  sql:\n    statement: S\n    parameters:\n      p: >-\n        one\n        {{ «nope }}",
    "`nope` is not declared"
)]
#[case("- id: a\n  job: {job: \"nope {{ «nope }}\"}", "`nope` is not declared")]
#[case("- id: a\n  job: {job: \"a «{{ parameters.x1\"}", "is never closed")]
#[case("- id: a\n  push_rows: {workspace: w, dataset: d, table: t, rows: «x}", "a list of objects, or an expression")]
#[case("- id: a\n  refresh: {workspace: w, dataset: d, type: «all}", "must be one of: full")]
#[case(
    "- id: a\n  refresh: «{workspace: w, dataset: d, commit_mode: partialBatch}",
    "needs `apply_refresh_policy: false`"
)]
#[case("- id: a\n  refresh: {workspace: w, dataset: d, timeout: «2h}", "`timeout` must match")]
#[case("- id: a\n  refresh: {workspace: w, dataset: d, tables: [{«tabel: x, table: y}]}", "unknown key `tabel`")]
#[case("- id: a\n  assert: {that: «run.error == null, message: m}", "only in on_failure")]
#[case("- id: a\n  assert: {that: «item == null, message: m}", "for_each")]
#[case("- id: a\n  assert: {that: «result == null, message: m}", "only in `until` of wait_for")]
#[case("- id: a\n  message: «{body: 1}", "message lacks `queue` or `topic`")]
#[case("- id: a\n  message: {queue: q, topic: «t, body: 1}", "`topic` stands beside `queue`")]
#[case("- id: a\n  message: «{queue: q}", "message lacks `body`")]
#[case("- id: a\n  message: {queue: q, body: 1, after: «soon}", "a duration is wanted")]
#[case("- id: a\n  message: {queue: q, body: 1, at: «tomorrow}", "a time is wanted as RFC 3339")]
#[case("- id: a\n  message: {queue: q, body: 1, after: 1m, at: «'2026-01-31T06:00:00Z'}", "beside `after`")]
#[case("- id: a\n  message: {queue: q, body: 1, properties: {«Kind: x}}", "must match ^[a-z]")]
#[case("- id: a\n  message: {queue: q, body: 1, properties: {«causeway-key: x}}", "is a reserved name")]
#[case("- id: a\n  message: {queue: q, body: 1, properties: {«host: x}}", "is a reserved name")]
#[case("- id: a\n  message: {queue: q, body: 1, properties: {kind: «[x]}}", "a text, a number or a boolean")]
#[case("- id: a\n  message: {queue: q, body: \"{{ «nope }}\"}", "`nope` is not declared")]
#[case("- id: a\n  wait_for: «{}", "wait_for lacks `delay`, `time`, `sql` or `http`")]
#[case("- id: a\n  wait_for: {delay: 1m, «time: '2026-01-31T06:00:00Z'}", "`time` stands beside `delay`")]
#[case("- id: a\n  wait_for: {delay: «soon}", "a duration is wanted")]
#[case("- id: a\n  wait_for: {time: «noon}", "a time is wanted as RFC 3339")]
#[case("- id: a\n  wait_for: {delay: 1m, «every: 1m}", "`every` belongs to a condition")]
#[case("- id: a\n  wait_for: «{sql: {statement: SELECT 1}}", "wait_for lacks `until`")]
#[case("- id: a\n  wait_for: {http: {url: 'https://a.example', method: «PUT}, until: 1 < 2}", "only GET and HEAD")]
#[case("- id: a\n  wait_for: {http: {url: 'https://a.example', body: «{a: 1}}, until: 1 < 2}", "only GET and HEAD")]
#[case("- id: a\n  wait_for: {sql: «{}, until: result.row.n == 1}", "sql lacks `statement` or `file`")]
#[case("- id: a\n  wait_for: {sql: {statement: S}, until: «rows.n == 1}", "`rows` is not declared")]
#[case("- id: a\n  wait_for: {sql: {statement: S}, until: result.n == 1, every: «10ms}", "at least 1s")]
#[case(
    "- id: a\n  wait_for: {sql: {statement: S}, until: result.n == 1, every: «{first: 2m, longest: 1m}}",
    "`longest` is shorter"
)]
#[case("- id: a\n  wait_for: {sql: {statement: S}, until: result.n == 1, every: «{first: 2m}}", "lacks `longest`")]
#[case("- id: a\n  «timeout: 1h\n  wait_for: {delay: 1m}", "move `timeout` there")]
#[case("- id: a\n  push_rows: «{workspace: w, dataset: d, table: t}", "push_rows lacks `rows`, `statement` or `file`")]
#[case(
    "- id: a\n  push_rows: {workspace: w, dataset: d, table: t, statement: SELECT 1, rows: «[]}",
    "beside a statement"
)]
#[case("- id: a\n  push_rows: {workspace: w, dataset: d, table: t, rows: [], «catalog: c}", "belongs to a statement")]
#[case("- id: a\n  push_rows: {workspace: w, dataset: d, table: t, file: «two.sql}", "there is no file two.sql")]
fn steps(#[case] step: &str, #[case] expected: &str) {
    let mut lines = String::new();
    for line in step.lines() {
        lines.push_str("  ");
        lines.push_str(line);
        lines.push('\n');
    }
    check(&format!("summary: s\nparameters: {{x1: {{type: integer}}}}\nsteps:\n{lines}"), expected);
}

#[rstest]
#[case("p: {type: «text}", "`type` must be one of: string, integer")]
#[case("p: «{required: true}", "lacks `type`")]
#[case("«callbackUrl: {type: string}", "is a reserved name")]
#[case("«in: {type: string}", "a word of the expression language")]
#[case("«a-b: {type: string}", "must match ^[A-Za-z_]")]
#[case("p: {type: integer, default: «x}", "the default must be a whole number")]
#[case("p: {type: integer, max: 3, default: «4}", "the default must be at most 3")]
#[case("p: {type: integer, required: true, default: «4}", "no use for a default")]
#[case("p: {type: string, pattern: «'['}", "not a regular expression")]
#[case("p: {type: string, «min: 1}", "`min` does nothing for the type string; it is for integer")]
#[case("p: {type: date, min: «1}", "`min` must be a value of the type date")]
#[case("p: «{type: enum}", "an enum lacks `values`")]
#[case("p: {type: enum, values: «[]}", "must not be empty")]
fn parameters(#[case] parameter: &str, #[case] expected: &str) {
    check(&format!("summary: s\nparameters:\n  {parameter}\nsteps: [{{id: a, job: {{job: j}}}}]\n"), expected);
}

#[rstest]
#[case("{cron: «0 6 * *}", "has 4 fields")]
#[case("{cron: «0 25 * * *}", "`cron` is not a schedule")]
#[case("{cron: 0 6 * * *, time_zone: «Mars/Olympus}", "is not an IANA name")]
#[case("{cron: 0 6 * * *, overlap: «both}", "must be one of: skip, queue")]
#[case("{cron: 0 6 * * *, parameters: {day: \"{{ «parameters.day }}\"}}", "a schedule sees `run` and `variables`")]
#[case("{cron: 0 6 * * *, parameters: {day: 2026-01-01, «dya: x}}", "there is no parameter `dya`")]
#[case("{cron: 0 6 * * *, parameters: {day: «tomorrow}}", "parameter `day` must be a date")]
#[case("{cron: 0 6 * * *, parameters: «{}}", "does not give the required parameter `day`")]
fn schedules(#[case] schedule: &str, #[case] expected: &str) {
    let parameters = "parameters: {day: {type: date, required: true}}";
    let schedule = if schedule.contains("parameters: ") {
        schedule.to_owned()
    } else {
        schedule.replacen('}', ", parameters: {day: 2026-01-01}}", 1)
    };
    check(&format!("summary: s\n{parameters}\nschedule: {schedule}\nsteps: [{{id: a, job: {{job: j}}}}]\n"), expected);
}

#[rstest]
#[case("output: {a: \"{{ «steps.x.row }}\"}", "no step `x`; known here: a")]
#[case("output: {a: {value: 1, type: «int}}", "`type` must be one of: string, integer")]
#[case("on_failure: [{id: «a, job: {job: j}}]", "two steps have the id `a`")]
#[case("output: {a: \"{{ «steps.tell.row }}\"}\non_failure: [{id: tell, job: {job: j}}]", "no step `tell`")]
fn the_end(#[case] rest: &str, #[case] expected: &str) {
    check(&format!("summary: s\nsteps: [{{id: a, job: {{job: j}}}}]\n{rest}\n"), expected);
}

#[rstest]
#[case("summary: s\n«summary: t\n", "not readable as YAML")]
#[case("summary: s\nsteps: [{id: a, job: {job: «{{ parameters.x }}}}]\n", "needs quotes")]
fn unreadable_yaml_is_told_at_its_place(#[case] marked: &str, #[case] expected: &str) {
    check(marked, expected);
}

#[test]
fn all_slips_of_a_file_are_told_at_once() {
    let yaml = "sumary: s\nparameters: {p: {type: text}}\nsteps:\n  - {id: a, jobb: {}}\n  - {id: a, when: q, job: {job: j}}\n";
    let problems = parse(yaml).expect_err("many slips");
    let places: Vec<_> = problems.iter().map(|problem| (problem.line, problem.column)).collect();
    assert_eq!(places, [(1, 1), (1, 1), (2, 24), (4, 5), (4, 13), (5, 10), (5, 19)], "{problems:#?}");
}

#[test]
fn a_template_inside_a_sql_file_is_told_in_that_file() {
    let mut definition = definition("summary: s\nsteps: [{id: a, sql: {file: one.sql}}]\n");
    definition.files.insert("one.sql".to_owned(), "SELECT\n  {{ x }}".to_owned());
    let problems = definition.parse(&variables()).expect_err("a template in SQL");
    assert_eq!((problems[0].file.as_str(), problems[0].line, problems[0].column), ("one.sql", 2, 3));
}

#[test]
fn a_bad_name_is_a_slip_of_the_file() {
    let yaml = "summary: s\nsteps: [{id: a, job: {job: j}}]\n".to_owned();
    for name in ["Sales", "1st", "a_b", "", &"a".repeat(64)] {
        let definition =
            Definition { name: name.to_owned(), yaml: yaml.clone(), files: std::collections::BTreeMap::default() };
        assert!(definition.parse(&variables()).is_err(), "{name}");
    }
}

#[test]
fn yaml_that_explodes_or_nests_without_end_is_refused() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb = format!("{bomb}a{level}: &a{level} [{aliases}]\n");
    }
    assert!(parse(&bomb).is_err());
    // A reader on a worker's stack must come back too.
    assert!(definition(&"{a: ".repeat(30_000)).named_files().is_empty());
    assert!(definition(&"- ".repeat(30_000)).named_files().is_empty());
    assert!(parse(&format!("summary: {}\n", "[".repeat(100_000))).is_err());
    assert!(parse(&"#".repeat(300_000)).is_err());
    assert!(parse("").is_err());
    assert!(parse("- a\n").is_err());
    assert!(parse("summary: s\n---\nsummary: t\n").is_err());
}

#[rstest]
#[case("- «type: T", "event lacks `source`")]
#[case("- source: «kafka", "`source` must be one of: event_grid, dataverse")]
#[case("- «source: event_grid", "an event of `event_grid` wants `type`")]
#[case("- «{source: dataverse, message: Update}", "an event of `dataverse` wants `entity`")]
#[case("- {source: event_grid, type: T, «entity: account}", "`entity` belongs to events of `dataverse`")]
#[case("- {source: dataverse, entity: e, message: M, «subject: {ends_with: x}}", "belongs to events of `event_grid`")]
#[case("- {source: event_grid, type: T, subject: {«contains: x}}", "unknown key `contains`")]
#[case("- {source: event_grid, type: T, when: «parameters.p == 1}", "`events` see `event`, `run` and `variables`")]
#[case("- {source: event_grid, type: T, when: «run.dueTime > run.startTime}", "only a schedule has `run.dueTime`")]
#[case("- {source: event_grid, type: T, parameters: {«q: 1}}", "there is no parameter `q`")]
#[case("- {source: event_grid, type: T, parameters: {p: «wrong}}", "parameter `p`")]
#[case("- {source: event_grid, type: T, parameters: {p: '{{ «steps.a.row }}'}}", "not `steps`")]
fn events(#[case] marked: &str, #[case] expected: &str) {
    let file = "summary: s\nparameters: {p: {type: integer}}\nsteps: [{id: a, job: {job: j}}]\nevents:\n";
    check(&format!("{file}{marked}\n"), expected);
}

#[test]
fn an_event_gives_every_required_parameter() {
    let file = "summary: s\nparameters: {p: {type: integer, required: true}}\nsteps: [{id: a, job: {job: j}}]\n";
    let rule = "{source: event_grid, type: T}";
    check(&format!("{file}events: [«{rule}]\n"), "the event does not give the required parameter `p`");
}

#[test]
fn the_event_is_seen_by_events_alone() {
    check(
        "summary: s\nsteps: [{id: a, when: «event.id == '1', job: {job: j}}]\n",
        "`event` exists only in `events`; hand what you need over as a parameter",
    );
}
