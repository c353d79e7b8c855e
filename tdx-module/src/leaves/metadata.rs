// SPDX-License-Identifier: Apache-2.0 OR MIT

//! TDG.VM.RD, TDG.VM.WR and TDG.SYS.RD: metadata fields.

use crate::call::{invalid, Call, Stop};
use crate::metadata::{self, Table, NO_FIELD};
use crate::{Generation, Machine};
use tdx_call::{OperandId, Registers, Status};

impl<M: Machine + ?Sized> Call<'_, M> {
    /// TDG.VM.RD. Version 1 also returns the identifier of the next field in RDX.
    pub(super) fn vm_rd(&self, registers: &mut Registers) -> Result<(), Stop> {
        let version = (registers.rax >> 16) & 0xff;
        let id = registers.rdx;
        registers.r8 = 0;
        if version > 0 {
            registers.rdx = NO_FIELD;
        }
        let newest = match self.td.platform.generation {
            Generation::Tdx10 => 0,
            Generation::Tdx15 => 1,
        };
        if version > newest {
            return Err(invalid(OperandId::RAX));
        }
        if registers.rcx != 0 {
            return Err(invalid(OperandId::RCX));
        }
        if version > 0 {
            return self.read_field(&metadata::TD, id, registers);
        }
        let (value, _) = metadata::TD.read(self.td, id)?;
        registers.r8 = value;
        Ok(())
    }

    /// TDG.VM.WR.
    pub(super) fn vm_wr(&self, registers: &mut Registers) -> Result<(), Stop> {
        let (value, mask) = (registers.r8, registers.r9);
        registers.r8 = 0;
        if registers.rcx != 0 {
            return Err(invalid(OperandId::RCX));
        }
        registers.r8 = metadata::TD.write(self.td, registers.rdx, value, mask)?;
        Ok(())
    }

    /// TDG.SYS.RD.
    pub(super) fn sys_rd(&self, registers: &mut Registers) -> Result<(), Stop> {
        let id = registers.rdx;
        registers.rdx = NO_FIELD;
        registers.r8 = 0;
        self.read_field(&metadata::SYSTEM, id, registers)
    }

    /// Reads a field to R8 and the identifier of the next to RDX; for no field, the identifier of the first.
    fn read_field(&self, table: &Table, id: u64, registers: &mut Registers) -> Result<(), Stop> {
        if metadata::is_no_field(id) {
            registers.rdx = table.first(self.td);
            return Err(Status::METADATA_FIRST_FIELD_ID_IN_CONTEXT.into());
        }
        let (value, next) = table.read(self.td, id)?;
        registers.r8 = value;
        registers.rdx = next;
        Ok(())
    }
}
