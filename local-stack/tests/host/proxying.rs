//! Pure HTTP functions: routes, keys, and the reverse proxy.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use hyper_util::rt::TokioIo;
use local_stack::host::Resend;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::{Stage, within};

#[tokio::test]
async fn a_request_arrives_with_the_handlers_own_address_and_the_clients_in_x_forwarded() {
    let played = Stage::new(json!({})).http().ready().await;
    let key = played.host.keys().function("echo").to_owned();
    let headers = [("x-functions-key", key.as_str()), ("x-forwarded-for", "6.6.6.6"), ("x-own", "mine")];
    let (status, _, body) = played.call("POST", "/api/echo/a%20b?x=1&x=2", &headers, "hello").await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, "hello"));

    let seen = played.wait_for_seen(1).await.remove(0);
    assert_eq!(seen["target"], "/api/echo/a%20b?x=1&x=2");
    let headers = &seen["headers"];
    let port = played.host.processes()[0].port;
    assert_eq!(headers["host"], format!("127.0.0.1:{port}"));
    assert_eq!(headers["x-forwarded-host"], played.host.url().trim_start_matches("http://"));
    assert_eq!(headers["x-forwarded-for"], "127.0.0.1", "what the client sent is gone");
    assert_eq!(headers["x-forwarded-proto"], "http");
    assert_eq!(headers["x-own"], "mine");
    assert_eq!(headers["x-functions-key"], key, "keys reach the handler");
    assert_eq!(headers["x-azure-functions-invocationid"], headers["x-ms-invocation-id"]);
    assert!(headers["x-azure-functions-hostversion"].as_str().unwrap().starts_with("4."));
}

#[tokio::test]
async fn only_keys_open_a_function_and_only_routes_lead_to_it() {
    let played = Stage::new(json!({}))
        .http()
        .options(|options| {
            options.keys.host.insert("flows".into(), "host-key".into());
            options.keys.master = "master-key".into();
        })
        .function(
            "open",
            &json!([{"type": "httpTrigger", "direction": "in", "name": "req", "authLevel": "anonymous",
                     "route": "echo/open"},
                    {"type": "http", "direction": "out", "name": "res"}]),
        )
        .ready()
        .await;
    let own = played.host.keys().function("echo").to_owned();
    let other = played.host.keys().function("open").to_owned();
    let status = async |method: &str, target: &str, key: &str| {
        let headers = [("x-functions-key", key)];
        played.call(method, target, if key.is_empty() { &[] } else { &headers }, "").await.0.as_u16()
    };
    assert_eq!(status("GET", "/api/echo", &own).await, 200);
    assert_eq!(status("GET", "/API/Echo/x", "host-key").await, 200);
    assert_eq!(status("GET", "/api/echo", "master-key").await, 200);
    assert_eq!(status("GET", &format!("/api/echo?code={}", own.replace('=', "%3D")), "").await, 200);
    assert_eq!(status("GET", "/api/echo", "").await, 401);
    assert_eq!(status("GET", "/api/echo", &other).await, 401);
    assert_eq!(status("GET", &format!("/api/echo?code={own}"), "wrong").await, 401, "the header goes first");
    assert_eq!(status("GET", "/api/echo/open", "").await, 200, "text goes before a catch-all");
    assert_eq!(status("DELETE", "/api/echo", &own).await, 404, "no 405 from this host");
    assert_eq!(status("GET", "/api/nothing", &own).await, 404);
    assert_eq!(status("GET", "/echo", &own).await, 404);
    assert_eq!(played.wait_for_seen(5).await.len(), 5, "nothing else reached the handler");
}

#[tokio::test]
async fn bodies_stream_both_ways_at_the_same_time() {
    let played = Stage::new(json!({})).http().ready().await;
    let address = played.host.url().trim_start_matches("http://").to_owned();
    let stream = TcpStream::connect(&address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let (chunks, receiver) = mpsc::channel::<Bytes>(1);
    let body = StreamBody::new(futures_util::stream::unfold(receiver, |mut receiver| async {
        let chunk = receiver.recv().await?;
        Some((Ok::<_, std::convert::Infallible>(Frame::data(chunk)), receiver))
    }));
    let request = Request::post("/api/echo?do=echo")
        .header("host", &address)
        .header("x-functions-key", played.host.keys().function("echo"))
        .body(BodyExt::boxed_unsync(body))
        .unwrap();
    chunks.send(Bytes::from_static(b"one")).await.unwrap();
    let response = within(sender.send_request(request)).await.unwrap();
    let mut body = response.into_body();
    // The second chunk is sent only when the first has come back.
    let first = within(body.frame()).await.unwrap().unwrap().into_data().unwrap();
    chunks.send(Bytes::from_static(b"two")).await.unwrap();
    let second = within(body.frame()).await.unwrap().unwrap().into_data().unwrap();
    assert_eq!((first.as_ref(), second.as_ref()), (b"one".as_ref(), b"two".as_ref()));
}

#[tokio::test]
async fn a_dropped_connection_brings_the_request_again_without_its_body() {
    let played = Stage::new(json!({})).http().ready().await;
    let (status, _, _) = played.post("/api/echo?do=drop,drop,ok", "precious").await;
    assert_eq!(status, StatusCode::OK);
    let seen = played.wait_for_seen(3).await;
    let bodies: Vec<_> = seen.iter().map(|seen| seen["body"].as_str().unwrap()).collect();
    assert_eq!(bodies, ["precious", "", ""]);
    let id = &seen[0]["headers"]["x-azure-functions-invocationid"];
    assert!(seen.iter().all(|seen| seen["headers"]["x-azure-functions-invocationid"] == *id));
    let records = played.wait_for_records("invocation", 1).await;
    assert_eq!((&records[0]["attempts"], &records[0]["outcome"]), (&json!(3), &json!("succeeded")));
}

#[tokio::test]
async fn a_dropped_connection_may_bring_the_whole_request_again() {
    let played = Stage::new(json!({})).http().options(|options| options.resend = Resend::WithBody).ready().await;
    let (status, _, body) = played.post("/api/echo?do=drop,ok", "precious").await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, "precious"));
}

#[tokio::test]
async fn after_ten_attempts_the_client_gets_500() {
    let played = Stage::new(json!({})).http().ready().await;
    let (status, _, _) = played.post("/api/echo?do=drop", "precious").await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(played.wait_for_seen(10).await.len(), 10);
    let records = played.wait_for_records("invocation", 1).await;
    assert_eq!((&records[0]["attempts"], &records[0]["outcome"]), (&json!(10), &json!("failed")));
}

#[tokio::test]
async fn a_killed_handler_gets_the_request_again_when_it_is_back() {
    let played = Stage::new(json!({})).http().ready().await;
    let kill = async {
        played.wait_for_seen(1).await;
        played.host.kill_handler(None).await;
    };
    let ((status, _, _), ()) = tokio::join!(played.post("/api/echo?do=hang,ok", "precious"), kill);
    assert_eq!(status, StatusCode::OK);
    let seen = played.wait_for_seen(2).await;
    let id = |index: usize| seen[index]["headers"]["x-azure-functions-invocationid"].clone();
    assert_eq!(id(0), id(1));
    assert_eq!(played.host.restarts(), 1);
}

#[tokio::test]
async fn an_answer_of_the_handler_is_the_clients_whatever_its_status() {
    let played = Stage::new(json!({})).http().ready().await;
    let (status, headers, body) = played.post("/api/echo?do=status:503", "").await;
    assert_eq!(
        (status, &headers["content-type"]),
        (StatusCode::SERVICE_UNAVAILABLE, &"application/json".parse().unwrap())
    );
    assert!(body.contains("Logs"));
    let records = played.wait_for_records("invocation", 1).await;
    assert_eq!(records[0]["outcome"], "succeeded", "to the host an answer is an answer");
}

#[tokio::test]
async fn a_client_that_goes_away_is_noticed_by_the_handler() {
    for action in ["hang", "stream"] {
        let played = Stage::new(json!({})).http().ready().await;
        let address = played.host.url().trim_start_matches("http://").to_owned();
        let stream = TcpStream::connect(&address).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        let connection = tokio::spawn(connection);
        let request = Request::get(format!("/api/echo?do={action}"))
            .header("host", &address)
            .header("x-functions-key", played.host.keys().function("echo"))
            .body(Full::<Bytes>::default())
            .unwrap();
        let response = tokio::spawn(sender.send_request(request));
        played.wait_for_seen(1).await;
        if action == "stream" {
            let mut body = within(response).await.unwrap().unwrap().into_body();
            assert_eq!(within(body.frame()).await.unwrap().unwrap().into_data().unwrap(), "first");
        }
        connection.abort();
        played.wait_for_line("the caller is gone").await;
        let records = played.wait_for_records("invocation", 1).await;
        assert_eq!(records[0]["outcome"], "cancelled");
    }
}

#[tokio::test]
async fn an_answer_that_stands_still_is_cut_and_one_that_never_comes_is_504() {
    let stage = Stage::new(json!({})).http();
    let stage = stage.options(|options| {
        options.idle_timeout = Duration::from_millis(300);
        options.front_end_timeout = Duration::from_secs(2);
    });
    let played = stage.ready().await;
    assert_eq!(played.post("/api/echo?do=hang", "").await.0, StatusCode::GATEWAY_TIMEOUT);
    // `call` makes an empty body of one that breaks off.
    let (status, _, body) = played.post("/api/echo?do=stream", "").await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, ""));
    let records = played.wait_for_records("invocation", 2).await;
    assert!(records.iter().all(|record| record["outcome"] == "failed"), "{records:?}");
    assert_eq!(played.host.restarts(), 0);
}
