//! What is refused before anything is sent.

use super::*;

fn inputs(body: usize, properties: &[(&str, Value)]) -> Inputs {
    Inputs {
        entity: "orders".into(),
        body: "x".repeat(body),
        properties: properties.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        session_id: None,
        subject: None,
        correlation_id: None,
        scheduled: None,
    }
}

#[test]
fn a_message_is_as_large_as_service_bus_takes_and_no_larger() {
    let most = MAX_MESSAGE_BYTES - ROOM;
    assert!(inputs(most, &[]).check().is_ok());
    let refused = inputs(most - 2, &[("abc", json!(1))]).check().unwrap_err();
    assert_eq!(refused.code, Code::OutputTooLarge);
    assert!(refused.detail.contains(&format!("at most {most}")), "{refused}");
    let refused = inputs(1, &[("a", json!("x".repeat(MOST_PROPERTIES)))]).check().unwrap_err();
    assert_eq!((refused.code, refused.place.as_deref()), (Code::OutputTooLarge, Some("properties")));
}

#[test]
fn a_session_id_is_as_long_as_service_bus_takes() {
    let with = |id: String| Inputs { session_id: Some(id), ..inputs(1, &[]) };
    assert!(with("s".repeat(LONGEST_SESSION_ID)).check().is_ok());
    assert_eq!(with("s".repeat(LONGEST_SESSION_ID + 1)).check().unwrap_err().code, Code::ParametersInvalid);
}
