//! The reference file is true: it loads, its defaults are the defaults, and the committed copy is current.

use super::*;
use crate::model::Config;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The text with its key file replaced by one that exists.
fn with_key(text: &str, directory: &Path) -> String {
    let path = directory.join("private.key");
    fs::write(&path, "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    text.replace("/etc/ringwall/private.key", path.to_str().unwrap())
}

fn loaded(text: &str) -> Config {
    let directory = tempfile::tempdir().unwrap();
    let result = Config::parse(&with_key(text, directory.path()), directory.path());
    let loaded = result.unwrap_or_else(|rejected| panic!("{:#?}", rejected.diagnostics));
    assert_eq!(loaded.warnings, [], "the reference should warn of nothing");
    let mut config = loaded.config;
    let wireguard = config.wireguard.as_mut().expect("the reference has tunnels");
    wireguard.private_key_file = PathBuf::from("private.key");
    config
}

#[test]
fn the_reference_loads_without_a_warning_once_its_key_exists() {
    let config = loaded(&reference());
    assert_eq!(config.interface.len(), 1);
    assert_eq!(config.wireguard.unwrap().peer.len(), 1);
}

#[test]
fn uncommenting_every_default_changes_nothing() {
    let text = reference();
    let is_default = |line: &str| line.starts_with('#') && !line.starts_with("# ") && line != "#";
    let mut uncommented = String::new();
    for line in text.lines() {
        uncommented.push_str(if is_default(line) { &line[1..] } else { line });
        uncommented.push('\n');
    }
    assert!(text.lines().filter(|line| is_default(line)).count() > 50);
    assert_eq!(loaded(&uncommented), loaded(&text));
}

#[test]
fn every_key_has_prose_a_failure_mode_and_a_unit_where_it_is_a_number() {
    fn walk(path: &str, node: &Value, keys: &mut Vec<String>) {
        let nested = node.get("items").filter(|items| items.get("properties").is_some());
        let table = nested.unwrap_or(node);
        let named = table.get("patternProperties").and_then(Value::as_object);
        if let Some(properties) = table.get("properties").and_then(Value::as_object) {
            properties.iter().for_each(|(name, key)| walk(&format!("{path}.{name}"), key, keys));
        } else if let Some(named) = named {
            named.values().for_each(|table| walk(path, table, keys));
        } else {
            keys.push(path.to_owned());
            let has = |member: &str| !text_of(node, member).is_empty();
            assert!(has("description"), "{path} lacks prose");
            assert!(has("x-failure"), "{path} lacks its failure mode");
            let of = node.get("items").unwrap_or(node);
            let number = of.get("type").is_some_and(|kind| kind == "integer");
            assert!(!number || has("x-unit"), "{path} lacks its unit");
        }
    }
    let mut keys = Vec::new();
    walk("", &schema(), &mut keys);
    assert!(keys.len() > 60, "{keys:?}");
}

#[test]
fn the_committed_reference_and_schema_are_current() {
    let directory = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../config"));
    let schema = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    for (name, expected) in [("ringwall.toml", reference()), ("ringwall.schema.json", schema)] {
        let committed = fs::read_to_string(directory.join(name)).unwrap_or_default();
        assert!(committed == expected, "config/{name} is stale; write it anew with `{REGENERATE}`");
    }
}
