// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What a host decides about a TD before it runs.

use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;
use tdx_uapi::{Attributes, Digest, Xfam};

/// What a host decides about a TD before it runs, as the arguments of TDH.MNG.INIT (TD_PARAMS) and its finished
/// measurement do.
///
/// The default is a TD that Linux accepts: one vCPU, no memory yet, SEPT_VE_DISABLE, addresses of 52 bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TdParameters {
    /// ATTRIBUTES. Linux wants [`Attributes::SEPT_VE_DISABLE`], or [`config_flags::FLEXIBLE_PENDING_VE`] in
    /// `config_flags`.
    pub attributes: Attributes,
    /// XFAM.
    pub xfam: Xfam,
    /// MRTD, the measurement of the initial memory; [`TdBuild`](crate::TdBuild) computes it.
    pub mrtd: Digest,
    /// MRCONFIGID.
    pub mr_config_id: Digest,
    /// MROWNER.
    pub mr_owner: Digest,
    /// MROWNERCONFIG.
    pub mr_owner_config: Digest,
    /// RTMR0 to RTMR3 as they are when the model takes over: zero, unless it continues a TD.
    pub rtmr: [Digest; 4],
    /// The hash of the bound service TDs; `None` if there are none. With it, reports have version 1.
    pub servtd_hash: Option<Digest>,
    /// The width of a guest physical address in bits; its highest bit is SHARED.
    ///
    /// Hardware has 48 and 52. 53 is the emulation's: where no MMU knows a SHARED bit, bit 52 of a page table entry is
    /// one that the CPU ignores.
    pub gpa_width: u8,
    /// How many vCPUs the TD has; their indices are below this.
    pub vcpus: u32,
    /// How many it may have.
    pub max_vcpus: u32,
    /// CONFIG_FLAGS, but for bit 0 (GPAW), which follows from `gpa_width`; see [`config_flags`].
    pub config_flags: u64,
    /// TD_CTLS at the start; see [`td_ctls`]. [`Attributes::SEPT_VE_DISABLE`] adds PENDING_VE_DISABLE to it.
    pub td_ctls: u64,
    /// TOPOLOGY_ENUM_CONFIGURED: whether the host configured the topology that CPUID shows.
    pub topology_enum_configured: bool,
    /// The memory.
    pub ram: Vec<RamRange>,
}

/// The bits of CONFIG_FLAGS. Source: TDX module ABI, "CONFIG_FLAGS".
pub mod config_flags {
    /// The GPA width is 52.
    pub const GPAW: u64 = 1 << 0;
    /// The TD may change TD_CTLS.PENDING_VE_DISABLE.
    pub const FLEXIBLE_PENDING_VE: u64 = 1 << 1;
    /// TDG.VP.VMCALL may not pass RBP.
    pub const NO_RBP_MOD: u64 = 1 << 2;
}

/// The bits of TD_CTLS. Source: TDX module ABI, "TD_CTLS".
pub mod td_ctls {
    /// Access to a pending page does not raise #VE.
    pub const PENDING_VE_DISABLE: u64 = 1 << 0;
    /// CPUID shows the topology that the host configured.
    pub const ENUM_TOPOLOGY: u64 = 1 << 1;
    /// Fewer instructions raise #VE.
    pub const REDUCE_VE: u64 = 1 << 3;
    /// TD_CTLS does not change any more.
    pub const LOCK: u64 = 1 << 63;
}

/// A range of memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RamRange {
    /// The guest physical addresses, without the SHARED bit: multiples of 4096.
    pub range: Range<u64>,
    /// What the range is at the start.
    pub state: RamState,
}

/// What memory is when a TD starts. All of it is private.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RamState {
    /// Private and the TD's already. This is the state of all memory when a kernel is booted directly, with no firmware
    /// before it that would accept memory.
    Accepted,
    /// Private and to be accepted. A TD with virtual firmware starts with nothing but that firmware accepted.
    Pending,
}

impl Default for TdParameters {
    fn default() -> Self {
        Self {
            attributes: Attributes::SEPT_VE_DISABLE,
            xfam: Xfam(Xfam::X87.0 | Xfam::SSE.0 | Xfam::AVX.0),
            mrtd: Digest::ZERO,
            mr_config_id: Digest::ZERO,
            mr_owner: Digest::ZERO,
            mr_owner_config: Digest::ZERO,
            rtmr: [Digest::ZERO; 4],
            servtd_hash: None,
            gpa_width: 52,
            vcpus: 1,
            max_vcpus: 1,
            config_flags: 0,
            td_ctls: 0,
            topology_enum_configured: true,
            ram: Vec::new(),
        }
    }
}

impl TdParameters {
    /// The SHARED bit of a guest physical address.
    pub const fn shared_bit(&self) -> u64 {
        1 << (self.gpa_width - 1)
    }

    /// Checks what a TD cannot be made of.
    pub(crate) fn check(&self) -> Result<(), ParameterError> {
        if ![48, 52, 53].contains(&self.gpa_width) {
            return Err(ParameterError::GpaWidth(self.gpa_width));
        }
        if self.vcpus == 0 || self.vcpus > self.max_vcpus || self.max_vcpus > 0xffff {
            return Err(ParameterError::Vcpus {
                vcpus: self.vcpus,
                max: self.max_vcpus,
            });
        }
        let mut ram: Vec<&Range<u64>> = self.ram.iter().map(|ram| &ram.range).collect();
        ram.sort_by_key(|range| range.start);
        for range in &ram {
            let aligned = range.start % 4096 == 0 && range.end % 4096 == 0;
            if !aligned || range.is_empty() || range.end > self.shared_bit() {
                return Err(ParameterError::Ram((*range).clone()));
            }
        }
        for pair in ram.windows(2) {
            if pair[0].end > pair[1].start {
                return Err(ParameterError::RamOverlap(pair[0].clone(), pair[1].clone()));
            }
        }
        Ok(())
    }
}

/// Why there can be no such TD.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParameterError {
    /// The GPA width is none of 48, 52, 53.
    GpaWidth(u8),
    /// There is no vCPU, or more than the maximum, or the maximum is above 65535.
    Vcpus {
        /// How many there are.
        vcpus: u32,
        /// How many there may be.
        max: u32,
    },
    /// A memory range is empty, not a multiple of 4096, or reaches the SHARED bit.
    Ram(Range<u64>),
    /// There is a service TD, and TDX 1.0 has none.
    ServiceTd,
    /// Two memory ranges overlap.
    RamOverlap(Range<u64>, Range<u64>),
}

impl fmt::Display for ParameterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GpaWidth(found) => {
                write!(f, "GPA width {found}: expected 48, 52 or 53 (emulation)")
            }
            Self::Vcpus { vcpus, max } => write!(
                f,
                "{vcpus} vCPUs of at most {max}: expected at least 1, no more than the maximum, and that at most 65535"
            ),
            Self::Ram(range) => write!(
                f,
                "memory {:#x}..{:#x}: expected a range of 4096-byte pages below the SHARED bit",
                range.start, range.end
            ),
            Self::ServiceTd => {
                f.write_str("a service TD is bound to the TD: expected none, as TDX 1.0 has none")
            }
            Self::RamOverlap(a, b) => write!(
                f,
                "memory {:#x}..{:#x} overlaps {:#x}..{:#x}",
                a.start, a.end, b.start, b.end
            ),
        }
    }
}

impl core::error::Error for ParameterError {}
