//! The JSON schema of the file, for editors, and the facts about keys that it carries.

use crate::model::Config;
use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use serde_json::Value;

/// The JSON schema (draft 2020-12) of `ringwall.toml`.
///
/// Members beginning with `x-` are Ringwall's own: `x-unit`, `x-failure` (what happens when the value is
/// wrong), `x-reload` (a reload takes a change over), `x-form` and `x-example`.
#[must_use]
pub fn schema() -> Value {
    let settings = SchemaSettings::draft2020_12().with_transform(WithoutNull);
    let schema = settings.into_generator().into_root_schema_for::<Config>();
    schema.to_value()
}

/// Whether a reload takes over a change of `key`, such as `telemetry.log_level` or `interface.eth0.zone`.
pub(crate) fn is_live(schema: &Value, key: &str) -> bool {
    let live = |node: &Value| node.get("x-reload") == Some(&Value::Bool(true));
    let property = |node: &Value, name: &str| node.get("properties")?.get(name).cloned();
    let (section, rest) = key.split_once('.').unwrap_or((key, ""));
    let Some(section) = property(schema, section) else { return false };
    let table = match section.get("items") {
        Some(items) => items,
        None => &section,
    };
    // The last step, since an item of a list may be named with dots.
    let name = rest.rsplit('.').next().unwrap_or(rest);
    live(&section) || property(table, name).is_some_and(|property| live(&property))
}

/// TOML has no null: an optional key is absent.
#[derive(Clone)]
struct WithoutNull;

impl Transform for WithoutNull {
    fn transform(&mut self, schema: &mut Schema) {
        let null =
            |value: &Value| value == "null" || value.get("type").is_some_and(|t| t == "null");
        if let Some(Value::Array(types)) = schema.get_mut("type") {
            types.retain(|one| !null(one));
            if let [only] = types.as_slice() {
                let only = only.clone();
                schema.insert("type".to_owned(), only);
            }
        }
        if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
            choices.retain(|one| !null(one));
            if let [only] = choices.as_slice()
                && let Some(members) = only.as_object().cloned()
            {
                schema.remove("anyOf");
                for (name, value) in members {
                    if schema.get(&name).is_none() {
                        schema.insert(name, value);
                    }
                }
            }
        }
        transform_subschemas(self, schema);
    }
}
