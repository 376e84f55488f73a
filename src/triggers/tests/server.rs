//! The life of the server: early bind, the host's question, warm-up, ending.

use std::future::pending;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use super::super::Limits;
use super::probe::{PATIENCE, Probe, ask, post, reaches, send, serve, serve_warm};
use crate::app::App;
use crate::failure::{Code, Failure};

#[tokio::test]
async fn the_root_is_answered_while_warm_up_hangs() {
    let serving = serve(Limits::default(), pending());
    let root = ask(serving.port, "GET", "/", "").await;
    assert_eq!(root.status, 200);
    assert!(!root.body.is_empty());
    assert_eq!(ask(serving.port, "GET", "/api/alone", "").await.status, 200);
}

#[tokio::test]
async fn a_connection_made_before_serving_is_answered_afterwards() {
    let app = App::bind(0).unwrap();
    let mut early = TcpStream::connect(("127.0.0.1", app.port())).expect("bound means listening");
    early.set_read_timeout(Some(PATIENCE)).unwrap();
    early.write_all(b"GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n").unwrap();
    let server = app.serve(super::probe::FUNCTIONS, Limits::default(), pending(), pending()).unwrap();
    tokio::spawn(server);
    let read = move || {
        let mut reply = String::new();
        early.read_to_string(&mut reply).unwrap();
        reply
    };
    assert!(tokio::task::spawn_blocking(read).await.unwrap().starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn an_invocation_waits_for_warm_up() {
    let probe = Probe::new();
    let (warm, warmed) = tokio::sync::oneshot::channel();
    let serving = serve(Limits::default(), async { Ok(warmed.await.unwrap()) });
    let port = serving.port;
    let waiting = tokio::spawn(async move { ask(port, "GET", "/api/echo/7", "").await });
    // Answered by the same server meanwhile, so it is not the connection that waits.
    assert_eq!(ask(port, "GET", "/", "").await.status, 200);
    assert!(!waiting.is_finished());
    warm.send(probe).unwrap();
    assert_eq!(waiting.await.unwrap().status, 200);
}

#[tokio::test]
async fn an_invocation_that_waits_too_long_for_warm_up_had_no_effect() {
    let limits = Limits { http_deadline: Duration::from_millis(30), ..Limits::default() };
    let serving = serve(limits, pending());
    let reply = post(serving.port, "/api/echo", "{}").await;
    assert_eq!((reply.status, &reply.json()["code"]), (504, &"deadline-exceeded".into()));
}

#[tokio::test]
async fn a_wrong_setting_is_named_with_503_and_the_process_lives() {
    let serving = serve(Limits::default(), async {
        Err(Failure::new(Code::Misconfigured, "Settings are missing or wrong: CAUSEWAY_KEY_VAULT_URL."))
    });
    let reply = post(serving.port, "/api/echo", "{}").await;
    assert_eq!((reply.status, &reply.json()["code"]), (503, &"misconfigured".into()));
    assert!(reply.json()["message"].as_str().unwrap().contains("CAUSEWAY_KEY_VAULT_URL"));
    assert!(reply.header("retry-after").is_some());
    assert_eq!(ask(serving.port, "GET", "/api/alone", "").await.status, 200);
}

#[tokio::test]
async fn a_warm_up_that_panics_answers_500() {
    let serving = serve(Limits::default(), async { panic!("on purpose") });
    assert_eq!(ask(serving.port, "GET", "/api/echo/1", "").await.status, 500);
}

#[tokio::test]
async fn the_port_can_be_bound_again_at_once() {
    let probe = Probe::new();
    let serving = serve_warm(&probe);
    let port = serving.port;
    assert_eq!(ask(port, "GET", "/", "").await.status, 200);
    serving.stop.send(()).unwrap();
    serving.server.await.unwrap().unwrap();
    assert_eq!(App::bind(port).unwrap().port(), port);
}

#[tokio::test]
async fn asked_to_end_the_server_finishes_what_is_in_flight() {
    let probe = Probe::new();
    let serving = serve_warm(&probe);
    let port = serving.port;
    let in_flight = tokio::spawn(async move { ask(port, "GET", "/api/held", "").await });
    reaches(&probe.begun, 1).await;
    serving.stop.send(()).unwrap();
    probe.gate.send_replace(true);
    assert_eq!(in_flight.await.unwrap().status, 200);
    tokio::time::timeout(PATIENCE, serving.server).await.expect("the server never ended").unwrap().unwrap();
}

#[tokio::test]
async fn a_caller_that_hangs_up_does_not_stop_the_work() {
    let probe = Probe::new();
    let serving = serve_warm(&probe);
    let mut caller = TcpStream::connect(("127.0.0.1", serving.port)).unwrap();
    caller.write_all(b"GET /api/held HTTP/1.1\r\nhost: h\r\n\r\n").unwrap();
    reaches(&probe.begun, 1).await;
    // A reset, as of a caller that crashed: nothing is left to answer to.
    socket2::SockRef::from(&caller).set_linger(Some(Duration::ZERO)).unwrap();
    drop(caller);
    // Connections go round the workers: after these, the one that lost its caller has seen that, too.
    for _ in 0..2 * std::thread::available_parallelism().unwrap().get() {
        assert_eq!(ask(serving.port, "GET", "/", "").await.status, 200);
    }
    probe.gate.send_replace(true);
    reaches(&probe.ended, 1).await;
}

#[tokio::test]
async fn a_head_that_never_ends_does_not_hold_its_connection() {
    let limits = Limits { head: Duration::from_millis(30), ..Limits::default() };
    let serving = serve(limits, pending());
    let reply = send(serving.port, "GET / HTTP/1.1\r\nhost: ").await;
    assert_eq!(reply.status, 408);
}
