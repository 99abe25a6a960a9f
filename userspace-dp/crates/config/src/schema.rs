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

/// An effective configuration, as `show config` carries it, in the form of the file. Nothing when it holds
/// what TOML cannot say.
#[must_use]
pub fn to_toml(effective: &Value) -> Option<String> {
    toml::to_string(effective).ok()
}

/// Whether a reload takes over a change of `key` in `table`, such as `zone` in `interface.eth0`.
pub(crate) fn is_live(schema: &Value, table: &str, key: &str) -> bool {
    let (section, _) = table.split_once('.').unwrap_or((table, ""));
    let section = schema.get("properties").and_then(|sections| sections.get(section));
    let table = section.and_then(|section| section.get("items")).or(section);
    let key = table.and_then(|table| table.get("properties")?.get(key));
    [section, key]
        .into_iter()
        .flatten()
        .any(|node| node.get("x-reload") == Some(&Value::Bool(true)))
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
