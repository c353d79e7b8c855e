// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only

//! The numbers of the TDCALL leaves, as bits 15:0 of RAX carry them.
//!
//! Bits 23:16 are the leaf's version, 0 unless a leaf says otherwise; bits 63:24 must be zero.

/// TDG.VP.VMCALL: call the host.
pub const VP_VMCALL: u64 = 0;
/// TDG.VP.INFO: what the TD and this vCPU are.
pub const VP_INFO: u64 = 1;
/// TDG.MR.RTMR.EXTEND: extend a runtime measurement register.
pub const MR_RTMR_EXTEND: u64 = 2;
/// TDG.VP.VEINFO.GET: why the last #VE was raised.
pub const VP_VEINFO_GET: u64 = 3;
/// TDG.MR.REPORT: make a TDREPORT.
pub const MR_REPORT: u64 = 4;
/// TDG.VP.CPUIDVE.SET: raise #VE on every CPUID.
pub const VP_CPUIDVE_SET: u64 = 5;
/// TDG.MEM.PAGE.ACCEPT: accept a pending private page.
pub const MEM_PAGE_ACCEPT: u64 = 6;
/// TDG.VM.RD: read a metadata field of the TD.
pub const VM_RD: u64 = 7;
/// TDG.VM.WR: write a metadata field of the TD.
pub const VM_WR: u64 = 8;
/// TDG.SYS.RD: read a metadata field of the TDX module.
pub const SYS_RD: u64 = 11;
/// TDG.MR.VERIFYREPORT: check a REPORTMACSTRUCT of this platform.
pub const MR_VERIFYREPORT: u64 = 22;
/// TDG.MEM.PAGE.ATTR.RD: read the attributes of a page.
pub const MEM_PAGE_ATTR_RD: u64 = 23;
/// TDG.MEM.PAGE.ATTR.WR: write the attributes of a page.
pub const MEM_PAGE_ATTR_WR: u64 = 24;
