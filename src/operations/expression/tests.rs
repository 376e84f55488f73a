//! Expressions as makers write them: what they give, and which guesses are errors.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

use super::{Names, Origin, Place, Scope, compile, on_a_deep_stack};
use crate::operations::Expression;

fn names() -> Names {
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    Names {
        sensitive: BTreeSet::new(),
        told: false,
        parameters: set(&["day", "at", "text", "count", "share", "list", "nothing"]),
        dates: Arc::new(set(&["day", "at"])),
        steps: set(&["s"]),
        later: set(&["after"]),
        variables: set(&["workspace"]),
        ..Names::default()
    }
}

fn scope() -> Scope {
    let object = |value: Value| value.as_object().cloned().unwrap_or_default();
    Scope {
        parameters: object(json!({
            "day": "2026-01-31", "at": "2026-01-31T06:00:00+02:00", "text": "0.02", "count": 3, "share": 0.5,
            "list": [1, "a"], "nothing": null,
        })),
        steps: object(json!({"s": {
            "row": {"bad": 0, "amount": "12345678901234567890.123456789012345678", "big": 9_007_199_254_740_993_i64},
            "rows": [{"z": 1, "a": 2}], "rowCount": 1,
        }})),
        run: object(json!({"id": "r1", "operation": "o", "dueTime": "2026-02-01T06:00:00Z"})),
        variables: object(json!({"workspace": "w"})),
        ..Scope::default()
    }
}

fn compiled(text: &str) -> Result<Expression, Vec<(usize, String)>> {
    let origin = Origin { file: Arc::from("o.yaml"), place: Place { line: 7, column: 9 }, step: Some(Arc::from("x")) };
    on_a_deep_stack(|| compile(text, origin, &names())).expect("a thread")
}

fn value(text: &str) -> Result<Value, String> {
    let expression = compiled(text).map_err(|problems| format!("{problems:?}"))?;
    expression.evaluate(&scope()).map_err(|error| error.to_string())
}

#[rstest]
#[case("1 + 2", json!(3))]
#[case("parameters.count * 2", json!(6))]
#[case("parameters.share + 1.0", json!(1.5))]
#[case("double(parameters.text) < 0.05", json!(true))]
#[case("double(steps.s.row.amount) > 0.05", json!(true))]
#[case("parameters.nothing == null", json!(true))]
#[case("steps.s.row.bad != null", json!(true))]
#[case("1 == 1.0", json!(true))]
#[case("[1, 2] == [1, 2]", json!(true))]
#[case("{'a': 1} == {'a': 2}", json!(false))]
#[case("2 in [1, 2]", json!(true))]
#[case("'bad' in steps.s.row", json!(true))]
#[case("has(steps.s.row.gone)", json!(false))]
#[case("has(steps.s.row.bad)", json!(true))]
#[case("steps.s.rows.map(r, r.z + r.a)", json!([3]))]
#[case("steps.s.rows.all(r, r.z == 1)", json!(true))]
#[case("parameters.day < timestamp('2026-02-01T00:00:00Z')", json!(true))]
#[case("parameters.day == timestamp('2026-01-31T00:00:00Z')", json!(true))]
#[case("parameters.at == timestamp('2026-01-31T04:00:00Z')", json!(true))]
#[case("parameters.day < run.dueTime", json!(true))]
#[case("run.dueTime - duration('24h')", json!("2026-01-31T06:00:00Z"))]
#[case("run.dueTime | date", json!("2026-02-01"))]
#[case("date(run.dueTime - duration('24h'))", json!("2026-01-31"))]
#[case("date(parameters.at)", json!("2026-01-31"))]
#[case("'a|b' + 'c'", json!("a|bc"))]
#[case("true || false", json!(true))]
#[case("parameters.text.startsWith('0.')", json!(true))]
#[case("type(1) == int", json!(true))]
#[case("timestamp(parameters.day) == parameters.day", json!(true))]
#[case("timestamp('2026-07-01T22:30:00Z').getHours('Europe/Berlin')", json!(0))]
#[case("timestamp('2026-01-01T22:30:00Z').getHours('Europe/Berlin')", json!(23))]
#[case("timestamp('2026-07-01T22:30:00Z').getMinutes('Asia/Kolkata')", json!(0))]
#[case("timestamp('2026-07-01T01:30:00Z').getDayOfMonth('America/St_Johns')", json!(29))]
#[case("timestamp('2026-07-01T01:30:00Z').getDayOfWeek('UTC')", json!(3))]
#[case("timestamp('2026-07-01T22:30:00Z').getHours('+05:30')", json!(4))]
#[case("timestamp('2026-07-01T22:30:00Z').getHours('')", json!(22))]
#[case("string(parameters.count) + 'x'", json!("3x"))]
#[case("int('5') == 5", json!(true))]
#[case("size(parameters.list)", json!(2))]
#[case("parameters.nothing == null ? 'none' : 'some'", json!("none"))]
#[case("false && '0' == 0", json!(false))]
#[case("parameters['count']", json!(3))]
#[case("parameters.list[1]", json!("a"))]
fn an_expression_has_its_value(#[case] text: &str, #[case] expected: Value) {
    assert_eq!(value(text), Ok(expected), "{text}");
}

#[rstest]
#[case("'0.02' > 0.05", "string and double cannot be compared; cast the text")]
#[case("null < 10", "null and int cannot be compared; ask for null first")]
#[case("12.5 + 1", "`+` does not take double and int; cast one")]
#[case("1 + 12.5", "`+` does not take int and double; cast one")]
#[case("steps.s.row.amount > 0.05", "cast the text, for example double(x)")]
#[case("steps.s.row.amount == 0.05", "cast the text, for example double(x)")]
#[case("'0' == 0", "string and int cannot be compared")]
#[case("0 != '0'", "int and string cannot be compared")]
#[case("parameters.count == 3 && '0' == 0.0", "string and double cannot be compared")]
#[case("(parameters.text == 0) ? 1 : 2", "cannot be compared")]
#[case("[1, '0'] == [1, 0]", "cannot be compared")]
#[case("{'a': ['0']} == {'a': [0]}", "cannot be compared")]
#[case("'0' in [0]", "cannot be compared")]
#[case("0 in {'0': 1}", "cannot be compared")]
#[case("steps.s.rows.all(r, r.z == '1')", "cannot be compared")]
#[case("parameters.day == '2026-01-31'", "or the time a text, date(x)")]
#[case("true == 1", "cannot be compared")]
#[case("steps.s.row.gone", "there is no member `gone`")]
#[case("steps.s.row.gone + 1", "there is no member `gone`")]
#[case("1 / 0", "division by zero")]
#[case("1.0 / 0.0", "infinite")]
#[case("date(5)", "date: int is not a time")]
#[case("parameters.list[5]", "no item 5")]
fn a_guess_is_an_error_with_its_place_and_step(#[case] text: &str, #[case] expected: &str) {
    let error = value(text).expect_err(text);
    assert!(error.starts_with("o.yaml:7:9: step x: "), "{error}");
    assert!(error.contains(expected), "{text}: {error}");
}

#[rstest]
#[case("nowhere", 0, "`nowhere` is not declared")]
#[case("1 + nowhere.x", 4, "`nowhere` is not declared")]
#[case("parameters.dya", 0, "no parameter `dya`; known here: at, count")]
#[case("parameters['dya']", 0, "no parameter `dya`")]
#[case("1 + parameters.dya", 4, "no parameter `dya`")]
#[case("steps.after.row", 0, "step `after` comes later")]
#[case("has(steps.gone.row)", 4, "no step `gone`")]
#[case("variables.other", 0, "CAUSEWAY_VAR_OTHER")]
#[case("run.nothing", 0, "`run` has no `nothing`")]
#[case("run.error.detail", 0, "only in on_failure")]
#[case("item.x", 0, "for_each")]
#[case("parameters.count.map(r, q)", 24, "`q` is not declared")]
#[case("twice(1)", 5, "no function `twice`")]
#[case("1 +", 3, "not an expression")]
#[case("parameters.day | upper", 15, "unknown filter `upper`")]
#[case("", 0, "missing")]
fn what_can_be_known_is_told_when_the_file_is_read(#[case] text: &str, #[case] offset: usize, #[case] expected: &str) {
    let problems = compiled(text).expect_err(text);
    let (at, message) = &problems[0];
    assert!(message.contains(expected), "{text}: {message}");
    assert_eq!(*at, offset, "{text}: {message}");
}

#[test]
fn every_unknown_name_of_an_expression_is_told() {
    let problems = compiled("parameters.a1 + steps.b1.row + c1").expect_err("three slips");
    assert_eq!(problems.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0, 16, 31]);
}

#[test]
fn a_value_that_is_only_named_keeps_its_digits_its_order_and_its_text() {
    assert_eq!(value("parameters.day"), Ok(json!("2026-01-31")));
    assert_eq!(value("steps.s.row.big"), Ok(json!(9_007_199_254_740_993_i64)));
    assert_eq!(value("steps.s.rows[0]").map(|row| row.to_string()), Ok(r#"{"z":1,"a":2}"#.to_owned()));
}

#[test]
fn an_error_never_tells_a_value() {
    for text in ["parameters.text > 1", "parameters.text + 1", "parameters.text == 1", "[1][parameters.count]"] {
        let error = value(text).expect_err(text);
        assert!(!error.contains("0.02") && !error.contains("Int("), "{error}");
    }
}

#[test]
fn only_a_boolean_is_true_or_false() {
    let truth = |text: &str| compiled(text).expect("compiles").is_true(&scope()).map_err(|error| error.message);
    assert_eq!(truth("steps.s.row.bad == 0"), Ok(true));
    assert_eq!(truth("parameters.count"), Err("must be true or false, not a number".to_owned()));
    assert_eq!(truth("parameters.nothing"), Err("must be true or false, not null".to_owned()));
}

#[test]
fn an_expression_is_shared_between_threads() {
    fn shared<T: Send + Sync + Clone + std::fmt::Debug>() {}
    shared::<Expression>();
}

#[rstest]
#[case("(".repeat(500) + "1" + &")".repeat(500))]
#[case("[".repeat(1000))]
#[case("{1:".repeat(300))]
#[case("1?1:".repeat(250) + "1")]
#[case("has(".repeat(200))]
#[case("1".to_owned() + &"+1".repeat(500))]
#[case("parameters.list".to_owned() + &".a".repeat(500))]
#[case("1".to_owned() + &"-(-1)".repeat(200))]
#[case::loops("[1].map(a,".repeat(3) + "a" + &")".repeat(3))]
#[case::loops_of_all_kinds("[1].all(a, [2].exists(b, size([3].filter(c, c > 1)) > 0))".to_owned())]
fn deep_nesting_is_refused_instead_of_overflowing_the_stack(#[case] deep: String) {
    assert!(compiled(&deep).is_err());
}

#[rstest]
#[case("!".repeat(1000) + "true")]
#[case("true".to_owned() + &"&&true".repeat(160))]
#[case("1".to_owned() + &"+1".repeat(30))]
#[case("(".repeat(15) + "1" + &")".repeat(15))]
#[case("[1].map(a,".repeat(2) + "a" + &")".repeat(2))]
fn long_expressions_do_not_overflow_the_stack(#[case] long: String) {
    let expression = compiled(&long).expect("within the limits");
    assert!(expression.evaluate(&scope()).is_ok());
}

proptest! {
    /// The parser is generated code behind a library: whatever a maker types must come back as a message.
    #[test]
    fn no_text_makes_the_compiler_or_the_evaluation_panic(
        words in proptest::collection::vec(
            proptest::sample::select(vec![
                "parameters", ".", "count", "day", "text", "list", "steps.s.row", "bad", "(", ")", "[", "]", "{", "}", "'",
                "\"", "\\", "|", "||", "&&", "date", "==", "!=", "<", "in", "?", ":", "1", "0", "2.5", "-", "+", "!", "has",
                "map", "all", "r", ",", "null", "true", "é", "u'", "r'", "b'", "\n", "//", "timestamp", "0x", "1e", "`",
            ]),
            0..14,
        ),
        spaced: bool,
    ) {
        let text = words.join(if spaced { " " } else { "" });
        if let Ok(expression) = compiled(&text) {
            let _ = expression.evaluate(&scope());
        }
    }
}
