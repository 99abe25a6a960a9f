//! The client against daemons that answer, refuse, hang up, or are not there.

use super::*;
use crate::api::Subject;
use std::os::unix::net::UnixListener;
use std::thread::JoinHandle;

/// A daemon that answers one request with `reply`, and returns what it was asked.
fn daemon(directory: &Path, reply: &'static str) -> (PathBuf, JoinHandle<String>) {
    let path = directory.join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut line = String::new();
        BufReader::new(stream.try_clone().unwrap()).read_line(&mut line).unwrap();
        stream.write_all(reply.as_bytes()).unwrap();
        line
    });
    (path, thread)
}

fn answer(reply: &'static str) -> Result<Answer, NoAnswer> {
    let directory = tempfile::tempdir().unwrap();
    let (path, thread) = daemon(directory.path(), reply);
    let answer = ask(&path, Verb::Show { what: Subject::Drops });
    assert_eq!(thread.join().unwrap(), "{\"v\":1,\"verb\":\"show\",\"what\":\"drops\"}\n");
    answer
}

#[test]
fn a_reply_is_read_and_kept_as_it_came() {
    let answer =
        answer("{\"schema_version\":1,\"drops\":{\"taken_at_unix\":7,\"drops\":[],\"new\":1}}\n")
            .unwrap();
    assert!(matches!(answer.body, Body::Drops(drops) if drops.taken_at_unix == 7));
    assert_eq!(
        answer.line,
        r#"{"schema_version":1,"drops":{"taken_at_unix":7,"drops":[],"new":1}}"#
    );
}

#[test]
fn nothing_in_a_reply_commands_the_terminal() {
    let reply = r#"{"schema_version":1,"error":{"kind":"failed","message":"\u001b]0;x\u0007\u009b2J\nend"}}"#;
    let NoAnswer::Failed { message } = answer(reply).unwrap_err() else { panic!("another error") };
    assert_eq!(message, "?]0;x??2J\nend");
    let peers = r#"{"schema_version":1,"peers":{"taken_at_unix":7,"interface":"\u001b[31m","public_key":"k","listen_port":1,"peers":[]}}"#;
    let Body::Peers(peers) = answer(peers).unwrap().body else { panic!("other rows") };
    assert_eq!(peers.interface, "?[31m");
}

#[test]
fn each_refusal_has_its_exit_code() {
    let exit = |reply| answer(reply).unwrap_err().exit();
    let no_permission = r#"{"schema_version":1,"error":{"kind":"no-permission","message":"m"}}"#;
    assert_eq!(exit(no_permission), Exit::NoPermission);
    let bad_request = r#"{"schema_version":1,"error":{"kind":"bad-request","message":"m"}}"#;
    assert_eq!(exit(bad_request), Exit::Usage);
    let failed = r#"{"schema_version":1,"error":{"kind":"failed","message":"m"}}"#;
    assert_eq!(exit(failed), Exit::Failed);
    assert_eq!(exit("nonsense"), Exit::Failed);
}

#[test]
fn a_daemon_of_another_version_is_told_apart_even_if_nothing_else_is_understood() {
    let error = answer(r#"{"schema_version":2,"surprise":true}"#).unwrap_err();
    assert!(matches!(error, NoAnswer::OtherVersion { theirs: 2 }), "{error}");
}

#[test]
fn nobody_listening_is_unreachable_with_the_next_command() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("none");
    let stale = directory.path().join("stale");
    drop(UnixListener::bind(&stale).unwrap());
    for path in [missing, stale] {
        let error = ask(&path, Verb::Status).unwrap_err();
        assert_eq!(error.exit(), Exit::Unreachable);
        assert!(error.to_string().contains("is `ringwall run` running"), "{error}");
    }
}

#[test]
fn a_daemon_that_hangs_up_is_unreachable() {
    assert_eq!(answer("").unwrap_err().exit(), Exit::Unreachable);
}

#[test]
fn a_socket_path_that_is_too_long_is_an_error_and_no_panic() {
    let path = PathBuf::from("/".to_owned() + &"x".repeat(200));
    assert_eq!(ask(&path, Verb::Status).unwrap_err().exit(), Exit::Unreachable);
}

#[test]
fn a_daemon_that_trickles_its_answer_is_given_up_when_the_whole_time_is_over() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let trickle = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let sent = (0..2000).take_while(|_| {
            std::thread::sleep(Duration::from_millis(10));
            stream.write_all(b" ").is_ok()
        });
        sent.count()
    });
    let error = exchange(&path, Verb::Status, Duration::from_millis(300)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    assert!(trickle.join().unwrap() < 2000, "every byte began the wait anew");
}

#[test]
fn a_daemon_that_refuses_and_hangs_up_at_once_is_heard() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let refusal =
        b"{\"schema_version\":1,\"error\":{\"kind\":\"no-permission\",\"message\":\"m\"}}\n";
    let daemon = std::thread::spawn(move || {
        for _ in 0..20 {
            listener.accept().unwrap().0.write_all(refusal).unwrap();
        }
    });
    for _ in 0..20 {
        assert_eq!(ask(&path, Verb::Status).unwrap_err().exit(), Exit::NoPermission);
    }
    daemon.join().unwrap();
}
