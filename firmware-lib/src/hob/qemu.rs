// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The TD HOB that QEMU writes for a TDVF image (`hw/i386/tdvf-hob.c` and `target/i386/kvm/tdx.c`).

use super::{BuildError, ResourceType, TdHobBuilder};
use crate::tdvf::{SectionType, Tdvf};
use core::ops::Range;

/// The most RAM that QEMU's machine `q35` puts below 4 GiB, unless that is all of the RAM.
const Q35_LOW_RAM: u64 = 0x8000_0000;

/// RAM of this size or more is split into one part below and one above 4 GiB.
const Q35_SPLIT: u64 = 0xb000_0000;

/// Where the second part starts.
const ABOVE_4G: u64 = 1 << 32;

/// Where QEMU's machine `q35` puts `ram` bytes of memory, as with `-m`. The second range may be empty.
///
/// ```
/// use tdx_firmware::hob::qemu::q35_ram;
///
/// assert_eq!(q35_ram(2 << 30), [0..2 << 30, 0..0]);
/// assert_eq!(q35_ram(4 << 30), [0..2 << 30, 4 << 30..6 << 30]);
/// ```
pub fn q35_ram(ram: u64) -> [Range<u64>; 2] {
    if ram < Q35_SPLIT {
        return [0..ram, 0..0];
    }
    [
        0..Q35_LOW_RAM,
        ABOVE_4G..ABOVE_4G.saturating_add(ram - Q35_LOW_RAM),
    ]
}

/// Writes the TD HOB for the firmware `tdvf` and a TD whose memory is `ram`, in ascending order, and returns its length in
/// bytes. What is in `area` behind the list is left as it is.
///
/// The sections for the TD HOB and for temporary memory are system memory, all else of `ram` is unaccepted.
///
/// # Errors
///
/// [`BuildError::NotInRam`] if such a section is not within one of the ranges, [`BuildError::Full`] if `area` is too small:
/// 64 bytes, 48 for each range of `ram` and 96 for each such section do.
pub fn write_td_hob(
    area: &mut [u8],
    tdvf: &Tdvf<'_>,
    ram: &[Range<u64>],
) -> Result<usize, BuildError> {
    let gpa = tdvf
        .find(SectionType::TdHob)
        .map_or(0, |section| section.address);
    let mut builder = TdHobBuilder::new(area, gpa)?;
    for section in added(tdvf) {
        if !ram.iter().any(|range| contains(range, &section)) {
            return Err(BuildError::NotInRam {
                start: section.start,
                end: section.end,
            });
        }
    }
    for range in ram.iter().filter(|range| !range.is_empty()) {
        let mut at = range.start;
        // The lowest section that is not written yet, again and again: there are few, and nowhere to sort them.
        while let Some(section) = added(tdvf)
            .filter(|section| section.start >= at && contains(range, section))
            .min_by_key(|section| section.start)
        {
            if section.start > at {
                builder.memory(ResourceType::MEMORY_UNACCEPTED, at..section.start)?;
            }
            at = section.end;
            builder.memory(ResourceType::SYSTEM_MEMORY, section)?;
        }
        if at < range.end {
            builder.memory(ResourceType::MEMORY_UNACCEPTED, at..range.end)?;
        }
    }
    builder.finish()
}

/// The guest memory that QEMU adds beside the image itself.
fn added<'a>(tdvf: &Tdvf<'a>) -> impl Iterator<Item = Range<u64>> + use<'a> {
    tdvf.sections()
        .filter(|section| {
            matches!(
                section.section_type,
                SectionType::TdHob | SectionType::TempMem
            )
        })
        .map(|section| section.range())
        .filter(|range| !range.is_empty())
}

fn contains(outer: &Range<u64>, inner: &Range<u64>) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}
