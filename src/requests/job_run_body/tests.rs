//! Bodies of starts: what is sent for them, and what is refused at once.

use rstest::rstest;
use serde_json::json;

use super::*;

fn wanted(body: Value) -> Result<Wanted, Failure> {
    serde_json::from_value::<Body>(body).expect("a body").wanted()
}

#[test]
fn values_become_texts_and_null_is_left_out() {
    let body = json!({
        "parameters": {"day": "2026-10-05", "count": 7, "all": true, "list": [1], "none": null},
        "only": null, "queue": true, "performanceTarget": "STANDARD", "sqlParams": {"n": 1}, "jarParams": ["a"],
    });
    let start = wanted(body).unwrap().run_now("5".to_owned(), "token");
    let parameters = json!({"day": "2026-10-05", "count": "7", "all": "true", "list": "[1]"});
    assert_eq!(serde_json::to_value(&start.parameters).unwrap(), parameters);
    assert_eq!((start.queue, start.performance_target.as_deref()), (Some(true), Some("STANDARD")));
    assert_eq!(serde_json::to_value(&start.legacy).unwrap(), json!({"sql_params": {"n": "1"}, "jar_params": ["a"]}));
}

#[rstest]
#[case::a_target(json!({"performanceTarget": "FAST"}), "performanceTarget", "STANDARD or PERFORMANCE_OPTIMIZED")]
#[case::both(json!({"notebookParams": {"a": "1"}, "jarParams": ["a"]}), "jarParams", "together")]
#[case::letters(json!({"pythonParams": ["a", "größe"]}), "pythonParams[1]", "ASCII")]
#[case::notebook(json!({"notebookParams": {"a": "x".repeat(9_990)}}), "notebookParams", "10000")]
#[case::python(json!({"pythonParams": ["x".repeat(10_000)]}), "pythonParams", "10000")]
#[case::sql(json!({"sqlParams": {"a": "x".repeat(10_000)}}), "sqlParams", "10000")]
fn what_databricks_would_refuse_is_refused_at_once(#[case] body: Value, #[case] place: &str, #[case] word: &str) {
    let failure = wanted(body).unwrap_err();
    assert_eq!((failure.code, failure.place.as_deref()), (Code::BodyInvalid, Some(place)));
    assert!(failure.detail.contains(word), "{}", failure.detail);
}

#[test]
fn ten_thousand_bytes_with_the_name_are_taken() {
    // {"notebook_params":{"a":""}} has 28.
    assert!(wanted(json!({"notebookParams": {"a": "x".repeat(10_000 - 28)}})).is_ok());
    assert!(wanted(json!({"notebookParams": {"a": "x".repeat(10_000 - 27)}})).is_err());
}
