//! JSON Schemas (draft 2020-12) of an operation: the body that starts it and what comes out.

use serde_json::{Map, Value, json};

use super::{Operation, Parameter};

const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

impl Operation {
    /// JSON Schema of the body that starts it.
    pub fn parameters_schema(&self) -> Value {
        let properties: Map<_, _> =
            self.parameters.iter().map(|parameter| (parameter.name.clone(), parameter.schema())).collect();
        let required: Vec<_> =
            self.parameters.iter().filter(|parameter| parameter.required).map(|parameter| &parameter.name).collect();
        json!({
            "$schema": DRAFT,
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        })
    }

    /// JSON Schema of its output: every member nullable, none required, since connectors drop nulls.
    pub fn output_schema(&self) -> Value {
        let declared = self.output.iter().flat_map(|output| output.declared_types());
        let properties: Map<_, _> = declared
            .map(|(name, kind)| (name.to_owned(), kind.map_or_else(|| json!({}), super::typed::OutputType::schema)))
            .collect();
        json!({ "$schema": DRAFT, "type": "object", "properties": properties })
    }
}

impl Parameter {
    fn schema(&self) -> Value {
        let mut schema = Map::new();
        let (kind, format) = match self.kind.as_str() {
            "integer" => ("integer", Some("int64")),
            "number" => ("number", Some("double")),
            "date" => ("string", Some("date")),
            "datetime" => ("string", Some("date-time")),
            "string" | "enum" => ("string", None),
            other => (other, None),
        };
        // What may be left out may also be null: flows send null for an empty field.
        schema.insert("type".to_owned(), if self.required { json!(kind) } else { json!([kind, "null"]) });
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                schema.insert(name.to_owned(), value);
            }
        };
        let bounds = &self.bounds;
        let numeric = |limit: &Option<Value>| limit.clone().filter(Value::is_number);
        put("format", format.map(Value::from));
        // What a client shows as dots, and never gets back.
        put("writeOnly", self.sensitive.then_some(Value::Bool(true)));
        if self.sensitive && format.is_none() && kind == "string" {
            put("format", Some(Value::from("password")));
        }
        put("title", self.summary.clone().map(Value::from));
        put("description", self.description.clone().map(Value::from));
        put("default", self.default.clone());
        put("minimum", numeric(&bounds.min));
        put("maximum", numeric(&bounds.max));
        put("minLength", bounds.min_length.map(Value::from));
        put("maxLength", bounds.max_length.map(Value::from));
        put("minItems", bounds.min_items.map(Value::from));
        put("maxItems", bounds.max_items.map(Value::from));
        put("pattern", bounds.pattern.as_ref().map(|(pattern, _)| Value::from(format!("^(?:{pattern})$"))));
        if self.kind == "enum" {
            let mut values: Vec<_> = bounds.values.iter().cloned().map(Value::from).collect();
            if !self.required {
                values.push(Value::Null);
            }
            put("enum", Some(Value::from(values)));
        }
        Value::Object(schema)
    }
}
