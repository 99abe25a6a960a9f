//! `check`: one bad configuration per kind of mistake, told with key, value, remedy and place; exit code 78.

use super::{Run, Scratch, ringwall, ringwall_in};
use serde_json::Value;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::process::Command;

const GOOD: &str = r#"version = 1

[[interface]]
name = "eth0"
zone = "lan"

[wireguard]
private_key_file = "private.key"
zone = "vpn"
addresses = ["10.8.0.1/24"]

[[wireguard.peer]]
name = "branch-1"
public_key = "AgIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="
allowed_ips = ["10.8.0.2/32"]

[[wireguard.peer]]
name = "branch-2"
public_key = "AwIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="
allowed_ips = ["10.8.0.3/32"]

[[zone]]
name = "lan"

[[zone]]
name = "vpn"

[[policy]]
name = "all"
from = "vpn"
to = "lan"
action = "allow"
"#;

fn check(scratch: &Scratch, text: &str, further: &[&str]) -> Run {
    scratch.file("ringwall.toml", text);
    let arguments = [&["check", "ringwall.toml"], further].concat();
    ringwall_in(scratch.path(), &arguments, "")
}

#[test]
fn a_good_configuration_is_counted_on_stdout_and_stderr_is_silent() {
    let run = check(&Scratch::new(), GOOD, &[]);
    assert_eq!(run.stderr, "");
    assert_eq!(run.stdout, "ok: 1 interface, 2 peers, 1 rule\n");
    assert_eq!(run.code, 0);
}

#[test]
fn each_kind_of_mistake_names_key_value_remedy_and_place_and_ends_with_78() {
    struct Case {
        from: &'static str,
        to: &'static str,
        key: &'static str,
        value: &'static str,
        allowed: &'static str,
        place: &'static str,
    }
    let cases = [
        // An unknown key.
        Case {
            from: "zone = \"lan\"",
            to: "zoen = \"lan\"\nzone = \"lan\"",
            key: "interface[0].zoen: unknown key",
            value: "zoen",
            allowed: "did you mean `zone`? known keys: name, zone, mode",
            place: "ringwall.toml:5:1",
        },
        // A bad prefix.
        Case {
            from: "10.8.0.2/32",
            to: "10.8.0.2/24",
            key: "wireguard.peer[0].allowed_ips[0]: host bits are set",
            value: "\"10.8.0.2/24\"",
            allowed: "the network \"10.8.0.0/24\"",
            place: "ringwall.toml:15:16",
        },
        // Overlapping allowed IPs.
        Case {
            from: "10.8.0.3/32",
            to: "10.8.0.2/32",
            key: "wireguard.peer[1].allowed_ips[0]: a network is used twice: first by wireguard.peer[0].allowed_ips[0]",
            value: "\"10.8.0.2/32\"",
            allowed: "one use",
            place: "ringwall.toml:20:16",
        },
        // A missing key file.
        Case {
            from: "private.key",
            to: "missing.key",
            key: "wireguard.private_key_file: no such file",
            value: "\"missing.key\"",
            allowed: "a key file: `(umask 077; ringwall genkey > missing.key)`",
            place: "ringwall.toml:8:20",
        },
        // A key file that others can read.
        Case {
            from: "private.key",
            to: "open.key",
            key: "wireguard.private_key_file: mode 0644 lets others than its owner at the key",
            value: "\"open.key\"",
            allowed: "owner only: `chmod 600 open.key`",
            place: "ringwall.toml:8:20",
        },
        // An unknown zone.
        Case {
            from: "to = \"lan\"",
            to: "to = \"lam\"",
            key: "policy[0].to: unknown zone",
            value: "\"lam\"",
            allowed: "did you mean `lan`? known zones: lan, vpn, local, any",
            place: "ringwall.toml:31:6",
        },
        // An impossible combination of modes.
        Case {
            from: "zone = \"lan\"",
            to: "zone = \"lan\"\nmode = \"generic\"\nzero_copy = \"on\"",
            key: "interface[0].zero_copy: impossible with `mode = \"generic\"`",
            value: "\"on\"",
            allowed: "\"auto\" or \"off\" with `mode = \"generic\"`",
            place: "ringwall.toml:7:13",
        },
    ];
    let scratch = Scratch::new();
    scratch.key_file("open.key", "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=\n", 0o644);
    for case in cases {
        assert!(GOOD.contains(case.from), "{}", case.from);
        let run = check(&scratch, &GOOD.replacen(case.from, case.to, 1), &[]);
        assert_eq!(run.code, 78, "{}", run.stderr);
        assert_eq!(run.stdout, "", "stdout is for data");
        for part in [case.key, case.place] {
            assert!(run.stderr.contains(part), "`{part}` is not in:\n{}", run.stderr);
        }
        for part in [format!("given:   {}", case.value), "allowed: ".to_owned() + case.allowed] {
            assert!(run.stderr.contains(&part), "`{part}` is not in:\n{}", run.stderr);
        }
        let next = "ringwall: 1 error; the configuration is refused. Next: mend it, then `ringwall check ringwall.toml`\n";
        assert!(run.stderr.ends_with(next), "{}", run.stderr);
    }
}

#[test]
fn a_warning_is_told_and_the_configuration_is_still_good() {
    let run = check(&Scratch::new(), &(GOOD.to_owned() + "[[zone]]\nname = \"dmz\"\n"), &[]);
    assert!(
        run.stderr.starts_with("warning: zone[2].name: a zone without members"),
        "{}",
        run.stderr
    );
    assert_eq!(run.stdout, "ok: 1 interface, 2 peers, 1 rule\n");
    assert_eq!(run.code, 0);
}

#[test]
fn json_holds_every_diagnostic_and_ends_with_the_same_code() {
    let scratch = Scratch::new();
    let run = check(&scratch, &GOOD.replace("10.8.0.2/32", "10.8.0.2/24"), &["--json"]);
    assert_eq!((run.code, run.stderr.as_str()), (78, ""));
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(report["schema_version"], 1);
    assert_eq!(report["check"]["ok"], false);
    let told = &report["check"]["diagnostics"][0];
    assert_eq!(told["key"], "wireguard.peer[0].allowed_ips[0]");
    assert_eq!(told["value"], "\"10.8.0.2/24\"");
    assert_eq!(told["allowed"], "the network \"10.8.0.0/24\"");
    assert_eq!((&told["line"], &told["column"]), (&15.into(), &16.into()));

    let run = check(&scratch, GOOD, &["--json"]);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((run.code, &report["check"]["ok"]), (0, &true.into()));
    assert_eq!(report["check"]["peers"], 2);
}

#[test]
fn a_file_that_is_not_there_is_bad_configuration_and_named() {
    let run = ringwall(&["check", "/nonexistent/ringwall.toml"]);
    assert_eq!(run.code, 78);
    assert!(run.stderr.contains("/nonexistent/ringwall.toml cannot be read"), "{}", run.stderr);
}

/// The binary, run by a user that the key files do not belong to: `nobody`, where these tests run as root.
struct AnotherUser(Scratch);

impl AnotherUser {
    fn new() -> Self {
        let scratch = Scratch::new();
        fs::set_permissions(scratch.path(), Permissions::from_mode(0o755)).expect("a mode");
        // Where it was built, that user may not look.
        let copy = scratch.path().join("ringwall");
        // Not written by this process: a test beside it that starts a program would hold it open, and busy.
        let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_ringwall")).arg(&copy).status();
        assert!(copied.expect("cp runs").success());
        fs::set_permissions(copy, Permissions::from_mode(0o755)).expect("a mode");
        Self(scratch)
    }

    fn runs(&self, arguments: &[&str]) -> Run {
        let directory = self.0.path();
        let mut command = Command::new(directory.join("ringwall"));
        if fs::metadata(directory).expect("a directory").uid() == 0 {
            command.uid(65534).gid(65534);
        } else {
            let none = Permissions::from_mode(0o000);
            fs::set_permissions(directory.join("private.key"), none).expect("a mode");
        }
        let output = command.args(arguments).current_dir(directory).output().expect("it runs");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        let code = output.status.code().expect("no signal");
        Run { code, stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

#[test]
fn check_needs_no_root_for_a_key_that_only_root_may_read_and_says_what_it_left() {
    let user = AnotherUser::new();
    user.0.file("ringwall.toml", GOOD);
    let run = user.runs(&["check", "ringwall.toml"]);
    assert_eq!(run.stdout, "ok: 1 interface, 2 peers, 1 rule\n", "{}", run.stderr);
    assert_eq!(run.code, 0);
    let told =
        "warning: wireguard.private_key_file: not checked, since this user may not read the file";
    assert!(run.stderr.contains(told), "{}", run.stderr);

    let run = user.runs(&["run", "--config", "ringwall.toml"]);
    assert_eq!(run.code, 78, "{}", run.stderr);
    assert!(run.stderr.contains("error: wireguard.private_key_file"), "{}", run.stderr);

    user.0.file("ringwall.toml", &GOOD.replace("private.key", "none.key"));
    let run = user.runs(&["check", "ringwall.toml"]);
    assert!(run.code == 78 && run.stderr.contains("no such file"), "{}", run.stderr);
    user.0.key_file("open.key", "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=\n", 0o640);
    user.0.file("ringwall.toml", &GOOD.replace("private.key", "open.key"));
    let run = user.runs(&["check", "ringwall.toml"]);
    assert!(run.code == 78 && run.stderr.contains("mode 0640"), "{}", run.stderr);
}

#[test]
fn run_refuses_what_check_refuses_before_it_touches_anything() {
    let scratch = Scratch::new();
    let path = scratch.file("ringwall.toml", &GOOD.replace("to = \"lan\"", "to = \"lam\""));
    let run = ringwall(&["run", "--config", path.to_str().unwrap()]);
    assert_eq!(run.code, 78);
    assert!(run.stderr.contains("policy[0].to: unknown zone"), "{}", run.stderr);
}
