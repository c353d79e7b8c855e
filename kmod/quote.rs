// SPDX-License-Identifier: GPL-2.0-only

//! Quotes from the host, for whoever in the driver wants one.
//!
//! Everything that comes from the host is hostile: it is read from shared memory once, bounded, and
//! looked at in a copy. What a request costs is bounded, too, in time and in memory.

mod buffer;
mod pool;
mod wait;

use crate::{
    log,
    report::{
        self,
        Reporter, //
    }, //
};
use buffer::SharedBuffer;
use kernel::{
    bindings,
    prelude::*,
    time::Delta, //
};
use pool::Pool;
use tdx_call::{
    get_quote,
    Instruction,
    VmcallStatus, //
};
use tdx_uapi::{
    QuoteHdrError,
    QuoteRequest,
    QuoteStatus,
    REPORTDATA_LEN, //
};
use wait::Wait;

pub(crate) use pool::Counts;

/// Gets Quotes from the host. Any number of threads can do so at the same time.
#[pin_data]
pub(crate) struct Quotes {
    /// How the host is called.
    tdx: Instruction,

    /// Where the TDREPORTs come from that this makes itself.
    reporter: Reporter,

    /// The memory that is shared with the host.
    #[pin]
    pool: Pool,

    /// How long the host may take.
    timeout: Delta,
}

/// What the host answered to a request.
pub(crate) struct Answer {
    /// Its word on what became of the request.
    pub(crate) status: QuoteStatus,

    /// The data, if that was success.
    pub(crate) data: KVVec<u8>,
}

impl Quotes {
    /// The longest request, and the longest answer, in bytes.
    pub(crate) const MAX_DATA: usize = SharedBuffer::ROOM;

    /// Gets Quotes by way of `tdx`, from a host that may take `timeout_ms` milliseconds for each.
    pub(crate) fn new(tdx: Instruction, timeout_ms: u32) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            tdx,
            reporter: Reporter::new(*tdx),
            pool <- Pool::new(),
            timeout: Delta::from_millis(i64::from(timeout_ms)),
        })
    }

    /// Gets a Quote that carries `reportdata`.
    ///
    /// # Errors
    ///
    /// As [`Quotes::answer`], what [`Reporter::report`] has, and `EIO` when the host answers that
    /// there is no Quote.
    pub(crate) fn quote(&self, reportdata: &[u8; REPORTDATA_LEN]) -> Result<KVVec<u8>> {
        let mut answer = None;
        self.reporter.report(
            |to| {
                *to = *reportdata;
                Ok(())
            },
            |report| {
                answer = Some(self.answer(report)?);
                Ok(())
            },
        )?;
        match answer {
            Some(Answer {
                status: QuoteStatus::SUCCESS,
                data,
            }) => Ok(data),
            _ => Err(EIO),
        }
    }

    /// Has the host answer `request`, a TDREPORT or a message to its quoting service.
    ///
    /// # Errors
    ///
    /// See [`TDX_CMD_GET_QUOTE`](tdx_uapi::ioctl::TDX_CMD_GET_QUOTE).
    pub(crate) fn answer(&self, request: &[u8]) -> Result<Answer> {
        let form = QuoteRequest::parse(request).ok_or(EINVAL)?;
        let wait = Wait::begin(self.timeout);
        let buffer = self.pool.take(&wait)?;
        let answer = self.exchange(&buffer, request, &form, &wait);
        // With a request that the host has not answered it stays the host's, until it has.
        self.pool.put(buffer);
        answer
    }

    /// How many buffers there are, and what became of them.
    pub(crate) fn counts(&self) -> Counts {
        self.pool.counts()
    }

    /// Sends `request` by way of `buffer`, and waits for the answer.
    fn exchange(
        &self,
        buffer: &SharedBuffer,
        request: &[u8],
        form: &QuoteRequest<'_>,
        wait: &Wait,
    ) -> Result<Answer> {
        buffer.write_request(request)?;
        self.send(buffer, wait).inspect_err(|_| {
            // The host does not have it.
            buffer.set_status(QuoteStatus::SUCCESS);
        })?;

        let status = loop {
            match buffer.status() {
                QuoteStatus::IN_FLIGHT => wait.pause()?,
                status => break status,
            }
        };
        if status != QuoteStatus::SUCCESS {
            log::failure("the host made no Quote", status.name(), status.0);
            return Ok(Answer {
                status,
                data: KVVec::new(),
            });
        }

        let data = buffer.read_answer().map_err(|error| match error {
            None => ENOMEM,
            Some(QuoteHdrError::TooLong { found, .. }) => {
                let len = u64::from(found);
                log::failure("the host's answer is too long", Some("bytes"), len);
                EFBIG
            }
            Some(_) => refused("there is nothing in it"),
        })?;
        form.check_answer(&data)
            .map_err(|error| refused(error.text()))?;
        Ok(Answer { status, data })
    }

    /// Hands `buffer` to the host.
    fn send(&self, buffer: &SharedBuffer, wait: &Wait) -> Result {
        // A host that does not mark the request as in flight, but has the answer later, is not taken
        // to have answered already if the TD marks it. Some hosts however take nothing but 0 there.
        let mut marked = true;
        buffer.set_status(QuoteStatus::IN_FLIGHT);
        loop {
            let status = get_quote(&self.tdx, buffer.pages())
                .map_err(|error| report::refused("TDG.VP.VMCALL failed", error.status()))?;
            match status {
                VmcallStatus::SUCCESS => return Ok(()),
                VmcallStatus::RETRY => wait.pause()?,
                VmcallStatus::INVALID_OPERAND if marked => {
                    marked = false;
                    buffer.set_status(QuoteStatus::SUCCESS);
                }
                VmcallStatus::SUBFUNC_UNSUPPORTED => {
                    log::failure("the host has no GetQuote", status.name(), status.0);
                    return Err(Error::from_errno(-(bindings::EOPNOTSUPP as i32)));
                }
                _ => {
                    log::failure("the host refused GetQuote", status.name(), status.0);
                    return Err(EIO);
                }
            }
        }
    }
}

/// Tells the log why an answer is none, and returns what the caller is told.
fn refused(why: &str) -> Error {
    log::refusal(why);
    Error::from_errno(-(bindings::EBADMSG as i32))
}
