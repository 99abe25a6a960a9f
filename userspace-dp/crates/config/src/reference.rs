//! The reference file, `config/ringwall.toml`: the operator's manual, generated from the model.
//!
//! It is a configuration that loads once its key file exists. Keys that must be set stand in it with an
//! example; a key with a default stands as `#key = default`, so taking the `#` away changes nothing.

use crate::schema::schema;
use serde_json::{Map, Value};
use std::fmt::Write as _;

/// The text of the reference file.
#[must_use]
pub fn reference() -> String {
    let schema = schema();
    let mut page = Page::default();
    page.prose("Ringwall: the reference configuration.");
    page.text.push_str("#\n");
    page.prose(text_of(&schema, "description"));
    page.text.push_str("#\n");
    page.prose(HOW_TO_READ);
    page.text.push_str("#\n");
    page.prose(&format!("Do not edit this page: change the model and run `{REGENERATE}`."));
    let Some(sections) = schema.get("properties").and_then(Value::as_object) else {
        return page.text;
    };
    for (name, section) in sections {
        page.section(name, section, required(&schema, name));
    }
    page.text
}

/// The command that writes the file anew, named where it is found stale.
pub(crate) const REGENERATE: &str = "cargo run -p ringwall-config --example reference";

const HOW_TO_READ: &str = "This page is generated from the program, so it is complete and true for this version. \
    A key that must be set stands here with an example. `#key = value`, without a space, shows a key with its \
    default: taking the `#` away changes nothing. `On change` says whether a reload (SIGHUP) takes a new value \
    over, or refuses it because it needs a restart.";

/// Width of a comment line, its `# ` included.
const WIDTH: usize = 100;

/// The text as it grows.
#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    /// A top-level key: a plain one, a table, or a list of tables.
    fn section(&mut self, name: &str, section: &Value, required: bool) {
        let live = is_live(section);
        if let Some(items) = section.get("items") {
            self.table(&format!("[[{name}]]"), name, section, items, live);
            for more in section.get("x-more").and_then(Value::as_array).into_iter().flatten() {
                self.compact(&format!("[[{name}]]"), more);
            }
        } else if let Some(named) = section.get("patternProperties").and_then(Value::as_object) {
            for table in named.values() {
                self.table(&format!("[{name}.servers]"), name, section, table, live);
            }
        } else if section.get("properties").is_some() {
            self.table(&format!("[{name}]"), name, section, section, live);
        } else {
            self.key(name, section, required, live);
        }
    }

    /// A table's header, prose and keys; lists of tables inside it come after its own keys.
    fn table(&mut self, header: &str, path: &str, section: &Value, table: &Value, live: bool) {
        let rule = "-".repeat(WIDTH.saturating_sub(header.len() + 6));
        // Writing to a String cannot fail.
        let _ = write!(self.text, "\n# -- {header} {rule}\n");
        self.prose(text_of(section, "description"));
        let _ = writeln!(self.text, "{header}");
        let Some(keys) = table.get("properties").and_then(Value::as_object) else { return };
        let is_table = |key: &Value| key.pointer("/items/properties").is_some();
        for (name, key) in keys.iter().filter(|(_, key)| !is_table(key)) {
            self.key(name, key, required(table, name), live || is_live(key));
        }
        for (name, key) in keys.iter().filter(|(_, key)| is_table(key)) {
            let path = format!("{path}.{name}");
            let live = live || is_live(key);
            if let Some(items) = key.get("items") {
                self.table(&format!("[[{path}]]"), &path, key, items, live);
            }
        }
    }

    /// One key: prose, facts, and the key itself.
    fn key(&mut self, name: &str, key: &Value, required: bool, live: bool) {
        self.text.push('\n');
        self.prose(text_of(key, "description"));
        self.facts(key, required, live);
        let (default, example) = (key.get("default"), key.get("x-example"));
        let _ = match (default, example) {
            (Some(_), Some(example)) => writeln!(self.text, "{name} = {}", toml(example)),
            (None, Some(example)) if required => {
                writeln!(self.text, "{name} = {}", toml(example))
            }
            (None, Some(example)) => writeln!(self.text, "# Example: {name} = {}", toml(example)),
            (Some(default), None) => writeln!(self.text, "#{name} = {}", toml(default)),
            (None, None) => Ok(()),
        };
    }

    fn facts(&mut self, key: &Value, required: bool, live: bool) {
        let form =
            key.get("x-form").or_else(|| key.pointer("/items/x-form")).and_then(Value::as_str);
        let range = key.get("minimum").zip(key.get("maximum"));
        let range = range.map(|(least, most)| format!("{least} to {most}"));
        self.fact("Value", &choices(key).or(form.map(str::to_owned)).or(range).unwrap_or_default());
        self.fact("Unit", text_of(key, "x-unit"));
        match key.get("default") {
            Some(default) => self.fact("Default", &toml(default)),
            None if required => self.fact("Default", "none, it must be set"),
            None => self.fact("Default", "left out"),
        }
        self.fact("On change", if live { "reload" } else { "restart" });
        self.fact("If wrong", text_of(key, "x-failure"));
    }

    fn fact(&mut self, label: &str, text: &str) {
        if !text.is_empty() {
            self.wrapped(&format!("  {label}: "), "    ", text);
        }
    }

    /// Prose, reflowed; an empty line begins a paragraph.
    fn prose(&mut self, text: &str) {
        for (position, paragraph) in text.split("\n\n").enumerate() {
            if position > 0 {
                self.text.push_str("#\n");
            }
            self.wrapped("", "", paragraph);
        }
    }

    fn wrapped(&mut self, first: &str, following: &str, text: &str) {
        let mut line = format!("# {first}");
        let mut fresh = true;
        for word in text.split_whitespace() {
            if !fresh && line.chars().count() + 1 + word.chars().count() > WIDTH {
                self.text.push_str(line.trim_end());
                self.text.push('\n');
                line = format!("# {following}");
                fresh = true;
            }
            if !fresh {
                line.push(' ');
            }
            line.push_str(word);
            fresh = false;
        }
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    /// One more item of a list of tables, without comments.
    fn compact(&mut self, header: &str, item: &Value) {
        let _ = write!(self.text, "\n{header}\n");
        for (name, value) in item.as_object().into_iter().flatten() {
            let _ = writeln!(self.text, "{name} = {}", toml(value));
        }
    }
}

fn is_live(key: &Value) -> bool {
    key.get("x-reload") == Some(&Value::Bool(true))
}

fn required(table: &Value, name: &str) -> bool {
    let required = table.get("required").and_then(Value::as_array);
    required.into_iter().flatten().any(|one| one == name)
}

fn text_of<'v>(value: &'v Value, member: &str) -> &'v str {
    value.get(member).and_then(Value::as_str).unwrap_or_default()
}

/// The words of an enumeration.
fn choices(key: &Value) -> Option<String> {
    let choices = key.get("oneOf")?.as_array()?;
    let words: Vec<String> = choices.iter().filter_map(|one| one.get("const")).map(toml).collect();
    Some(words.join(", "))
}

/// A value as TOML writes it on one line.
fn toml(value: &Value) -> String {
    let member = |(name, value): (&String, &Value)| format!("{name} = {}", toml(value));
    match value {
        Value::Array(items) => {
            format!("[{}]", items.iter().map(toml).collect::<Vec<_>>().join(", "))
        }
        Value::Object(table) => {
            format!("{{ {} }}", Map::iter(table).map(member).collect::<Vec<_>>().join(", "))
        }
        // JSON's strings, numbers and booleans are TOML's; the model's defaults hold no null.
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests;
