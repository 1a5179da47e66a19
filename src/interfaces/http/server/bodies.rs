//! Bodies that tell their connection how they get on. What a handler leaves of a request's body is
//! taken and thrown away: a connection that is closed under a client, or a proxy, that still sends is
//! reset, and the response is lost.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tokio::time::{Instant, timeout_at};

use super::connections::{Connection, body_time};

/// What is taken of a body that nobody wants; twice the largest that somebody does.
const MAX_UNWANTED: u64 = 64 * 1024 * 1024;

pub struct RequestBody {
    /// `None` when it is dropped.
    body: Option<Incoming>,
    bytes: u64,
    /// The client waits for a word before it sends the body. Without one, it sends none.
    waits: bool,
    connection: Arc<Connection>,
}

impl RequestBody {
    pub fn new(body: Incoming, waits: bool, connection: Arc<Connection>) -> RequestBody {
        if body.is_end_stream() {
            connection.body_complete();
        }
        RequestBody { body: Some(body), bytes: 0, waits, connection }
    }
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.waits = false;
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = Pin::new(body).poll_frame(context);
        match &frame {
            Poll::Ready(Some(Ok(frame))) => {
                self.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
                self.connection.body_progress(self.bytes);
                if self.is_end_stream() {
                    self.connection.body_complete();
                }
            }
            Poll::Ready(_) => self.connection.body_complete(),
            Poll::Pending => {}
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(SizeHint::default, HttpBody::size_hint)
    }
}

impl Drop for RequestBody {
    /// A handler that does not want the rest of a body is at work without it.
    fn drop(&mut self) {
        self.connection.body_complete();
        if let Some(body) = self.body.take().filter(|body| !body.is_end_stream() && !self.waits) {
            tokio::spawn(throw_away(body));
        }
    }
}

/// Takes a body to its end, unless it is too long or slow: then its connection is closed.
async fn throw_away(mut body: Incoming) {
    let (began, mut bytes) = (Instant::now(), 0);
    while bytes < MAX_UNWANTED {
        let next = poll_fn(|context| Pin::new(&mut body).poll_frame(context));
        let Ok(Some(Ok(frame))) = timeout_at(began + body_time(bytes), next).await else { return };
        bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
    }
}

pub struct ResponseBody {
    body: Body,
    connection: Arc<Connection>,
    /// The number of the request that it answers.
    request: u64,
    bytes: u64,
}

impl ResponseBody {
    pub fn new(body: Body, connection: Arc<Connection>, request: u64) -> ResponseBody {
        ResponseBody { body, connection, request, bytes: 0 }
    }
}

impl HttpBody for ResponseBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        // Asked for the next piece: the one before was taken. A stream that waits for something to
        // tell is no client that takes nothing.
        self.connection.response_progress();
        if let Poll::Ready(Some(Ok(frame))) = &frame {
            self.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        self.connection.end_response(self.request, self.bytes);
    }
}
