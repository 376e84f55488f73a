//! Values of Dataverse as its JSON serializer writes them, and as a maker wants them: `{key, value}` lists as objects,
//! `/Date(…)/` as RFC 3339, option sets and money as numbers, lookups as `{id, entity, name}`.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// The items of a `[{key, value}]` list.
pub(super) fn pairs(list: Option<&Value>) -> Vec<(&str, &Value)> {
    let items = list.and_then(Value::as_array).into_iter().flatten();
    items.filter_map(|item| Some((item.get("key")?.as_str()?, item.get("value")?))).collect()
}

/// The attributes of an entity by their names; of anything else, what it is.
pub(super) fn attributes(entity: &Value) -> Value {
    match entity.get("Attributes") {
        Some(list) => object(list),
        None => decoded(entity),
    }
}

/// One value.
pub(super) fn decoded(value: &Value) -> Value {
    match value {
        Value::String(text) => moment(text).map_or_else(|| value.clone(), |moment| json!(moment)),
        Value::Array(items) if is_pairs(items) => object(value),
        Value::Array(items) => Value::Array(items.iter().map(decoded).collect()),
        Value::Object(members) => typed(members),
        _ => value.clone(),
    }
}

fn typed(members: &Map<String, Value>) -> Value {
    // `Money:http://schemas.microsoft.com/xrm/2011/Contracts`
    let name = members.get("__type").and_then(Value::as_str).and_then(|name| name.split(':').next());
    let of = |name: &str| members.get(name).map_or(Value::Null, decoded);
    match name {
        // Inside a collection an entity has no type of its own.
        _ if members.contains_key("Attributes") => of_entity(members),
        Some("OptionSetValue" | "Money" | "AliasedValue" | "BooleanManagedProperty") => of("Value"),
        Some("EntityReference") => json!({"id": of("Id"), "entity": of("LogicalName"), "name": of("Name")}),
        Some("EntityCollection") => of("Entities"),
        _ => {
            let others = members.iter().filter(|(name, _)| *name != "__type");
            Value::Object(others.map(|(name, value)| (name.clone(), decoded(value))).collect())
        }
    }
}

fn of_entity(members: &Map<String, Value>) -> Value {
    members.get("Attributes").map_or(Value::Null, object)
}

fn object(list: &Value) -> Value {
    Value::Object(pairs(Some(list)).into_iter().map(|(name, value)| (name.to_owned(), decoded(value))).collect())
}

fn is_pairs(items: &[Value]) -> bool {
    let is_pair = |item: &Value| {
        item.as_object().is_some_and(|item| item.len() == 2 && item.contains_key("key") && item.contains_key("value"))
    };
    !items.is_empty() && items.iter().all(is_pair)
}

/// `/Date(1506409448000-0700)/`: milliseconds in UTC; the offset says in which zone it was shown, and changes nothing
/// (learn.microsoft.com/dotnet, "Stand-alone JSON serialization", `DateTime` wire format).
fn moment(text: &str) -> Option<String> {
    let inner = text.strip_prefix("/Date(")?.strip_suffix(")/")?;
    let end =
        inner.char_indices().skip(1).find(|(_, letter)| matches!(letter, '+' | '-')).map_or(inner.len(), |(at, _)| at);
    let milliseconds: i64 = inner.get(..end)?.parse().ok()?;
    Some(Timestamp::from_millisecond(milliseconds).ok()?.to_string())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::{decoded, moment};

    #[rstest]
    #[case(r"/Date(1506384247000)/", Some("2017-09-26T00:04:07Z"))]
    #[case(r"/Date(1506409448000-0700)/", Some("2017-09-26T07:04:08Z"))]
    #[case(r"/Date(-62135596800000)/", Some("0001-01-01T00:00:00Z"))]
    #[case(r"/Date(-1+0100)/", Some("1969-12-31T23:59:59.999Z"))]
    #[case("/Date(soon)/", None)]
    #[case("/Date(1)", None)]
    fn dates_are_milliseconds_in_utc_whatever_their_offset(#[case] wire: &str, #[case] expected: Option<&str>) {
        assert_eq!(moment(wire).as_deref(), expected);
    }

    #[test]
    fn values_lose_their_wrapping() {
        let contract = |name: &str| format!("{name}:http://schemas.microsoft.com/xrm/2011/Contracts");
        let wire = json!([
            {"__type": contract("OptionSetValue"), "Value": 3},
            [{"__type": contract("OptionSetValue"), "Value": 1}, {"__type": contract("OptionSetValue"), "Value": 2}],
            {"__type": contract("Money"), "Value": 2154.32},
            {"__type": contract("EntityReference"), "Id": "i", "KeyAttributes": [], "LogicalName": "account", "Name": null},
            {"__type": contract("EntityCollection"), "Entities": [{"Attributes": [{"key": "name", "value": "A"}]}]},
            [{"key": "a", "value": "/Date(0)/"}],
            {"kept": true, "__type": "x"},
            null
        ]);
        let expected = json!([
            3, [1, 2], 2154.32, {"id": "i", "entity": "account", "name": null}, [{"name": "A"}],
            {"a": "1970-01-01T00:00:00Z"}, {"kept": true}, null
        ]);
        let Value::Array(wire) = wire else { unreachable!() };
        assert_eq!(Value::Array(wire.iter().map(decoded).collect()), expected);
    }
}
