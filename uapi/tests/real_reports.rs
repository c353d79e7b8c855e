// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only

//! What the parser does with TDREPORTs of real machines.
//!
//! Expected values were read by hand from hexadecimal dumps, not printed by this crate.

use sha2::{Digest as _, Sha384};
use std::ops::Range;
use std::process::ExitCode;
use tdx_uapi::{Attributes, Digest, HashMismatch, Hex, ParseError, TdReport, TeeTcbInfo};

fn main() -> ExitCode {
    const TDX_1_0: &str = "tdreport-1.0.bin";
    const TDX_1_5: &str = "tdreport-1.5.bin";
    testdata::run(vec![
        testdata::test(tdx_1_0_report_reads_as_its_dump, [TDX_1_0]),
        testdata::test(tdx_1_5_report_reads_as_its_dump, [TDX_1_5]),
        testdata::test(tdx_1_0_report_is_displayed_for_people, [TDX_1_0]),
        testdata::test(tdx_1_5_report_is_displayed_for_people, [TDX_1_5]),
        testdata::test(hashes_hold, [TDX_1_0, TDX_1_5]),
        testdata::test(
            a_changed_byte_that_a_hash_covers_is_noticed,
            [TDX_1_0, TDX_1_5],
        ),
        testdata::test(random_bytes_are_refused, ["tdreport-garbage.bin"]),
    ])
}

fn parse(bytes: &[u8]) -> &TdReport {
    TdReport::parse(bytes).expect("a real TDREPORT")
}

fn sha384(bytes: &[u8]) -> [u8; 48] {
    Sha384::digest(bytes).into()
}

#[track_caller]
fn assert_hex(bytes: &[u8], expected: &str) {
    assert_eq!(Hex(bytes).to_string(), expected);
}

fn tdx_1_0_report_reads_as_its_dump([bytes]: [Vec<u8>; 1]) {
    let report = parse(&bytes);
    let mac = &report.mac;
    assert_eq!(mac.report_type.kind, 0x81);
    assert_eq!(mac.report_type.subtype, 0);
    assert_eq!(mac.report_type.version, 0);
    assert_hex(&mac.cpu_svn, "05050f1103ff00040000000000000000");
    assert_hex(
        &mac.tee_tcb_info_hash.0,
        "3e00fdef8508b231f93d722b971a9fb151264e7fe41fb8a4dd7bfdfc0692d5ad08fa9addf3ed771eb15b1b56c7f72197",
    );
    assert_hex(
        &mac.tee_info_hash.0,
        "c155ed68c23976c9737ab9e75b9bd85076c6fd42d30978308e1f40aebeb2509789c25487c1270296b83c25e3c39ecd10",
    );
    assert_hex(
        &mac.reportdata,
        "b46a00ebf78bcdff4a1d54bd4d8780427f9dbace511059be041209444c7bde00\
         e5deebdc6ab9dcb4d6307123b7f165368e1f04df305d9d3470a679bc2257bd07",
    );
    assert_hex(
        &mac.mac,
        "9239cdad7147af14508c5314b7e1a7e120c960e3dab59e1959120b31f9701a88",
    );

    let tcb = &report.tee_tcb_info;
    assert_eq!(tcb.valid.get(), TeeTcbInfo::VALID_1_0);
    assert_hex(&tcb.tee_tcb_svn, "04000500000000000000000000000000");
    assert_hex(
        &tcb.mr_seam.0,
        "48fa69949db08002ee84252847f572988b1d6e568ec1353f64cb6c0fd905375f69ad959c0eaf7747ac70a392789302a1",
    );
    assert_eq!(tcb.mr_signer_seam, Digest::ZERO);
    assert_eq!(tcb.attributes.get(), 0);
    assert_eq!(tcb.tee_tcb_svn2(), None);

    let td = &report.td_info;
    assert_eq!(
        td.attributes().0,
        Attributes::SEPT_VE_DISABLE.0 | Attributes::PKS.0
    );
    let features = ["X87", "SSE", "AVX", "AVX512", "PKRU", "AMX"];
    assert!(td.xfam().names().eq(features), "{}", td.xfam());
    assert_eq!(td.xfam().unknown(), 0);
    assert_hex(
        &td.mrtd.0,
        "bb1249bde960ef9b22d56eefb94b7f40ca3b528b31e6e4af0babb075c02ce5c1f63681101779927ea604f5aa49ec95b3",
    );
    assert_eq!(
        [td.mr_config_id, td.mr_owner, td.mr_owner_config],
        [Digest::ZERO; 3]
    );
    assert_hex(
        &td.rtmr[0].0,
        "e1af75e61927410e42b54b39f6681cf9b0bfbae512b15e870e4c8d9d5a5cb385571b0e1dc2f70bf9ccef08560f0a2b58",
    );
    assert_hex(
        &td.rtmr[1].0,
        "eac22f0257a3dcce04d13a8ec1e5e89112e1bc649e743845f58598f6e13bc7fc62506296235aa300eab6b16292cd8a9c",
    );
    assert_eq!(td.rtmr[2..], [Digest::ZERO; 2]);
    assert_eq!(td.servtd_hash, Digest::ZERO);
}

fn tdx_1_5_report_reads_as_its_dump([bytes]: [Vec<u8>; 1]) {
    let report = parse(&bytes);
    let mac = &report.mac;
    assert_eq!(mac.report_type.kind, 0x81);
    assert_eq!(mac.report_type.subtype, 0);
    assert_eq!(mac.report_type.version, 1);
    assert_hex(&mac.cpu_svn, "0202181a03ff00060000000000000000");
    assert_hex(
        &mac.tee_tcb_info_hash.0,
        "4aae0ddaf69f3ac3d5f642d3ecdfc32ca0921d9bb78fd528cf697698d483d182c0c7d5d8be6ba4965413bfcb6aef9c1b",
    );
    assert_hex(
        &mac.tee_info_hash.0,
        "4359ed4ccf212320bbc3f8e06117de4edb8fe2ec369a068ddd94e031143f17580d865b317d77be3a9305d201eef442d1",
    );
    assert_eq!(mac.reportdata, [0; 64]);
    assert_hex(
        &mac.mac,
        "4259f77248798d90b8d5006ac026fb3dc0f17cfcb8dfde659c3f836bc9313e47",
    );

    let tcb = &report.tee_tcb_info;
    assert_eq!(tcb.valid.get(), TeeTcbInfo::VALID_1_5);
    assert_hex(&tcb.tee_tcb_svn, "05010200000000000000000000000000");
    assert_hex(
        &tcb.mr_seam.0,
        "1cc6a17ab799e9a693fac7536be61c12ee1e0fabada82d0c999e08ccee2aa86de77b0870f558c570e7ffe55d6d47fa04",
    );
    assert_eq!(tcb.mr_signer_seam, Digest::ZERO);
    assert_eq!(tcb.attributes.get(), 0);
    assert_eq!(tcb.tee_tcb_svn2(), Some(&tcb.tee_tcb_svn));

    let td = &report.td_info;
    assert_eq!(td.attributes().0, Attributes::SEPT_VE_DISABLE.0);
    let features = ["X87", "SSE", "AVX", "AVX512", "PKRU", "UINTR", "AMX"];
    assert!(td.xfam().names().eq(features), "{}", td.xfam());
    assert_eq!(td.xfam().unknown(), 0);
    assert_hex(
        &td.mrtd.0,
        "98bbc39e3e27b4cb27ed6d21870b187738f64ec44b9f3f93d603b35a84e610dcb45f1b6d79c648c7bf8e68f7a37b8ab5",
    );
    assert_eq!(
        [td.mr_config_id, td.mr_owner, td.mr_owner_config],
        [Digest::ZERO; 3]
    );
    assert_hex(
        &td.rtmr[0].0,
        "f4ec1a04670fe7926cd5de4aef9aaa7689ab4ceaa132d7c5242b47f67dfaaea64c372a17ad68fef9a6ac99aabbddabdc",
    );
    assert_hex(
        &td.rtmr[1].0,
        "4e5f8826653198ab4bc5156fbe4bc99db054c0b8239a16c4b59249fb427f4acc50eed1b46a85c7d526c4e1e47621b14c",
    );
    assert_eq!(td.rtmr[2..], [Digest::ZERO; 2]);
    assert_hex(
        &td.servtd_hash.0,
        "383c87d3bbb047b2d171eaca95312ede99f258088dc788f6ae2ccf8b6dd848fe8d47629e08b3f6cbd4a00dd47a5a033d",
    );
}

const DISPLAY_1_0: &str = "\
REPORTMACSTRUCT
  type                0x81 (TDX), subtype 0, version 0
  CPUSVN              05050f1103ff00040000000000000000
  TEE_TCB_INFO_HASH   3e00fdef8508b231f93d722b971a9fb151264e7fe41fb8a4dd7bfdfc0692d5ad08fa9addf3ed771eb15b1b56c7f72197
  TEE_INFO_HASH       c155ed68c23976c9737ab9e75b9bd85076c6fd42d30978308e1f40aebeb2509789c25487c1270296b83c25e3c39ecd10
  REPORTDATA          b46a00ebf78bcdff4a1d54bd4d8780427f9dbace511059be041209444c7bde00e5deebdc6ab9dcb4d6307123b7f165368e1f04df305d9d3470a679bc2257bd07
  MAC                 9239cdad7147af14508c5314b7e1a7e120c960e3dab59e1959120b31f9701a88
TEE_TCB_INFO
  VALID               0x1ff
  TEE_TCB_SVN         04000500000000000000000000000000
  MRSEAM              48fa69949db08002ee84252847f572988b1d6e568ec1353f64cb6c0fd905375f69ad959c0eaf7747ac70a392789302a1
  MRSIGNERSEAM        000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  ATTRIBUTES          0x0000000000000000
TDINFO
  ATTRIBUTES          0x0000000050000000 SEPT_VE_DISABLE PKS
  XFAM                0x00000000000602e7 X87 SSE AVX AVX512 PKRU AMX
  MRTD                bb1249bde960ef9b22d56eefb94b7f40ca3b528b31e6e4af0babb075c02ce5c1f63681101779927ea604f5aa49ec95b3
  MRCONFIGID          000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  MROWNER             000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  MROWNERCONFIG       000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  RTMR0               e1af75e61927410e42b54b39f6681cf9b0bfbae512b15e870e4c8d9d5a5cb385571b0e1dc2f70bf9ccef08560f0a2b58
  RTMR1               eac22f0257a3dcce04d13a8ec1e5e89112e1bc649e743845f58598f6e13bc7fc62506296235aa300eab6b16292cd8a9c
  RTMR2               000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  RTMR3               000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  SERVTD_HASH         000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
";

fn tdx_1_0_report_is_displayed_for_people([bytes]: [Vec<u8>; 1]) {
    assert_eq!(parse(&bytes).to_string(), DISPLAY_1_0);
}

const DISPLAY_1_5: &str = "\
REPORTMACSTRUCT
  type                0x81 (TDX), subtype 0, version 1
  CPUSVN              0202181a03ff00060000000000000000
  TEE_TCB_INFO_HASH   4aae0ddaf69f3ac3d5f642d3ecdfc32ca0921d9bb78fd528cf697698d483d182c0c7d5d8be6ba4965413bfcb6aef9c1b
  TEE_INFO_HASH       4359ed4ccf212320bbc3f8e06117de4edb8fe2ec369a068ddd94e031143f17580d865b317d77be3a9305d201eef442d1
  REPORTDATA          00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  MAC                 4259f77248798d90b8d5006ac026fb3dc0f17cfcb8dfde659c3f836bc9313e47
TEE_TCB_INFO
  VALID               0x301ff
  TEE_TCB_SVN         05010200000000000000000000000000
  TEE_TCB_SVN2        05010200000000000000000000000000
  MRSEAM              1cc6a17ab799e9a693fac7536be61c12ee1e0fabada82d0c999e08ccee2aa86de77b0870f558c570e7ffe55d6d47fa04
  MRSIGNERSEAM        000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  ATTRIBUTES          0x0000000000000000
TDINFO
  ATTRIBUTES          0x0000000010000000 SEPT_VE_DISABLE
  XFAM                0x00000000000642e7 X87 SSE AVX AVX512 PKRU UINTR AMX
  MRTD                98bbc39e3e27b4cb27ed6d21870b187738f64ec44b9f3f93d603b35a84e610dcb45f1b6d79c648c7bf8e68f7a37b8ab5
  MRCONFIGID          000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  MROWNER             000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  MROWNERCONFIG       000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  RTMR0               f4ec1a04670fe7926cd5de4aef9aaa7689ab4ceaa132d7c5242b47f67dfaaea64c372a17ad68fef9a6ac99aabbddabdc
  RTMR1               4e5f8826653198ab4bc5156fbe4bc99db054c0b8239a16c4b59249fb427f4acc50eed1b46a85c7d526c4e1e47621b14c
  RTMR2               000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  RTMR3               000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  SERVTD_HASH         383c87d3bbb047b2d171eaca95312ede99f258088dc788f6ae2ccf8b6dd848fe8d47629e08b3f6cbd4a00dd47a5a033d
";

fn tdx_1_5_report_is_displayed_for_people([bytes]: [Vec<u8>; 1]) {
    assert_eq!(parse(&bytes).to_string(), DISPLAY_1_5);
}

fn hashes_hold(reports: [Vec<u8>; 2]) {
    for bytes in &reports {
        assert_eq!(parse(bytes).check_hashes(sha384), Ok(()));
    }
}

/// Which hash notices a change of the byte at `offset`; the other bytes are the MAC's to protect, or reserved.
fn noticed_by(offset: usize) -> Option<HashMismatch> {
    const TEE_TCB_INFO_HASH: Range<usize> = 32..80;
    const TEE_INFO_HASH: Range<usize> = 80..128;
    const TEE_TCB_INFO: Range<usize> = 256..495;
    const TDINFO: Range<usize> = 512..1024;
    if TEE_TCB_INFO_HASH.contains(&offset) || TEE_TCB_INFO.contains(&offset) {
        Some(HashMismatch::TeeTcbInfo)
    } else if TEE_INFO_HASH.contains(&offset) || TDINFO.contains(&offset) {
        Some(HashMismatch::TdInfo)
    } else {
        None
    }
}

fn a_changed_byte_that_a_hash_covers_is_noticed(reports: [Vec<u8>; 2]) {
    for mut bytes in reports {
        // The first three bytes say that it is a TDREPORT at all.
        for offset in 3..bytes.len() {
            bytes[offset] ^= 0x10;
            let found = parse(&bytes).check_hashes(sha384).err();
            assert_eq!(found, noticed_by(offset), "byte {offset} changed");
            bytes[offset] ^= 0x10;
        }
    }
}

fn random_bytes_are_refused([bytes]: [Vec<u8>; 1]) {
    let error = TdReport::parse(&bytes).expect_err("random bytes were taken for a TDREPORT");
    assert_eq!(error, ParseError::Type { found: 0x0f });
    assert_eq!(
        error.to_string(),
        "not a TDREPORT: expected report type 0x81 (TDX), found 0x0f"
    );
}
