// SPDX-License-Identifier: GPL-2.0-only

//! A TDREPORT from the TDX module.

use crate::log;
use core::{
    mem::offset_of,
    ptr, //
};
use kernel::{
    bindings,
    current,
    prelude::*,
    sync::atomic::{
        Atomic,
        Full, //
    }, //
};
use tdx_call::{
    mr_report,
    retry_while_busy,
    Gpa,
    Instruction,
    Operand,
    OperandMut,
    ReportBuffer,
    ReportDataBuffer,
    Status, //
};
use tdx_uapi::{
    REPORTDATA_LEN,
    TDREPORT_LEN, //
};

/// How often the TDX module is asked without a break while it says that it is busy.
///
/// It is for some microseconds, while another vCPU extends an RTMR. Who extends one finds it busy
/// while another vCPU gets a report, too.
const ATTEMPTS: u32 = 64;

/// How often that is done, with a sleep of some milliseconds in between, before it has failed.
const ROUNDS: u32 = 50;

/// Gets TDREPORTs. Any number of threads can do so at the same time.
pub(crate) struct Reporter {
    /// How the TDX module is called.
    tdx: Instruction,

    /// The operands of the last report, for the next one.
    spare: Spare,
}

impl Reporter {
    /// Gets TDREPORTs through `tdx`.
    pub(crate) const fn new(tdx: Instruction) -> Self {
        Self {
            tdx,
            spare: Spare::new(),
        }
    }

    /// Has `fill` write REPORTDATA, gets the TDREPORT that carries it, and hands that to `deliver`.
    ///
    /// Both may take their time: nobody waits for them. `deliver` gets the report that this call made,
    /// and is not called when there is none.
    ///
    /// # Errors
    ///
    /// What `fill` or `deliver` return; `ENOMEM`; `EINTR` if a signal came while the TDX module was
    /// busy; `EIO` if it stayed busy, or refused for another reason, and the log has the status.
    pub(crate) fn report(
        &self,
        fill: impl FnOnce(&mut [u8; REPORTDATA_LEN]) -> Result,
        deliver: impl FnOnce(&[u8; TDREPORT_LEN]) -> Result,
    ) -> Result {
        let mut operands = match self.spare.take() {
            Some(operands) => operands,
            None => Operands::new()?,
        };
        let result = operands.report(self.tdx, fill).and_then(deliver);
        self.spare.put(operands);
        result
    }
}

/// The operands of TDG.MR.REPORT, in memory of their own.
struct Operands(KBox<Memory>);

/// What is in the memory of [`Operands`].
///
/// # Invariants
///
/// The structure is physically contiguous, and begins at `gpa`.
#[repr(C)]
struct Memory {
    /// What the TDX module writes.
    report: ReportBuffer,

    /// What it reads.
    reportdata: ReportDataBuffer,

    /// Where this is.
    gpa: Gpa,
}

impl Operands {
    /// Allocates them.
    fn new() -> Result<Self> {
        let mut memory = KBox::init(
            init!(Memory {
                report: ReportBuffer::ZERO,
                reportdata: ReportDataBuffer::ZERO,
                gpa: Gpa(0),
            }),
            GFP_KERNEL,
        )?;
        let address = ptr::from_mut(&mut *memory).cast();
        // INVARIANT: A `KBox` is physically contiguous. `Operands` let nobody move what is in it.
        //
        // SAFETY: The address is mapped.
        memory.gpa = Gpa(unsafe { bindings::slow_virt_to_phys(address) });
        Ok(Self(memory))
    }

    /// Has `fill` write REPORTDATA, and gets the TDREPORT that carries it.
    fn report(
        &mut self,
        tdx: Instruction,
        fill: impl FnOnce(&mut [u8; REPORTDATA_LEN]) -> Result,
    ) -> Result<&[u8; TDREPORT_LEN]> {
        fill(&mut self.0.reportdata.0)?;
        self.issue(tdx)?;
        Ok(&self.0.report.0)
    }

    /// Gets the TDREPORT that carries the REPORTDATA which is there.
    #[inline(never)]
    fn issue(&mut self, tdx: Instruction) -> Result {
        const REPORT: u64 = offset_of!(Memory, report) as u64;
        const REPORTDATA: u64 = offset_of!(Memory, reportdata) as u64;

        let memory = &mut *self.0;
        let gpa = memory.gpa.0;
        // SAFETY: By the invariant of `Memory`.
        let mut report =
            unsafe { OperandMut::new(&mut memory.report, Gpa(gpa.wrapping_add(REPORT))) };
        // SAFETY: By the invariant of `Memory`.
        let reportdata =
            unsafe { Operand::new(&memory.reportdata, Gpa(gpa.wrapping_add(REPORTDATA))) };

        retry(|| mr_report(&tdx, &mut report, &reportdata))?
            .map_err(|error| refused("TDG.MR.REPORT failed", error.status()))
    }
}

/// Performs `call` until the TDX module is no longer busy, or has been for too long.
///
/// # Errors
///
/// `EINTR` if a signal comes first.
#[inline(always)]
pub(crate) fn retry(
    mut call: impl FnMut() -> Result<(), tdx_call::Error>,
) -> Result<Result<(), tdx_call::Error>> {
    let mut rounds = ROUNDS;
    loop {
        match retry_while_busy(ATTEMPTS, &mut call) {
            Err(error) if error.is_busy() && rounds > 1 => rounds -= 1,
            result => return Ok(result),
        }
        pause()?;
    }
}

/// Sleeps for some milliseconds.
///
/// # Errors
///
/// `EINTR` if a signal comes, or has come.
#[cold]
fn pause() -> Result {
    // SAFETY: Whoever asks for a report can sleep: it may have to wait for memory, too.
    unsafe { bindings::msleep_interruptible(1) };
    if current!().signal_pending() {
        return Err(EINTR);
    }
    Ok(())
}

/// Tells the log why the TDX module refused what has failed, and returns what the caller is told.
#[cold]
pub(crate) fn refused(what: &str, status: Status) -> Error {
    log::failure(what, status.name(), status.0);
    EIO
}

/// An operand in memory of its own.
pub(crate) fn operand<T>(value: &KBox<T>) -> Operand<'_, T> {
    let address = ptr::from_ref(&**value).cast_mut().cast();
    // SAFETY: The address is mapped.
    let gpa = Gpa(unsafe { bindings::slow_virt_to_phys(address) });
    // SAFETY: A `KBox` is physically contiguous, and begins at that address.
    unsafe { Operand::new(value, gpa) }
}

/// A place for operands that nobody uses at the moment.
///
/// # Invariants
///
/// The pointer is null, or it is that of a `KBox` which belongs to this place.
struct Spare(Atomic<*mut Memory>);

impl Spare {
    /// An empty place.
    const fn new() -> Self {
        // INVARIANT: It is null.
        Self(Atomic::new(ptr::null_mut()))
    }

    /// Takes what is there.
    fn take(&self) -> Option<Operands> {
        self.replace(None)
    }

    /// Puts `operands` there. What another thread has put there meanwhile goes: one is enough.
    fn put(&self, operands: Operands) {
        drop(self.replace(Some(operands)));
    }

    /// Puts `operands` there, if any, and returns what was there.
    fn replace(&self, operands: Option<Operands>) -> Option<Operands> {
        let new = operands.map_or(ptr::null_mut(), |Operands(memory)| KBox::into_raw(memory));
        // INVARIANT: The old pointer leaves this place in the same moment in which the new one, null
        // or that of a `KBox` given up, comes.
        let old = self.0.xchg(new, Full);
        if old.is_null() {
            return None;
        }
        // SAFETY: By the invariant it is that of a `KBox`, which belongs to us since the exchange.
        Some(Operands(unsafe { KBox::from_raw(old) }))
    }
}

impl Drop for Spare {
    fn drop(&mut self) {
        drop(self.take());
    }
}
