// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The measurement registers as the event log numbers them.

use core::fmt;
use tdx_call::RtmrIndex;

/// A measurement register, as the CC event log and `EFI_CC_MEASUREMENT_PROTOCOL` number them: 0 is MRTD, 1 to 4 are RTMR0
/// to RTMR3. Other numbers do occur in logs, and are kept.
///
/// Source: UEFI specification, "Confidential Computing", "Virtual Platform CC Event Log"; MdePkg's CcMeasurement.h.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MrIndex(pub u32);

impl MrIndex {
    /// MRTD, which nothing in the TD can extend.
    pub const MRTD: Self = Self(0);
    /// RTMR0: the TD's configuration.
    pub const RTMR0: Self = Self(1);
    /// RTMR1: boot loader and kernel.
    pub const RTMR1: Self = Self(2);
    /// RTMR2: command line, initrd, and what the operating system adds.
    pub const RTMR2: Self = Self(3);
    /// RTMR3: for use at run time; no PCR is mapped to it.
    pub const RTMR3: Self = Self(4);

    /// The register that stands for a TPM's PCR: 0 is MRTD, 1 and 7 are RTMR0, 2 to 6 are RTMR1, 8 to 15 are RTMR2.
    /// `None` for other PCRs.
    ///
    /// Source: UEFI specification, "Confidential Computing", the table for Intel TDX.
    pub const fn from_pcr(pcr: u32) -> Option<Self> {
        match pcr {
            0 => Some(Self::MRTD),
            1 | 7 => Some(Self::RTMR0),
            2..=6 => Some(Self::RTMR1),
            8..=15 => Some(Self::RTMR2),
            _ => None,
        }
    }

    /// The runtime register of that number. `None` for MRTD and for what is no register.
    pub fn rtmr(self) -> Option<RtmrIndex> {
        RtmrIndex::new(usize::try_from(self.0.checked_sub(1)?).ok()?)
    }
}

impl From<RtmrIndex> for MrIndex {
    fn from(rtmr: RtmrIndex) -> Self {
        Self(rtmr as u32 + 1)
    }
}

impl fmt::Display for MrIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::MRTD => f.write_str("MRTD"),
            Self(mr @ 1..=4) => write!(f, "RTMR{}", mr - 1),
            Self(other) => write!(f, "MR {other:#x}"),
        }
    }
}

impl fmt::Debug for MrIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::MrIndex;
    use tdx_call::RtmrIndex;

    #[test]
    fn no_pcr_stands_for_rtmr3() {
        assert!((0..=64).all(|pcr| MrIndex::from_pcr(pcr) != Some(MrIndex::RTMR3)));
    }

    #[test]
    fn pcrs_are_mapped_as_the_specification_says() {
        let mapped: [u32; 16] =
            core::array::from_fn(|pcr| MrIndex::from_pcr(pcr as u32).unwrap().0);
        assert_eq!(mapped, [0, 1, 2, 2, 2, 2, 2, 1, 3, 3, 3, 3, 3, 3, 3, 3]);
        assert_eq!(MrIndex::from_pcr(16), None);
    }

    #[test]
    fn only_one_to_four_are_runtime_registers() {
        for index in RtmrIndex::ALL {
            assert_eq!(MrIndex::from(index).rtmr(), Some(index));
        }
        assert!([0, 5, u32::MAX]
            .iter()
            .all(|mr| MrIndex(*mr).rtmr().is_none()));
    }
}
