//! Bodies against declared parameters, and the schemas that say the same.

use rstest::rstest;
use serde_json::{Map, Value, json};

use super::{good, parse};
use crate::operations::Operation;

fn operation() -> Operation {
    good(
        "summary: s
parameters:
  day: {type: date, required: true, min: 2026-01-01, max: 2026-12-31}
  at: {type: datetime}
  name: {type: string, min_length: 2, max_length: 4, pattern: '[a-zé]+'}
  count: {type: integer, default: 7, min: 1, max: 9}
  share: {type: number, max: 0.5}
  flag: {type: boolean}
  size: {type: enum, values: [small, large]}
  list: {type: array, min_items: 1, max_items: 2}
  more: {type: object}
  key: {type: string, default: hidden}
steps: [{id: a, job: {job: j}}]
output:
  n: {value: 1, type: integer}
  any: '{{ parameters.name }}'
",
    )
}

fn body(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

#[test]
fn a_sensitive_parameter_is_bound_and_never_told() {
    let yaml = |rest: &str| {
        format!(
            "summary: s\nparameters: {{key: {{type: string, sensitive: true}}}}\nsteps:\n  - id: a\n    job: {{job: j, \
             parameters: {{k: '{{{{ parameters.key }}}}'}}}}\n{rest}"
        )
    };
    let operation = parse(&yaml("")).unwrap();
    assert_eq!(operation.sensitive(), ["key"]);
    assert_eq!(operation.parameters_schema()["properties"]["key"]["writeOnly"], true);
    for told in [
        "output: {k: '{{ parameters.key }}'}\n",
        "output: {all: '{{ parameters }}'}\n",
        "  - {id: b, assert: {that: 1 < 2, message: 'no {{ parameters.key }}'}}\n",
    ] {
        let problems = parse(&yaml(told)).unwrap_err();
        assert!(problems[0].message.contains("may not be told"), "{}", problems[0]);
    }
    let default =
        "summary: s\nparameters: {key: {type: string, sensitive: true, default: a}}\nsteps: [{id: a, job: {job: j}}]\n";
    assert!(parse(default).unwrap_err()[0].message.contains("no default"));
}

#[test]
fn a_good_body_is_accepted_with_defaults_filled_in() {
    let accepted = operation().accept(&body(&json!({"day": "2026-01-31", "size": "small", "flag": null})));
    let expected = json!({
        "day": "2026-01-31", "at": null, "name": null, "count": 7, "share": null, "flag": null, "size": "small",
        "list": null, "more": null, "key": "hidden",
    });
    assert_eq!(accepted.map(Value::Object), Ok(expected));
}

#[rstest]
#[case("day", json!("2026-1-31"), "must be a date as YYYY-MM-DD")]
#[case("day", json!("2026-02-30"), "must be a date")]
#[case("day", json!("2026-01-31T00:00:00Z"), "must be a date")]
#[case("day", json!("20260131"), "must be a date")]
#[case("day", json!("2025-12-31"), "must not be before 2026-01-01")]
#[case("day", json!("2027-01-01"), "must not be after 2026-12-31")]
#[case("day", json!(null), "must be a date")]
#[case("at", json!("2026-01-31T06:00:00"), "must be a time as RFC 3339")]
#[case("name", json!("a"), "at least 2 characters")]
#[case("name", json!("abcde"), "at most 4 characters")]
#[case("name", json!("ab1"), "must match [a-zé]+")]
#[case("name", json!(5), "must be a text")]
#[case("count", json!("5"), "must be a whole number")]
#[case("count", json!(5.5), "must be a whole number")]
#[case("count", json!(0), "must be at least 1")]
#[case("count", json!(10), "must be at most 9")]
#[case("share", json!("0.1"), "must be a number")]
#[case("share", json!(0.6), "must be at most 0.5")]
#[case("flag", json!("true"), "must be true or false")]
#[case("size", json!("medium"), "must be one of: small, large")]
#[case("list", json!([]), "at least 1 items")]
#[case("list", json!([1, 2, 3]), "at most 2 items")]
#[case("list", json!("x"), "must be a list")]
#[case("more", json!([]), "must be an object")]
#[case("dya", json!(1), "is unknown; this operation takes day, at")]
fn a_bad_value_is_told_at_its_place(#[case] name: &str, #[case] value: Value, #[case] expected: &str) {
    let mut given = body(&json!({"day": "2026-01-31"}));
    given.insert(name.to_owned(), value);
    let problems = operation().accept(&given).expect_err(name);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(problems[0].place, name);
    assert!(problems[0].message.contains(expected), "{}", problems[0].message);
}

#[test]
fn every_problem_is_told_at_once() {
    let problems = operation().accept(&body(&json!({"count": "x", "more": 1, "other": 1}))).expect_err("four slips");
    assert_eq!(
        problems.iter().map(|problem| problem.place.as_str()).collect::<Vec<_>>(),
        ["day", "count", "more", "other"]
    );
}

#[test]
fn names_with_multibyte_letters_are_counted_in_characters() {
    assert!(operation().accept(&body(&json!({"day": "2026-01-31", "name": "éééé"}))).is_ok());
}

#[test]
fn the_parameters_schema_agrees_with_what_is_accepted() {
    let operation = operation();
    let schema = operation.parameters_schema();
    let validator = jsonschema::draft202012::options().should_validate_formats(true).build(&schema).expect("a schema");
    for (given, good) in [
        (json!({"day": "2026-01-31"}), true),
        (json!({"day": "2026-01-31", "count": null, "size": "large", "name": "abc"}), true),
        (json!({}), false),
        (json!({"day": "x"}), false),
        (json!({"day": "2026-01-31", "count": "5"}), false),
        (json!({"day": "2026-01-31", "count": 10}), false),
        (json!({"day": "2026-01-31", "name": "ab1"}), false),
        (json!({"day": "2026-01-31", "size": "medium"}), false),
        (json!({"day": "2026-01-31", "other": 1}), false),
        (json!({"day": "2026-01-31", "list": []}), false),
    ] {
        assert_eq!(validator.is_valid(&given), good, "{given}");
        assert_eq!(operation.accept(&body(&given)).is_ok(), good, "{given}");
    }
}

#[test]
fn the_output_schema_requires_nothing_and_allows_null() {
    let schema = operation().output_schema();
    assert_eq!(schema["properties"]["n"]["type"], json!(["integer", "null"]));
    assert_eq!(schema["properties"]["any"], json!({}));
    assert_eq!(schema.get("required"), None);
}
