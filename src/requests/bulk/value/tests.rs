//! Values against types: what is taken, how it is written, and what is refused.

use proptest::prelude::*;
use rstest::rstest;

use super::*;

fn written(kind: &str, json: &str) -> Result<String, String> {
    let raw: Box<RawValue> = serde_json::from_str(json).unwrap();
    let mut out = String::new();
    write(&Type::read(kind), &raw, &mut out).map(|()| out)
}

#[rstest]
#[case("int", "7", "7")]
#[case("int", "7.0", "7")]
#[case("int", "2e3", "2000")]
#[case("int", "\"-7\"", "-7")]
#[case("tinyint", "-128", "-128")]
#[case("bigint", "9223372036854775807", "9223372036854775807")]
#[case("bigint", "\"-9223372036854775808\"", "-9223372036854775808")]
#[case("decimal(38,18)", "12345678901234567890.123456789012345678", "\"12345678901234567890.123456789012345678\"")]
#[case("decimal(5,2)", "\"123.4500\"", "\"123.45\"")]
#[case("decimal(5,2)", "-0", "\"0\"")]
#[case("decimal(2,2)", "0.25", "\"0.25\"")]
#[case("double", "1e-300", "1e-300")]
#[case("double", "\"NaN\"", "\"NaN\"")]
#[case("float", "3.4e38", "3.4e38")]
#[case("boolean", "true", "true")]
#[case("string", "\"\\u00fc\\n\\\"\"", "\"ü\\u000a\\\"\"")]
#[case("string", "\"\\u0000\"", "\"\\u0000\"")]
#[case("varchar(2)", "\"üü\"", "\"üü\"")]
#[case("date", "\"9999-12-31\"", "\"9999-12-31\"")]
#[case("timestamp", "\"2026-01-31T12:00:00.1234567+02:00\"", "\"2026-01-31T10:00:00.123456Z\"")]
#[case("timestamp", "\"1969-12-31T23:59:59.9999999Z\"", "\"1969-12-31T23:59:59.999999Z\"")]
#[case("timestamp", "\"0001-01-01 00:00:00Z\"", "\"0001-01-01T00:00:00Z\"")]
#[case("timestamp_ntz", "\"2026-01-31 12:00:00.5\"", "\"2026-01-31T12:00:00.5\"")]
#[case("binary", "\"8AD7\"", "\"8AD7\"")]
#[case("binary", "\"\"", "\"\"")]
#[case("array<int>", "[1, null]", "[1, null]")]
#[case("map<string,date>", "{\"a\":\"2026-01-31\"}", "{\"a\":\"2026-01-31\"}")]
#[case("struct<a:struct<b:bigint>>", "{\"a\":{\"b\":1}}", "{\"a\":{\"b\":1}}")]
#[case("variant", "{\"a\":[1]}", "\"{\\\"a\\\":[1]}\"")]
fn a_value_is_written_as_the_warehouse_reads_it(#[case] kind: &str, #[case] json: &str, #[case] expected: &str) {
    assert_eq!(written(kind, json).as_deref(), Ok(expected), "{kind} {json}");
}

#[rstest]
#[case("int", "2147483648", "out of range")]
#[case("tinyint", "128", "out of range")]
#[case("bigint", "9223372036854775808", "out of range")]
#[case("bigint", "1e400", "out of range")]
#[case("int", "7.5", "whole number")]
#[case("int", "\"seven\"", "whole number")]
#[case("int", "true", "a boolean")]
#[case("decimal(5,2)", "1.234", "more than 2 digits")]
#[case("decimal(5,2)", "1000", "too large")]
#[case("decimal(5,2)", "1e900", "too large")]
#[case("decimal(5,2)", "1e999999999", "not a number")]
#[case("decimal(5,2)", "\"1,5\"", "not a number")]
#[case("double", "\"1.5\"", "not a number")]
#[case("double", "1e999", "out of range")]
#[case("float", "1e39", "out of range")]
#[case("boolean", "1", "true or false")]
#[case("string", "7", "a number and not a text")]
#[case("string", "\"\\ud800\"", "no Unicode")]
#[case("varchar(2)", "\"abc\"", "3 letters")]
#[case("date", "\"2026-02-30\"", "a date")]
#[case("date", "\"2026-1-1\"", "a date")]
#[case("date", "\"0000-01-01\"", "a date")]
#[case("timestamp", "\"2026-01-31T12:00:00\"", "offset")]
#[case("timestamp", "\"2026-01-31T12:00:00+01:00[Europe/Paris]\"", "offset")]
#[case("timestamp", "\"0000-12-31T12:00:00Z\"", "offset")]
#[case("timestamp_ntz", "\"2026-01-31T12:00:00Z\"", "without an offset")]
#[case("timestamp_ntz", "\"2026-01-31T12:00:00-05:00\"", "without an offset")]
#[case("binary", "\"f0 0\"", "base64")]
#[case("binary", "\"8AD\"", "base64")]
#[case("array<int>", "[1,\"x\"]", "at [1]")]
#[case("array<int>", "{}", "a list")]
#[case("map<string,int>", "[]", "an object")]
#[case("struct<a:int>", "{\"a\":1,\"b\":2}", "a field \"b\"")]
#[case("struct<a:struct<b:int>>", "{\"a\":{\"b\":0.5}}", "at \"a\" at \"b\"")]
fn a_value_that_does_not_fit_says_what_is_wrong(#[case] kind: &str, #[case] json: &str, #[case] part: &str) {
    let wrong = written(kind, json).unwrap_err();
    assert!(wrong.contains(part), "{kind} {json}: {wrong}");
}

proptest! {
    #[test]
    fn a_decimal_keeps_every_digit_or_is_refused(whole in "[1-9][0-9]{0,25}", fraction in "[0-9]{0,22}[1-9]") {
        let text = format!("{whole}.{fraction}");
        let fits = whole.len() <= 20 && fraction.len() <= 18;
        match written("decimal(38,18)", &text) {
            Ok(out) => prop_assert!(fits && out == format!("\"{text}\""), "{text} became {out}"),
            Err(_) => prop_assert!(!fits, "{text} was refused"),
        }
    }

    #[test]
    fn a_whole_number_is_itself_or_is_refused(number: i128, bits in prop::sample::select(vec![8_u32, 16, 32, 64])) {
        let number = number >> 60;
        let raw: Box<RawValue> = RawValue::from_string(number.to_string()).unwrap();
        let mut out = String::new();
        let fits = (-(1_i128 << (bits - 1))..1_i128 << (bits - 1)).contains(&number);
        prop_assert_eq!(write(&Type::Integer(bits), &raw, &mut out).is_ok(), fits);
        if fits {
            prop_assert_eq!(out, number.to_string());
        }
    }

    #[test]
    fn a_text_is_the_same_text_after_it_was_written(text: String) {
        let json = serde_json::to_string(&text).unwrap();
        let out = written("string", &json).unwrap();
        prop_assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
    }

    #[test]
    fn no_value_is_a_panic(text in "[-+0-9.eETZ:\\[ ]{0,24}", kind in prop::sample::select(vec![
        "int", "decimal(5,2)", "double", "date", "timestamp", "timestamp_ntz", "binary", "varchar(3)",
    ])) {
        let json = serde_json::to_string(&text).unwrap();
        let _ = written(kind, &json);
    }
}
