// SPDX-License-Identifier: Apache-2.0 OR MIT

//! MRTD against records that are written down here one by one.

mod common;

use common::{image, Section, BFV, CFV, TD_HOB};
use tdx_firmware::mrtd::{mrtd, RecordOrder};
use tdx_firmware::tdvf::Tdvf;
use tdx_firmware::{HashEngine, Sha2};

fn record(name: &str, gpa: u64) -> Vec<u8> {
    let mut record = name.as_bytes().to_vec();
    record.resize(16, 0);
    record.extend(gpa.to_le_bytes());
    record.resize(128, 0);
    record
}

fn extends(page: u64, data: &[u8]) -> Vec<u8> {
    let mut data = data.to_vec();
    data.resize(4096, 0);
    let chunks = data.chunks(256).zip((page..).step_by(256));
    chunks
        .flat_map(|(chunk, gpa)| [record("MR.EXTEND", gpa), chunk.to_vec()].concat())
        .collect()
}

#[test]
fn pages_are_recorded_in_either_order() {
    let bfv = Section {
        offset: 0,
        raw_size: 0x1800,
        address: 0xffff_e000,
        size: 0x2000,
        ..BFV
    };
    let hob = Section {
        size: 0x1000,
        ..TD_HOB
    };
    let image = image(&[hob, bfv]);
    let tdvf = Tdvf::parse(&image).unwrap();
    let (first, second) = (0xffff_e000, 0xffff_f000);
    let add = |gpa| record("MEM.PAGE.ADD", gpa);
    // The second page is half data, half zeros.
    let (data, half) = (&image[..0x1000], &image[0x1000..0x1800]);

    let page_by_page = [
        add(0x80_9000),
        add(first),
        extends(first, data),
        add(second),
        extends(second, half),
    ];
    assert_eq!(
        mrtd(&Sha2, &tdvf, RecordOrder::PageByPage),
        Sha2.digest(&[&page_by_page.concat()])
    );
    let adds_first = [
        add(0x80_9000),
        add(first),
        add(second),
        extends(first, data),
        extends(second, half),
    ];
    assert_eq!(
        mrtd(&Sha2, &tdvf, RecordOrder::AddsFirst),
        Sha2.digest(&[&adds_first.concat()])
    );
}

#[test]
fn what_is_not_measured_counts_by_its_place_only() {
    let value = |bytes: &[u8]| mrtd(&Sha2, &Tdvf::parse(bytes).unwrap(), RecordOrder::PageByPage);
    let good = image(&[BFV, CFV, TD_HOB]);
    let mut changed = good.clone();
    changed[0] ^= 1;
    assert_eq!(value(&good), value(&changed), "a byte of the CFV");
    changed[0x1000] ^= 1;
    assert_ne!(value(&good), value(&changed), "a byte of the BFV");
    let moved = Section {
        address: 0x80_a000,
        ..TD_HOB
    };
    assert_ne!(value(&good), value(&image(&[BFV, CFV, moved])));
}

#[test]
fn pages_that_are_left_to_be_accepted_do_not_count() {
    let perm_mem = Section {
        section_type: 4,
        attributes: 2,
        ..TD_HOB
    };
    let image = image(&[perm_mem, BFV]);
    let bfv = [
        record("MEM.PAGE.ADD", 0xffff_f000),
        extends(0xffff_f000, &image[0x1000..]),
    ];
    assert_eq!(
        mrtd(
            &Sha2,
            &Tdvf::parse(&image).unwrap(),
            RecordOrder::PageByPage
        ),
        Sha2.digest(&[&bfv.concat()])
    );
}
