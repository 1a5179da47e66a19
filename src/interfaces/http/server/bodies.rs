//! Bodies that tell their connection how they get on.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};

use super::connections::Connection;

pub struct RequestBody {
    body: Incoming,
    bytes: u64,
    connection: Arc<Connection>,
}

impl RequestBody {
    pub fn new(body: Incoming, connection: Arc<Connection>) -> RequestBody {
        if body.is_end_stream() {
            connection.body_complete();
        }
        RequestBody { body, bytes: 0, connection }
    }
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        match &frame {
            Poll::Ready(Some(Ok(frame))) => {
                self.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
                self.connection.body_progress(self.bytes);
                if self.body.is_end_stream() {
                    self.connection.body_complete();
                }
            }
            Poll::Ready(_) => self.connection.body_complete(),
            Poll::Pending => {}
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

impl Drop for RequestBody {
    /// A handler that does not want the rest of a body is at work without it.
    fn drop(&mut self) {
        self.connection.body_complete();
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
