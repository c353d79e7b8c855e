// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A TDVF image that edk2 made.

use std::process::ExitCode;
use tdx_firmware::hob::{qemu, TdHob};
use tdx_firmware::mrtd::{mrtd, RecordOrder};
use tdx_firmware::tdvf::{SectionAttributes, SectionType, Tdvf};
use tdx_firmware::Sha2;

fn has_the_sections_of_edk2([image]: [Vec<u8>; 1]) {
    let tdvf = Tdvf::parse(&image).unwrap();
    let sections: Vec<_> = tdvf
        .sections()
        .map(|section| {
            let measured = section.attributes.contains(SectionAttributes::MR_EXTEND);
            (section.section_type, section.range(), measured)
        })
        .collect();
    assert_eq!(
        sections,
        [
            (SectionType::Bfv, 0xffe2_0000..0x1_0000_0000, true),
            (SectionType::Cfv, 0xffe0_0000..0xffe2_0000, false),
            (SectionType::TempMem, 0x81_0000..0x82_0000, false),
            (SectionType::TempMem, 0x80_b000..0x80_d000, false),
            (SectionType::TdHob, 0x80_9000..0x80_b000, false),
            (SectionType::TempMem, 0x80_0000..0x80_6000, false),
        ]
    );
    assert_eq!(tdvf.check_for_qemu(), Ok(()));
    assert_eq!(tdvf.cfv().unwrap().data, &image[..0x2_0000]);
}

/// The values come from a second implementation, in another language, which was written from the specification.
fn has_the_mrtd_that_others_compute([image]: [Vec<u8>; 1]) {
    let tdvf = Tdvf::parse(&image).unwrap();
    assert_eq!(
        mrtd(&Sha2, &tdvf, RecordOrder::PageByPage).to_string(),
        "88c63708f207ab01a46b4d9424ea92ab11f8826be30d208afbb58f174f2a19cd\
         cfafb2b12a6a2c98be0740b808894d55"
    );
    assert_eq!(
        mrtd(&Sha2, &tdvf, RecordOrder::AddsFirst).to_string(),
        "307c9a6831bdd6e6f56d9305f9598d238d42e864a9144f11c0a46ee42e62ed81\
         eb9845511a80fa77b200743d85d977e3"
    );
}

fn gets_the_td_hob_that_qemu_writes([image]: [Vec<u8>; 1]) {
    let tdvf = Tdvf::parse(&image).unwrap();
    let mut area = [0; 0x2000];
    let length = qemu::write_td_hob(&mut area, &tdvf, &qemu::q35_ram(4 << 30)).unwrap();
    let hob = TdHob::parse(&area).unwrap();
    assert_eq!(hob.with_end().len(), length);
    let resources: Vec<_> = hob
        .resources()
        .map(|resource| (resource.resource_type.0.get(), resource.range().unwrap()))
        .collect();
    assert_eq!(
        resources,
        [
            (7, 0..0x80_0000),
            (0, 0x80_0000..0x80_6000),
            (7, 0x80_6000..0x80_9000),
            (0, 0x80_9000..0x80_b000),
            (0, 0x80_b000..0x80_d000),
            (7, 0x80_d000..0x81_0000),
            (0, 0x81_0000..0x82_0000),
            (7, 0x82_0000..2 << 30),
            (7, 4 << 30..6 << 30),
        ]
    );
}

fn main() -> ExitCode {
    const IMAGE: [&str; 1] = ["ovmf-inteltdx.fd"];
    testdata::run(vec![
        testdata::test(has_the_sections_of_edk2, IMAGE),
        testdata::test(has_the_mrtd_that_others_compute, IMAGE),
        testdata::test(gets_the_td_hob_that_qemu_writes, IMAGE),
    ])
}
