//! The online verbs against a control socket that a test serves.

use super::{Run, Scratch, ringwall};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;

/// Runs a verb against a daemon that answers `reply`; also returns what the daemon was asked.
fn asked(verb: &[&str], reply: &'static str) -> (Run, String) {
    let scratch = Scratch::new();
    let path = scratch.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let daemon = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut line = String::new();
        BufReader::new(stream.try_clone().unwrap()).read_line(&mut line).unwrap();
        stream.write_all(reply.as_bytes()).unwrap();
        line
    });
    let run = ringwall(&[&["--socket", path.to_str().unwrap()], verb].concat());
    (run, daemon.join().unwrap())
}

const DROPS: &str = "{\"schema_version\":1,\"drops\":{\"taken_at_unix\":7,\"drops\":[{\"stage\":\"parse\",\"reason\":\"truncated\",\"severity\":\"info\",\"count\":0,\"help\":\"too short\"}]}}\n";

#[test]
fn a_table_is_plain_text_on_a_pipe() {
    let (run, request) = asked(&["show", "drops", "--all"], DROPS);
    assert_eq!(request, "{\"v\":1,\"verb\":\"show\",\"what\":\"drops\"}\n");
    let table = "count  stage  reason     severity  meaning\n    0  parse  truncated  info      too short\n";
    assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), (0, table, ""));
}

#[test]
fn reasons_at_zero_are_counted_by_default_and_all_is_for_drops_alone() {
    let (run, _) = asked(&["show", "drops"], DROPS);
    let table =
        "count  stage  reason  severity  meaning\n\n1 more reason stands at zero; --all shows it\n";
    assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), (0, table, ""));
    let run = ringwall(&["show", "peers", "--all"]);
    assert_eq!((run.code, run.stdout.as_str()), (2, ""));
    assert!(run.stderr.contains("--all is for `show drops`"), "{}", run.stderr);
}

#[test]
fn json_is_the_reply_as_it_came() {
    let (run, _) = asked(&["show", "drops", "--json"], DROPS);
    assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), (0, DROPS, ""));
}

#[test]
fn without_a_daemon_the_code_is_69_and_the_next_command_is_named() {
    for verb in [&["status"][..], &["show", "peers"], &["show", "runtime", "--json"]] {
        let run = ringwall(&[&["--socket", "/nonexistent/socket"], verb].concat());
        assert_eq!((run.code, run.stdout.as_str()), (69, ""));
        assert!(run.stderr.contains("/nonexistent/socket"), "{}", run.stderr);
        assert!(run.stderr.contains("Next: is `ringwall run` running"), "{}", run.stderr);
    }
}

#[test]
fn a_refusal_for_lack_of_permission_ends_with_77() {
    let reply = "{\"schema_version\":1,\"error\":{\"kind\":\"no-permission\",\"message\":\"user 1000 may not read\"}}\n";
    let (run, _) = asked(&["show", "config"], reply);
    assert_eq!((run.code, run.stdout.as_str()), (77, ""));
    assert!(run.stderr.contains("user 1000 may not read. Next: run as root"), "{}", run.stderr);
}

#[test]
fn an_answer_to_another_question_fails() {
    let (run, _) = asked(&["show", "peers"], DROPS);
    assert_eq!((run.code, run.stdout.as_str()), (1, ""));
}
