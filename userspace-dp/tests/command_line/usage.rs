//! What every verb has in common.

use super::ringwall;

#[test]
fn help_and_version_are_data_and_end_with_0() {
    let run = ringwall(&["--version"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert_eq!(run.stdout, concat!("ringwall ", env!("CARGO_PKG_VERSION"), "\n"));
    let run = ringwall(&["--help"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert!(run.stdout.contains("78 bad configuration"), "{}", run.stdout);
}

#[test]
fn a_command_line_that_is_not_understood_ends_with_2_and_says_what_is() {
    for arguments in [&[][..], &["chek"], &["show"], &["show", "kets"], &["check"], &["--socket"]] {
        let run = ringwall(arguments);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(!run.stderr.is_empty());
    }
    let run = ringwall(&["show", "pers"]);
    assert!(run.stderr.contains("peers"), "{}", run.stderr);
}

#[test]
fn completions_know_the_verbs() {
    for shell in ["bash", "zsh", "fish"] {
        let run = ringwall(&["completions", shell]);
        assert_eq!(run.code, 0);
        assert!(run.stdout.contains("genkey") && run.stdout.contains("show"), "{shell}");
    }
}
