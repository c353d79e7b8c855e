// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A TD, and the dispatch of its TDCALLs.

use crate::call::{Call, Stop};
use crate::fault::Faults;
use crate::metadata::Metadata;
use crate::pages::{PageMap, PageState};
use crate::vcpu::{CpuidVe, Vcpu, VeInfo};
use crate::{
    config_flags, leaves, Exception, Fault, Generation, HostInstruction, HostPolicy,
    InstructionResult, Machine, Outcome, ParameterError, Platform, QuoteBehaviour, TdParameters,
    TracedCall,
};
use alloc::boxed::Box;
use core::iter;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use core::time::Duration;
use spin::{Mutex, RwLock};
use tdx_call::{Gpa, Registers, RtmrIndex, Status};
use tdx_uapi::Digest;

/// A TD: what the TDX module knows of it, and the leaves that it can call.
///
/// All methods take `&self`: vCPUs call from as many threads as they like. As in the TDX module, what several leaves
/// need is locked without waiting: TDG.MR.REPORT shares the runtime measurement registers, TDG.MR.RTMR.EXTEND wants
/// them for itself, and who does not get them is told [`Status::OPERAND_BUSY`].
#[derive(Debug)]
pub struct Td {
    pub(crate) parameters: TdParameters,
    pub(crate) platform: Platform,
    pub(crate) host: HostPolicy,
    pub(crate) rtmr: RwLock<[Digest; 4]>,
    pub(crate) pages: RwLock<PageMap>,
    pub(crate) metadata: Metadata,
    vcpus: Box<[Vcpu]>,
    pub(crate) quote_behaviour: Mutex<QuoteBehaviour>,
    pub(crate) quote_requests: AtomicU64,
    pub(crate) quotes_in_flight: AtomicU32,
    faults: Faults,
    report_nanos: AtomicU64,
    quote_nanos: AtomicU64,
}

impl Td {
    /// A TD of these parameters on this platform, before its first instruction.
    ///
    /// # Errors
    ///
    /// [`ParameterError`] when there can be no such TD.
    pub fn new(
        parameters: TdParameters,
        platform: Platform,
        host: HostPolicy,
    ) -> Result<Self, ParameterError> {
        parameters.check()?;
        if parameters.servtd_hash.is_some() && platform.generation == Generation::Tdx10 {
            return Err(ParameterError::ServiceTd);
        }
        let td = Self {
            quote_behaviour: Mutex::new(host.quote_behaviour),
            quote_requests: AtomicU64::new(0),
            quotes_in_flight: AtomicU32::new(0),
            report_nanos: AtomicU64::new(0),
            quote_nanos: AtomicU64::new(0),
            rtmr: RwLock::new(parameters.rtmr),
            pages: RwLock::new(PageMap::new(&parameters.ram, host.large_pages)),
            metadata: Metadata::new(&parameters),
            vcpus: iter::repeat_with(Vcpu::default)
                .take(parameters.vcpus as usize)
                .collect(),
            faults: Faults::default(),
            parameters,
            platform,
            host,
        };
        td.set_report_time(td.platform.report_time);
        td.set_quote_time(td.host.quote_time);
        Ok(td)
    }

    /// What the TD was made with.
    pub fn parameters(&self) -> &TdParameters {
        &self.parameters
    }

    /// The platform that it is on.
    pub fn platform(&self) -> &Platform {
        &self.platform
    }

    /// How the default host behind it behaves.
    pub fn host(&self) -> &HostPolicy {
        &self.host
    }

    /// A runtime measurement register.
    pub fn rtmr(&self, index: RtmrIndex) -> Digest {
        self.rtmr.read()[index as usize]
    }

    /// The state of the page at a guest physical address without the SHARED bit; `None` where there is no memory.
    pub fn page_state(&self, gpa: Gpa) -> Option<PageState> {
        self.pages.read().state(gpa.0 >> 12)
    }

    /// Where CPUID raises #VE on a vCPU, for front-ends that can raise it.
    ///
    /// # Panics
    ///
    /// When the TD has no such vCPU.
    pub fn cpuid_ve(&self, vcpu: u32) -> CpuidVe {
        self.vcpu(vcpu).cpuid_ve()
    }

    /// Has the TDX module raise #VE on a vCPU, for front-ends that can. The exception to inject is returned: #DF if the
    /// last #VE's information has not been fetched.
    ///
    /// # Panics
    ///
    /// When the TD has no such vCPU.
    pub fn raise_ve(&self, vcpu: u32, info: VeInfo) -> Exception {
        let mut pending = self.vcpu(vcpu).ve_info.lock();
        match *pending {
            Some(_) => Exception::DoubleFault,
            None => {
                *pending = Some(info);
                Exception::Virtualization
            }
        }
    }

    /// Sets how long TDG.MR.REPORT takes from now on, up to centuries; see [`Platform::report_time`].
    pub fn set_report_time(&self, time: Duration) {
        self.report_nanos.store(nanos(time), Ordering::Relaxed);
    }

    /// Sets how long the quoting service takes from now on; see [`HostPolicy::quote_time`].
    pub fn set_quote_time(&self, time: Duration) {
        self.quote_nanos.store(nanos(time), Ordering::Relaxed);
    }

    /// How long the quoting service takes.
    pub fn quote_time(&self) -> Duration {
        Duration::from_nanos(self.quote_nanos.load(Ordering::Relaxed))
    }

    /// How long TDG.MR.REPORT takes.
    pub fn report_time(&self) -> Duration {
        Duration::from_nanos(self.report_nanos.load(Ordering::Relaxed))
    }

    /// Adds a rule that makes calls fail.
    pub fn inject(&self, fault: Fault) {
        self.faults.add(fault);
    }

    /// Removes all rules that make calls fail.
    pub fn clear_faults(&self) {
        self.faults.clear();
    }

    /// Performs the TDCALL that vCPU `vcpu` executes with these registers.
    ///
    /// # Panics
    ///
    /// When the TD has no such vCPU.
    pub fn tdcall(
        &self,
        vcpu: u32,
        registers: &mut Registers,
        machine: &(impl Machine + ?Sized),
    ) -> Outcome {
        let before = *registers;
        let call = Call {
            td: self,
            vcpu,
            machine,
        };
        let outcome = call.dispatch(registers);
        if outcome != Outcome::Completed {
            *registers = before;
        }
        // A call that is deferred is traced when it has completed.
        if !matches!(outcome, Outcome::Deferred(_)) {
            trace(vcpu, before, *registers, outcome, machine);
        }
        outcome
    }

    /// Completes the TDCALL of vCPU `vcpu` that ended in [`Outcome::Deferred`], with what the instruction returned.
    /// `registers` are those that the call was made with, and those that the vCPU goes on with.
    pub fn complete(
        &self,
        vcpu: u32,
        registers: &mut Registers,
        instruction: HostInstruction,
        result: InstructionResult,
        machine: &(impl Machine + ?Sized),
    ) {
        let before = *registers;
        leaves::vmcall::complete(instruction, result, registers);
        trace(vcpu, before, *registers, Outcome::Completed, machine);
    }

    /// The registers that a vCPU starts with, in 32-bit protected mode: the index, the width of an address, and where the
    /// host says that the TD HOB is. `cpuid_1_eax` is what CPUID leaf 1 returns in EAX.
    ///
    /// Source: TDX module ABI, "Initial state of guest GPRs".
    pub fn initial_registers(&self, vcpu: u32, hob: Gpa, cpuid_1_eax: u32) -> Registers {
        Registers {
            rbx: self.parameters.gpa_width.into(),
            rcx: hob.0,
            rdx: cpuid_1_eax.into(),
            rsi: vcpu.into(),
            r8: hob.0,
            ..Registers::default()
        }
    }

    /// CONFIG_FLAGS, with what follows from the width of an address.
    pub(crate) fn config_flags(&self) -> u64 {
        let gpaw = match self.parameters.gpa_width {
            48 => 0,
            _ => config_flags::GPAW,
        };
        self.parameters.config_flags & !config_flags::GPAW | gpaw
    }

    pub(crate) fn vcpu(&self, vcpu: u32) -> &Vcpu {
        match self.vcpus.get(vcpu as usize) {
            Some(vcpu) => vcpu,
            None => panic!("the TD has {} vCPUs, and no vCPU {vcpu}", self.vcpus.len()),
        }
    }
}

/// Tells the machine's trace of a call, if there is one that wants it.
fn trace(
    vcpu: u32,
    before: Registers,
    after: Registers,
    outcome: Outcome,
    machine: &(impl Machine + ?Sized),
) {
    let Some(trace) = machine.trace() else {
        return;
    };
    let call = TracedCall {
        vcpu,
        before,
        after,
        outcome,
    };
    if trace.wants(&call) {
        trace.line(format_args!("{call}"));
    }
}

/// A time in nanoseconds, of centuries at most.
fn nanos(time: Duration) -> u64 {
    time.as_nanos().try_into().unwrap_or(u64::MAX)
}

impl<M: Machine + ?Sized> Call<'_, M> {
    fn dispatch(&self, registers: &mut Registers) -> Outcome {
        // All vCPUs that there are not are alike, whatever they call.
        self.td.vcpu(self.vcpu);
        if !self.machine.may_tdcall() {
            return Outcome::Exception(Exception::GeneralProtection);
        }
        let done = self
            .check_leaf(registers)
            .and_then(|()| match self.td.faults.hit(registers) {
                Some(answer) => {
                    answer.apply(registers);
                    Ok(Status(registers.rax))
                }
                None => self.perform(registers).map(|()| Status::SUCCESS),
            });
        registers.rax = match done {
            Ok(status) | Err(Stop::Status(status)) => status.0,
            Err(Stop::Outcome(outcome)) => return outcome,
        };
        Outcome::Completed
    }
}
