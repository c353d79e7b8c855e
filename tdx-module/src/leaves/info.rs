// SPDX-License-Identifier: Apache-2.0 OR MIT

//! TDG.VP.INFO, TDG.VP.VEINFO.GET and TDG.VP.CPUIDVE.SET: the vCPU.

use crate::call::{invalid, Call, Stop};
use crate::vcpu::CpuidVe;
use crate::{Generation, Machine};
use tdx_call::{OperandId, Registers, Status};

impl<M: Machine + ?Sized> Call<'_, M> {
    /// TDG.VP.INFO. It cannot fail.
    pub(super) fn vp_info(&self, registers: &mut Registers) {
        let parameters = &self.td.parameters;
        registers.rcx = parameters.gpa_width.into();
        registers.rdx = parameters.attributes.0;
        registers.r8 = u64::from(parameters.vcpus) | (u64::from(parameters.max_vcpus) << 32);
        registers.r9 = self.vcpu.into();
        // Whether there is a TDG.SYS.RD.
        registers.r10 = (self.td.platform.generation >= Generation::Tdx15).into();
        registers.r11 = 0;
    }

    /// TDG.VP.VEINFO.GET: outputs are zero when there is no #VE to tell of.
    pub(super) fn vp_veinfo_get(&self, registers: &mut Registers) -> Result<(), Stop> {
        let pending = self.td.vcpu(self.vcpu).ve_info.lock().take();
        let info = pending.unwrap_or_default();
        registers.rcx = info.exit_reason.into();
        registers.rdx = info.exit_qualification;
        registers.r8 = info.gla;
        registers.r9 = info.gpa;
        registers.r10 =
            u64::from(info.instruction_length) | (u64::from(info.instruction_info) << 32);
        match pending {
            Some(_) => Ok(()),
            None => Err(Status::NO_VALID_VE_INFO.into()),
        }
    }

    /// TDG.VP.CPUIDVE.SET.
    pub(super) fn vp_cpuidve_set(&self, registers: &Registers) -> Result<(), Stop> {
        if registers.rcx >> 2 != 0 {
            return Err(invalid(OperandId::RCX));
        }
        self.td.vcpu(self.vcpu).set_cpuid_ve(CpuidVe {
            supervisor: registers.rcx & 1 != 0,
            user: registers.rcx & 2 != 0,
        });
        Ok(())
    }
}
