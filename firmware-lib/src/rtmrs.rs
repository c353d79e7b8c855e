// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The runtime measurement registers in software.

use crate::HashEngine;
use core::ops::Index;
use tdx_call::RtmrIndex;
use tdx_uapi::Digest;

/// The values of RTMR0 to RTMR3, which change as the TDX module changes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rtmrs(pub [Digest; 4]);

impl Rtmrs {
    /// What a TD starts with.
    pub const ZERO: Self = Self([Digest::ZERO; 4]);

    /// Sets the register to SHA-384(register ‖ `digest`).
    pub fn extend(&mut self, engine: &impl HashEngine, index: RtmrIndex, digest: &Digest) {
        let register = &mut self.0[index as usize];
        *register = engine.digest(&[&register.0, &digest.0]);
    }
}

impl Default for Rtmrs {
    fn default() -> Self {
        Self::ZERO
    }
}

impl Index<RtmrIndex> for Rtmrs {
    type Output = Digest;

    fn index(&self, index: RtmrIndex) -> &Digest {
        &self.0[index as usize]
    }
}
