// SPDX-License-Identifier: Apache-2.0 OR MIT

//! GetQuote (TDG.VP.VMCALL, function 10002h), for a host that has a quoting service at hand.
//!
//! The host copies what a TD wrote into the shared buffer, [submits](QuotingService::submit) it, leaves the status at
//! [`QuoteStatus::IN_FLIGHT`], and [asks](QuotingService::poll) for the reply whenever it likes. Any number of requests may
//! be in flight.
//!
//! Source: *Intel TDX Guest-Hypervisor Communication Interface (GHCI)*, "GetQuote".

use crate::qgs::{MAX_MESSAGE, PREFIX_LEN};
use crate::QuotingService;
use std::time::Duration;
use tdx_uapi::{QuoteStatus, TDREPORT_LEN};
use tracing::warn;

/// A request that is in flight.
#[derive(Clone, Debug)]
pub struct PendingQuote {
    input: Vec<u8>,
    due: Duration,
}

impl PendingQuote {
    /// When it is answered, by the clock of the service.
    pub fn due(&self) -> Duration {
        self.due
    }
}

/// What the host writes into the shared buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuoteReply {
    /// The status.
    pub status: QuoteStatus,
    /// The data; empty unless the status is [`QuoteStatus::SUCCESS`].
    pub data: Vec<u8>,
}

impl QuotingService {
    /// The longest input that a request can have, in bytes.
    pub const MAX_INPUT: usize = PREFIX_LEN + MAX_MESSAGE;

    /// Takes a request: `data` is what follows the header of the shared buffer, as much as the TD says.
    ///
    /// It is either a bare TDREPORT or a QGS message with its length, and copied here: what the TD does to the buffer
    /// afterwards changes nothing.
    pub fn submit(&self, data: &[u8]) -> PendingQuote {
        // One byte more than allowed is enough to tell that it is too much.
        let kept = data.len().min(Self::MAX_INPUT + 1);
        PendingQuote {
            input: data[..kept].to_vec(),
            due: self.due(),
        }
    }

    /// The reply to a request, once its time has come.
    ///
    /// Who sent a bare TDREPORT gets a bare Quote, or the status that there is none. Who sent a QGS message gets the
    /// response with its length, which is where a failure is told: the host does not look into it.
    pub fn poll(&self, request: &PendingQuote) -> Option<QuoteReply> {
        (self.now() >= request.due).then(|| self.reply(&request.input))
    }

    fn reply(&self, input: &[u8]) -> QuoteReply {
        let data = if input.len() == TDREPORT_LEN {
            self.quote(input).ok()
        } else if let Some(message) = framed(input) {
            self.respond(message).map(|response| frame(&response))
        } else {
            warn!(
                length = input.len(),
                "refused a request that is neither a TDREPORT nor a QGS message"
            );
            None
        };
        match data {
            Some(data) => QuoteReply {
                status: QuoteStatus::SUCCESS,
                data,
            },
            None => QuoteReply {
                status: QuoteStatus::ERROR,
                data: Vec::new(),
            },
        }
    }
}

/// The message in `bytes`, which must be as long as what precedes it says.
fn framed(bytes: &[u8]) -> Option<&[u8]> {
    let (length, message) = bytes.split_first_chunk()?;
    let fits =
        message.len() <= MAX_MESSAGE && u32::from_be_bytes(*length) as usize == message.len();
    fits.then_some(message)
}

/// A message with its length before it.
pub(crate) fn frame(message: &[u8]) -> Vec<u8> {
    let length = (message.len() as u32).to_be_bytes();
    [&length, message].concat()
}
