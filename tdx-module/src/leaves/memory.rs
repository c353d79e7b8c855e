// SPDX-License-Identifier: Apache-2.0 OR MIT

//! TDG.MEM.PAGE.ACCEPT, TDG.MEM.PAGE.ATTR.RD and TDG.MEM.PAGE.ATTR.WR: private memory.

use crate::call::{invalid, violation, Call, MemoryOperand, Stop};
use crate::pages::{Acceptance, PageState, LARGE};
use crate::{Cause, Machine};
use tdx_call::{Gpa, OperandId, PageSize, Registers, Status};

/// A bit of what the attribute leaves return in RCX: the page is pending.
const PENDING: u64 = 1 << 62;

impl<M: Machine + ?Sized> Call<'_, M> {
    /// TDG.MEM.PAGE.ACCEPT.
    pub(super) fn mem_page_accept(&self, registers: &Registers) -> Result<(), Stop> {
        let (page, level) = self.page_info(registers.rcx, 1)?;
        let size = if level == 0 {
            PageSize::Size4K
        } else {
            PageSize::Size2M
        };
        // Held until the page is zero, so that no other vCPU sees it accepted before.
        let mut pages = self.td.pages.write();
        match pages.acceptance(page.gpa >> 12, size) {
            Acceptance::Acceptable => {}
            Acceptance::Already(size) => {
                return Err(Status(Status::PAGE_ALREADY_ACCEPTED.0 | size as u64).into())
            }
            Acceptance::SizeMismatch => {
                return Err(Status(Status::PAGE_SIZE_MISMATCH.0 | level).into())
            }
            Acceptance::Violation(cause) => return Err(violation(page, cause)),
        }
        for gpa in (page.gpa..page.gpa + size.bytes()).step_by(4096) {
            let zeroed = self.machine.write(Gpa(gpa), &[0; 4096]);
            zeroed.map_err(|_| violation(page, Cause::Absent))?;
        }
        let first = page.gpa >> 12;
        pages.set(
            first..first + size.bytes() / 4096,
            PageState::Accepted(size),
        );
        Ok(())
    }

    /// TDG.MEM.PAGE.ATTR.RD. There are no nested guests, so a page has no attributes.
    pub(super) fn mem_page_attr_rd(&self, registers: &mut Registers) -> Result<(), Stop> {
        let page = MemoryOperand {
            register: OperandId::RCX,
            gpa: registers.rcx,
            shared_allowed: false,
        };
        // What the leaf returns when it is refused.
        registers.rcx = 0;
        registers.rdx = 0;
        self.check_gpa(page)?;
        registers.rcx = match self.td.pages.read().state(page.gpa >> 12) {
            Some(PageState::Accepted(size)) => page.gpa & !(size.bytes() - 1) | size as u64,
            Some(PageState::Pending) => page.gpa & !0xfff | PENDING,
            Some(PageState::Shared) => return Err(violation(page, Cause::Shared)),
            None => return Err(violation(page, Cause::Absent)),
        };
        Ok(())
    }

    /// TDG.MEM.PAGE.ATTR.WR. There are no nested guests, so there is nothing to write.
    pub(super) fn mem_page_attr_wr(&self, registers: &mut Registers) -> Result<(), Stop> {
        let Registers { rcx, rdx, r8, .. } = *registers;
        // What the leaf returns when it is refused.
        registers.rcx = 0;
        registers.rdx = 0;
        // 16 bits for the TD itself and each of three nested guests; those of guests that there are not must be zero.
        for guest in 0..4 {
            if (rdx >> (guest * 16)) & 0xffff != 0 {
                return Err(invalid(OperandId::RDX));
            }
            if (r8 >> (guest * 16)) & 0xffff != 0 {
                return Err(invalid(OperandId::R8));
            }
        }
        let (page, level) = self.page_info(rcx, 2)?;
        let first = page.gpa >> 12;
        let pages = first..first + LARGE.pow(level as u32);
        let map = self.td.pages.read();
        let mut runs = map.runs(pages.clone());
        let cause = match runs.next() {
            None => Cause::Absent,
            Some((run, state)) if run == pages => match (state, level) {
                (PageState::Shared, _) => Cause::Shared,
                (PageState::Pending, 0) => {
                    registers.rcx = rcx | PENDING;
                    return Ok(());
                }
                (PageState::Pending, 1) if map.large_pages() => {
                    registers.rcx = rcx | PENDING;
                    return Ok(());
                }
                (PageState::Accepted(size), _) if size as u64 == level => {
                    registers.rcx = rcx;
                    return Ok(());
                }
                // It is part of a larger page, which a host would demote.
                (PageState::Accepted(size), _) if size as u64 > level => Cause::Absent,
                _ => return Err(Status(Status::PAGE_SIZE_MISMATCH.0 | level).into()),
            },
            Some(_) => return Err(Status(Status::PAGE_SIZE_MISMATCH.0 | level).into()),
        };
        Err(violation(page, cause))
    }

    /// Checks RCX as the GPA of a page with its level, 0 for 4 KiB, up to `max_level`.
    fn page_info(&self, rcx: u64, max_level: u64) -> Result<(MemoryOperand, u64), Stop> {
        let level = rcx & 0b111;
        let reserved = rcx & 0xff8 != 0 || rcx >> 52 != 0;
        let page = MemoryOperand {
            register: OperandId::RCX,
            gpa: rcx & !0xfff,
            shared_allowed: false,
        };
        if reserved || level > max_level || page.gpa % (4096 << (9 * level)) != 0 {
            return Err(invalid(OperandId::RCX));
        }
        self.check_gpa(page)?;
        Ok((page, level))
    }
}
