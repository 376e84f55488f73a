//! The host's own HTTP face: routes, keys, and the few admin endpoints. What happens to an invocation is `proxy`'s.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::bodies::{self, AnyBody};
use super::definition::{Function, Level, Trigger};
use super::group::Group;
use super::proxy::{self, answer};
use super::{Context, HOST_VERSION, event_grid, timer};

/// The largest request body (ScriptConstants).
const LARGEST_BODY: u64 = 104_857_600;

pub(super) struct Front {
    pub(super) context: Arc<Context>,
    pub(super) groups: Vec<Arc<Group>>,
}

/// Serves until dropped.
pub(super) async fn serve(listener: TcpListener, front: Front) {
    let front = Arc::new(front);
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok((stream, peer)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        connections.spawn(connection(stream, peer, front.clone()));
    }
}

async fn connection(stream: TcpStream, peer: SocketAddr, front: Arc<Front>) {
    let service = service_fn(move |request| {
        let front = front.clone();
        async move { Ok::<_, Infallible>(front.answer(request, peer).await) }
    });
    // A client that goes away is no event here; its invocation is dropped with the connection.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

impl Front {
    async fn answer(&self, request: Request<Incoming>, peer: SocketAddr) -> Response<AnyBody> {
        let path = request.uri().path().trim_matches('/').to_owned();
        if path.is_empty() {
            return text(StatusCode::OK, "text/html", "Your Functions 4.0 app is up and running".to_owned());
        }
        if event_grid::is_webhook(&path) {
            return event_grid::receive(self, request).await;
        }
        if let Some(admin) = path.strip_prefix("admin/") {
            return self.admin(admin, &request);
        }
        let Some((group, function, level)) = self.route(&path, request.method()) else {
            return answer(StatusCode::NOT_FOUND);
        };
        if !self.admits(level, &function.name, &request) {
            return answer(StatusCode::UNAUTHORIZED);
        }
        let length = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        if length.is_some_and(|length| length > LARGEST_BODY) {
            return answer(StatusCode::PAYLOAD_TOO_LARGE);
        }
        proxy::run(&self.context, group, &function.name, request, peer).await
    }

    /// The function for a path; a method that no function of the path takes is 404 too, as in the real host.
    fn route(&self, path: &str, method: &Method) -> Option<(&Arc<Group>, &Function, Level)> {
        let prefix = &self.context.host_json.route_prefix;
        let path = match prefix.as_str() {
            "" => path,
            prefix => {
                let (head, rest) = path.split_at_checked(prefix.len())?;
                rest.strip_prefix('/').filter(|_| head.eq_ignore_ascii_case(prefix))?
            }
        };
        let functions =
            self.groups.iter().flat_map(|group| group.functions.iter().map(move |function| (group, function)));
        functions
            .filter_map(|(group, function)| match &function.trigger {
                Trigger::Http { route, methods, level } => Some((group, function, route, methods, *level)),
                _ => None,
            })
            .filter(|(_, _, route, methods, _)| {
                (methods.is_empty() || methods.iter().any(|one| one == method.as_str()))
                    && route.matches(path).is_some()
            })
            .min_by_key(|(_, _, route, _, _)| route.precedence())
            .map(|(group, function, _, _, level)| (group, function, level))
    }

    fn admits(&self, level: Level, function: &str, request: &Request<Incoming>) -> bool {
        let keys = &self.context.keys;
        let Some(given) = given_key(request) else { return level == Level::Anonymous };
        let is = |key: &String| *key == given;
        match level {
            Level::Anonymous => true,
            Level::Admin => is(&keys.master),
            Level::Function => {
                is(&keys.master)
                    || keys.host.values().any(is)
                    || keys.functions.get(function).is_some_and(|keys| keys.values().any(is))
            }
        }
    }

    fn admin(&self, path: &str, request: &Request<Incoming>) -> Response<AnyBody> {
        if given_key(request).as_deref() != Some(self.context.keys.master.as_str()) {
            return answer(StatusCode::UNAUTHORIZED);
        }
        match (request.method(), path.split('/').collect::<Vec<_>>().as_slice()) {
            (&Method::GET, ["host", "status"]) => {
                let groups: Vec<_> = self.groups.iter().map(|group| format!("{:?}", group.facts())).collect();
                let status = json!({"state": "Running", "version": HOST_VERSION, "groups": groups});
                text(StatusCode::OK, "application/json", status.to_string())
            }
            (&Method::POST, ["functions", name]) => self.start(name),
            _ => answer(StatusCode::NOT_FOUND),
        }
    }

    /// Starts a timer function and answers before it has run.
    fn start(&self, name: &str) -> Response<AnyBody> {
        let found = self.groups.iter().find_map(|group| {
            let function = group.functions.iter().find(|function| function.name.eq_ignore_ascii_case(name))?;
            Some((group.clone(), function.clone()))
        });
        match found {
            Some((group, function)) if matches!(function.trigger, Trigger::Timer { .. }) => {
                let context = self.context.clone();
                tokio::spawn(async move { timer::fire(&context, &group, &function, Timestamp::now(), false).await });
                answer(StatusCode::ACCEPTED)
            }
            Some(_) => answer(StatusCode::BAD_REQUEST),
            None => answer(StatusCode::NOT_FOUND),
        }
    }
}

/// The header goes before the query.
fn given_key(request: &Request<Incoming>) -> Option<String> {
    if let Some(key) = request.headers().get("x-functions-key") {
        return key.to_str().ok().map(str::to_owned);
    }
    url::form_urlencoded::parse(request.uri().query()?.as_bytes())
        .find(|(name, _)| name == "code")
        .map(|(_, value)| value.into_owned())
}

fn text(status: StatusCode, content_type: &'static str, body: String) -> Response<AnyBody> {
    let mut response = Response::new(bodies::full(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
