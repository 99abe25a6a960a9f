//! Rules of the house that a machine can hold: which crate may use which, where unsafe code may be, how long files get.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Who may use whom inside the house, tests aside. A crate that is not listed here may not exist.
const MAY_USE: &[(&str, &[&str])] = &[
    ("ringwall-clock", &[]),
    ("ringwall-wire", &[]),
    ("ringwall-aead", &["ringwall-clock", "ringwall-wire"]),
    ("ringwall-wireguard", &["ringwall-aead", "ringwall-clock", "ringwall-wire"]),
    ("ringwall-policy", &["ringwall-clock", "ringwall-wire"]),
    ("ringwall-route", &["ringwall-clock", "ringwall-wire"]),
    ("ringwall-flow", &["ringwall-clock", "ringwall-wire"]),
    // These know no protocol.
    ("ringwall-io", &["ringwall-clock"]),
    ("ringwall-telemetry", &["ringwall-clock"]),
    // Neither `io` nor `pipeline`: `check` runs on a laptop.
    ("ringwall-config", &["ringwall-clock", "ringwall-policy", "ringwall-wireguard"]),
    ("ringwall-ebpf", &["ringwall-clock"]),
    (
        "ringwall-pipeline",
        &[
            "ringwall-aead",
            "ringwall-clock",
            "ringwall-io",
            "ringwall-policy",
            "ringwall-route",
            "ringwall-telemetry",
            "ringwall-wire",
            "ringwall-wireguard",
        ],
    ),
    ("ringwall-lab", &[]),
];

/// These may use everything below them, and nothing may use them.
const ON_TOP: &[&str] = &["ringwall", "ringwall-benches"];

/// Folders whose code may be unsafe.
const MAY_BE_UNSAFE: &[&str] = &[
    "benches/",
    "ebpf/",
    "userspace-dp/crates/aead/",
    "userspace-dp/crates/io/",
    "userspace-dp/src/runtime/",
];

/// Lines of the longest file that still tells one story.
const LONGEST_FILE: usize = 800;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every crate of the house with the crates of the house that it uses outside of tests.
fn edges() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .expect("cargo metadata");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let text = |value: &Value| value.as_str().expect("a name").to_owned();
    let names: BTreeSet<String> = packages.iter().map(|package| text(&package["name"])).collect();
    let uses = |package: &Value| {
        let dependencies = package["dependencies"].as_array().expect("dependencies");
        let shipped = dependencies.iter().filter(|dependency| dependency["kind"] != "dev");
        shipped.map(|row| text(&row["name"])).filter(|name| names.contains(name)).collect()
    };
    packages.iter().map(|package| (text(&package["name"]), uses(package))).collect()
}

#[test]
fn dependencies_between_crates_point_one_way() {
    let edges = edges();
    assert!(edges.len() > MAY_USE.len(), "cargo metadata shows only {:?}", edges.keys());
    let mut wrong = Vec::new();
    for (name, uses) in &edges {
        let allowed = MAY_USE.iter().find(|(listed, _)| listed == name).map(|(_, allowed)| allowed);
        for used in uses {
            let upwards = ON_TOP.contains(&used.as_str());
            let fine = match allowed {
                Some(allowed) => allowed.contains(&used.as_str()),
                None => ON_TOP.contains(&name.as_str()),
            };
            if upwards || !fine {
                wrong.push(format!("{name} uses {used}"));
            }
        }
        if allowed.is_none() && !ON_TOP.contains(&name.as_str()) {
            wrong.push(format!("{name} has no place in the order"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Rust files of the repository, with their paths from its root.
fn sources() -> Vec<(String, String)> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "*.rs"])
        .current_dir(root())
        .output()
        .expect("git ls-files");
    let list = String::from_utf8(output.stdout).expect("paths");
    let read = |path: &str| std::fs::read_to_string(root().join(path)).ok();
    list.lines().filter_map(|path| Some((path.to_owned(), read(path)?))).collect()
}

#[test]
fn unsafe_code_is_only_where_it_may_be() {
    let sources = sources();
    assert!(sources.len() > 50, "only {} files found", sources.len());
    let uses_unsafe = |text: &str| {
        text.lines().map(str::trim_start).filter(|line| !line.starts_with("//")).any(|line| {
            ["unsafe {", "unsafe fn", "unsafe impl", "unsafe trait", "unsafe extern"]
                .iter()
                .any(|word| line.contains(word))
        })
    };
    let wrong: Vec<&String> = sources
        .iter()
        .filter(|(path, _)| !MAY_BE_UNSAFE.iter().any(|folder| path.starts_with(folder)))
        .filter(|(path, text)| !path.ends_with("house_rules.rs") && uses_unsafe(text))
        .map(|(path, _)| path)
        .collect();
    assert!(wrong.is_empty(), "unsafe code in {wrong:#?}");
}

#[test]
fn files_tell_one_story() {
    let long: Vec<String> = sources()
        .iter()
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > LONGEST_FILE)
        .map(|(path, lines)| format!("{path}: {lines} lines"))
        .collect();
    assert!(long.is_empty(), "{long:#?}");
}

/// The words in backticks of a Markdown table's cell.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

#[test]
fn the_page_of_features_names_tests_that_exist() {
    let page = std::fs::read_to_string(root().join("FEATURES.md")).expect("FEATURES.md");
    let sources = sources();
    let mut named = 0;
    let mut missing = Vec::new();
    for row in page.lines().filter(|line| line.starts_with("| ")) {
        let Some(cell) = row.split('|').nth(3) else { continue };
        // A folder is no test, and neither is a command.
        for name in quoted(cell).filter(|name| !name.contains(['/', '-', ' '])) {
            named += 1;
            let definition = format!("fn {name}(");
            if !sources.iter().any(|(_, text)| text.contains(&definition)) {
                missing.push(name.to_owned());
            }
        }
    }
    assert!(named > 50, "only {named} tests found on the page");
    assert!(missing.is_empty(), "no such tests: {missing:#?}");
}

#[test]
fn links_between_pages_lead_somewhere() {
    let list = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "*.md"])
        .current_dir(root())
        .output()
        .expect("git ls-files");
    let list = String::from_utf8(list.stdout).expect("paths");
    let mut broken = Vec::new();
    for page in list.lines() {
        let Ok(text) = std::fs::read_to_string(root().join(page)) else { continue };
        let folder = root().join(page).parent().expect("a folder").to_path_buf();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = link.split('#').next().unwrap_or_default();
            if !path.is_empty() && !link.contains("://") && !folder.join(path).exists() {
                broken.push(format!("{page}: {link}"));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}
