// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The calls for what a TDVF measures, against what edk2's logs look like.

use tdx_call::RtmrIndex;
use tdx_firmware::event_log::{DataCheck, EventLog};
use tdx_firmware::measurement::{
    action, GptError, LoadedImage, Payload, Recorded, SecureBootVariable,
};
use tdx_firmware::{Guid, HashEngine, Sha2};
use tdx_uapi::Digest;

use crate::support::{lines, measuring, registers, replayed, td};

fn ucs2(text: &str) -> Vec<u16> {
    text.encode_utf16().collect()
}

fn gpt_header(count: u32) -> Vec<u8> {
    let mut header = vec![0; 92];
    header[..8].copy_from_slice(b"EFI PART");
    header[80..84].copy_from_slice(&count.to_le_bytes());
    header[84..88].copy_from_slice(&128_u32.to_le_bytes());
    header
}

#[test]
fn a_whole_boot_is_readable_and_replays() {
    let (tdx, mut area) = (td(), vec![0; 1 << 16]);
    let mut m = measuring(&tdx, &mut area);
    let bytes = |payload| Payload::Bytes(payload);
    let mut entries = vec![0; 4 * 128];
    entries[128..144].fill(1);
    let image = LoadedImage {
        location: 0x1000,
        len: 5,
        link_time_address: 0,
        device_path: &[0x7f, 0xff, 4, 0],
    };

    let mut all = vec![
        m.td_hob(bytes(b"hobs"), 0x80_9000),
        m.cfv(bytes(b"volume"), None, 0xffc0_0000, 0x8_4000),
        m.fw_cfg("etc/e820", bytes(b"map")),
    ];
    all.extend(SecureBootVariable::ALL.map(|variable| m.secure_boot_variable(variable, &[])));
    all.push(m.separator(RtmrIndex::Rtmr0));
    all.push(m.acpi_blob(bytes(b"loader")));
    all.push(m.boot_variable(&ucs2("BootOrder"), &[0, 0, 1, 0]));
    all.push(m.action(action::CALLING_EFI_APPLICATION));
    all.push(m.separator(RtmrIndex::Rtmr1));
    all.push(m.authority(&Guid::SHIM_LOCK, &ucs2("SbatLevel"), b"sbat,1\n"));
    all.push(Ok(m.gpt(&gpt_header(4), &entries).unwrap()));
    all.push(m.application(&Sha2.digest(&[b"pe"]), &image));
    all.push(m.load_options(bytes(b"c\0o\0n\0")));
    all.push(m.initrd(Payload::Digest(Sha2.digest(&[b"initrd"]))));
    all.push(m.exit_boot_services(true));
    assert!(all.iter().all(|recorded| *recorded == Ok(Recorded::Logged)));

    let log = m.log().bytes();
    assert_eq!(lines(log), [
        "RTMR0 EV_EFI_HANDOFF_TABLES2: tables \"TdxTable\", 93BB96AF-B9F2-4EB8-9462-E0BA74564236 at 0x809000",
        "RTMR0 EV_EFI_PLATFORM_FIRMWARE_BLOB2: firmware volume \"Fv(XXXXXXXX-XXXX-XXXX-XXXX-XXXXXXXXXXXX)\", 0x84000 bytes at 0xffc00000",
        "RTMR0 EV_PLATFORM_CONFIG_FLAGS: fw_cfg file \"etc/e820\"",
        "RTMR0 EV_EFI_VARIABLE_DRIVER_CONFIG: variable SecureBoot = no data",
        "RTMR0 EV_EFI_VARIABLE_DRIVER_CONFIG: variable PK = empty",
        "RTMR0 EV_EFI_VARIABLE_DRIVER_CONFIG: variable KEK = empty",
        "RTMR0 EV_EFI_VARIABLE_DRIVER_CONFIG: variable db = empty",
        "RTMR0 EV_EFI_VARIABLE_DRIVER_CONFIG: variable dbx = empty",
        "RTMR0 EV_SEPARATOR: separator",
        "RTMR0 EV_PLATFORM_CONFIG_FLAGS: \"ACPI DATA\"",
        "RTMR0 EV_EFI_VARIABLE_BOOT: variable BootOrder = Boot 0000 0001",
        "RTMR1 EV_EFI_ACTION: \"Calling EFI Application from Boot Option\"",
        "RTMR1 EV_SEPARATOR: separator",
        "RTMR0 EV_EFI_VARIABLE_AUTHORITY: variable SbatLevel = \"sbat,1\\n\"",
        "RTMR1 EV_EFI_GPT_EVENT: partition table of disk 00000000-0000-0000-0000-000000000000, 00000000-0000-0000-0000-000000000000 () blocks 0 to 0",
        "RTMR1 EV_EFI_BOOT_SERVICES_APPLICATION: image nowhere, 5 bytes",
        "RTMR2 EV_EVENT_TAG: load options: \"LOADED_IMAGE::LoadOptions\"",
        "RTMR2 EV_EVENT_TAG: initrd: \"Linux initrd\"",
        "RTMR1 EV_EFI_ACTION: \"Exit Boot Services Invocation\"",
        "RTMR1 EV_EFI_ACTION: \"Exit Boot Services Returned with Success\"",
    ]);
    let checks: Vec<_> = EventLog::parse(log)
        .unwrap()
        .events()
        .map(|event| event.unwrap().check(&Sha2))
        .collect();
    assert!(!checks.contains(&DataCheck::Differs));
    assert_eq!(
        checks
            .iter()
            .filter(|check| **check == DataCheck::Holds)
            .count(),
        13
    );
    assert_eq!(replayed(log), registers(&tdx));
}

#[test]
fn failure_to_exit_is_one_event() {
    let (tdx, mut area) = (td(), vec![0; 1024]);
    let mut m = measuring(&tdx, &mut area);
    assert_eq!(m.exit_boot_services(false), Ok(Recorded::Logged));
    assert_eq!(
        lines(m.log().bytes()),
        ["RTMR1 EV_EFI_ACTION: \"Exit Boot Services Returned with Failure\""]
    );
}

#[test]
fn volume_with_a_name_is_logged_with_it() {
    let (tdx, mut area) = (td(), vec![0; 1024]);
    let mut m = measuring(&tdx, &mut area);
    let name = Guid::new(0x48DB5E17_707C_472D_91CD_1613E7EF51B0);
    assert_eq!(
        m.cfv(Payload::Bytes(b""), Some(&name), 0, 0),
        Ok(Recorded::Logged)
    );
    assert_eq!(lines(m.log().bytes())[0], "RTMR0 EV_EFI_PLATFORM_FIRMWARE_BLOB2: firmware volume \"Fv(48DB5E17-707C-472D-91CD-1613E7EF51B0)\", 0x0 bytes at 0x0");
}

#[test]
fn malformed_partition_table_is_not_measured() {
    let (tdx, mut area) = (td(), vec![0; 1 << 16]);
    let mut m = measuring(&tdx, &mut area);
    let full = vec![1; 129 * 128];
    assert_eq!(
        m.gpt(&gpt_header(4), &full[..128]),
        Err(GptError::Malformed)
    );
    assert_eq!(
        m.gpt(&gpt_header(1)[..91], &full[..128]),
        Err(GptError::Malformed)
    );
    assert_eq!(m.gpt(&[0; 92], &[]), Err(GptError::Malformed));
    assert_eq!(m.gpt(&gpt_header(129), &full), Err(GptError::TooMany));
    assert_eq!(registers(&tdx).0, [Digest::ZERO; 4]);
    assert_eq!(
        m.gpt(&gpt_header(128), &full[..128 * 128]),
        Ok(Recorded::Logged)
    );
}
