//! Key files: where they are, who may read them, what is in them; and that a secret is never shown.

use super::{rows, scratch};
use crate::Severity;
use std::os::unix::net::UnixListener;

const LINE: &str = "private_key_file = \"private.key\"";
const KEY: &str = "wireguard.private_key_file";

#[test]
fn a_missing_key_file_comes_with_the_command_that_makes_one() {
    let scratch = scratch();
    let diagnostics = scratch.told(LINE, "private_key_file = \"none.key\"");
    assert_eq!(rows(&diagnostics), [(Severity::Error, KEY, "\"none.key\"", "no such file")]);
    let path = scratch.path().join("none.key");
    let expected = format!("a key file: `(umask 077; ringwall genkey > {})`", path.display());
    assert_eq!(diagnostics[0].allowed.as_deref(), Some(expected.as_str()));
}

#[test]
fn a_key_file_that_others_may_touch_is_refused_with_its_mode() {
    for mode in [0o640, 0o604, 0o660, 0o610, 0o601, 0o620, 0o602] {
        let scratch = scratch();
        scratch.key_file("open.key", "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=\n", mode);
        let diagnostics = scratch.told(LINE, "private_key_file = \"open.key\"");
        let message = format!("mode {mode:04o} lets others than its owner at the key");
        assert_eq!(rows(&diagnostics), [(Severity::Error, KEY, "\"open.key\"", message.as_str())]);
        let path = scratch.path().join("open.key");
        let expected = format!("owner only: `chmod 600 {}`", path.display());
        assert_eq!(diagnostics[0].allowed.as_deref(), Some(expected.as_str()));
    }
}

#[test]
fn a_key_file_that_only_its_owner_may_touch_is_taken() {
    for mode in [0o600, 0o400, 0o700] {
        let scratch = scratch();
        scratch.key_file("own.key", " AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=\n\n", mode);
        assert_eq!(rows(&scratch.told(LINE, "private_key_file = \"own.key\"")), []);
    }
}

#[test]
fn what_is_not_a_regular_file_with_one_key_is_refused() {
    let scratch = scratch();
    scratch.key_file("empty", "", 0o600);
    scratch.key_file("words", "not a key at all\n", 0o600);
    scratch.key_file("two", &"AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=\n".repeat(2), 0o600);
    scratch.key_file("long", &"A".repeat(100_000), 0o600);
    let _socket = UnixListener::bind(scratch.path().join("socket")).unwrap();
    std::fs::create_dir(scratch.path().join("directory")).unwrap();
    for (name, message) in [
        ("empty", "the file holds no key"),
        ("words", "the file holds no key"),
        ("two", "the file holds no key"),
        ("long", "the file holds no key"),
        ("socket", "not a regular file"),
        ("directory", "not a regular file"),
    ] {
        let value = format!("\"{name}\"");
        let diagnostics = scratch.told(LINE, &format!("private_key_file = {value}"));
        assert_eq!(rows(&diagnostics), [(Severity::Error, KEY, value.as_str(), message)]);
    }
}

#[test]
fn preshared_keys_are_read_and_checked_alike() {
    let scratch = scratch();
    scratch.key_file("good.psk", "BQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=\n", 0o600);
    scratch.key_file("open.psk", "BQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=\n", 0o644);
    let with = |name: &str| {
        let text = scratch.sample();
        let line = format!("[[wireguard.peer]]\npreshared_key_file = \"{name}\"");
        scratch.load(&text.replace("[[wireguard.peer]]", &line))
    };
    let config = with("good.psk").unwrap().config;
    let secret = config.wireguard.unwrap().peer[0].preshared_key.clone().unwrap();
    assert_eq!(secret.bytes()[0], 5);
    let rejected = with("open.psk").unwrap_err();
    assert_eq!(rejected.diagnostics[0].key, "wireguard.peer[0].preshared_key_file");
}

/// A secret in the wrong place must not end up in a terminal or a log.
#[test]
fn a_secret_written_into_the_configuration_is_not_repeated() {
    let secret = "CQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=";
    let scratch = scratch();
    for line in [
        format!("private_key_file = \"private.key\"\nprivate_key = \"{secret}\""),
        format!("private_key_file = \"{secret}\""),
        format!("private_key_file = \"private.key\"\npreshared_key = \"{secret}\""),
    ] {
        let diagnostics = scratch.told(LINE, &line);
        assert_eq!(diagnostics.len(), 1, "{diagnostics:?}");
        let shown = format!("{}{:?}", diagnostics[0], diagnostics[0]);
        assert!(!shown.contains(secret), "{shown}");
    }
}

/// Also where the whole file is a key, or the line of a key is no TOML.
#[test]
fn a_key_file_given_as_the_configuration_is_named_and_not_shown() {
    let scratch = scratch();
    for key in [
        "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=",
        "SFVw9k20dDb51IvtB8vSf09HBZhYH+RJQT3DbUOqVHM=",
    ] {
        for (text, message) in [
            (format!("{key}\n"), Some("the file holds a key and no configuration")),
            (format!(" {key}"), Some("the file holds a key and no configuration")),
            (format!("# old\n{key}\n{key}\n"), None),
            (format!("[Interface]\nPrivateKey = {key}\n"), None),
            (format!("{key} \"x\"\n"), None),
            (scratch.sample().replace("\"web\"", &format!("\"{key}\"")), None),
            (scratch.sample().replace("\"10.8.0.1/24\"", &format!("\"{key}\"")), None),
        ] {
            let rejected = scratch.load(&text).unwrap_err();
            let shown = format!("{rejected} {rejected:?}");
            assert!(!shown.contains(&key[..43]) && !shown.contains(&key[5..20]), "{shown}");
            if let Some(message) = message {
                assert_eq!(rejected.diagnostics.len(), 1, "{rejected:?}");
                assert_eq!(rejected.diagnostics[0].message, message);
            }
        }
    }
    let again = "AgIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=";
    let peer = format!(
        "[[wireguard.peer]]\nname = \"b\"\npublic_key = \"{again}\"\nallowed_ips = [\"10.9.0.0/16\"]\n"
    );
    let told = scratch.load(&(scratch.sample() + &peer)).unwrap_err().diagnostics;
    let value = format!("\"{again}\"");
    assert_eq!(told[0].value.as_ref(), Some(&value), "a public key may be seen");
}

#[test]
fn an_effective_configuration_holds_paths_but_no_secrets() {
    let scratch = scratch();
    let config = scratch.load(&scratch.sample()).unwrap().config;
    let json = serde_json::to_string(&config).unwrap();
    assert!(json.contains("private.key"));
    assert!(!json.contains("AQIDBAUG"), "{json}");
    assert!(!format!("{config:?}").contains("[1, 2, 3"), "Debug shows no key either");
}

#[test]
fn an_effective_configuration_in_the_form_of_the_file_loads_as_the_same() {
    let scratch = scratch();
    let config = scratch.load(&scratch.sample()).unwrap().config;
    let text = crate::to_toml(&serde_json::to_value(&config).unwrap()).unwrap();
    assert_eq!(scratch.load(&text).unwrap().config, config);
}
