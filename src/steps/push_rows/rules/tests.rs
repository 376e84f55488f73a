//! Whole rows against a push table.

use super::*;

fn table(columns: &[(&str, DataType)]) -> PushTable {
    let column = |(name, kind): &(&str, DataType)| PushColumn { name: (*name).into(), data_type: Some(*kind) };
    PushTable { columns: columns.iter().map(column).collect(), has_sequence_numbers: false, fresh: true }
}

fn read(rules: &Rules, row: &str) -> Result<String, Vec<String>> {
    rules.read(3, row.as_bytes()).map_err(|faults| {
        let told = |fault: FailedRow| format!("{}: {}", fault.column.unwrap_or_default(), fault.message);
        faults.into_iter().map(told).collect()
    })
}

#[test]
fn every_fault_of_a_row_is_named_by_its_column() {
    let rules = Rules::of(&table(&[("id", DataType::Int64), ("Name", DataType::String)]));
    assert_eq!(read(&rules, r#"{"ID": 1, "Name": null}"#).as_deref(), Ok(r#"{"id":1,"Name":null}"#));
    let faults = read(&rules, r#"{"id": "x", "colour": "red", "name": {}, "Name": "twice"}"#).unwrap_err();
    assert_eq!(faults.len(), 4, "{faults:?}");
    assert!(faults[1].starts_with("colour: is no column") && faults[3].contains("twice"), "{faults:?}");
    for wrong in ["7", "[1]", "{\"id\":", "{\"id\": 1"] {
        assert!(read(&rules, wrong).is_err(), "{wrong}");
    }
}

#[test]
fn without_columns_values_are_checked_by_themselves() {
    let rules = Rules::of(&table(&[]));
    assert_eq!(read(&rules, r#"{"any": 1, "b": "x"}"#).as_deref(), Ok(r#"{"any":1,"b":"x"}"#));
    assert!(read(&rules, r#"{"any": {"a": 1}}"#).is_err());
    let wide: Vec<String> = (0..76).map(|at| format!("\"c{at}\":1")).collect();
    assert!(read(&rules, &format!("{{{}}}", wide.join(","))).unwrap_err()[0].contains("76 columns"));
}
