//! Values against the types of push columns.

use rstest::rstest;

use super::*;

fn pushed(kind: &str, json: &str) -> Result<String, String> {
    let raw: Box<RawValue> = serde_json::from_str(json).unwrap();
    let mut out = String::new();
    write(DataType::named(kind), &raw, false, &mut out).map(|()| out)
}

#[rstest]
#[case("Int64", "7", "7")]
#[case("Int64", "7.0", "7")]
#[case("Int64", "\"-12\"", "-12")]
#[case("Int64", "9223372036854775806", "9223372036854775806")]
#[case("Double", "1.5e300", "1.5e300")]
#[case("Double", "\"0.1\"", "\"0.1\"")]
#[case("Decimal", "12.3400", "12.34")]
#[case("Decimal", "123456789012345678901234.5678", "\"123456789012345678901234.5678\"")]
#[case("Boolean", "\"True\"", "true")]
#[case("bool", "false", "false")]
#[case("DateTime", "\"2026-10-31\"", "\"2026-10-31\"")]
#[case("DateTime", "\"2026-10-31T12:00:00.1234567\"", "\"2026-10-31T12:00:00.1234567\"")]
#[case("Datetime", "\"2026-10-31T12:00:00+02:00\"", "\"2026-10-31T12:00:00+02:00\"")]
#[case("Datetime", "\"07/30/2014\"", "\"07/30/2014\"")]
#[case("String", "\"Zo\\u00eb\"", "\"Zo\\u00eb\"")]
#[case("String", "12", "12")]
#[case("unknown", "\"anything\"", "\"anything\"")]
#[case("unknown", "true", "true")]
fn these_are_pushed(#[case] kind: &str, #[case] json: &str, #[case] expected: &str) {
    assert_eq!(pushed(kind, json).as_deref(), Ok(expected), "{kind} {json}");
}

#[rstest]
#[case("Int64", "9223372036854775807", "largest Int64")]
#[case("Int64", "-9223372036854775808", "least")]
#[case("Int64", "1e30", "out of range")]
#[case("Int64", "1.5", "whole number")]
#[case("Int64", "\"abc\"", "whole number")]
#[case("Double", "\"NaN\"", "is no number")]
#[case("Double", "\"Infinity\"", "is no number")]
#[case("Double", "1.7976931348623157e308", "out of range")]
#[case("Double", "1e999", "out of range")]
#[case("Decimal", "0.00001", "4 digits")]
#[case("Decimal", "1234567890123456789012345", "too large")]
#[case("Boolean", "1", "true or false")]
#[case("Datetime", "\"1899-12-31\"", "1900")]
#[case("Datetime", "\"tomorrow\"", "a date or time")]
#[case("Datetime", "7", "a date or time")]
#[case("String", "{\"a\": 1}", "an object")]
#[case("unknown", "[1]", "a list")]
fn these_are_refused(#[case] kind: &str, #[case] json: &str, #[case] why: &str) {
    let wrong = pushed(kind, json).unwrap_err();
    assert!(wrong.contains(why), "{kind} {json}: {wrong}");
}

#[test]
fn a_text_has_at_most_4000_characters_whatever_bytes_they_take() {
    let text = |count| serde_json::to_string(&"ë".repeat(count)).unwrap();
    assert!(pushed("String", &text(4_000)).is_ok());
    assert!(pushed("String", &text(4_001)).unwrap_err().contains("4001"));
    assert!(pushed("unknown", &text(4_001)).is_err());
}

#[test]
fn what_is_nested_is_pushed_as_json_text_where_that_is_asked_for() {
    let raw: Box<RawValue> = serde_json::from_str("{\"a\":[\"b\"]}").unwrap();
    let mut out = String::new();
    write(Some(DataType::String), &raw, true, &mut out).unwrap();
    assert_eq!(serde_json::from_str::<String>(&out).unwrap(), raw.get());
    assert!(write(Some(DataType::Int64), &raw, true, &mut String::new()).is_err());
}
