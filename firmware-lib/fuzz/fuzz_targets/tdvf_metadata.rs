// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A firmware image of any bytes: no panic, and sections that a VMM can load without a check of its own.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tdx_firmware::hob::{qemu, TdHob};
use tdx_firmware::mrtd::{mrtd, RecordOrder};
use tdx_firmware::tdvf::{SectionType, Tdvf, PAGE_SIZE};
use tdx_firmware::Sha2;

/// More memory than that takes too long to measure.
const MAX_MEASURED: u64 = 1 << 20;

fuzz_target!(|bytes: &[u8]| {
    let Ok(tdvf) = Tdvf::parse(bytes) else {
        return;
    };
    let sections: Vec<_> = tdvf.sections().collect();
    for (index, section) in sections.iter().enumerate() {
        assert!(section.range().start % PAGE_SIZE == 0 && section.size % PAGE_SIZE == 0);
        let offset = section.data_offset as usize;
        assert_eq!(section.data, &bytes[offset..offset + section.data.len()]);
        let in_bfv = matches!(
            section.section_type,
            SectionType::TdInfo | SectionType::TdParams
        );
        assert!(in_bfv || section.data.len() as u64 <= section.size);
        for other in &sections[..index] {
            let (one, other) = (section.range(), other.range());
            assert!(
                one.is_empty()
                    || other.is_empty()
                    || one.end <= other.start
                    || other.end <= one.start
            );
        }
    }

    let total = sections
        .iter()
        .fold(0u64, |sum, section| sum.saturating_add(section.size));
    if total <= MAX_MEASURED {
        let orders = [RecordOrder::PageByPage, RecordOrder::AddsFirst];
        let [one, other] = orders.map(|order| mrtd(&Sha2, &tdvf, order));
        let measures_pages = sections.iter().any(|section| {
            section.is_added() && section.attributes.bits() & 1 != 0 && section.size > PAGE_SIZE
        });
        assert_eq!(one != other, measures_pages);
    }

    // What is written for it is believed.
    let mut area = [0; 8192];
    if tdvf.check_for_qemu().is_ok() {
        if let Ok(length) = qemu::write_td_hob(&mut area, &tdvf, &qemu::q35_ram(4 << 30)) {
            assert_eq!(TdHob::parse(&area).unwrap().with_end().len(), length);
        }
    }
});
