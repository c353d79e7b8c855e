// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Building a TD: its first pages, and MRTD.

use sha2::{Digest as _, Sha384};
use tdx_call::{Gpa, PageSize};
use tdx_module::{
    BuildError, HostPolicy, PageState, Platform, RamRange, RamState, Td, TdBuild, TdParameters,
};

/// A TD with 1 MiB of pending memory, of which nothing was added.
fn build() -> TdBuild {
    TdBuild::new(TdParameters {
        ram: vec![RamRange {
            range: 0..0x10_0000,
            state: RamState::Pending,
        }],
        ..TdParameters::default()
    })
}

fn finish(build: TdBuild) -> Td {
    build
        .mr_finalize(Platform::default(), HostPolicy::default())
        .unwrap()
}

/// What TDH.MEM.PAGE.ADD and TDH.MR.EXTEND hash of themselves.
fn block(name: &str, gpa: u64) -> Vec<u8> {
    let mut block = name.as_bytes().to_vec();
    block.resize(16, 0);
    block.extend(gpa.to_le_bytes());
    block.resize(128, 0);
    block
}

#[test]
fn mrtd_of_nothing_is_the_hash_of_nothing() {
    let expected: [u8; 48] = Sha384::digest([]).into();
    assert_eq!(finish(build()).parameters().mrtd.0, expected);
}

#[test]
fn mrtd_is_one_hash_over_pages_and_what_is_measured_of_them() {
    let mut td = build();
    let content = vec![0x5a; 300];
    td.add_pages(0x3000..0x5000, &content, true).unwrap();
    td.add_pages(0x1000..0x2000, &content, false).unwrap();

    let mut hash = Sha384::new();
    let mut content = content;
    content.resize(0x2000, 0);
    for page in [0x3000, 0x4000] {
        hash.update(block("MEM.PAGE.ADD", page));
        for chunk in (page..page + 0x1000).step_by(256) {
            hash.update(block("MR.EXTEND", chunk));
            let from = (chunk - 0x3000) as usize;
            hash.update(&content[from..from + 256]);
        }
    }
    hash.update(block("MEM.PAGE.ADD", 0x1000));
    let expected: [u8; 48] = hash.finalize().into();
    assert_eq!(finish(td).parameters().mrtd.0, expected);
}

#[test]
fn what_was_added_is_accepted_and_the_rest_pending() {
    let mut td = build();
    td.mem_page_add(Gpa(0x3000)).unwrap();
    let td = finish(td);
    let state = |gpa| td.page_state(Gpa(gpa));
    assert_eq!(state(0x2000), Some(PageState::Pending));
    assert_eq!(state(0x3fff), Some(PageState::Accepted(PageSize::Size4K)));
    assert_eq!(state(0x4000), Some(PageState::Pending));
    assert_eq!(state(0x10_0000), None);
}

#[test]
fn a_page_is_added_once_and_only_to_the_tds_memory() {
    let mut td = build();
    td.mem_page_add(Gpa(0)).unwrap();
    for gpa in [0, 0x800, 0x10_0000].map(Gpa) {
        assert_eq!(td.mem_page_add(gpa), Err(BuildError::PageAdd(gpa)));
    }
}

#[test]
fn only_what_was_added_is_measured() {
    let mut td = build();
    td.mem_page_add(Gpa(0)).unwrap();
    td.mr_extend(Gpa(0xf00), &[0; 256]).unwrap();
    for gpa in [0x80, 0x1000].map(Gpa) {
        assert_eq!(td.mr_extend(gpa, &[0; 256]), Err(BuildError::Extend(gpa)));
    }
}
