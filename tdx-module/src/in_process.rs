// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A TD whose memory is this process, for tests of what calls leaves.

use crate::{
    HostPolicy, Machine, Outcome, ParameterError, Platform, RamRange, RamState, Td, TdParameters,
    Unmapped,
};
use core::{ptr, slice, time::Duration};
use tdx_call::{Gpa, Registers, Transport};

/// A TD whose memory is this process: a guest physical address is a pointer.
///
/// The leaf functions of [`tdx_call`] run against the model through this. All calls are those of vCPU 0, and nothing
/// sleeps.
///
/// ```
/// use tdx_call::{mr_report, Gpa, Operand, OperandMut, ReportBuffer, ReportDataBuffer};
/// use tdx_module::{InProcess, Platform, TdParameters};
///
/// let tdx = InProcess::new(TdParameters::default(), Platform::default())?;
/// let reportdata = ReportDataBuffer([7; 64]);
/// let mut report = ReportBuffer::ZERO;
///
/// let reportdata_gpa = Gpa(&raw const reportdata as u64);
/// let report_gpa = Gpa(&raw const report as u64);
/// // SAFETY: The addresses are those of the buffers, and there is but one address space.
/// let reportdata = unsafe { Operand::new(&reportdata, reportdata_gpa) };
/// let mut out = unsafe { OperandMut::new(&mut report, report_gpa) };
/// mr_report(&tdx, &mut out, &reportdata)?;
///
/// let report = tdx_uapi::TdReport::parse(&report.0)?;
/// assert_eq!(report.mac.reportdata, [7; 64]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct InProcess {
    td: Td,
}

impl InProcess {
    /// A TD of these parameters, but for its memory: all addresses that a process can have are private and accepted.
    ///
    /// # Errors
    ///
    /// [`ParameterError`] when there can be no such TD.
    pub fn new(parameters: TdParameters, platform: Platform) -> Result<Self, ParameterError> {
        let parameters = TdParameters {
            ram: [RamRange {
                range: 0x1000..1 << 47,
                state: RamState::Accepted,
            }]
            .into(),
            ..parameters
        };
        let td = Td::new(parameters, platform, HostPolicy::default())?;
        Ok(Self { td })
    }

    /// The TD.
    pub fn td(&self) -> &Td {
        &self.td
    }
}

// SAFETY: The model accesses memory as the TDX module does, through `Memory` below, and reports in RAX.
unsafe impl Transport for InProcess {
    /// # Panics
    ///
    /// When the call does not complete: by an exception, or because an operand is in memory that was given away.
    unsafe fn tdcall(&self, registers: &mut Registers) {
        // INVARIANT: The caller vouches for the memory operands of this call, and the value does not outlive it.
        let memory = Memory(());
        match self.td.tdcall(0, registers, &memory) {
            Outcome::Completed => {}
            outcome => panic!("TDCALL does not complete: {outcome:?}"),
        }
    }
}

/// This process's memory.
///
/// # Invariants
///
/// A value exists only while a leaf is performed whose memory operands may be accessed as that leaf does. With GetQuote
/// these are shared pages, which by the contract of [`tdx_call::SharedPages::new`] the host may read and write.
struct Memory(());

impl Machine for Memory {
    fn read(&self, gpa: Gpa, buffer: &mut [u8]) -> Result<(), Unmapped> {
        let from = ptr::with_exposed_provenance::<u8>(pointer(gpa)?);
        // SAFETY: The model reads nothing but the memory operand that the leaf reads, or shared pages, which by the type's
        // invariant may be read: by the contract of `Transport::tdcall` they are readable, and nobody writes them
        // meanwhile. `buffer` is the model's own, so they do not overlap.
        unsafe { ptr::copy_nonoverlapping(from, buffer.as_mut_ptr(), buffer.len()) };
        Ok(())
    }

    fn write(&self, gpa: Gpa, bytes: &[u8]) -> Result<(), Unmapped> {
        let to = ptr::with_exposed_provenance_mut::<u8>(pointer(gpa)?);
        // SAFETY: As in `read`: what the model writes is the operand that the leaf writes, which is exclusively the
        // caller's, or shared pages, which are the host's. No reference to it is held by the model.
        unsafe { slice::from_raw_parts_mut(to, bytes.len()) }.copy_from_slice(bytes);
        Ok(())
    }

    fn sleep(&self, _: Duration) {}
}

fn pointer(gpa: Gpa) -> Result<usize, Unmapped> {
    gpa.0.try_into().map_err(|_| Unmapped)
}
