// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A TD, and the dispatch of its TDCALLs.

use crate::fault::Faults;
use crate::{
    Exception, Fault, HostPolicy, Machine, Outcome, ParameterError, Platform, TdParameters,
};
use spin::RwLock;
use tdx_call::{leaf, OperandId, Registers, RtmrIndex, Status};
use tdx_uapi::Digest;

/// A TD: what the TDX module knows of it, and the leaves that it can call.
///
/// All methods take `&self`: vCPUs call from as many threads as they like.
#[derive(Debug)]
pub struct Td {
    pub(crate) parameters: TdParameters,
    pub(crate) platform: Platform,
    pub(crate) host: HostPolicy,
    pub(crate) rtmr: RwLock<[Digest; 4]>,
    faults: Faults,
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
        Ok(Self {
            rtmr: RwLock::new(parameters.rtmr),
            faults: Faults::default(),
            parameters,
            platform,
            host,
        })
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
        assert!(vcpu < self.parameters.vcpus, "the TD has no vCPU {vcpu}");
        if !machine.may_tdcall() {
            return Outcome::Exception(Exception::GeneralProtection);
        }
        if let Some(answer) = self.faults.hit(registers) {
            answer.apply(registers);
            return Outcome::Completed;
        }
        match registers.rax & 0xffff {
            leaf::VP_INFO => {}
            _ => registers.rax = Status::operand_invalid(OperandId::RAX).0,
        }
        Outcome::Completed
    }
}
