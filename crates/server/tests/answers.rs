//! What the listener answers over a plain connection.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::Arc,
};

use pipeline::service::{MetricsSnapshot, PartitionMetrics, Phase};
use server::{Server, ServerError};

fn serve(snapshot: MetricsSnapshot) -> Server {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    Server::start(any, Arc::new(move || snapshot.clone())).unwrap()
}

fn ask(server: &Server, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: tarifa\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

fn running() -> MetricsSnapshot {
    let partition = PartitionMetrics { phase: Phase::Running, ..PartitionMetrics::default() };
    MetricsSnapshot { ready: true, partitions: [(0, partition)].into(), ..MetricsSnapshot::default() }
}

#[test]
fn a_running_service_is_alive_and_ready_and_shows_its_numbers() {
    let server = serve(running());
    assert_eq!(ask(&server, "/healthz"), ("HTTP/1.1 200 OK".to_owned(), "ok\n".to_owned()));
    assert_eq!(ask(&server, "/readyz").0, "HTTP/1.1 200 OK");
    let (status, text) = ask(&server, "/metrics");
    assert_eq!(status, "HTTP/1.1 200 OK");
    assert!(text.contains("\ntarifa_ready 1\n"), "{text}");
}

#[test]
fn a_service_without_partitions_is_alive_and_not_ready() {
    let server = serve(MetricsSnapshot::default());
    assert_eq!(ask(&server, "/healthz").0, "HTTP/1.1 200 OK");
    assert_eq!(ask(&server, "/readyz").0, "HTTP/1.1 503 Service Unavailable");
}

#[test]
fn other_addresses_and_methods_are_refused() {
    let server = serve(running());
    assert_eq!(ask(&server, "/entries").0, "HTTP/1.1 404 Not Found");
}

#[test]
fn an_address_in_use_is_named() {
    let server = serve(running());
    let error = Server::start(server.address(), Arc::new(MetricsSnapshot::default)).unwrap_err();
    assert!(matches!(error, ServerError::Listen { .. }));
    assert!(error.to_string().contains(&server.address().to_string()), "{error}");
}
