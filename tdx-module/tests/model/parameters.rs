// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What a TD cannot be made of.

use crate::bench::parameters;
use tdx_module::{
    Generation, HostPolicy, ParameterError, Platform, RamRange, RamState, Td, TdParameters,
};
use tdx_uapi::Digest;

fn error(parameters: TdParameters, platform: Platform) -> ParameterError {
    let td = Td::new(parameters, platform, HostPolicy::default());
    td.expect_err("no such TD")
}

fn ram(ranges: &[core::ops::Range<u64>]) -> Vec<RamRange> {
    let state = RamState::Accepted;
    let ranges = ranges.iter().cloned();
    ranges.map(|range| RamRange { range, state }).collect()
}

#[test]
fn widths_that_neither_hardware_nor_emulation_has() {
    for gpa_width in [0, 47, 49, 51, 54, 64, 255] {
        let error = error(
            TdParameters {
                gpa_width,
                ..parameters()
            },
            Platform::default(),
        );
        let expected = format!("GPA width {gpa_width}: expected 48, 52 or 53 (emulation)");
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn no_vcpus_or_too_many() {
    for (vcpus, max) in [(0, 1), (2, 1), (1, 0x10000)] {
        let parameters = TdParameters {
            vcpus,
            max_vcpus: max,
            ..parameters()
        };
        let expected = ParameterError::Vcpus { vcpus, max };
        assert_eq!(error(parameters, Platform::default()), expected);
    }
}

#[test]
fn memory_that_is_no_range_of_pages_below_the_shared_bit() {
    let (from, to) = (0x3000, 0x1000);
    let ranges = [
        0x800..0x2000,
        0..0x1800,
        0x1000..0x1000,
        from..to,
        0..(1 << 51) | 0x1000,
    ];
    for range in ranges {
        let parameters = TdParameters {
            ram: ram(core::slice::from_ref(&range)),
            ..parameters()
        };
        assert_eq!(
            error(parameters, Platform::default()),
            ParameterError::Ram(range)
        );
    }
}

#[test]
fn memory_that_overlaps() {
    let parameters = TdParameters {
        ram: ram(&[0x8000..0xa000, 0..0x2000, 0x1000..0x3000]),
        ..parameters()
    };
    let error = error(parameters, Platform::default());
    assert_eq!(error, ParameterError::RamOverlap(0..0x2000, 0x1000..0x3000));
    assert_eq!(
        error.to_string(),
        "memory 0x0..0x2000 overlaps 0x1000..0x3000"
    );
}

#[test]
fn memory_that_touches_and_ends_at_the_shared_bit_is_fine() {
    let parameters = TdParameters {
        ram: ram(&[0x2000..0x3000, 0..0x2000, 0x3000..1 << 51]),
        ..parameters()
    };
    assert!(Td::new(parameters, Platform::default(), HostPolicy::default()).is_ok());
}

#[test]
fn service_tds_in_tdx_1_0() {
    let parameters = TdParameters {
        servtd_hash: Some(Digest::ZERO),
        ..parameters()
    };
    let platform = Platform {
        generation: Generation::Tdx10,
        ..Platform::default()
    };
    assert_eq!(error(parameters, platform), ParameterError::ServiceTd);
}

#[test]
fn debugging_a_platform_does_not_show_its_seed() {
    let platform = Platform {
        seed: [0xab; 32],
        ..Platform::default()
    };
    let text = format!("{platform:?}");
    assert!(!text.contains("seed") && !text.contains("171"), "{text}");
}
