// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Faults on demand, so that every status can be provoked.

use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};
use spin::Mutex;
use tdx_call::{leaf, Registers, Status, Vmcall, VmcallStatus};

/// A rule that makes calls fail.
///
/// Where a rule hits, the leaf fails as if by itself: the status is set, other registers and memory are as before, and
/// nothing of the TD changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which calls the rule is about.
    pub target: FaultTarget,
    /// What they answer.
    pub answer: FaultAnswer,
    /// How many such calls go through before the first that fails.
    pub after: u64,
    /// How many fail then; all of them if `None`.
    pub times: Option<u64>,
}

/// Which calls a [`Fault`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultTarget {
    /// A leaf, by its number; see [`tdx_call::leaf`].
    Leaf(u64),
    /// TDG.VP.VMCALL with this function in R11; see [`Vmcall`].
    Vmcall(u64),
}

/// What a call answers that a [`Fault`] hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultAnswer {
    /// The TDX module's refusal, in RAX.
    Status(Status),
    /// The host's refusal, in R10; of TDG.VP.VMCALL only. With [`VmcallStatus::RETRY`], MapGPA returns the start of the
    /// range as the GPA to resume at.
    Host(VmcallStatus),
}

impl FaultTarget {
    fn matches(self, registers: &Registers) -> bool {
        let leaf = registers.rax & 0xffff;
        match self {
            Self::Leaf(number) => leaf == number,
            Self::Vmcall(function) => {
                leaf == leaf::VP_VMCALL && exposed(registers, 11) && registers.r11 == function
            }
        }
    }
}

/// Whether a TDG.VP.VMCALL exposes a register to the host.
const fn exposed(registers: &Registers, register: u32) -> bool {
    (registers.rcx >> register) & 1 != 0
}

/// The rules of a TD, with how often each has matched.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// Whether there are any, so that calls pay nothing for there being none.
    any: AtomicBool,
    rules: Mutex<Vec<(Fault, u64)>>,
}

impl Faults {
    pub(crate) fn add(&self, fault: Fault) {
        let mut rules = self.rules.lock();
        rules.push((fault, 0));
        self.any.store(true, Ordering::Release);
    }

    pub(crate) fn clear(&self) {
        let mut rules = self.rules.lock();
        rules.clear();
        self.any.store(false, Ordering::Release);
    }

    /// The answer of the first rule that hits this call. Every rule that is about the call counts it.
    pub(crate) fn hit(&self, registers: &Registers) -> Option<FaultAnswer> {
        if !self.any.load(Ordering::Acquire) {
            return None;
        }
        let mut answer = None;
        for (fault, seen) in self.rules.lock().iter_mut() {
            if !fault.target.matches(registers) {
                continue;
            }
            let nth = *seen;
            *seen = seen.saturating_add(1);
            let failed = nth.checked_sub(fault.after);
            if failed.is_some_and(|failed| fault.times.is_none_or(|times| failed < times)) {
                answer = answer.or(Some(fault.answer));
            }
        }
        answer
    }
}

impl FaultAnswer {
    /// Fails the call that `registers` make.
    pub(crate) fn apply(self, registers: &mut Registers) {
        match self {
            Self::Status(status) => registers.rax = status.0,
            Self::Host(status) => {
                let map_gpa = FaultTarget::Vmcall(Vmcall::MAP_GPA).matches(registers);
                if map_gpa && status == VmcallStatus::RETRY {
                    registers.r11 = registers.r12;
                }
                if exposed(registers, 10) {
                    registers.r10 = status.0;
                }
                registers.rax = Status::SUCCESS.0;
            }
        }
    }
}
