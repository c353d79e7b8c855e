// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The platform: a processor and the TDX module on it.

use crate::report::hmac_block;
use core::fmt;
use core::time::Duration;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use tdx_uapi::Digest;

/// A processor with a TDX module.
///
/// All of its keys derive from `seed`: platforms with the same seed verify each other's reports, others do not.
#[derive(Clone, PartialEq, Eq)]
pub struct Platform {
    /// Which TDX module it is.
    pub generation: Generation,
    /// CPUSVN: the security version of the processor.
    pub cpu_svn: [u8; 16],
    /// TEE_TCB_SVN: the security version of the TDX module that created the TD.
    pub tee_tcb_svn: [u8; 16],
    /// TEE_TCB_SVN2: that of the module that runs now. TDX 1.0 does not report it.
    pub tee_tcb_svn2: [u8; 16],
    /// MRSEAM: the measurement of the TDX module.
    pub mr_seam: Digest,
    /// MRSIGNERSEAM: who signed it; zero for Intel.
    pub mr_signer_seam: Digest,
    /// Whether the processor can verify reports for a TD; without, TDG.MR.VERIFYREPORT is not there.
    pub verify_report: bool,
    /// What the platform's keys derive from. This is no secret worth the name: the platform is a model.
    pub seed: [u8; 32],
    /// How long TDG.MR.REPORT takes at first, beyond the time of the model itself. No lock is held meanwhile, as the
    /// TDX module holds none while the processor makes the MAC.
    pub report_time: Duration,
}

/// A generation of the TDX module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Generation {
    /// TDX 1.0: no TEE_TCB_SVN2, and of the leaves numbers 0 to 8 only.
    Tdx10,
    /// TDX 1.5.
    Tdx15,
}

impl Default for Platform {
    /// A TDX 1.5 platform, by name a model: MRSEAM is nobody's measurement.
    fn default() -> Self {
        Self {
            generation: Generation::Tdx15,
            cpu_svn: *b"\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
            tee_tcb_svn: *b"\x05\x01\x02\0\0\0\0\0\0\0\0\0\0\0\0\0",
            tee_tcb_svn2: *b"\x05\x01\x02\0\0\0\0\0\0\0\0\0\0\0\0\0",
            mr_seam: Digest(*b"software model of the TDX module, not a TDX host"),
            mr_signer_seam: Digest::ZERO,
            verify_report: true,
            seed: [0; 32],
            report_time: Duration::ZERO,
        }
    }
}

impl Platform {
    /// A key of the platform for one purpose: HMAC-SHA-256(seed, label).
    ///
    /// The report MAC's label is "REPORTMACSTRUCT".
    pub fn key(&self, label: &[u8]) -> [u8; 32] {
        Hmac::<Sha256>::new(&hmac_block(self.seed).into())
            .chain_update(label)
            .finalize()
            .into_bytes()
            .into()
    }
}

impl fmt::Debug for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Platform")
            .field("generation", &self.generation)
            .field("cpu_svn", &tdx_uapi::Hex(&self.cpu_svn))
            .field("mr_seam", &self.mr_seam)
            .finish_non_exhaustive()
    }
}
