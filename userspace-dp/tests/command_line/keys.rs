//! `genkey`, `pubkey`, `genpsk`: the forms of wg(8).

use super::{Scratch, ringwall, ringwall_in};
use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

fn is_key(text: &str) -> bool {
    text.len() == 45
        && text.ends_with("=\n")
        && text.trim_end().parse::<config::PublicKey>().is_ok()
}

#[test]
fn generated_keys_are_one_line_of_base64_and_never_the_same() {
    for verb in ["genkey", "genpsk"] {
        let (one, other) = (ringwall(&[verb]), ringwall(&[verb]));
        assert_eq!((one.code, one.stderr.as_str()), (0, ""));
        assert!(is_key(&one.stdout), "{}", one.stdout);
        assert_ne!(one.stdout, other.stdout);
    }
}

/// The key pair of RFC 7748, section 6.1 (Alice), in base64.
#[test]
fn the_public_key_is_the_one_of_the_standard() {
    let private = "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=";
    let public = "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=\n";
    for input in [private.to_owned(), format!("{private}\n"), format!("  {private} \n\n")] {
        let run = ringwall_in(Path::new("/"), &["pubkey"], &input);
        assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), (0, public, ""));
    }
}

#[test]
fn what_is_no_private_key_fails_and_is_not_repeated() {
    let almost = "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LC";
    for input in ["", "nonsense", almost, &"A".repeat(10_000)] {
        let run = ringwall_in(Path::new("/"), &["pubkey"], input);
        assert_eq!((run.code, run.stdout.as_str()), (1, ""));
        assert!(run.stderr.contains("stdin is not a private key"), "{}", run.stderr);
        assert!(!run.stderr.contains(almost), "the input may be most of a secret");
    }
}

#[test]
fn a_key_written_where_others_can_read_it_comes_with_a_warning() {
    let scratch = Scratch::new();
    for (mode, warned) in [(0o644, true), (0o640, true), (0o600, false)] {
        let path = scratch.path().join(format!("key-{mode:o}"));
        let file = File::create(&path).unwrap();
        file.set_permissions(Permissions::from_mode(mode)).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringwall"));
        let output = command.arg("genkey").stdout(file).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(stderr.contains("umask 077"), warned, "mode {mode:o}: {stderr}");
        assert!(
            is_key(&std::fs::read_to_string(&path).unwrap()),
            "the key is written all the same"
        );
    }
}
