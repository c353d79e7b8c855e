// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Logs that TDs of several clouds and firmwares left, and a Quote whose registers one of them leads to.

use std::process::ExitCode;

use tdx_call::RtmrIndex;
use tdx_firmware::ccel::Ccel;
use tdx_firmware::event_data::EventData;
use tdx_firmware::event_log::{DataCheck, Event, EventLog};
use tdx_firmware::{EventType, MrIndex, Sha2};
use tdx_uapi::Digest;

fn main() -> ExitCode {
    testdata::run(vec![
        testdata::test(real_ccel_table_is_read, ["ccel-table.bin"]),
        testdata::test(
            grub_log_replays_to_the_registers_of_the_quote,
            ["ccel-grub.bin", "ccel-grub.quote.bin", "ccel-grub.ima.bin"],
        ),
        testdata::test(
            every_digest_of_the_grub_log_that_can_be_checked_holds,
            ["ccel-grub.bin"],
        ),
        testdata::test(grub_log_is_understood_to_the_last_event, ["ccel-grub.bin"]),
        testdata::test(grub_log_has_98_events_in_15812_bytes, ["ccel-grub.bin"]),
        testdata::test(
            unpadded_log_ends_with_its_last_event,
            ["ccel-direct-unpadded.bin"],
        ),
        testdata::test(
            log_of_another_firmware_is_read_to_its_end,
            ["ccel-foreign-order.bin"],
        ),
        testdata::test(
            duplicate_separator_is_reported,
            ["ccel-duplicate-separator.bin"],
        ),
        testdata::test(
            secure_boot_databases_are_understood,
            ["ccel-duplicate-separator.bin"],
        ),
        testdata::test(
            cut_logs_keep_the_events_before_the_cut,
            ["ccel-direct-unpadded.bin"],
        ),
    ])
}

fn events(bytes: &[u8]) -> Vec<Event<'_>> {
    let log = EventLog::parse(bytes).expect("the log has a header");
    log.events()
        .map(|event| event.expect("the event is whole"))
        .collect()
}

/// The events that are wanted, without their digests.
fn lines_of(bytes: &[u8], wanted: impl Fn(&Event<'_>) -> bool) -> Vec<String> {
    let line = |event: Event<'_>| format!("{} {}: {}", event.mr, event.event_type, event.decode());
    events(bytes).into_iter().filter(wanted).map(line).collect()
}

fn grub_log_replays_to_the_registers_of_the_quote([log, quote, ima]: [Vec<u8>; 3]) {
    // A version 4 Quote: a header of 48 bytes, then the TD's report, with RTMR0 at offset 328.
    let register = |index: usize| -> Digest {
        let at = 48 + 328 + 48 * index;
        Digest(quote[at..at + 48].try_into().unwrap())
    };
    let mut replay = EventLog::parse(&log).unwrap().replay(Sha2).unwrap();
    assert_eq!(replay.rtmrs()[RtmrIndex::Rtmr0], register(0));
    assert_eq!(replay.rtmrs()[RtmrIndex::Rtmr1], register(1));
    assert_ne!(replay.rtmrs()[RtmrIndex::Rtmr2], register(2));

    // "2 DIGEST ima-ng sha384:…": IMA extended RTMR2 with the template's digest.
    let text = String::from_utf8(ima).unwrap();
    let digest = text.split_whitespace().nth(1).unwrap();
    let digest: Vec<u8> = (0..96)
        .step_by(2)
        .map(|at| u8::from_str_radix(&digest[at..at + 2], 16).unwrap())
        .collect();
    replay.extend(RtmrIndex::Rtmr2, &Digest(digest.try_into().unwrap()));
    assert_eq!(replay.rtmrs()[RtmrIndex::Rtmr2], register(2));
    assert_eq!(replay.rtmrs()[RtmrIndex::Rtmr3], register(3));
}

fn every_digest_of_the_grub_log_that_can_be_checked_holds([log]: [Vec<u8>; 1]) {
    let events = events(&log);
    let checks: Vec<_> = events.iter().map(|event| event.check(&Sha2)).collect();
    assert!(!checks.contains(&DataCheck::Differs));
    let of_grub = |event: &Event<'_>| {
        matches!(
            event.decode(),
            EventData::GrubCommand(_) | EventData::KernelCommandLine(_)
        )
    };
    let commands = events.iter().filter(|event| of_grub(event)).count();
    assert_eq!(commands, 57);
    let checked = checks
        .iter()
        .filter(|check| **check == DataCheck::Holds)
        .count();
    // Beside the commands: 5 secure boot variables, 3 boot variables, 2 authorities, 2 separators, 3 actions, 1 GPT.
    assert_eq!(checked, 57 + 16);
}

fn grub_log_is_understood_to_the_last_event([log]: [Vec<u8>; 1]) {
    let lines = lines_of(&log, |_| true);
    let unknown = lines_of(&log, |event| {
        matches!(event.decode(), EventData::Unknown(_))
    });
    assert!(unknown.is_empty(), "{unknown:#?}");
    for expected in [
        "RTMR0 EV_EFI_HANDOFF_TABLES2: tables \"TdxTable\", 93BB96AF-B9F2-4EB8-9462-E0BA74564236 at 0x809000",
        "RTMR0 EV_EFI_PLATFORM_FIRMWARE_BLOB2: firmware volume \"Fv(XXXXXXXX-XXXX-XXXX-XXXX-XXXXXXXXXXXX)\", 0x84000 bytes at 0xffc00000",
        "RTMR0 EV_EFI_VARIABLE_DRIVER_CONFIG: variable SecureBoot = off",
        "RTMR0 EV_EFI_VARIABLE_DRIVER_CONFIG: variable PK = empty",
        "RTMR0 EV_EFI_VARIABLE_BOOT: variable BootOrder = Boot 0000 0001",
        "RTMR0 EV_EFI_VARIABLE_AUTHORITY: variable SbatLevel = \"sbat,1,2022052400\\ngrub,2\\n\"",
        "RTMR0 EV_SEPARATOR: separator",
        "RTMR1 EV_EFI_ACTION: \"Calling EFI Application from Boot Option\"",
        "RTMR2 EV_IPL: GRUB command \"set default=0\"",
        "RTMR2 EV_IPL: \"MokList\"",
    ] {
        assert!(lines.iter().any(|line| line == expected), "{expected} is not in {lines:#?}");
    }
    assert!(
        lines
            .iter()
            .any(|line| line.contains("image PciRoot(0x0)/Pci(0x3,0x0)/HD(15,GPT,507A4A79-ECA4-4FD0-8BBC-D5F4FAC3E723,0x2800,0x35000)/")),
        "{lines:#?}"
    );
    assert!(
        lines
            .iter()
            .any(|line| line.contains("\\EFI\\BOOT\\fbx64.efi")),
        "{lines:#?}"
    );
}

fn grub_log_has_98_events_in_15812_bytes([log]: [Vec<u8>; 1]) {
    let mut events = EventLog::parse(&log).unwrap().events();
    assert_eq!(events.by_ref().count(), 98);
    assert_eq!(events.offset(), 15812);
}

fn unpadded_log_ends_with_its_last_event([log]: [Vec<u8>; 1]) {
    let events = events(&log);
    assert_eq!(events.len(), 19);
    assert_eq!(events[18].data, b"Exit Boot Services Returned with Success");
    assert_eq!(events[16].event_type, EventType::EVENT_TAG);
    assert_eq!(
        events[16].decode().to_string(),
        "\"LOADED_IMAGE::LoadOptions\""
    );
}

fn log_of_another_firmware_is_read_to_its_end([log]: [Vec<u8>; 1]) {
    let events = events(&log);
    assert_eq!(events.len(), 27);
    assert_eq!(events[9].mr, MrIndex::RTMR1);
    assert_eq!(events[9].decode().to_string(), "kernel");
    let replay = EventLog::parse(&log).unwrap().replay(Sha2).unwrap();
    assert_eq!(
        RtmrIndex::ALL.map(|rtmr| replay.separators(rtmr)),
        [3, 5, 0, 0]
    );
}

fn duplicate_separator_is_reported([log]: [Vec<u8>; 1]) {
    let replay = EventLog::parse(&log).unwrap().replay(Sha2).unwrap();
    let duplicates: Vec<_> = replay.duplicate_separators().collect();
    assert_eq!(duplicates, [RtmrIndex::Rtmr0]);
}

fn secure_boot_databases_are_understood([log]: [Vec<u8>; 1]) {
    let variables: Vec<_> = events(&log)
        .iter()
        .filter(|event| event.event_type == EventType::EFI_VARIABLE_DRIVER_CONFIG)
        .map(|event| event.decode().to_string())
        .collect();
    assert_eq!(variables[1], "variable PK = X.509 certificate ×1");
    assert_eq!(variables[4], "variable dbx = X.509 certificate ×4");
}

fn cut_logs_keep_the_events_before_the_cut([log]: [Vec<u8>; 1]) {
    let whole = events(&log);
    let ends: Vec<usize> = whole
        .iter()
        .skip(1)
        .map(|event| event.offset)
        .chain([log.len()])
        .collect();
    for cut in whole[0].offset..log.len() {
        let mut found = EventLog::parse(&log[..cut]).unwrap().events();
        let kept: Vec<_> = found.by_ref().map_while(Result::ok).collect();
        let expected = ends.iter().filter(|end| **end <= cut).count();
        assert_eq!(kept, whole[..expected], "cut at {cut}");
        assert!(found.next().is_none(), "cut at {cut}");
    }
}

fn real_ccel_table_is_read([table]: [Vec<u8>; 1]) {
    assert_eq!(Ccel::parse(&table), Ok(Ccel::tdx(0x7d64_9000, 0x1_0000)));
}
