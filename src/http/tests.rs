//! The retry rule over a loopback socket: each test scripts what the neighbour does, connection by connection.

use std::io::Write as _;
use std::time::Duration;

use rstest::rstest;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use url::Url;

use super::{Deadline, Http, HttpError, Known, Outbound, Reply, RequestKind};
use crate::failure::Effect;

const READ: RequestKind = RequestKind::WarehouseGet;
const REPEATABLE: RequestKind = RequestKind::StatementCancel;
const EXECUTE: RequestKind = RequestKind::StatementWrite;

/// What the neighbour does with one request.
#[derive(Clone, Copy)]
enum Act {
    Say(&'static str),
    SayBytes(&'static [u8]),
    /// Reads the request and closes.
    Cut,
    /// Promises more body than it sends.
    CutBody,
    /// Reads the request and stays silent.
    Silence,
}

const OK: Act = Act::Say("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
const THROTTLED: Act =
    Act::Say("HTTP/1.1 429 Too Many\r\nretry-after: 0\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
const BUSY: Act = Act::Say("HTTP/1.1 503 Busy\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
const BUSY_FOR_0: Act =
    Act::Say("HTTP/1.1 503 Busy\r\nretry-after: 0\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
const BUSY_FOR_LONG: Act =
    Act::Say("HTTP/1.1 503 Busy\r\nretry-after: 3000\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
const BROKEN: Act = Act::Say("HTTP/1.1 500 Oops\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
const NOT_FOUND: Act = Act::Say("HTTP/1.1 404 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");

async fn neighbour(script: &'static [Act]) -> (Url, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/path?query=hidden", listener.local_addr().unwrap())).unwrap();
    let serving = tokio::spawn(async move {
        let mut silent = Vec::new();
        for act in script {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_request(&mut stream).await;
            match act {
                Act::Say(reply) => stream.write_all(reply.as_bytes()).await.unwrap(),
                Act::SayBytes(reply) => _ = stream.write_all(reply).await,
                Act::Cut => {}
                Act::CutBody => {
                    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok").await.unwrap();
                }
                Act::Silence => silent.push(stream),
            }
        }
        // Whoever comes after the script finds nobody; the silent ones stay open until the test ends.
        drop(listener);
        if !silent.is_empty() {
            std::future::pending::<()>().await;
        }
    });
    (url, serving)
}

async fn read_request(stream: &mut TcpStream) {
    let mut seen = Vec::new();
    let mut buffer = [0; 1024];
    while !seen.windows(4).any(|window| window == b"\r\n\r\n") {
        let read = stream.read(&mut buffer).await.unwrap();
        assert!(read > 0, "the request was cut");
        seen.extend_from_slice(&buffer[..read]);
    }
}

async fn send(kind: RequestKind, script: &'static [Act]) -> Result<Reply, HttpError> {
    let (url, _serving) = neighbour(script).await;
    let http = Http::new().unwrap();
    let sending = http.send(kind, Outbound::post(url), Deadline::after(Duration::from_secs(30)));
    tokio::time::timeout(Duration::from_secs(40), sending).await.expect("no pause outlasts the deadline")
}

#[rstest]
#[case(READ)]
#[case(REPEATABLE)]
#[case(EXECUTE)]
#[tokio::test]
async fn a_429_is_tried_again_whatever_the_kind(#[case] kind: RequestKind) {
    let reply = send(kind, &[THROTTLED, OK]).await.unwrap();
    assert_eq!((reply.status, reply.tries, &reply.body[..]), (200, 2, &b"ok"[..]));
}

#[rstest]
#[case(READ, &[BUSY, OK], 200)]
#[case(EXECUTE, &[BUSY, OK], 503)]
#[case(EXECUTE, &[BUSY_FOR_0, OK], 200)]
#[case(READ, &[BROKEN, OK], 200)]
#[case(REPEATABLE, &[BROKEN, OK], 200)]
#[case(EXECUTE, &[BROKEN, OK], 500)]
#[case(READ, &[NOT_FOUND, OK], 404)]
#[tokio::test]
async fn a_status_is_tried_again_as_its_kind_allows(
    #[case] kind: RequestKind,
    #[case] script: &'static [Act],
    #[case] status: u16,
) {
    assert_eq!(send(kind, script).await.unwrap().status, status);
}

#[rstest]
#[case(READ, Act::Cut)]
#[case(READ, Act::CutBody)]
#[case(REPEATABLE, Act::Cut)]
#[case(REPEATABLE, Act::CutBody)]
#[tokio::test]
async fn a_cut_answer_is_asked_for_again_where_that_is_safe(#[case] kind: RequestKind, #[case] act: Act) {
    let script: &'static [Act] = Box::leak(Box::new([act, OK]));
    assert_eq!(send(kind, script).await.unwrap().tries, 2);
}

#[rstest]
#[case(Act::Cut)]
#[case(Act::CutBody)]
#[tokio::test]
async fn an_act_with_a_cut_answer_is_not_sent_again(#[case] act: Act) {
    let script: &'static [Act] = Box::leak(Box::new([act, OK]));
    let error = send(EXECUTE, script).await.unwrap_err();
    assert_eq!((error.tries, error.effect, error.timed_out), (1, Effect::Possible, false));
}

#[tokio::test]
async fn an_act_that_never_left_is_tried_again_and_had_no_effect() {
    let error = send(EXECUTE, &[]).await.unwrap_err();
    assert_eq!((error.tries, error.effect), (4, Effect::None));
}

#[tokio::test]
async fn what_one_try_may_have_done_is_not_undone_by_the_next() {
    let error = send(REPEATABLE, &[Act::Cut]).await.unwrap_err();
    assert_eq!((error.tries, error.effect), (4, Effect::Possible));
    let error = send(READ, &[Act::Cut]).await.unwrap_err();
    assert_eq!(error.effect, Effect::None);
}

#[tokio::test]
async fn a_pause_that_does_not_fit_is_handed_to_the_caller_at_once() {
    let reply = send(READ, &[BUSY_FOR_LONG, OK]).await.unwrap();
    assert_eq!((reply.status, reply.tries), (503, 1));
    assert_eq!(reply.retry_after(), Some(Duration::from_mins(50)));
}

/// A gzipped answer of so many MiB of nothing.
fn bomb(mebibytes: usize) -> &'static [u8] {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let spaces = vec![b' '; 1 << 20];
    for _ in 0..mebibytes {
        packer.write_all(&spaces).unwrap();
    }
    let body = packer.finish().unwrap();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), &body].concat().leak()
}

#[rstest]
#[case::of_a_neighbour(READ, 65)]
#[case::of_somebody_elses(RequestKind::CallbackSend, 1)]
#[tokio::test]
async fn an_answer_is_measured_unpacked(#[case] kind: RequestKind, #[case] mebibytes: usize) {
    let bomb = bomb(mebibytes);
    assert!(bomb.len() < 100 << 10, "{} bytes are no bomb", bomb.len());
    let script: &'static [Act] = Box::leak(Box::new([Act::SayBytes(bomb)]));
    let error = send(kind, script).await.unwrap_err();
    assert_eq!((error.known, error.tries), (Known::TooLarge, 1));
}

#[tokio::test]
async fn silence_ends_with_the_deadline() {
    let (url, serving) = neighbour(&[Act::Silence]).await;
    let deadline = Deadline::after(Duration::from_secs(3));
    let error = Http::new().unwrap().send(EXECUTE, Outbound::get(url), deadline).await.unwrap_err();
    assert!(error.timed_out && deadline.has_passed());
    assert_eq!((error.tries, error.effect), (1, Effect::Possible));
    serving.abort();
}

#[tokio::test]
async fn after_the_deadline_nothing_is_sent() {
    let (url, serving) = neighbour(&[OK]).await;
    let deadline = Deadline::after(Duration::ZERO);
    let error = Http::new().unwrap().send(EXECUTE, Outbound::get(url), deadline).await.unwrap_err();
    assert!(error.timed_out);
    assert_eq!(error.effect, Effect::None);
    assert!(!serving.is_finished());
    serving.abort();
}

#[tokio::test]
async fn no_error_shows_a_query_and_none_shows_a_secret_url() {
    let (url, _serving) = neighbour(&[]).await;
    let mut request = Outbound::get(url);
    request.headers.push(("bad header".to_owned(), "x".to_owned()));
    for sensitive in [false, true] {
        request.sensitive = sensitive;
        let http = Http::new().unwrap();
        let error = http.send(READ, request.clone(), Deadline::after(Duration::from_secs(5))).await.unwrap_err();
        let text = format!("{error} {error:?} {request:?}");
        assert!(!text.contains("hidden"), "{text}");
        assert_eq!(text.contains("/path"), !sensitive, "{text}");
    }
}

#[tokio::test]
async fn a_cause_does_not_repeat_the_url() {
    let error = send(EXECUTE, &[Act::Cut]).await.unwrap_err();
    assert!(!format!("{error:?}").contains("hidden"), "{error:?}");
}

#[test]
fn a_second_that_was_asked_for_costs_at_most_a_quarter_more() {
    for _ in 0..1000 {
        let pause = super::send::politely(Duration::from_secs(1));
        assert!(pause >= Duration::from_secs(1) && pause <= Duration::from_millis(1250), "{pause:?}");
    }
}

#[test]
fn retry_after_is_seconds_or_a_date() {
    let read = super::send::retry_after;
    assert_eq!(read("120"), Some(Duration::from_mins(2)));
    assert_eq!(read("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
    assert!(read("Wed, 06 Nov 2199 08:49:37 GMT").unwrap() > Duration::from_hours(24));
    assert_eq!(read("soon"), None);
    assert_eq!(read("-1"), None);
}
