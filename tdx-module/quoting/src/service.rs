// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The quoting service: a quoting enclave and the time that it takes.

use crate::qgs::{
    error_response, platform_info_response, quote_response, ErrorCode, MessageType, Request,
    RequestBody,
};
use crate::{QuotingEnclave, ReportError};
use std::thread;
use std::time::{Duration, Instant};
use tdx_uapi::TdReport;
use tracing::{debug, warn};

/// A quoting enclave, and the time that it takes to answer.
///
/// Requests do not wait for each other: each is answered the delay after it came.
pub struct QuotingService {
    enclave: QuotingEnclave,
    delay: Duration,
    clock: Box<dyn Clock>,
}

/// What tells the service the time, and waits for it.
pub trait Clock: Send + Sync {
    /// The time since some beginning; it never goes back.
    fn now(&self) -> Duration;
    /// Returns once [`Clock::now`] is no less than `time`.
    fn wait_until(&self, time: Duration);
}

/// The clock of the system.
pub struct SystemClock(Instant);

impl Default for SystemClock {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    fn wait_until(&self, time: Duration) {
        thread::sleep(time.saturating_sub(self.now()));
    }
}

impl QuotingService {
    /// A service that answers as fast as it can.
    pub fn new(enclave: QuotingEnclave) -> Self {
        Self {
            enclave,
            delay: Duration::ZERO,
            clock: Box::new(SystemClock::default()),
        }
    }

    /// The same service, but its answers come `delay` after the requests.
    pub fn with_delay(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    /// The same service with another clock.
    pub fn with_clock(self, clock: impl Clock + 'static) -> Self {
        Self {
            clock: Box::new(clock),
            ..self
        }
    }

    /// The enclave that makes the Quotes.
    pub fn enclave(&self) -> &QuotingEnclave {
        &self.enclave
    }

    /// The time by the service's clock.
    pub fn now(&self) -> Duration {
        self.clock.now()
    }

    /// When a request that comes now is answered, by the service's clock.
    pub fn due(&self) -> Duration {
        self.clock.now().saturating_add(self.delay)
    }

    /// Waits until a request with this [due](Self::due) time may be answered.
    pub(crate) fn wait_until(&self, due: Duration) {
        self.clock.wait_until(due);
    }

    /// A Quote for a report of which only the bytes are there.
    ///
    /// # Errors
    ///
    /// [`ReportError`] says why there is none.
    pub fn quote(&self, report: &[u8]) -> Result<Vec<u8>, ReportError> {
        let quote = TdReport::parse(report)
            .map_err(ReportError::from)
            .and_then(|report| self.enclave.quote(report));
        match &quote {
            Ok(quote) => debug!(length = quote.len(), "made a Quote"),
            Err(error) => warn!(%error, "made no Quote"),
        }
        quote
    }

    /// The response to a message of a client of a QGS, both without their lengths.
    ///
    /// There is none to what is no request at all: then a QGS closes the connection.
    pub fn respond(&self, message: &[u8]) -> Option<Vec<u8>> {
        let request = match Request::parse(message) {
            Ok(request) => request,
            Err(error) => {
                warn!(%error, "refused a request");
                let (minor_version, kind) = error.response?;
                return Some(error_response(minor_version, kind, error.code));
            }
        };
        let minor_version = request.minor_version;
        let failed = |kind| error_response(minor_version, kind, ErrorCode::UNEXPECTED);
        Some(match request.body {
            RequestBody::Quote { report, .. } => match self.quote(report) {
                Ok(quote) => quote_response(minor_version, &quote),
                Err(_) => failed(MessageType::GET_QUOTE_RESP),
            },
            RequestBody::PlatformInfo => {
                platform_info_response(minor_version, self.enclave.platform_info())
            }
            RequestBody::Collateral => {
                warn!("refused a request for collateral: ask the platform's PCS");
                failed(MessageType::GET_COLLATERAL_RESP)
            }
        })
    }
}
