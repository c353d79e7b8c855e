// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A TD HOB of any bytes: no panic, and what is believed is what a walk without any checks of its own sees.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tdx_firmware::hob::TdHob;

fuzz_target!(|bytes: &[u8]| {
    let Ok(hob) = TdHob::parse(bytes) else {
        return;
    };
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
});
