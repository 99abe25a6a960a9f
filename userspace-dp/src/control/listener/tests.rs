//! What a unix socket may take the place of, and that a server ends.

use super::*;

fn echo(listener: Listener) -> Server {
    Server::start("test", listener, Privileges::Retain, |mut connection| {
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
fn a_socket_that_nobody_answers_at_is_replaced_and_a_living_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("below/socket");
    drop(bind_unix(&path).unwrap());
    assert!(path.exists(), "what a killed process leaves");
    let _server = echo(Listener::unix(&path).unwrap());
    let error = Listener::unix(&path).err().unwrap();
    assert!(format!("{error:#}").contains("another process answers there"), "{error:#}");
}

#[test]
fn a_file_that_is_no_socket_is_never_removed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("precious");
    std::fs::write(&path, "data").unwrap();
    assert!(Listener::unix(&path).is_err());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "data");
}

#[test]
fn a_server_that_ends_frees_its_address_and_removes_its_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let server = echo(Listener::unix(&path).unwrap());
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

#[test]
fn only_a_unix_socket_tells_who_is_at_the_other_end() {
    let (one, _other) = UnixStream::pair().unwrap();
    assert_eq!(Connection::from(one).user(), Some(rustix::process::geteuid().as_raw()));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = Stream::Tcp(TcpStream::connect(listener.local_addr().unwrap()).unwrap());
    assert_eq!(Connection { stream, deadline: Instant::now() }.user(), None);
}

#[test]
fn a_client_that_sends_byte_by_byte_is_cut_at_the_deadline() {
    let (near, mut far) = UnixStream::pair().unwrap();
    let trickle = std::thread::spawn(move || {
        (0..500)
            .take_while(|_| {
                std::thread::sleep(Duration::from_millis(10));
                far.write_all(b"x").is_ok()
            })
            .count()
    });
    let mut connection = Connection::from(near);
    connection.allow(Duration::from_millis(200));
    let mut taken = Vec::new();
    assert!(connection.read_to_end(&mut taken).is_err(), "the deadline ends it");
    drop(connection);
    assert!(!taken.is_empty(), "before the deadline everything is taken");
    assert!(trickle.join().unwrap() < 500);
}

#[test]
fn a_client_that_takes_nothing_is_cut_at_the_deadline_and_one_that_takes_gets_everything() {
    let answer = vec![7; 4 << 20];
    let (near, mut far) = UnixStream::pair().unwrap();
    let mut connection = Connection::from(near);
    connection.allow(Duration::from_millis(50));
    assert!(connection.write_all(&answer).is_err());
    drop(connection);
    let mut taken = Vec::new();
    far.read_to_end(&mut taken).unwrap();
    assert!(taken.len() < answer.len());

    let (near, mut far) = UnixStream::pair().unwrap();
    let reader = std::thread::spawn(move || {
        let mut taken = Vec::new();
        far.read_to_end(&mut taken).unwrap();
        taken.len()
    });
    let mut connection = Connection::from(near);
    connection.allow(Duration::from_secs(60));
    connection.write_all(&answer).unwrap();
    connection.finish();
    assert_eq!(reader.join().unwrap(), answer.len());
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
    for listener in
        [Listener::unix(&path).unwrap(), Listener::tcp("127.0.0.1:0".parse().unwrap()).unwrap()]
    {
        let (begin, begun) = std::sync::mpsc::channel();
        let (finish, finished) = std::sync::mpsc::channel();
        let server = Server::start("test", listener, Privileges::Retain, move |mut connection| {
            begin.send(()).unwrap();
            connection.allow(Duration::from_secs(3600));
            finish.send(connection.read(&mut [0])).unwrap();
        })
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
    let listener = Listener::unix(&path).unwrap();
    let server = Server::start("test", listener, Privileges::Retain, move |_| {
        begin.send(()).unwrap();
        let _ = released.recv();
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
    let listener = Listener::unix(&path).unwrap();
    let server = Server::start("test", listener, Privileges::Retain, move |mut connection| {
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
