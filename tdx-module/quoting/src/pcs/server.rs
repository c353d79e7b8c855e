// SPDX-License-Identifier: Apache-2.0 OR MIT

//! An HTTP server, on loopback only.

use super::Answer;
use crate::{Platform, Timestamp};
use std::error::Error;
use std::io::{self, Cursor};
use std::net::{SocketAddr, TcpListener};
use tiny_http::{Header, Method, Request, Response, Server};
use tracing::{debug, warn};

/// A server for one platform's collateral.
pub struct PcsServer {
    server: Server,
    address: SocketAddr,
}

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PcsError {
    /// Others than this machine could reach it.
    #[error("{address} is not an address of loopback; a test platform is served nowhere else (try 127.0.0.1:0)")]
    NotLoopback {
        /// The address that was asked for.
        address: SocketAddr,
    },
    /// The address cannot be had.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
    /// The server did not start.
    #[error("cannot start the HTTP server: {0}")]
    Start(Box<dyn Error + Send + Sync>),
}

impl PcsServer {
    /// Listens on `address`, whose port may be 0 for any.
    ///
    /// # Errors
    ///
    /// [`PcsError`]: the address is not one of loopback, or is taken.
    pub fn listen(address: SocketAddr) -> Result<Self, PcsError> {
        if !address.ip().is_loopback() {
            return Err(PcsError::NotLoopback { address });
        }
        let listen = || {
            let listener = TcpListener::bind(address)?;
            Ok((listener.local_addr()?, listener))
        };
        let (bound, listener) = listen().map_err(|error| PcsError::Listen { address, error })?;
        Ok(Self {
            server: Server::from_listener(listener, None).map_err(PcsError::Start)?,
            address: bound,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers requests until the listening socket fails.
    pub fn serve(&self, platform: &Platform) {
        for request in self.server.incoming_requests() {
            let answer = answer(platform, &request);
            debug!(url = request.url(), status = answer.status, "answered");
            if let Err(error) = request.respond(response(answer)) {
                warn!(%error, "a client left before its answer");
            }
        }
    }
}

fn answer(platform: &Platform, request: &Request) -> Answer {
    if *request.method() != Method::Get {
        return Answer::method_not_allowed();
    }
    let today = match Timestamp::today() {
        Ok(today) => today,
        Err(error) => return Answer::internal_error(&error),
    };
    Answer::to(platform, request.url(), today)
        .unwrap_or_else(|error| Answer::internal_error(&error))
}

fn response(answer: Answer) -> Response<Cursor<Vec<u8>>> {
    answer.headers.iter().fold(
        Response::from_data(answer.body).with_status_code(answer.status),
        |response, (name, value)| match Header::from_bytes(*name, &**value) {
            Ok(header) => response.with_header(header),
            // Not reached: all names and values are ASCII.
            Err(()) => response,
        },
    )
}
