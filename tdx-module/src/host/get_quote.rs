// SPDX-License-Identifier: Apache-2.0 OR MIT

//! GetQuote: taking requests for Quotes, and answering them, well or badly.
//!
//! Source: GHCI, "`TDG.VP.VMCALL<GetQuote>`". Checks are those of KVM, `arch/x86/kvm/vmx/tdx.c`, and behind them QEMU's,
//! `target/i386/kvm/tdx.c`; but a request without data is refused.

#[cfg(test)]
mod tests;

use crate::call::Call;
use crate::pages::{PageMap, PageState};
use crate::{Machine, Td, Unmapped};
use alloc::vec;
use alloc::vec::Vec;
use core::mem::offset_of;
use core::sync::atomic::Ordering;
use tdx_call::{Gpa, Registers, VmcallStatus};
use tdx_uapi::ioctl::TdxQuoteHdr;
use tdx_uapi::{QuoteRequest, QuoteStatus, REPORTDATA_LEN};
use zerocopy::{FromZeros, IntoBytes};

/// The largest buffer that the host takes, and the largest number of requests at a time: those of QEMU.
const MAX_SIZE: u64 = 128 << 10;
const MAX_REQUESTS: u32 = 16;

/// Defines the ways in which the host answers, with their names in a configuration.
macro_rules! behaviours {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// How the host behaves when it is asked for a Quote.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub enum QuoteBehaviour {
            #[default]
            $($(#[$doc])* $variant,)*
        }

        impl QuoteBehaviour {
            /// All of them. The number of one on the control channel is its index.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name in a configuration.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

behaviours! {
    /// It marks the request as in flight, and answers with what the quoting service has to say.
    Honest = "honest",
    /// It marks the request as in flight, and that is all.
    Never = "never",
    /// It does not mark the request, but answers.
    Unmarked = "unmarked",
    /// It says that there are 4 GiB of data, less one byte.
    Huge = "huge",
    /// It says success, and that there is no data.
    Empty = "empty",
    /// Its Quote is for other REPORTDATA.
    OtherReportData = "other-reportdata",
    /// It answers, and then goes on to change status, length and data.
    Changing = "changing",
    /// It says that there is an error.
    Error = "error",
    /// It says that there is no quoting service.
    Unavailable = "service-unavailable",
    /// It says something that nobody understands.
    UnknownStatus = "unknown-status",
}

/// A request for a Quote that the host has taken.
#[derive(Debug)]
pub struct QuoteJob {
    /// Where the buffer is, without the SHARED bit, and its size.
    buffer: Gpa,
    size: u64,
    header: TdxQuoteHdr,
    data: Vec<u8>,
    behaviour: QuoteBehaviour,
}

impl QuoteJob {
    /// What follows the header of the shared buffer, as it was when the TD asked: a TDREPORT, or a QGS message.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// Whether the host is to [meddle](Td::meddle) with the answer.
    pub fn is_changing(&self) -> bool {
        self.behaviour == QuoteBehaviour::Changing
    }

    /// The answer to write: its header, and its data or nothing.
    fn answer(&self, reply: Option<Vec<u8>>) -> (TdxQuoteHdr, Vec<u8>) {
        let room = self.size as usize - TdxQuoteHdr::LEN;
        let reply = reply.filter(|data| data.len() <= room);
        let mut status = match reply {
            Some(_) => QuoteStatus::SUCCESS,
            None => QuoteStatus::ERROR,
        };
        let mut data = reply.unwrap_or_default();
        let mut out_len = data.len() as u32;
        match self.behaviour {
            QuoteBehaviour::Huge => out_len = u32::MAX,
            QuoteBehaviour::Empty => (data, out_len) = (Vec::new(), 0),
            QuoteBehaviour::OtherReportData => self.change_reportdata(&mut data),
            QuoteBehaviour::Error => status = QuoteStatus::ERROR,
            QuoteBehaviour::Unavailable => status = QuoteStatus::SERVICE_UNAVAILABLE,
            QuoteBehaviour::UnknownStatus => status = QuoteStatus(0x1234_5678_9abc_def0),
            QuoteBehaviour::Honest
            | QuoteBehaviour::Never
            | QuoteBehaviour::Unmarked
            | QuoteBehaviour::Changing => {}
        }
        if status != QuoteStatus::SUCCESS {
            (data, out_len) = (Vec::new(), 0);
        }
        let header = TdxQuoteHdr {
            status: status.0,
            out_len,
            ..self.header
        };
        (header, data)
    }

    /// Changes the REPORTDATA of a Quote, wherever it is.
    fn change_reportdata(&self, quote: &mut [u8]) {
        let (QuoteRequest::Report { reportdata } | QuoteRequest::Message { reportdata }) =
            (match QuoteRequest::parse(&self.data) {
                Some(request) => request,
                None => return,
            })
        else {
            return;
        };
        let place = quote
            .windows(REPORTDATA_LEN)
            .position(|bytes| bytes == reportdata);
        if let Some(at) = place {
            quote[at] ^= 1;
        }
    }
}

impl<M: Machine + ?Sized> Call<'_, M> {
    /// GetQuote: R12 is the buffer, with the SHARED bit, R13 its size.
    pub(super) fn get_quote(&self, call: &Registers) -> VmcallStatus {
        self.td.quote_requests.fetch_add(1, Ordering::Relaxed);
        let (gpa, size) = (call.r12, call.r13);
        let shared_bit = self.td.parameters.shared_bit();
        if gpa & shared_bit == 0 || size == 0 {
            return VmcallStatus::INVALID_OPERAND;
        }
        if gpa % 4096 != 0 || size % 4096 != 0 {
            return VmcallStatus::ALIGN_ERROR;
        }
        if size > MAX_SIZE {
            return VmcallStatus::INVALID_OPERAND;
        }
        let buffer = Gpa(gpa & !shared_bit);
        if !all_shared(&self.td.pages.read(), buffer, size) {
            return VmcallStatus::INVALID_OPERAND;
        }
        match self.take_quote_request(buffer, size) {
            Ok(status) => status,
            Err(Unmapped) => VmcallStatus::INVALID_OPERAND,
        }
    }

    fn take_quote_request(&self, buffer: Gpa, size: u64) -> Result<VmcallStatus, Unmapped> {
        let mut header = TdxQuoteHdr::new_zeroed();
        self.machine.read(buffer, header.as_mut_bytes())?;
        let Ok(len) = header.request_len(size as usize - TdxQuoteHdr::LEN) else {
            return Ok(VmcallStatus::INVALID_OPERAND);
        };
        let mut data = vec![0; len];
        self.machine
            .read(Gpa(buffer.0 + TdxQuoteHdr::LEN as u64), &mut data)?;
        let behaviour = self.td.quote_behaviour();
        let mark = |status: QuoteStatus| {
            let at = offset_of!(TdxQuoteHdr, status) as u64;
            self.machine.write(Gpa(buffer.0 + at), status.0.as_bytes())
        };
        if self.td.quotes_in_flight.load(Ordering::Relaxed) >= MAX_REQUESTS {
            return Ok(VmcallStatus::RETRY);
        }
        if behaviour != QuoteBehaviour::Unmarked {
            mark(QuoteStatus::IN_FLIGHT)?;
        }
        if behaviour == QuoteBehaviour::Never {
            return Ok(VmcallStatus::SUCCESS);
        }
        let job = QuoteJob {
            buffer,
            size,
            header,
            data,
            behaviour,
        };
        self.td.quotes_in_flight.fetch_add(1, Ordering::Relaxed);
        if self.machine.make_quote(job).is_err() {
            self.td.quotes_in_flight.fetch_sub(1, Ordering::Relaxed);
            mark(QuoteStatus::SERVICE_UNAVAILABLE)?;
        }
        Ok(VmcallStatus::SUCCESS)
    }
}

impl Td {
    /// Writes the answer to a request, as the host's behaviour has it. `reply` is the data that the quoting service has made
    /// of [`QuoteJob::data`], or `None` if it has made nothing of it.
    ///
    /// The TD may have taken the memory back meanwhile. Then it is no longer the host's, and nothing is written.
    pub fn finish_quote(&self, job: &QuoteJob, reply: Option<Vec<u8>>, machine: &impl Machine) {
        self.quotes_in_flight.fetch_sub(1, Ordering::Relaxed);
        let (header, data) = job.answer(reply);
        let write = |at: usize, bytes: &[u8]| self.write_shared(job, at, bytes, machine);
        // The status comes last: with it the data is there.
        write(TdxQuoteHdr::LEN, &data);
        write(offset_of!(TdxQuoteHdr, out_len), header.out_len.as_bytes());
        write(offset_of!(TdxQuoteHdr, status), header.status.as_bytes());
    }

    /// Changes an answer that is there, the `step`th time: status, length and data take turns.
    pub fn meddle(&self, job: &QuoteJob, step: u64, machine: &impl Machine) {
        const STATUSES: [u64; 3] = [
            QuoteStatus::SUCCESS.0,
            QuoteStatus::IN_FLIGHT.0,
            QuoteStatus::ERROR.0,
        ];
        const LENGTHS: [u32; 4] = [5000, u32::MAX, 0, 632];

        let write = |at: usize, bytes: &[u8]| self.write_shared(job, at, bytes, machine);
        let turn = (step / 3) as usize;
        match step % 3 {
            // Success for most of the time, or nobody would look at the rest.
            0 => write(
                offset_of!(TdxQuoteHdr, status),
                STATUSES[if turn % 8 < 6 { 0 } else { turn % 3 }].as_bytes(),
            ),
            1 => write(
                offset_of!(TdxQuoteHdr, out_len),
                LENGTHS[turn % LENGTHS.len()].as_bytes(),
            ),
            _ => write(TdxQuoteHdr::LEN + turn % 640, &[turn as u8]),
        }
    }

    /// How the host behaves when it is asked for a Quote.
    pub fn quote_behaviour(&self) -> QuoteBehaviour {
        *self.quote_behaviour.lock()
    }

    /// Changes that.
    pub fn set_quote_behaviour(&self, behaviour: QuoteBehaviour) {
        *self.quote_behaviour.lock() = behaviour;
    }

    /// How many requests for Quotes there have been, refused ones included, but not those that a fault hit.
    pub fn quote_requests(&self) -> u64 {
        self.quote_requests.load(Ordering::Relaxed)
    }

    /// Writes into a request's buffer, unless the TD has taken its memory back. It cannot do so meanwhile.
    fn write_shared(&self, job: &QuoteJob, at: usize, bytes: &[u8], machine: &impl Machine) {
        let pages = self.pages.read();
        if all_shared(&pages, job.buffer, job.size) {
            // What is shared is memory.
            let _ = machine.write(Gpa(job.buffer.0 + at as u64), bytes);
        }
    }
}

/// Whether all pages of a buffer are shared.
fn all_shared(pages: &PageMap, buffer: Gpa, size: u64) -> bool {
    let mut range = buffer.0 >> 12..(buffer.0 + size) >> 12;
    range.all(|page| pages.state(page) == Some(PageState::Shared))
}
