// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A line per TDCALL, in the leaf's own terms.

mod operands;

use crate::names::{leaf_name, vmcall_name};
use crate::Outcome;
use core::fmt;
use tdx_call::{leaf, Registers, Status, VmcallStatus};

/// Takes the lines of a trace.
pub trait Trace {
    /// Takes a line, without a newline, of a call that has ended:
    ///
    /// ```text
    /// vcpu 1 TDG.MR.REPORT report=0x1234400 reportdata=0x1235000 subtype=0 -> TDX_SUCCESS
    /// ```
    fn line(&self, line: fmt::Arguments<'_>);

    /// Whether the trace wants this call. One that does not wait for interrupts has thousands of HLTs a second.
    fn wants(&self, call: &TracedCall) -> bool {
        let _ = call;
        true
    }
}

/// A TDCALL that has ended.
#[derive(Clone, Copy, Debug)]
pub struct TracedCall {
    /// The vCPU.
    pub vcpu: u32,
    /// The registers that went in.
    pub before: Registers,
    /// The registers that came out.
    pub after: Registers,
    /// How the call ended.
    pub outcome: Outcome,
}

impl TracedCall {
    /// The function of a TDG.VP.VMCALL.
    pub fn vmcall(&self) -> Option<u64> {
        let Registers { rax, rcx, r11, .. } = self.before;
        let exposed = if (rcx >> 11) & 1 != 0 { r11 } else { 0 };
        (rax & 0xffff == leaf::VP_VMCALL).then_some(exposed)
    }
}

impl fmt::Display for TracedCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let leaf = self.before.rax & 0xffff;
        write!(f, "vcpu {} ", self.vcpu)?;
        match leaf_name(leaf) {
            Some(name) => f.write_str(name)?,
            None => write!(f, "leaf {leaf:#x}")?,
        }
        match self.before.rax >> 16 {
            0 => {}
            version => write!(f, " version={version:#x}")?,
        }
        match self
            .vmcall()
            .map(|function| (function, vmcall_name(function)))
        {
            Some((_, Some(name))) => write!(f, "<{name}>")?,
            Some((function, None)) => write!(f, "<{function:#x}>")?,
            None => {}
        }
        self.operands(f)?;
        f.write_str(" -> ")?;
        match self.outcome {
            Outcome::Completed => {
                short(f, Status(self.after.rax))?;
                self.results(f)
            }
            Outcome::Exception(exception) => write!(f, "exception {}", exception.vector()),
            Outcome::EptViolation(violation) => write!(f, "{violation}"),
            Outcome::Deferred(_) => f.write_str("deferred"),
        }
    }
}

/// A status by name where it has one.
fn short(f: &mut fmt::Formatter<'_>, status: Status) -> fmt::Result {
    match (status.name(), status.kind()) {
        (Some(name), Status::OPERAND_INVALID | Status::OPERAND_BUSY) => {
            write!(f, "{name} ({})", status.operand())
        }
        (Some(name), kind) if kind == status => f.write_str(name),
        (Some(name), kind) => write!(f, "{name} ({})", status.0 - kind.0),
        (None, _) => write!(f, "{:#018x}", status.0),
    }
}

/// The host's status, R10, for which a TDG.VP.VMCALL that exposes it has room.
fn host_status(f: &mut fmt::Formatter<'_>, r10: u64) -> fmt::Result {
    write!(f, ", {}", VmcallStatus(r10))
}
