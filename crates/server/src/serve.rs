//! The listener: three addresses, on a thread of its own.
//!
//! Knows nothing of what is shown. Invariant: the service neither waits for it nor ends because of it.

use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    thread::JoinHandle,
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use model::UnixMillis;
use pipeline::service::MetricsSnapshot;
use thiserror::Error;
use tokio::{net::TcpListener, runtime, sync::oneshot};

use crate::{
    health::{Answer, alive, ready},
    metrics::render,
};

/// Gives the numbers of the moment.
pub type Snapshots = Arc<dyn Fn() -> MetricsSnapshot + Send + Sync>;

const TEXT: &str = "text/plain; charset=utf-8";
/// As Prometheus names the version of its text format.
const METRICS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A running listener; it ends when this is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// The listener cannot be started.
#[derive(Debug, Error)]
pub enum ServerError {
    /// The address cannot be had.
    #[error("cannot listen on {address}: give another one, or end what listens there")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The system gives no thread or no event loop.
    #[error("cannot start the listener")]
    Start(#[source] io::Error),
}

impl Server {
    /// Listens on an address; port 0 takes a free one.
    ///
    /// # Errors
    /// The address cannot be had.
    pub fn start(address: SocketAddr, snapshots: Snapshots) -> Result<Self, ServerError> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .map_err(ServerError::Start)?;
        let listener = runtime
            .block_on(TcpListener::bind(address))
            .map_err(|source| ServerError::Listen { address, source })?;
        let address = listener.local_addr().map_err(ServerError::Start)?;
        let (stop, stopped) = oneshot::channel::<()>();
        let routes = routes(snapshots);
        let serving = move || {
            let served = axum::serve(listener, routes).with_graceful_shutdown(async {
                // That the sender is gone means the same.
                stopped.await.ok();
            });
            // Accepting connections does not fail for good; single ones that do are closed.
            runtime.block_on(served.into_future()).ok();
        };
        let thread =
            std::thread::Builder::new().name("http".to_owned()).spawn(serving).map_err(ServerError::Start)?;
        Ok(Self { address, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // Nothing depends on how it ended.
            thread.join().ok();
        }
    }
}

fn routes(snapshots: Snapshots) -> Router {
    Router::new()
        .route("/healthz", get(async |State(now): State<Snapshots>| show(alive(&now()))))
        .route("/readyz", get(async |State(now): State<Snapshots>| show(ready(&now()))))
        .route("/metrics", get(async |State(now): State<Snapshots>| numbers(&now())))
        .with_state(snapshots)
}

fn show(answer: Answer) -> Response {
    let status = if answer.yes { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, [(CONTENT_TYPE, TEXT)], answer.text).into_response()
}

fn numbers(snapshot: &MetricsSnapshot) -> Response {
    // The one look at the clock here: how old a record is depends on when one asks.
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = UnixMillis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX));
    ([(CONTENT_TYPE, METRICS_TEXT)], render(snapshot, now)).into_response()
}
