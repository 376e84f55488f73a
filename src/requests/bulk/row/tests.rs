//! Whole rows: columns by name, keys, what is missing; and the statements that they are written by.

use super::super::statement::statement;
use super::*;
use crate::databricks::TableColumn;

fn column(name: &str, type_text: &str) -> TableColumn {
    TableColumn {
        name: name.into(),
        type_text: type_text.into(),
        type_name: String::new(),
        precision: None,
        scale: None,
        nullable: true,
        position: 0,
        partition_index: None,
        comment: None,
        masked: false,
        generated: false,
        has_default: false,
    }
}

fn table() -> TableInfo {
    TableInfo {
        catalog: "c".into(),
        schema: "s".into(),
        name: "t".into(),
        full_name: "c.s.t".into(),
        table_type: Some("MANAGED".into()),
        format: Some("DELTA".into()),
        comment: None,
        columns: vec![
            TableColumn { nullable: false, ..column("id", "bigint") },
            column("na`me", "string"),
            TableColumn { nullable: false, has_default: true, ..column("at", "timestamp") },
            TableColumn { generated: true, ..column("day", "date") },
            column("amount", "decimal(10,2)"),
        ],
        primary_key: vec!["id".into()],
        foreign_keys: Vec::new(),
        has_row_filter: false,
    }
}

fn rules(mode: WriteMode) -> Rules {
    Rules::new(&table(), mode, None).unwrap()
}

fn faults(mode: WriteMode, row: &str) -> Vec<(String, String)> {
    let faults = rules(mode).read(1, row.as_bytes()).unwrap_err();
    faults.into_iter().map(|fault| (fault.column.unwrap_or_default(), fault.message)).collect()
}

#[test]
fn keys_that_are_equal_to_the_warehouse_have_one_text() {
    let mut table = table();
    table.columns = vec![column("k", "double"), column("f", "float"), column("d", "decimal(10,2)")];
    let keys = ["k", "f", "d"].map(str::to_owned);
    let rules = Rules::new(&table, WriteMode::Upsert, Some(&keys)).unwrap();
    let key = |k: &str, f: &str, d: &str| {
        rules.read(1, format!(r#"{{"k": {k}, "f": {f}, "d": {d}}}"#).as_bytes()).unwrap().key.unwrap()
    };
    assert_eq!(key("1", "0.1", "1.50"), key("1.0", "1e-1", "\"1.5\""));
    assert_eq!(key("-0.0", "0.10000000001", "1"), key("0", "0.1", "1.00"));
    assert_ne!(key("0.1", "1", "1"), key("0.10000000001", "1", "1"));
    assert_eq!(key("\"NaN\"", "1", "1"), key("\"NaN\"", "1.0", "1"));
    assert_ne!(key("1", "2", "1"), key("2", "1", "1"));
}

#[test]
fn a_row_is_written_by_the_numbers_of_its_columns() {
    let row = rules(WriteMode::Upsert).read(7, br#"{"AMOUNT": 1.50, "na`me": null, "id": "12"}"#).unwrap();
    assert_eq!(row.text, r#"{"c0":12,"c1":null,"c4":"1.5"}"#);
    assert_eq!((row.number, row.columns, row.key.as_deref()), (7, vec![0, 1, 4], Some("12")));
    // What is deleted is told by its key, whatever stands beside it.
    let row = rules(WriteMode::Delete).read(1, br#"{"id": 12, "amount": "much"}"#).unwrap();
    assert_eq!((row.text.as_str(), row.columns), (r#"{"c0":12}"#, vec![0]));
}

#[test]
fn every_fault_of_a_row_is_named_by_its_column() {
    let found = faults(WriteMode::Insert, r#"{"colour": 1, "amount": true, "day": "2026-01-31", "amount": 2}"#);
    let columns: Vec<&str> = found.iter().map(|(column, _)| column.as_str()).collect();
    assert_eq!(columns, ["colour", "amount", "id", "day", "amount"]);
    assert!(found[1].1.contains("twice") && found[2].1.contains("missing") && found[3].1.contains("filled by"));
    assert!(faults(WriteMode::Insert, r#"{"id": 1, "at": null}"#)[0].1.contains("NOT NULL"));
    assert!(faults(WriteMode::Upsert, r#"{"amount": 1}"#)[0].1.contains("is a key"));
    assert!(faults(WriteMode::Upsert, r#"{"id": null}"#)[0].1.contains("is a key"));
    assert!(faults(WriteMode::Insert, "[1]")[0].1.contains("object"));
    assert!(faults(WriteMode::Insert, r#"{"id": 1]"#)[0].1.contains("JSON"));
    // A column with a default may be left out; an upsert may leave out any but its keys.
    assert!(rules(WriteMode::Insert).read(1, br#"{"id": 1}"#).is_ok());
    assert!(rules(WriteMode::Upsert).read(1, br#"{"id": 1, "amount": 2}"#).is_ok());
}

#[test]
fn keys_are_the_callers_else_the_primary_key() {
    let named = Rules::new(&table(), WriteMode::Delete, Some(&["AMOUNT".into(), "id".into()])).unwrap();
    assert_eq!(named.keys, [4, 0]);
    assert_eq!(rules(WriteMode::Upsert).keys, [0]);
    let bare = TableInfo { primary_key: Vec::new(), ..table() };
    let failure = Rules::new(&bare, WriteMode::Upsert, None).unwrap_err();
    assert_eq!((failure.code, failure.place.as_deref()), (Code::BodyInvalid, Some("keys")));
    let view = TableInfo { table_type: Some("VIEW".into()), ..table() };
    assert!(Rules::new(&view, WriteMode::Insert, None).unwrap_err().detail.contains("view"));
}

#[test]
fn statements_quote_every_name_and_hold_no_value() {
    let insert = statement(["c", "s`x", "t"], &rules(WriteMode::Insert), &[0, 1, 4]);
    assert_eq!(
        insert,
        "INSERT INTO `c`.`s``x`.`t` (`id`, `na``me`, `amount`) SELECT r.c0 AS c0, r.c1 AS c1, \
         CAST(r.c4 AS DECIMAL(10,2)) AS c4 FROM (SELECT explode(from_json(:rows, \
         'ARRAY<STRUCT<c0: BIGINT, c1: STRING, c4: STRING>>', map('mode', 'FAILFAST'))) AS r)"
    );
    let upsert = statement(["c", "s", "t"], &rules(WriteMode::Upsert), &[0, 1]);
    assert!(upsert.starts_with("MERGE INTO `c`.`s`.`t` AS causeway_table USING (SELECT "), "{upsert}");
    assert!(
        upsert.ends_with(
            "AS causeway_rows ON causeway_table.`id` = causeway_rows.c0 WHEN MATCHED THEN UPDATE SET `na``me` = \
             causeway_rows.c1 WHEN NOT MATCHED THEN INSERT (`id`, `na``me`) VALUES (causeway_rows.c0, causeway_rows.c1)"
        ),
        "{upsert}"
    );
    let keys_alone = statement(["c", "s", "t"], &rules(WriteMode::Upsert), &[0]);
    assert!(!keys_alone.contains("WHEN MATCHED"), "{keys_alone}");
    let delete = statement(["c", "s", "t"], &rules(WriteMode::Delete), &[0]);
    assert!(delete.ends_with("ON causeway_table.`id` = causeway_rows.c0 WHEN MATCHED THEN DELETE"), "{delete}");
}
