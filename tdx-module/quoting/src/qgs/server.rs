// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Serving clients.

use super::{Connection, Listener, MAX_MESSAGE, PREFIX_LEN};
use crate::get_quote::frame;
use crate::QuotingService;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use tdx_uapi::{ReportType, TDREPORT_LEN};
use tracing::{debug, warn};

/// What clients may take of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many are served at once; others wait.
    pub connections: usize,
    /// How long each may take, from its connection to the last byte of the response.
    pub time: Duration,
}

impl Default for Limits {
    /// 16 clients, and 30 seconds, as Intel's service has it.
    fn default() -> Self {
        Self {
            connections: 16,
            time: Duration::from_secs(30),
        }
    }
}

/// Why a client got no response.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExchangeError {
    /// The stream failed, ended within the request, or took too long.
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
    /// The request is longer than any.
    #[error("a request of {length} bytes was announced, {MAX_MESSAGE} at most are read")]
    TooLong {
        /// The length before the message.
        length: u32,
    },
    /// It is no request, or not a report of this platform's.
    #[error("the request has no response")]
    Refused,
}

/// Reads one request from `stream` and writes the response.
///
/// No more is read than the request, and no more memory taken than [`MAX_MESSAGE`] and the response need.
///
/// # Errors
///
/// [`ExchangeError`] says why there was no response; the connection is of no further use then.
pub fn exchange(
    stream: &mut (impl Read + Write),
    service: &QuotingService,
) -> Result<(), ExchangeError> {
    let mut prefix = [0; PREFIX_LEN];
    stream.read_exact(&mut prefix)?;
    let due = service.due();
    let response = if prefix[0] == ReportType::TDX {
        // A bare report. As a length this would be more than 2 GiB.
        let mut report = [0; TDREPORT_LEN];
        let (start, rest) = report.split_at_mut(PREFIX_LEN);
        start.copy_from_slice(&prefix);
        stream.read_exact(rest)?;
        service.quote(&report).ok()
    } else {
        let length = u32::from_be_bytes(prefix);
        if length as usize > MAX_MESSAGE {
            return Err(ExchangeError::TooLong { length });
        }
        let mut message = vec![0; length as usize];
        stream.read_exact(&mut message)?;
        service.respond(&message).map(|response| frame(&response))
    };
    let response = response.ok_or(ExchangeError::Refused)?;
    service.wait_until(due);
    stream.write_all(&response)?;
    Ok(stream.flush()?)
}

/// Serves the clients of `listener` from now on, on as many threads as clients may be served at once.
///
/// # Errors
///
/// The system has no more threads; those that were started keep serving.
pub fn start(
    listener: impl Listener + 'static,
    service: Arc<QuotingService>,
    limits: Limits,
) -> io::Result<()> {
    let listener = Arc::new(listener);
    for number in 0..limits.connections {
        let (listener, service) = (Arc::clone(&listener), Arc::clone(&service));
        thread::Builder::new()
            .name(format!("qgs-{number}"))
            .spawn(move || serve(&*listener, &service, limits.time))?;
    }
    Ok(())
}

fn serve(listener: &impl Listener, service: &QuotingService, time: Duration) {
    loop {
        match listener.accept() {
            Ok(connection) => {
                let mut stream = Timed {
                    connection,
                    end: Instant::now() + time,
                };
                match exchange(&mut stream, service) {
                    Ok(()) => debug!("served a client"),
                    Err(error) => warn!(%error, "served no response to a client"),
                }
            }
            Err(error) => {
                // Out of files, say: clients that are served meanwhile give some back.
                warn!(%error, "could not accept a client");
                thread::sleep(Duration::from_millis(100));
            }
        }
    }
}

/// A connection that ends at a certain time, however slowly the client sends.
struct Timed<C> {
    connection: C,
    end: Instant,
}

impl<C: Connection> Timed<C> {
    /// The connection, set to wait no longer than it may.
    fn in_time(&mut self) -> io::Result<&mut C> {
        let left = self.end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.connection.set_timeout(left)?;
        Ok(&mut self.connection)
    }
}

impl<C: Connection> Read for Timed<C> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.in_time()?.read(buffer)
    }
}

impl<C: Connection> Write for Timed<C> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.in_time()?.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.in_time()?.flush()
    }
}
