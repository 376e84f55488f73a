//! The composition root: clients, engine and triggers are put together here and nowhere else.

mod identities;
mod wiring;

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::dev::Server;
use actix_web::middleware::{Compress, from_fn};
use actix_web::web::{self, Data};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::runtime::Handle;

use crate::failure::{Code, Failure};
use crate::settings::{self, Reading, SettingProblem};
use crate::triggers::{Function, Guarded, Limits, Shell, Warm, WarmUp, Work, enter, only_gzip};
pub use identities::Identities;

/// Connections that may wait to be accepted. The host opens one for each invocation in flight.
const BACKLOG: i32 = 1024;

/// An idle connection stays open longer than the host's client keeps it (.NET closes idle ones after one minute), so
/// that it is the host that closes. Otherwise it could send into a connection that we are just closing.
const KEEP_ALIVE: Duration = Duration::from_mins(5);

/// How long the end of a connection may take once we have said ours.
const DISCONNECT: Duration = Duration::from_secs(5);

/// Connections of one worker; more wait in the backlog. Each may hold a head of 128 KiB that never ends.
const CONNECTIONS: usize = 4096;

/// The server, listening.
#[derive(Debug)]
pub struct App {
    listener: TcpListener,
    port: u16,
}

impl App {
    /// Listens on loopback, before anything else is done: the host asks every 25 ms, and what it sends meanwhile
    /// waits in the backlog. With port 0 the system chooses.
    pub fn bind(port: u16) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
        // The host starts us again on the same port, where connections of the one before may still linger.
        socket.set_reuse_address(true)?;
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
        socket.listen(BACKLOG)?;
        let listener = TcpListener::from(socket);
        let port = listener.local_addr()?.port();
        Ok(Self { listener, port })
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Answers from now on; `warm_up` runs in the background, and invocations that need it wait for its end.
    /// Ends when `stop` ends, after the invocations in flight have, or `limits.grace` has passed.
    pub fn serve<W: Guarded>(
        self,
        functions: &'static [Function<W>],
        limits: Limits,
        warm_up: impl Future<Output = Warm<W>> + Send + 'static,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<Server> {
        let (grace, head_timeout) = (limits.grace.as_secs(), limits.head);
        let shell = Data::new(Shell {
            functions,
            limits,
            runtime: Handle::current(),
            started: Instant::now(),
            warm_up: WarmUp::start(warm_up),
        });
        let server = actix_web::HttpServer::new(move || {
            actix_web::App::new()
                .app_data(shell.clone())
                // The last is the outermost.
                .wrap(Compress::default())
                .wrap(from_fn(only_gzip))
                .default_service(web::to(enter::<W>))
        });
        Ok(server
            // Neither the host's proxy nor any HTTP client half-closes: an end of what it sends is the end of its
            // interest, and drops the handler's future or its body.
            .h1_allow_half_closed(false)
            .keep_alive(KEEP_ALIVE)
            .client_request_timeout(head_timeout)
            .client_disconnect_timeout(DISCONNECT)
            .max_connections(CONNECTIONS)
            .shutdown_timeout(grace)
            .shutdown_signal(stop)
            .listen(self.listener)?
            .run())
    }
}

/// Everything that is slow, once we listen. A wrong setting does not end the process: three exits would stop the
/// host with no reason shown. It stays up, names the setting to callers, and lets messages wait.
pub fn warm_up(reading: Reading) -> Warm<Work> {
    for warning in settings::host_json_warnings(&reading.host.app_root) {
        tracing::warn!(warning, "host.json");
    }
    for variable in &reading.unknown {
        tracing::warn!(variable, "this setting is not known; is it misspelt?");
    }
    match reading.settings {
        Ok(settings) => {
            if let Some(open) = settings::open_functions(&settings) {
                return Err(misconfigured(&[open]));
            }
            if let Some(warning) = settings::keys_beside_tokens(&settings) {
                tracing::warn!(warning, "function.json");
            }
            Ok(Arc::new(wiring::wire(&settings)?))
        }
        Err(problems) => Err(misconfigured(&problems)),
    }
}

/// The names for callers; what is wrong with each, for the log.
fn misconfigured(problems: &[SettingProblem]) -> Failure {
    let mut names: Vec<&str> = problems.iter().map(|problem| problem.variable.as_str()).collect();
    names.dedup();
    let each: Vec<String> =
        problems.iter().map(|problem| format!("{}: {}", problem.variable, problem.problem)).collect();
    Failure::new(Code::Misconfigured, format!("Settings are missing or wrong: {}.", names.join(", ")))
        .caused_by(each.join("; "))
}
