// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The host behind TDG.VP.VMCALL, as far as it needs no machine.

use core::time::Duration;

/// How the model's default host behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPolicy {
    /// How long a vCPU sleeps at HLT. There are no interrupts here that could wake it, so it naps and wakes by itself.
    pub hlt_nap: Duration,
    /// After how many pages MapGPA stops and has the TD resume, as real hosts do with large ranges; never if `None`.
    pub map_gpa_limit: Option<u64>,
    /// Whether pending memory is mapped in 2 MiB pages where it can be. Without, TDG.MEM.PAGE.ACCEPT of 2 MiB always
    /// meets [`PAGE_SIZE_MISMATCH`](tdx_call::Status::PAGE_SIZE_MISMATCH).
    pub large_pages: bool,
}

impl Default for HostPolicy {
    fn default() -> Self {
        Self {
            hlt_nap: Duration::from_micros(500),
            map_gpa_limit: None,
            large_pages: true,
        }
    }
}
