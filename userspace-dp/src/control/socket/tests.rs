//! Who may ask, what is understood, and that every question gets an answer.

use std::os::unix::net::UnixStream;

use super::*;
use crate::api::{Body, Subject};
use crate::cli::client::ask;
use crate::control::testing::{Scene, peers, scene};

const STRANGER: u32 = 12_345;
const READER: u32 = 12_346;
const CHANGER: u32 = 12_347;

fn answering(scene: &Scene) -> Answering {
    Answering {
        observer: Arc::clone(&scene.observer),
        readers: vec![0, READER, CHANGER],
        changers: vec![0, CHANGER],
    }
}

fn refused(reply: &Reply) -> Option<RefusalKind> {
    if let Body::Error(refusal) = &reply.body { Some(refusal.kind) } else { None }
}

#[test]
fn without_an_answer_from_control_routes_are_an_error_and_not_none() {
    let scene = scene(1, "");
    let line = "{\"v\":1,\"verb\":\"show\",\"what\":\"routes\"}\n";
    assert_eq!(refused(&answering(&scene).reply(line, 0)), Some(RefusalKind::Failed));
}

const STATUS: &str = "{\"v\":1,\"verb\":\"status\"}\n";

#[test]
fn readers_may_read_and_strangers_may_not() {
    let scene = scene(1, "");
    let answering = answering(&scene);
    for (user, refusal) in
        [(0, None), (READER, None), (CHANGER, None), (STRANGER, Some(RefusalKind::NoPermission))]
    {
        assert_eq!(refused(&answering.reply(STATUS, user)), refusal, "user {user}");
        let drops = "{\"v\":1,\"verb\":\"show\",\"what\":\"drops\"}\n";
        assert_eq!(refused(&answering.reply(drops, user)), refusal, "user {user}");
    }
}

#[cfg(debug_assertions)]
#[test]
fn only_those_who_may_change_things_put_faults_in() {
    let scene = scene(1, "");
    let answering = answering(&scene);
    let line = "{\"v\":1,\"verb\":\"fault\",\"fault\":\"stop-worker\",\"worker\":0}\n";
    let fault = || scene.observer.workers[0].shared.fault();
    assert_eq!(refused(&answering.reply(line, READER)), Some(RefusalKind::NoPermission));
    assert_eq!(fault(), crate::runtime::shared::Fault::None);
    assert_eq!(refused(&answering.reply(line, CHANGER)), None);
    assert_eq!(fault(), crate::runtime::shared::Fault::Stop);
    let nobody = line.replace(":0}", ":9}");
    assert_eq!(refused(&answering.reply(&nobody, CHANGER)), Some(RefusalKind::BadRequest));
}

#[test]
fn what_is_no_request_is_refused_with_the_reason() {
    let scene = scene(1, "");
    let answering = answering(&scene);
    for line in [
        "",
        "{}\n",
        "status\n",
        "{\"v\":1,\"verb\":\"reboot\"}\n",
        "{\"v\":2,\"verb\":\"status\"}\n",
    ] {
        assert_eq!(refused(&answering.reply(line, 0)), Some(RefusalKind::BadRequest), "{line:?}");
    }
}

#[test]
fn every_table_is_answered_and_none_shows_a_secret() {
    let scene = scene(1, &peers(2));
    let answering = answering(&scene);
    let routes_asked = scene.routes_asked;
    std::thread::spawn(move || {
        while let Ok(reply) = routes_asked.recv() {
            let _ = reply.send(Vec::new());
        }
    });
    use clap::ValueEnum;
    for what in Subject::value_variants() {
        let line = serde_json::to_string(&Request::new(Verb::Show { what: *what })).unwrap();
        let reply = answering.reply(&line, 0);
        assert_eq!(refused(&reply), None, "{what:?}");
        let text = serde_json::to_string(&reply).unwrap();
        // The gateway's private key is the byte 7, repeated.
        assert!(!text.contains("BwcHBwcH"), "{what:?} shows the key");
    }
}

#[test]
fn over_the_socket_a_question_is_answered_and_noise_is_told_off() {
    let scene = scene(1, "");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run/control.sock");
    let security = config::Security { drop_capabilities: false, ..config::Security::default() };
    let _server = serve(&path, &security, Arc::clone(&scene.observer)).unwrap();
    let answer = ask(&path, Verb::Status).unwrap();
    assert!(matches!(answer.body, Body::Status(_)), "{}", answer.line);

    for noise in [&b"\xff\xfe\n"[..], &[b'x'; 3 * MAX_REQUEST], b"{\"v\":1}\n{\"v\":1}\n"] {
        let mut stream = UnixStream::connect(&path).unwrap();
        // The server may have refused already and stopped reading.
        let _ = stream.write_all(noise);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        assert!(reply.contains("bad-request") && reply.ends_with('\n'), "{reply}");
    }
    assert!(matches!(ask(&path, Verb::Status).unwrap().body, Body::Status(_)));
}

#[test]
fn a_stranger_is_told_off_before_anything_is_read() {
    let scene = scene(1, "");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.sock");
    let answering = Answering { readers: vec![STRANGER], ..answering(&scene) };
    let listener = Listener::unix(&path, OpenTo::Everybody).unwrap();
    let _server = Server::start("test", listener, Privileges::Retain, answering).unwrap();
    // It says nothing and keeps its side open: only who is not listened to gets an answer at once.
    let mut silent = UnixStream::connect(&path).unwrap();
    let mut reply = String::new();
    silent.read_to_string(&mut reply).unwrap();
    assert!(reply.contains("no-permission") && reply.ends_with('\n'), "{reply}");
    // The client understands it too, although the daemon may have hung up before it asks.
    for _ in 0..20 {
        let refused = ask(&path, Verb::Status).unwrap_err();
        assert_eq!(refused.exit(), crate::cli::exit::Exit::NoPermission, "{refused}");
    }
}

#[test]
fn a_reader_that_sends_byte_by_byte_is_told_off_when_its_time_is_over() {
    let scene = scene(1, "");
    let own = rustix::process::geteuid().as_raw();
    let answering = Answering { readers: vec![own], ..answering(&scene) };
    let (near, mut far) = UnixStream::pair().unwrap();
    let trickle = std::thread::spawn(move || {
        let mut sent = 0;
        // Nobody reads any more once the time is over and the answer has been given.
        while sent < 400 && far.write_all(b" ").is_ok() {
            sent += 1;
            std::thread::sleep(Duration::from_millis(25));
        }
        let mut reply = String::new();
        let _ = far.read_to_string(&mut reply);
        (sent, reply)
    });
    answering.converse(near.into()).unwrap();
    let (sent, reply) = trickle.join().unwrap();
    assert!(sent < 400 && reply.contains("bad-request"), "{sent}: {reply}");
}
