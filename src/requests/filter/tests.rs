//! What a filter takes, and what is none.

use rstest::rstest;
use serde_json::json;

use super::*;

const FIELDS: Fields = Fields { texts: &["name", "id"], flags: &["isRefreshable"] };

#[rstest]
#[case("name eq 'sales live'", true)]
#[case("name ne 'SALES LIVE'", false)]
#[case(" contains( NAME , 'Live' ) ", true)]
#[case("startswith(name,'live')", false)]
#[case("endswith(name,'live')", true)]
#[case("name eq 'it''s'", false)]
#[case("isRefreshable eq true", false)]
#[case("isRefreshable ne true", true)]
#[case("name eq 'x' or name eq 'Sales Live' and id eq '7'", true)]
#[case("name eq 'Sales Live' and id eq '8' or name eq 'x'", false)]
#[case("name eq 'a and b'", false)]
fn a_filter_takes_what_it_says(#[case] text: &str, #[case] takes: bool) {
    let filter = Filter::read(text, FIELDS).unwrap();
    assert_eq!(filter.takes(&json!({"name": "Sales Live", "id": "7"})), takes);
}

#[rstest]
#[case("", "character 1,")]
#[case("name = 'x'", "character 6,")]
#[case("name eq x", "character 9,")]
#[case("name eq 'x", "character 9,")]
#[case("größe eq 'x'", "character 1,")]
#[case("not name eq 'x'", "character 1,")]
#[case("(name eq 'x')", "character 1,")]
#[case("isRefreshable eq 'true'", "character 18,")]
#[case("contains(isRefreshable,'x')", "character 10,")]
#[case("name eq 'x' xor id eq 'y'", "character 13,")]
#[case("name eq 'größe' and", "character 20,")]
fn what_is_no_filter_names_its_place(#[case] text: &str, #[case] place: &str) {
    let failure = Filter::read(text, FIELDS).unwrap_err();
    assert_eq!((failure.code, failure.place.as_deref()), (Code::QueryInvalid, Some("query.filter")));
    assert!(failure.detail.contains(place), "{}", failure.detail);
}

#[test]
fn a_filter_has_an_end() {
    let long = format!("name eq '{}'", "x".repeat(LONGEST));
    assert_eq!(Filter::read(&long, FIELDS).unwrap_err().code, Code::QueryInvalid);
}
