// SPDX-License-Identifier: Apache-2.0 OR MIT

//! MapGPA: converting memory between private and shared.

use crate::pages::{PageMap, PageState};
use crate::Td;
use alloc::vec::Vec;
use core::ops::Range;
use tdx_call::{Registers, VmcallStatus};

impl Td {
    /// MapGPA: R12 is the start, whose SHARED bit says what the pages become, R13 the size.
    ///
    /// Pages that are already what is asked for stay as they are. Shared pages become pending: the TD must accept them
    /// again. Only as many pages as the host's policy allows are converted at once; then the status is RETRY, and R11
    /// the GPA to resume at.
    pub(super) fn map_gpa(&self, call: &mut Registers) -> VmcallStatus {
        let (start, size) = (call.r12, call.r13);
        let width = self.parameters.gpa_width;
        let shared_bit = self.parameters.shared_bit();
        let last = match start.checked_add(size) {
            Some(end) if end > start => end - 1,
            _ => return VmcallStatus::INVALID_OPERAND,
        };
        let legal = start >> width == 0 && last >> width == 0;
        if !legal || (start ^ last) & shared_bit != 0 {
            return VmcallStatus::INVALID_OPERAND;
        }
        if start % 4096 != 0 || size % 4096 != 0 {
            return VmcallStatus::ALIGN_ERROR;
        }
        let to_shared = start & shared_bit != 0;
        let first = (start & !shared_bit) >> 12;
        let count = size >> 12;
        let mut pages = self.pages.write();
        // Device memory is shared anyway, and so may be asked to become it.
        if !to_shared && !is_memory(&pages, first..first + count) {
            return VmcallStatus::INVALID_OPERAND;
        }
        let now = self
            .host
            .map_gpa_limit
            .map_or(count, |limit| limit.min(count));
        convert(&mut pages, first..first + now, to_shared);
        if now < count {
            call.r11 = start + (now << 12);
            return VmcallStatus::RETRY;
        }
        VmcallStatus::SUCCESS
    }
}

fn is_memory(map: &PageMap, pages: Range<u64>) -> bool {
    let found: u64 = map
        .runs(pages.clone())
        .map(|(run, _)| run.end - run.start)
        .sum();
    found == pages.end - pages.start
}

fn convert(map: &mut PageMap, pages: Range<u64>, to_shared: bool) {
    let state = if to_shared {
        PageState::Shared
    } else {
        PageState::Pending
    };
    let runs: Vec<_> = map.runs(pages).collect();
    for (run, old) in runs {
        if (old == PageState::Shared) != to_shared {
            map.set(run, state);
        }
    }
}
