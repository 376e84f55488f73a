//! A handler that does what its script says, to show what the host stand-in does about it. It knows nothing of
//! Causeway, and prints every request it gets as one JSON line.
//!
//! The variable `SCRIPT` is a JSON object. `start` and each function's name hold a list of actions, one for each call
//! (counted over all processes, in files of the working directory); the last one stays. A proxied request brings its
//! own list in the query, `?do=drop,ok`, one for each attempt of the same invocation.

#![expect(clippy::unwrap_used, reason = "a tool of the tests: what it cannot do ends it, with a word on why")]

use std::convert::Infallible;
use std::io;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use base64::Engine as _;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

type Answer = Response<UnsyncBoxBody<Bytes, hyper::Error>>;

#[tokio::main]
async fn main() -> io::Result<()> {
    let script: Value = std::env::var("SCRIPT").map_or(Value::Null, |text| serde_json::from_str(&text).unwrap());
    let port: u16 = std::env::var("FUNCTIONS_CUSTOMHANDLER_PORT").unwrap().parse().unwrap();
    eprintln!("on stderr");
    println!("{}", json!({"started": std::process::id(), "port": port, "arguments": arguments()}));
    match action(&script["start"], "start").as_str() {
        "never-listens" => std::future::pending::<()>().await,
        other => leave(other),
    }
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        let script = script.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(request, script.clone()));
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

fn arguments() -> Vec<String> {
    std::env::args().skip(1).collect()
}

/// `exit:N` ends the process.
#[expect(clippy::disallowed_methods, reason = "to end badly is what this handler is for")]
fn leave(action: &str) {
    if let Some(code) = action.strip_prefix("exit:") {
        std::process::exit(code.parse().unwrap());
    }
}

/// The action for the next call under `name`.
fn action(list: &Value, name: &str) -> String {
    static COUNTING: Mutex<()> = Mutex::new(());
    let _counting = COUNTING.lock().unwrap();
    let file = format!("calls-{name}");
    let calls: usize = std::fs::read_to_string(&file).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    std::fs::write(&file, (calls + 1).to_string()).unwrap();
    let list = list.as_array().cloned().unwrap_or_default();
    list.get(calls).or(list.last()).and_then(Value::as_str).unwrap_or("ok").to_owned()
}

async fn answer(request: Request<Incoming>, script: Value) -> io::Result<Answer> {
    let target = request.uri().to_string();
    if target == "/" {
        return Ok(reply(StatusCode::OK, "text/plain", "ready"));
    }
    let headers: Value = request
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), Value::from(value.to_str().unwrap_or_default())))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let enveloped = request.method() == Method::POST && !target.starts_with("/api");
    let action = if enveloped {
        let function = target.trim_start_matches('/');
        action(&script[function], function)
    } else {
        let list = request.uri().query().unwrap_or_default();
        let list = list.split('&').find_map(|pair| pair.strip_prefix("do=")).unwrap_or("ok").to_owned();
        let id = headers["x-azure-functions-invocationid"].as_str().unwrap_or("none");
        action(&list.split(',').collect(), id)
    };
    if action == "echo" {
        return Ok(Response::new(request.into_body().boxed_unsync()));
    }
    if action == "drop-unread" {
        return Err(io::Error::other("dropped"));
    }
    let method = request.method().to_string();
    let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let text = std::str::from_utf8(&body).map_or_else(|_| base64::prelude::BASE64_STANDARD.encode(&body), Into::into);
    let seen = json!({"method": method, "target": target, "headers": headers, "body": text, "action": action});
    println!("{}", json!({"seen": seen}));
    act(&action, enveloped, &text).await
}

async fn act(action: &str, enveloped: bool, body: &str) -> io::Result<Answer> {
    leave(action);
    let (verb, argument) = action.split_once(':').unwrap_or((action, ""));
    Ok(match verb {
        "drop" => return Err(io::Error::other("dropped")),
        "hang" => {
            let _leaving = Leaving;
            std::future::pending::<Infallible>().await;
            unreachable!()
        }
        // Until the test makes the file.
        "wait" => {
            while !Path::new(argument).exists() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            reply(StatusCode::OK, "application/json", "{}")
        }
        "status" => {
            let status = StatusCode::from_bytes(argument.as_bytes()).unwrap();
            reply(status, "application/json", r#"{"Logs": ["a line that is lost"]}"#)
        }
        "empty" => reply(StatusCode::OK, "application/json", ""),
        "null" => reply(StatusCode::OK, "application/json", "null"),
        "text" => reply(StatusCode::OK, "text/plain", "{}"),
        "logs" => reply(StatusCode::OK, "application/json", r#"{"lOGS": ["a line that is kept"], "unknown": 1}"#),
        // One frame, and then nothing for as long as the client stays.
        "stream" => {
            let frames = futures_util::stream::unfold((0, Leaving), |(sent, leaving)| async move {
                if sent > 0 {
                    std::future::pending::<()>().await;
                }
                Some((Ok(Frame::data(Bytes::from_static(b"first"))), (sent + 1, leaving)))
            });
            Response::new(BodyExt::boxed_unsync(StreamBody::new(frames)))
        }
        _ if enveloped => reply(StatusCode::OK, "application/json", "{}"),
        _ => reply(StatusCode::OK, "text/plain", body),
    })
}

/// Prints that it goes, which is how a handler sees that the host or the client is gone.
struct Leaving;

impl Drop for Leaving {
    fn drop(&mut self) {
        println!("the caller is gone");
    }
}

fn reply(status: StatusCode, content_type: &str, body: &str) -> Answer {
    let body = Full::new(Bytes::copy_from_slice(body.as_bytes())).map_err(|never| match never {}).boxed_unsync();
    Response::builder().status(status).header("content-type", content_type).body(body).unwrap()
}
