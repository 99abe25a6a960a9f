//! That nobody is held up by a client that stalls or may not ask, and that a server ends.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

use super::super::listener::OpenTo;
use super::*;

fn unix(path: &std::path::Path) -> Listener {
    Listener::unix(path, OpenTo::Everybody).unwrap()
}

fn echo(listener: Listener) -> Server {
    Server::start("test", listener, Privileges::Retain, |mut connection: Connection| {
        let mut byte = [0];
        connection.allow(Duration::from_secs(60));
        if connection.read_exact(&mut byte).is_ok() {
            let _ = connection.write_all(&byte);
        }
        connection.finish();
    })
    .unwrap()
}

#[test]
fn a_server_that_ends_frees_its_address_and_removes_its_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let server = echo(unix(&path));
    let mut client = UnixStream::connect(&path).unwrap();
    client.write_all(b"x").unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, b"x");
    drop(server);
    assert!(!path.exists());

    let server = echo(Listener::tcp("127.0.0.1:0".parse().unwrap()).unwrap());
    let address = server.tcp_address().unwrap();
    drop(server);
    assert!(TcpStream::connect(address).is_err());
}

/// Drops `server` while its handler has a connection; gives up after a time that only a hang takes.
fn end(server: Server) {
    let (done, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        drop(server);
        let _ = done.send(());
    });
    ended.recv_timeout(Duration::from_secs(30)).expect("the server ends");
}

#[test]
fn a_server_ends_though_a_client_is_connected_and_silent() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    for listener in [unix(&path), Listener::tcp("127.0.0.1:0".parse().unwrap()).unwrap()] {
        let (begin, begun) = std::sync::mpsc::channel();
        let (finish, finished) = std::sync::mpsc::channel();
        let server = Server::start(
            "test",
            listener,
            Privileges::Retain,
            move |mut connection: Connection| {
                begin.send(()).unwrap();
                connection.allow(Duration::from_secs(3600));
                finish.send(connection.read(&mut [0])).unwrap();
            },
        )
        .unwrap();
        let (mut unix, mut tcp) = (None, None);
        match server.tcp_address() {
            Some(address) => tcp = Some(TcpStream::connect(address).unwrap()),
            None => unix = Some(UnixStream::connect(&path).unwrap()),
        }
        begun.recv().unwrap();
        end(server);
        assert!(matches!(finished.recv().unwrap(), Ok(0)), "the connection was cut");
        drop((unix, tcp));
    }
}

#[test]
fn a_server_ends_though_its_handler_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let (begin, begun) = std::sync::mpsc::channel();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let listener = unix(&path);
    let released = Mutex::new(released);
    let server =
        Server::start("test", listener, Privileges::Retain, move |_connection: Connection| {
            begin.send(()).unwrap();
            let _ = released.lock().unwrap().recv();
        })
        .unwrap();
    let _client = UnixStream::connect(&path).unwrap();
    begun.recv().unwrap();
    end(server);
    assert!(!path.exists());
    drop(release);
}

#[test]
fn an_answer_under_way_still_goes_out_when_the_server_ends() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let (begin, begun) = std::sync::mpsc::channel();
    let listener = unix(&path);
    let server =
        Server::start("test", listener, Privileges::Retain, move |mut connection: Connection| {
            begin.send(()).unwrap();
            connection.allow(Duration::from_secs(60));
            // Returns when the server ends: the client says nothing.
            let _ = connection.read(&mut [0]);
            let _ = connection.write_all(b"last words");
            connection.finish();
        })
        .unwrap();
    let mut client = UnixStream::connect(&path).unwrap();
    begun.recv().unwrap();
    end(server);
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "last words");
}

fn asks(path: &std::path::Path) -> bool {
    let mut client = UnixStream::connect(path).unwrap();
    let mut answer = [0];
    client.write_all(b"x").is_ok() && client.read_exact(&mut answer).is_ok() && answer == *b"x"
}

#[test]
fn clients_that_stall_delay_nobody_and_the_oldest_goes_when_they_are_too_many() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    // A minute for each.
    let server = echo(unix(&path));
    let mut silent: Vec<_> = (0..2 * PLACES).map(|_| UnixStream::connect(&path).unwrap()).collect();
    assert!(asks(&path), "an answer before any of them has had its time");
    let crowd = lock(&server.crowd).present.len();
    assert!(crowd <= PLACES, "{crowd}");
    assert!(matches!(silent[0].read(&mut [0]), Ok(0)), "the first was cut for another");
    let last = silent.last_mut().unwrap();
    last.write_all(b"y").unwrap();
    let mut answer = [0];
    last.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"y", "the last still has its place");
}

#[test]
fn a_handler_that_panics_leaves_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let server = Server::start("test", unix(&path), Privileges::Retain, |mut c: Connection| {
        c.allow(Duration::from_secs(60));
        let mut byte = [0];
        c.read_exact(&mut byte).unwrap();
        c.write_all(&byte).unwrap();
    })
    .unwrap();
    for _ in 0..2 * THREADS {
        // It says nothing and goes.
        drop(UnixStream::connect(&path).unwrap());
    }
    assert!(asks(&path));
    end(server);
}

/// Refuses everybody.
struct Closed;

impl Service for Closed {
    fn refuse(&self, _connection: &Connection) -> Option<Vec<u8>> {
        Some(b"closed".to_vec())
    }

    fn answer(&self, _connection: Connection) {
        unreachable!("nobody is let in");
    }
}

#[test]
fn who_may_ask_nothing_is_told_so_at_once_and_gets_no_thread() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let server = Server::start("test", unix(&path), Privileges::Retain, Closed).unwrap();
    // They say nothing and keep their side open.
    let mut strangers: Vec<_> = (0..100).map(|_| UnixStream::connect(&path).unwrap()).collect();
    for stranger in &mut strangers {
        let mut words = String::new();
        stranger.read_to_string(&mut words).unwrap();
        assert_eq!(words, "closed");
    }
    assert_eq!(lock(&server.crowd).latest, 0);
}
