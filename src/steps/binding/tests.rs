//! Values, and what they are bound as.

use serde_json::json;

use super::*;

type Bound = (Option<String>, Option<String>);

fn written(json: &str) -> Result<Bound, Failure> {
    let parameters: JsonParameters = serde_json::from_str(&format!("{{\"p\": {json}}}")).unwrap();
    let bound = parameters.bind()?;
    Ok((bound[0].value.clone(), bound[0].type_text.clone()))
}

/// As written in a body, and as a value of a template, which must be the same.
fn bound(value: &Value) -> Bound {
    let written = written(&value.to_string()).unwrap();
    let parameters = json!({ "p": value });
    let rendered = bind_parameters(parameters.as_object().unwrap()).unwrap();
    assert_eq!((rendered[0].value.clone(), rendered[0].type_text.clone()), written, "{value}");
    written
}

fn pair(value: &str, type_text: &str) -> Bound {
    (Some(value.into()), Some(type_text.into()))
}

#[test]
fn plain_values_are_bound_with_the_type_that_they_have() {
    assert_eq!(bound(&json!("O'Hara")), pair("O'Hara", "STRING"));
    assert_eq!(bound(&json!("2026-01-02")), pair("2026-01-02", "STRING"));
    assert_eq!(bound(&json!("line\nü \u{1f600}")), pair("line\nü \u{1f600}", "STRING"));
    assert_eq!(bound(&json!(7)), pair("7", "INT"));
    assert_eq!(bound(&json!(3_000_000_000_i64)), pair("3000000000", "BIGINT"));
    assert_eq!(bound(&json!(u64::MAX)), pair("18446744073709551615", "DECIMAL(38,0)"));
    assert_eq!(bound(&json!(2.5)), pair("2.5", "DOUBLE"));
    assert_eq!(bound(&json!(true)), pair("true", "BOOLEAN"));
    assert_eq!(bound(&json!(null)), (None, None));
}

#[test]
fn a_named_type_is_kept_and_null_may_have_one() {
    assert_eq!(bound(&json!({"value": "2026-01-02", "type": "DATE"})), pair("2026-01-02", "DATE"));
    assert_eq!(bound(&json!({"value": null, "type": "DATE"})), (None, Some("DATE".into())));
    assert_eq!(bound(&json!({"value": 1.5, "type": "DECIMAL(10,2)"})), pair("1.5", "DECIMAL(10,2)"));
    assert_eq!(bound(&json!({"value": 1, "type": "decimal( 10 , 2 )"})), pair("1", "decimal( 10 , 2 )"));
    assert_eq!(bound(&json!({"value": "1", "type": "INTERVAL DAY"})), pair("1", "INTERVAL DAY"));
    assert_eq!(bound(&json!({"value": 7, "type": null})), pair("7", "INT"));
    assert_eq!(bound(&json!({"value": 7})), pair("7", "INT"));
}

#[test]
fn no_digit_of_a_number_is_lost() {
    assert_eq!(written("12345678901234567.89").unwrap(), pair("12345678901234567.89", "DECIMAL(19,2)"));
    let long = "12345678901234567890123456789012345678901234567890";
    assert_eq!(written(&format!("{{\"value\": {long}, \"type\": \"STRING\"}}")).unwrap(), pair(long, "STRING"));
    let typed = "{\"value\": 1234567890123456789012345678901234.5670, \"type\": \"DECIMAL(38,4)\"}";
    assert_eq!(written(typed).unwrap(), pair("1234567890123456789012345678901234.5670", "DECIMAL(38,4)"));
    assert_eq!(written("2.50").unwrap(), pair("2.50", "DOUBLE"));
    assert_eq!(written("[12345678901234567.89, 1.10]").unwrap(), pair("[12345678901234567.89, 1.10]", "STRING"));
}

#[test]
fn arrays_and_objects_are_bound_as_json_text() {
    assert_eq!(bound(&json!([1, 2])), pair("[1,2]", "STRING"));
    assert_eq!(bound(&json!({"a": 1})), pair("{\"a\":1}", "STRING"));
    assert_eq!(bound(&json!({"type": "x", "a": 1})), pair("{\"type\":\"x\",\"a\":1}", "STRING"));
    assert_eq!(bound(&json!({"value": {"value": 1, "unit": "kg"}})), pair("{\"value\":1,\"unit\":\"kg\"}", "STRING"));
}

#[rstest::rstest]
#[case(r#"{"value": "[1]", "type": "ARRAY<INT>"}"#, "from_json")]
#[case(r#"{"value": "1", "type": "ARRAY"}"#, "from_json")]
#[case(r#"{"value": "1", "type": "INT; DROP"}"#, "INT; DROP")]
#[case(r#"{"value": "1", "type": "DECIMAL(10"}"#, "DECIMAL(10")]
#[case(r#"{"value": "1", "type": "DECIMAL(a)"}"#, "DECIMAL(a)")]
#[case(r#"{"value": "1", "type": ""}"#, "type")]
#[case(r#"{"value": "1", "type": 5}"#, "`type`")]
#[case(r#"{"value": "2026-01-02", "typ": "DATE"}"#, "typ")]
#[case(r#"{"type": "DATE"}"#, "`value`")]
#[case("1e400", "DECIMAL(38)")]
#[case(r#""\ud800""#, "cannot be read")]
fn what_cannot_be_bound_is_refused_with_its_place(#[case] json: &str, #[case] says: &str) {
    let failure = written(json).unwrap_err();
    assert_eq!((failure.code, failure.place.as_deref()), (Code::BodyInvalid, Some("parameters.p")));
    assert!(failure.detail.contains(says), "{}", failure.detail);
}

#[test]
fn a_parameter_that_is_given_twice_or_has_no_name_is_refused() {
    let twice: JsonParameters = serde_json::from_str(r#"{"p": 1, "p": 2}"#).unwrap();
    assert_eq!(twice.bind().unwrap_err().place.as_deref(), Some("parameters.p"));
    let nameless: JsonParameters = serde_json::from_str(r#"{"": 1}"#).unwrap();
    assert_eq!(nameless.bind().unwrap_err().code, Code::BodyInvalid);
}
