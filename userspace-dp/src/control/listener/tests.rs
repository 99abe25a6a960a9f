//! What a unix socket may take the place of, and that a server ends.

use super::*;

fn echo(listener: Listener) -> Server {
    Server::start("test", listener, Privileges::Retain, |mut connection| {
        let mut byte = [0];
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
    assert_eq!(Connection::Unix(one).user(), Some(rustix::process::geteuid().as_raw()));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    assert_eq!(Connection::Tcp(stream).user(), None);
}
