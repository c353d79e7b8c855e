// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Where a PC has its RAM.
//!
//! The plugin interface does not tell, so the memory is tried out, before the guest's first instruction: nothing but RAM
//! answers then at the addresses that are tried, because devices get theirs from the firmware. The layout is that of QEMU's
//! `hw/i386/pc.c`: RAM from 0 up to a hole for devices below 4 GiB, and what is left of it from 4 GiB on. The part below
//! 1 MiB has a hole too, for the display and for option ROMs.

use core::ops::Range;

/// The size of a page.
const PAGE: u64 = 0x1000;

/// What a PC has for the display and for ROMs.
pub(crate) const LEGACY_HOLE: Range<u64> = CONVENTIONAL_END..EXTENDED;

/// The end of the conventional memory.
const CONVENTIONAL_END: u64 = 0xa_0000;

/// Where RAM goes on behind the ROMs.
const EXTENDED: u64 = 0x10_0000;

/// Below this there may be RAM; between this and 4 GiB are interrupt controllers, timers and the firmware's flash memory.
const LOW_LIMIT: u64 = 0xf000_0000;

/// Where RAM goes on behind the hole for devices.
const HIGH: u64 = 1 << 32;

/// No machine has RAM from here on: the physical addresses of QEMU's largest CPU model end here.
const HIGH_LIMIT: u64 = 1 << 52;

/// The ranges of addresses that are RAM, where `is_memory` says whether the page at an address is there.
pub(crate) fn ranges(is_memory: impl Fn(u64) -> bool) -> Vec<Range<u64>> {
    [
        0..end(0, CONVENTIONAL_END, &is_memory),
        EXTENDED..end(EXTENDED, LOW_LIMIT, &is_memory),
        HIGH..end(HIGH, HIGH_LIMIT, &is_memory),
    ]
    .into_iter()
    .filter(|range| !range.is_empty())
    .collect()
}

/// The end of the memory that begins at `start`, without a gap, and does not reach beyond `limit`.
fn end(start: u64, limit: u64, is_memory: impl Fn(u64) -> bool) -> u64 {
    let (mut present, mut absent) = (start, limit);
    // Memory ends in `present..=absent`.
    while present < absent {
        let middle = present + (absent - present) / 2 / PAGE * PAGE;
        if is_memory(middle) {
            present = middle + PAGE;
        } else {
            absent = middle;
        }
    }
    present
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;
    const GIB: u64 = 1 << 30;

    /// The RAM that is found of a machine that has `low` bytes from address 0 on, `high` bytes from 4 GiB on, and flash
    /// memory below 4 GiB.
    fn found(low: u64, high: u64) -> Vec<Range<u64>> {
        ranges(|page| page < low || (0xfffc_0000..HIGH + high).contains(&page))
    }

    #[test]
    fn a_small_machine_has_ram_below_the_hole_only() {
        assert_eq!(found(512 * MIB, 0), [0..CONVENTIONAL_END, MIB..512 * MIB]);
    }

    #[test]
    fn a_large_machine_has_ram_on_both_sides_of_the_hole() {
        let high = 2 * GIB + 5 * PAGE;
        assert_eq!(
            found(2 * GIB, high),
            [0..CONVENTIONAL_END, MIB..2 * GIB, HIGH..HIGH + high]
        );
    }

    #[test]
    fn every_size_is_found_exactly() {
        for pages in (257..10_000).step_by(7) {
            assert_eq!(found(pages * PAGE, 0)[1], MIB..pages * PAGE);
        }
    }

    #[test]
    fn a_machine_without_memory_has_no_ranges() {
        assert_eq!(ranges(|_| false), []);
    }
}
