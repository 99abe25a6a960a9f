//! What a unix socket may take the place of, who may open it, and that connections end in time.

use super::*;

#[test]
fn a_socket_that_nobody_answers_at_is_replaced_and_a_living_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("below/socket");
    drop(bind_unix(&path, OpenTo::Everybody).unwrap());
    assert!(path.exists(), "what a killed process leaves");
    let _living = Listener::unix(&path, OpenTo::Everybody).unwrap();
    let error = Listener::unix(&path, OpenTo::Everybody).err().unwrap();
    assert!(format!("{error:#}").contains("another process answers there"), "{error:#}");
}

#[test]
fn a_file_that_is_no_socket_is_never_removed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("precious");
    std::fs::write(&path, "data").unwrap();
    assert!(Listener::unix(&path, OpenTo::Everybody).is_err());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "data");
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

#[test]
fn a_socket_is_open_to_whom_it_is_meant_for() {
    let folder = tempfile::tempdir().unwrap();
    for (open_to, mode) in [(OpenTo::Everybody, 0o666), (OpenTo::Group, 0o660)] {
        let path = folder.path().join(format!("{mode:o}"));
        let _listener = Listener::unix(&path, open_to).unwrap();
        let found = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(found & 0o777, mode, "{open_to:?}");
        assert!(UnixStream::connect(&path).is_ok());
    }
}

#[test]
fn who_is_dismissed_reads_why_though_nobody_read_what_it_sent() {
    let (near, mut far) = UnixStream::pair().unwrap();
    far.write_all(b"a question").unwrap();
    Connection::from(near).dismiss(b"no\n");
    let mut words = [0; 3];
    far.read_exact(&mut words).unwrap();
    assert_eq!(&words, b"no\n");
    assert!(!matches!(far.read(&mut words), Ok(1..)), "the connection is over");
}
