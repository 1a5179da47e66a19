//! Accepts connections so that no client can keep others out: a client has a limited time for its
//! request and for idling, and one address has a limited number of connections. When all are taken,
//! the one that has kept the server waiting longest is closed ([`connections`]).

mod bodies;
mod connections;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::http::header::EXPECT;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use ipnet::IpNet;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tower_service::Service;

use bodies::{RequestBody, ResponseBody};
use connections::{Admitted, Connections};

/// Largest head of a request.
const MAX_HEAD: usize = 32 * 1024;
const MAX_HEADERS: usize = 100;
/// Pause after the system refused a connection, such as for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves requests until `stop` completes, then finishes open requests. Connections of `proxies`
/// do not count for an address.
pub async fn serve(
    router: Router,
    listener: TcpListener,
    proxies: Vec<IpNet>,
    stop: impl Future<Output = ()> + Send + 'static,
) {
    let connections = Arc::new(Connections::with_limits(proxies, open_files_limit()));
    let (stopping, stopped) = watch::channel(false);
    let sweeper = tokio::spawn(connections.clone().sweep());
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        match accepted {
            Ok((stream, address)) => {
                let Some(admitted) = connections.admit(address.ip()) else { continue };
                let (router, stopped) = (router.clone(), stopped.clone());
                tokio::spawn(serve_connection(router, stream, address, admitted, stopped));
            }
            // The connection ended before it was accepted, or the system has no more of something:
            // others may still be served.
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    stopping.send_replace(true);
    connections.all_closed().await;
    sweeper.abort();
}

async fn serve_connection(
    router: Router,
    stream: TcpStream,
    address: SocketAddr,
    admitted: Admitted,
    mut stopped: watch::Receiver<bool>,
) {
    // Pages are written as a whole; waiting for more would only delay them.
    let _ = stream.set_nodelay(true);
    let connection = admitted.connection.clone();
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let mut router = router.clone();
        let connection = connection.clone();
        async move {
            let turn = connection.begin_request();
            let waits = request.headers().contains_key(EXPECT);
            let mut request: Request =
                request.map(|body| Body::new(RequestBody::new(body, waits, connection.clone())));
            request.extensions_mut().insert(ConnectInfo(address));
            let response = Service::<Request>::call(&mut router, request).await;
            connection.begin_response();
            response.map(|response| {
                response.map(|body| ResponseBody::new(body, connection.clone(), turn))
            })
        }
    });
    let mut served = std::pin::pin!(
        http1::Builder::new()
            .max_buf_size(MAX_HEAD)
            .max_headers(MAX_HEADERS)
            .serve_connection(TokioIo::new(stream), service)
    );
    let closed = admitted.connection.clone();
    loop {
        tokio::select! {
            // An error is the client's: it went away or sent no HTTP.
            _ = served.as_mut() => return,
            () = closed.closed() => return,
            changed = stopped.changed() => {
                served.as_mut().graceful_shutdown();
                if changed.is_err() {
                    return;
                }
            }
        }
    }
}

/// Raises the limit of open files as far as the system allows, and returns it.
fn open_files_limit() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let limit = if setrlimit(Resource::Nofile, raised).is_ok() { raised } else { limit };
    limit.current.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX))
}
