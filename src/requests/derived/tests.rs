//! Which statements have columns here, and which types they become.

use super::*;

fn info(name: &str, type_name: &str, type_text: &str, scale: Option<u32>) -> ColumnInfo {
    ColumnInfo { name: name.into(), type_text: type_text.into(), type_name: type_name.into(), precision: None, scale }
}

#[test]
fn each_type_becomes_the_one_that_keeps_its_values() {
    for (name, scale, expected) in [
        ("BYTE", None, "Int64"),
        ("LONG", None, "Int64"),
        ("FLOAT", None, "Double"),
        ("DOUBLE", None, "Double"),
        ("BOOLEAN", None, "Boolean"),
        ("DATE", None, "DateTime"),
        ("TIMESTAMP", None, "DateTime"),
        ("TIMESTAMP_NTZ", None, "DateTime"),
        ("STRING", None, "String"),
        ("DECIMAL", Some(0), "Decimal"),
        ("DECIMAL", Some(4), "Decimal"),
    ] {
        let derived = columns(&[info("c", name, name, scale)], Unsupported::Refuse).unwrap();
        assert_eq!(derived[0].column.data_type, expected, "{name}");
    }
}

#[test]
fn what_would_lose_something_is_named_or_becomes_text() {
    let all = [
        info("rate", "DECIMAL", "DECIMAL(38,18)", Some(18)),
        info("day", "DATE", "DATE", None),
        info("tags", "ARRAY", "ARRAY<STRING>", None),
        info("raw", "BINARY", "BINARY", None),
        info("new", "GEOGRAPHY", "GEOGRAPHY", None),
    ];
    let failure = columns(&all, Unsupported::Refuse).unwrap_err();
    assert_eq!(failure.code, Code::BodyInvalid);
    for name in ["`rate` (DECIMAL(38,18))", "`tags` (ARRAY<STRING>)", "`raw`", "`new`", "unsupported"] {
        assert!(failure.detail.contains(name), "{}", failure.detail);
    }
    assert!(!failure.detail.contains("`day`"), "{}", failure.detail);
    let text = columns(&all, Unsupported::Text).unwrap();
    let types: Vec<&str> = text.iter().map(|derived| derived.column.data_type.as_str()).collect();
    assert_eq!(types, ["String", "DateTime", "String", "String", "String"]);
    assert_eq!(text[0].source, "DECIMAL(38,18)");
}

#[test]
fn only_a_query_is_asked_for_its_columns() {
    assert_eq!(shape_of("SELECT 1 -- one").unwrap(), "SELECT * FROM (\nSELECT 1 -- one\n) LIMIT 0");
    assert_eq!(shape_of(" WITH a AS (SELECT 1) SELECT * FROM a ; ").unwrap().matches(';').count(), 0);
    for other in [
        "",
        "SHOW TABLES",
        "describe t",
        "EXPLAIN SELECT 1",
        "DELETE FROM t",
        "SELECT 1; SELECT 2",
        "SELECT 1; -- behind",
        "SELECT 1) UNION ALL SELECT * FROM (SELECT 2",
        "SELECT 1) LIMIT 1; DELETE FROM t; SELECT * FROM (SELECT 1",
        "SELECT http_request('x')",
    ] {
        assert_eq!(shape_of(other).unwrap_err().code, Code::StatementNotAllowed, "{other}");
    }
}
