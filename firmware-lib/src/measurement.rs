// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Measuring: a register is extended, and the event log says with what.
//!
//! [`Measurement::record`] is the one way: it reserves room in the log, extends the register and writes the event, in that
//! order. When the log is full it still extends, and marks the log as truncated; when the TDX module refuses, the log is
//! as before. Everything else here is a call of it for one of the things that a TDVF measures, with type, register and
//! data as edk2's OvmfPkg/IntelTdx and SecurityPkg have them.
//!
//! Several CPUs share one [`Measurement`] behind a lock, such as that of the crate `spin`. What takes time is hashing, which
//! needs no lock: hash with the engine, then lock, then record the digest.

mod boot;
mod firmware;

pub use boot::{GptError, LoadedImage};
pub use firmware::{action, SecureBootVariable};

use crate::event_log::LogWriter;
use crate::{EventType, HashEngine};
use tdx_call::{
    mr_rtmr_extend, retry_while_busy, Error, ExtendBuffer, OperandMut, RtmrIndex, Transport,
};
use tdx_uapi::Digest;

/// How often an extension is tried while other vCPUs extend or report. They hold the register for one TDCALL.
const ATTEMPTS: u32 = 1 << 20;

/// Registers, hash engine and log, to measure with.
///
/// ```
/// # use tdx_module::{InProcess, Platform, TdParameters};
/// # let tdx = InProcess::new(TdParameters::default(), Platform::default())?;
/// use tdx_call::{ExtendBuffer, Gpa, OperandMut, RtmrIndex};
/// use tdx_firmware::event_log::{EventLog, LogWriter};
/// use tdx_firmware::{Measurement, Sha2};
///
/// let mut area = [0; 4096];
/// let mut buffer = ExtendBuffer::ZERO;
/// let gpa = Gpa(&raw const buffer as u64);
/// // SAFETY: Memory is mapped one to one here, as firmware has it.
/// let buffer = unsafe { OperandMut::new(&mut buffer, gpa) };
///
/// let mut measurement = Measurement::new(&tdx, buffer, Sha2, LogWriter::new(&mut area)?);
/// measurement.separator(RtmrIndex::Rtmr0)?;
///
/// let log = EventLog::parse(measurement.log().bytes())?;
/// assert_eq!(log.replay(Sha2)?.rtmrs().0[0], tdx.td().rtmr(RtmrIndex::Rtmr0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Measurement<'a, T, E> {
    tdx: T,
    buffer: OperandMut<'a, ExtendBuffer>,
    engine: E,
    log: LogWriter<'a>,
}

/// What became of an event whose register was extended. The log remembers: [`LogWriter::is_truncated`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// It is in the log.
    Logged,
    /// The log had no room for it, or for an earlier one.
    Truncated,
}

/// Something that is measured: itself, or what it was hashed to.
///
/// The second form is for what is measured in pieces, with [`HashEngine::hasher`], or without holding a lock.
#[derive(Clone, Copy, Debug)]
pub enum Payload<'a> {
    /// The bytes.
    Bytes(&'a [u8]),
    /// Their SHA-384.
    Digest(Digest),
}

impl Payload<'_> {
    fn digest(&self, engine: &impl HashEngine) -> Digest {
        match self {
            Self::Bytes(bytes) => engine.digest(&[bytes]),
            Self::Digest(digest) => *digest,
        }
    }
}

impl<'a, T: Transport, E: HashEngine> Measurement<'a, T, E> {
    /// Measures with these: how the TDX module is called, where it reads digests, where SHA-384 comes from, and where
    /// events are written.
    pub fn new(
        tdx: T,
        buffer: OperandMut<'a, ExtendBuffer>,
        engine: E,
        log: LogWriter<'a>,
    ) -> Self {
        Self {
            tdx,
            buffer,
            engine,
            log,
        }
    }

    /// The log.
    pub fn log(&self) -> &LogWriter<'a> {
        &self.log
    }

    /// The hash engine.
    pub fn engine(&self) -> &E {
        &self.engine
    }

    /// Extends a register with a digest, and writes an event with `data`, the parts one after another.
    ///
    /// An event of type [`EventType::NO_ACTION`] is written without extending, as it is defined, with a digest of zeros.
    ///
    /// # Errors
    ///
    /// When the TDX module refuses to extend; neither register nor log are changed then.
    pub fn record(
        &mut self,
        rtmr: RtmrIndex,
        event_type: EventType,
        digest: &Digest,
        data: &[&[u8]],
    ) -> Result<Recorded, Error> {
        let room = self.log.reserve(len(data));
        let digest = match event_type {
            EventType::NO_ACTION => &Digest::ZERO,
            _ => {
                extend(&self.tdx, &mut self.buffer, rtmr, digest)?;
                digest
            }
        };
        match room {
            Some(room) => {
                room.write(rtmr.into(), event_type, digest, data);
                Ok(Recorded::Logged)
            }
            None => {
                self.log.mark_truncated();
                Ok(Recorded::Truncated)
            }
        }
    }

    /// Hashes `measured`, the parts one after another, and [records](Self::record) that.
    ///
    /// # Errors
    ///
    /// As of [`Measurement::record`].
    pub fn measure(
        &mut self,
        rtmr: RtmrIndex,
        event_type: EventType,
        measured: &[&[u8]],
        data: &[&[u8]],
    ) -> Result<Recorded, Error> {
        let digest = self.engine.digest(measured);
        self.record(rtmr, event_type, &digest, data)
    }

    /// Extends a register with nothing in the log. Who is to understand the register needs to know by other means.
    ///
    /// # Errors
    ///
    /// When the TDX module refuses; the register is not changed then.
    pub fn extend_only(&mut self, rtmr: RtmrIndex, digest: &Digest) -> Result<(), Error> {
        extend(&self.tdx, &mut self.buffer, rtmr, digest)
    }
}

fn extend(
    tdx: &impl Transport,
    buffer: &mut OperandMut<'_, ExtendBuffer>,
    rtmr: RtmrIndex,
    digest: &Digest,
) -> Result<(), Error> {
    buffer.get_mut().0 = digest.0;
    let operand = buffer.as_operand();
    retry_while_busy(ATTEMPTS, || mr_rtmr_extend(tdx, rtmr, &operand))
}

/// How many bytes the parts have together.
fn len(parts: &[&[u8]]) -> usize {
    parts
        .iter()
        .fold(0, |len: usize, part| len.saturating_add(part.len()))
}
