//! What a push dataset may look like.

use serde_json::{Value, json};

use crate::failure::{Code, Failure};
use crate::power_bi::{Relationship, TableSchema, check_dataset};

fn checked(tables: &Value, relationships: &Value) -> Result<Vec<TableSchema>, Failure> {
    let mut tables: Vec<TableSchema> = serde_json::from_value(tables.clone()).expect("tables");
    let mut relationships: Vec<Relationship> = serde_json::from_value(relationships.clone()).expect("relationships");
    check_dataset(&mut tables, &mut relationships)?;
    Ok(tables)
}

fn table(name: &str, columns: usize) -> Value {
    let columns: Vec<Value> =
        (0..columns).map(|number| json!({"name": format!("c{number}"), "dataType": "Int64"})).collect();
    json!({"name": name, "columns": columns})
}

#[test]
fn types_are_read_in_any_letter_case_and_sent_in_one() {
    for (given, sent) in [
        ("int64", "Int64"),
        ("Datetime", "DateTime"),
        ("bool", "Boolean"),
        ("string", "String"),
        ("DECIMAL", "Decimal"),
        ("double", "Double"),
    ] {
        let tables =
            checked(&json!([{"name": "T", "columns": [{"name": "c", "dataType": given}]}]), &json!([])).unwrap();
        assert_eq!(tables[0].columns[0].data_type, sent);
    }
}

#[test]
fn up_to_the_limits_everything_is_taken() {
    let tables: Vec<Value> =
        (0..75).map(|number| table(&format!("T{number} (never)").replace(['(', ')'], "~"), 75)).collect();
    checked(&json!(tables), &json!([])).unwrap();
    checked(&json!([table(&"ü".repeat(100), 1)]), &json!([])).unwrap();
    checked(&json!([{"name": "T", "columns": [{"name": "a.b (c) [d]!", "dataType": "Int64"}]}]), &json!([])).unwrap();
}

#[test]
fn what_the_service_would_refuse_is_refused_with_its_place() {
    let many: Vec<Value> = (0..76).map(|number| table(&format!("T{number}"), 1)).collect();
    let pair = json!([table("A", 2), table("B", 1)]);
    let joins = |to: &str, how: &str| json!([{"name": "r", "fromTable": "A", "fromColumn": "c1", "toTable": "B", "toColumn": to, "crossFilteringBehavior": how}]);
    for (tables, relationships, place) in [
        (json!([]), json!([]), "tables"),
        (json!(many), json!([]), "tables"),
        (json!([table("T", 76)]), json!([]), "tables[0].columns"),
        (json!([table("T", 0)]), json!([]), "tables[0].columns"),
        (json!([table("A", 1), table("a", 1)]), json!([]), "tables"),
        (json!([table(&"x".repeat(101), 1)]), json!([]), "tables[0].name"),
        (json!([table("Sales/2026", 1)]), json!([]), "tables[0].name"),
        (json!([table("Sales.2026", 1)]), json!([]), "tables[0].name"),
        (json!([table(" ", 1)]), json!([]), "tables[0].name"),
        (
            json!([{"name": "T", "columns": [{"name": "a\u{0}", "dataType": "Int64"}]}]),
            json!([]),
            "tables[0].columns[0].name",
        ),
        (
            json!([{"name": "T", "columns": [{"name": "a", "dataType": "Int32"}]}]),
            json!([]),
            "tables[0].columns[0].dataType",
        ),
        (
            json!([{"name": "T", "columns": [{"name": "a", "dataType": "Int64"}, {"name": "A", "dataType": "Int64"}]}]),
            json!([]),
            "tables[0].columns",
        ),
        (
            json!([{"name": "T", "columns": [{"name": "a", "dataType": "Int64", "sortByColumn": "b"}]}]),
            json!([]),
            "tables[0].columns[0].sortByColumn",
        ),
        (
            json!([{"name": "T", "columns": [{"name": "a", "dataType": "Int64"}], "measures": [{"name": "m", "expression": " "}]}]),
            json!([]),
            "tables[0].measures[0].expression",
        ),
        (pair.clone(), joins("c7", "Automatic"), "relationships[0].toColumn"),
        (pair.clone(), joins("c0", "sideways"), "relationships[0].crossFilteringBehavior"),
    ] {
        let failure = checked(&tables, &relationships).expect_err(place);
        assert_eq!((failure.code, failure.place.as_deref()), (Code::BodyInvalid, Some(place)), "{}", failure.detail);
    }
    checked(&pair, &joins("c0", "bothdirections")).unwrap();
}
