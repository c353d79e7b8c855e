// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What is done with each input that is an image or comes from the VMM.

use tdx_firmware::expect::{smbios_digest, PatchedKernel, VariableStore};
use tdx_firmware::hob::{qemu, TdHob};
use tdx_firmware::mrtd::{mrtd, RecordOrder};
use tdx_firmware::pe::PeImage;
use tdx_firmware::tdvf::{SectionType, Tdvf, PAGE_SIZE};
use tdx_firmware::{Guid, HashEngine, Sha2};

/// A TD HOB of any bytes: no panic, and what is believed is what a walk without any checks of its own sees.
pub(crate) fn td_hob(bytes: &[u8]) {
    let hob = match TdHob::parse(bytes) {
        Ok(hob) => hob,
        Err(error) => {
            let text = error.to_string();
            return assert!(text.starts_with("the VMM's TD HOB is invalid: "));
        }
    };
    assert!(hob.hobs().all(|hob| !format!("{hob:?}").is_empty()));
    let measured = hob.measured();
    assert!(bytes.starts_with(hob.with_end()));
    assert_eq!(hob.with_end().len(), measured.len() + 8);
    assert!(measured.len() >= 56 && measured.len() % 8 == 0);

    let mut offset = 0;
    let mut count = 0;
    let mut resources = 0;
    while bytes[offset..offset + 2] != [0xff, 0xff] {
        resources += usize::from(bytes[offset..offset + 2] == [3, 0]);
        count += 1;
        offset += usize::from(u16::from_le_bytes([bytes[offset + 2], bytes[offset + 3]]));
    }
    assert_eq!(offset, measured.len());
    assert_eq!(hob.hobs().count(), count);
    assert_eq!(hob.resources().count(), resources);
    assert!(hob.resources().all(|resource| resource.range().is_some()));

    // Nothing behind the list counts.
    let mut longer = hob.with_end().to_vec();
    longer.extend([0xaa; 16]);
    assert_eq!(
        TdHob::parse(&longer).map(|hob| hob.measured().len()),
        Ok(measured.len())
    );
}

/// More memory than that takes too long to measure.
const MAX_MEASURED: u64 = 1 << 20;

/// A firmware image of any bytes: no panic, and sections that a VMM can load without a check of its own.
pub(crate) fn tdvf_metadata(bytes: &[u8]) {
    let tdvf = match Tdvf::parse(bytes) {
        Ok(tdvf) => tdvf,
        Err(error) => return assert!(error.to_string().starts_with("not a TDVF image: ")),
    };
    assert!(format!("{tdvf:?}").contains(&format!("size: {}", bytes.len())));
    assert_eq!(tdvf.image(), bytes);
    let found = tdvf
        .find(SectionType::Bfv)
        .expect("it covers the reset vector");
    assert!(format!("{found:?}").contains("section_type: Bfv"));
    let sections: Vec<_> = tdvf.sections().collect();
    for (index, section) in sections.iter().enumerate() {
        assert!(!section.section_type.to_string().is_empty());
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
}

/// A PE image of any bytes: no panic, and the hash that a plain reading of Microsoft's rules gives.
pub(crate) fn pe_hash(bytes: &[u8]) {
    let image = match PeImage::parse(bytes) {
        Ok(image) => image,
        Err(error) => {
            let text = error.to_string();
            return assert!(text.starts_with("not a PE image that can be measured: "));
        }
    };
    assert!(format!("{image:?}").contains(&format!("size: {}", bytes.len())));
    // Without an MS-DOS header the PE header comes first.
    let header = match bytes.starts_with(b"MZ") {
        true => u32::from_le_bytes(bytes[60..64].try_into().expect("4 bytes")) as usize,
        false => 0,
    };
    let optional_header = header + 24;
    assert_eq!(
        image.subsystem().to_le_bytes(),
        bytes[optional_header + 68..][..2]
    );
    let name = ".cmdline";
    assert!(image.has_section(name) || image.section(name).is_none());
    if let Some(data) = image.section(name) {
        assert!(data.is_empty() || bytes.as_ptr_range().contains(&data.as_ptr()));
    }
    // It is the end of the file, and not hashed.
    if let Some(table) = image.certificates() {
        assert!(bytes.ends_with(table));
    }
    for range in image.hashed_ranges() {
        assert!(range.start <= range.end && range.end <= bytes.len());
    }
    assert_eq!(
        image.authenticode(&Sha2),
        Sha2.digest(&authenticode(bytes, header))
    );

    if let Ok(kernel) = PatchedKernel::new(&image, 1 << 31, Some(4096)) {
        kernel.authenticode(&Sha2);
    }
}

/// What of a good image is hashed: *Windows Authenticode Portable Executable Signature Format*, "Calculating the PE Image
/// Hash", step by step.
fn authenticode(bytes: &[u8], header: usize) -> Vec<&[u8]> {
    let number = |at: usize| {
        let bytes = bytes[at..at + 4].try_into().expect("4 bytes");
        u32::from_le_bytes(bytes) as usize
    };
    let optional_header = header + 24;
    let (checksum, size_of_headers) = (optional_header + 64, number(optional_header + 60));
    let directories = optional_header
        + match bytes[optional_header..][..2] {
            [0x0b, 1] => 96,
            _ => 112,
        };
    let mut parts = vec![&bytes[..checksum]];
    let mut signatures = 0;
    if number(directories - 4) > 4 {
        let entry = directories + 4 * 8;
        parts.push(&bytes[checksum + 4..entry]);
        parts.push(&bytes[entry + 8..size_of_headers]);
        signatures = number(entry + 4);
    } else {
        parts.push(&bytes[checksum + 4..size_of_headers]);
    }
    let count = usize::from(bytes[header + 6]) + 256 * usize::from(bytes[header + 7]);
    let table =
        optional_header + usize::from(bytes[header + 20]) + 256 * usize::from(bytes[header + 21]);
    let mut sections: Vec<_> = (0..count)
        .map(|index| table + 40 * index)
        .map(|section| (number(section + 20), number(section + 16)))
        .filter(|(_, size)| *size != 0)
        .collect();
    sections.sort_unstable();
    parts.extend(
        sections
            .iter()
            .map(|(start, size)| &bytes[*start..start + size]),
    );
    let sum: usize = sections.iter().map(|(_, size)| size).sum();
    parts.push(&bytes[size_of_headers + sum..bytes.len() - signatures]);
    parts
}

/// A CFV of any bytes, and an SMBIOS table: no panic, variables that lie within the store, and a table that ends where its
/// end is.
pub(crate) fn variable_store(bytes: &[u8]) {
    if let Some(digest) = smbios_digest(&Sha2, bytes) {
        let longer = [bytes, &[0xaa; 16]].concat();
        assert_eq!(smbios_digest(&Sha2, &longer), Some(digest));
    }
    let Ok(store) = VariableStore::parse(bytes) else {
        return;
    };
    let mut total = 0;
    for variable in store.variables() {
        total += 60 + variable.data.len();
        let name: Vec<u16> = variable.name().collect();
        assert!(!name.contains(&0));
        assert!(store.find(&variable.guid, &name).is_some());
    }
    assert!(total <= bytes.len());
    assert!(!format!("{store:?}").is_empty());
    // A platform key is what turns Secure Boot on.
    let key = store.find(&Guid::GLOBAL_VARIABLE, &[u16::from(b'P'), u16::from(b'K')]);
    assert!(!store.secure_boot() || key.is_some());
}
