//! The endpoint for Prometheus and health checks: `GET /metrics`, `/healthz`, `/readyz`.
//!
//! Each connection is bounded in bytes and time and has a thread of its own: a scraper that stalls delays nobody. It
//! only reads; there is nothing to change through it. On TCP whoever reaches the address may ask; a unix socket is
//! open to the gateway's user and the socket's group.

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};

use super::listener::{Connection, Listener, OpenTo};
use super::server::Server;
use crate::runtime::privileges::Privileges;

/// The longest request that is read, headers included.
const REQUEST_MAX: usize = 4096;
/// How long a client may take to send its request or to take the answer.
const TIMEOUT: Duration = Duration::from_secs(2);

/// What the endpoint tells.
pub trait Health: Send + Sync + 'static {
    /// Every metric in the OpenMetrics text format.
    fn metrics(&self) -> String;
    /// Whether the process works at all; the text says what is wrong.
    fn healthy(&self) -> Result<(), String>;
    /// Whether the gateway forwards; the text says what is missing.
    fn ready(&self) -> Result<(), String>;
}

/// Serves `health` at `listen` until the server is dropped; `None` when it is off.
///
/// # Errors
/// Nothing can listen there.
pub fn serve(
    listen: &config::Listen,
    privileges: Privileges,
    health: Arc<dyn Health>,
) -> Result<Option<Server>> {
    let listener = match listen {
        config::Listen::Off => return Ok(None),
        config::Listen::Tcp(address) => Listener::tcp(*address),
        config::Listen::Unix(path) => Listener::unix(path, OpenTo::Group),
    };
    let listener = listener.context("telemetry.listen")?;
    // A client that went away concerns nobody else.
    let handle = move |connection: Connection| drop(answer(connection, health.as_ref()));
    Server::start("rw-metrics", listener, privileges, handle).map(Some)
}

fn answer(mut stream: Connection, health: &dyn Health) -> std::io::Result<()> {
    stream.allow(TIMEOUT);
    let (status, kind, body) = match read_request(&mut stream) {
        Err(status) => (status, TEXT, String::new()),
        Ok((method, _)) if method != "GET" => ("405 Method Not Allowed", TEXT, String::new()),
        Ok((_, path)) => match path.as_str() {
            "/metrics" => ("200 OK", OPEN_METRICS, health.metrics()),
            "/healthz" => told(health.healthy()),
            "/readyz" => told(health.ready()),
            _ => ("404 Not Found", TEXT, "try /metrics, /healthz or /readyz\n".into()),
        },
    };
    stream.allow(TIMEOUT);
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    )?;
    stream.write_all(body.as_bytes())?;
    stream.finish();
    Ok(())
}

const TEXT: &str = "text/plain; charset=utf-8";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

fn told(state: Result<(), String>) -> (&'static str, &'static str, String) {
    match state {
        Ok(()) => ("200 OK", TEXT, "ok\n".into()),
        Err(what) => ("503 Service Unavailable", TEXT, what + "\n"),
    }
}

/// Method and path of the request, or the status that refuses it.
fn read_request(stream: &mut Connection) -> Result<(String, String), &'static str> {
    let mut buffer = [0; REQUEST_MAX];
    let mut length = 0;
    loop {
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut request = httparse::Request::new(&mut headers);
        match request.parse(&buffer[..length]) {
            Err(_) => return Err("400 Bad Request"),
            Ok(httparse::Status::Complete(_)) => {
                let method = request.method.unwrap_or_default().to_owned();
                let path = request.path.unwrap_or_default();
                return Ok((method, path.split('?').next().unwrap_or_default().to_owned()));
            }
            Ok(httparse::Status::Partial) if length == buffer.len() => {
                return Err("431 Request Header Fields Too Large");
            }
            Ok(httparse::Status::Partial) => match stream.read(&mut buffer[length..]) {
                Ok(0) | Err(_) => return Err("408 Request Timeout"),
                Ok(count) => length += count,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    struct Sick;

    impl Health for Sick {
        fn metrics(&self) -> String {
            "# EOF\n".into()
        }
        fn healthy(&self) -> Result<(), String> {
            Ok(())
        }
        fn ready(&self) -> Result<(), String> {
            Err("no worker is alive".into())
        }
    }

    fn server() -> (Server, TcpStream) {
        let listen = config::Listen::Tcp("127.0.0.1:0".parse().unwrap());
        let server = serve(&listen, Privileges::Retain, Arc::new(Sick)).unwrap().unwrap();
        let stream = TcpStream::connect(server.tcp_address().unwrap()).unwrap();
        (server, stream)
    }

    fn ask(request: &str) -> String {
        let (_server, mut stream) = server();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn metrics_and_health_are_told() {
        assert!(ask("GET /metrics HTTP/1.1\r\n\r\n").ends_with("# EOF\n"));
        assert!(ask("GET /healthz HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 200"));
    }

    #[test]
    fn a_gateway_that_is_not_ready_says_what_is_missing() {
        let answer = ask("GET /readyz?verbose=1 HTTP/1.1\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("no worker"), "{answer}");
    }

    #[test]
    fn other_paths_methods_and_noise_are_refused() {
        assert!(ask("GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404"));
        assert!(ask("POST /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405"));
        assert!(ask("\u{1}\u{2}\r\n\r\n").starts_with("HTTP/1.1 400"));
    }

    #[test]
    fn a_request_of_which_only_a_part_is_read_gets_its_refusal_and_no_reset() {
        for excess in [1, REQUEST_MAX, 10 * REQUEST_MAX] {
            let long = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(REQUEST_MAX + excess));
            assert!(ask(&long).starts_with("HTTP/1.1 431"));
        }
    }

    #[test]
    fn a_client_that_says_nothing_is_told_so_and_one_that_leaves_stops_nobody() {
        let (server, mut silent) = server();
        let mut gone = TcpStream::connect(server.tcp_address().unwrap()).unwrap();
        gone.write_all(b"GET /metr").unwrap();
        drop(gone);
        let mut next = TcpStream::connect(server.tcp_address().unwrap()).unwrap();
        next.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").unwrap();
        let (mut told, mut answer) = (String::new(), String::new());
        silent.read_to_string(&mut told).unwrap();
        assert!(told.starts_with("HTTP/1.1 408"), "{told}");
        next.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}
