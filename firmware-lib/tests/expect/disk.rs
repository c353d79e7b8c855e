// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Boots from a disk.

use super::support::{cfv, changed, firmware, kernel, keys, Parts};
use crate::common::{pe, put, PE_SECTIONS};
use tdx_call::RtmrIndex;
use tdx_firmware::expect::{
    stub_initrd_digest, Authority, Boot, BootSeparator, DiskBoot, ExpectError, FwCfg, Image,
    LoaderEvent, PartitionTable, Payload, SecureBootSupport, Smbios, StubInitrd, UnifiedBoot, What,
};
use tdx_firmware::pe::PeImage;
use tdx_firmware::tdvf::Tdvf;
use tdx_firmware::{EventType, Guid, HashEngine, Sha2};

#[test]
fn a_disk_boot_measures_authorities_partitions_and_images() {
    let parts = Parts::new();
    let image = kernel();
    let authorities = [Authority {
        guid: Guid::IMAGE_SECURITY_DATABASE,
        name: "db",
        data: b"certificate",
    }];
    let images = [Image {
        name: "shim",
        file: &image,
        authorities: &authorities,
    }];
    let disk = disk();
    let payload = Payload::Disk(DiskBoot {
        partitions: PartitionTable::of_disk(&disk),
        images: &images,
        boot_loader: &[LoaderEvent {
            name: "grub_cmd: boot",
            event_type: EventType::IPL,
            measured: b"boot",
        }],
    });
    let mut events = Vec::new();
    let mut digest = None;
    let firmware = Tdvf::parse(&parts.firmware).unwrap();
    let boot = Boot {
        firmware,
        td_hob: None,
        fw_cfg: FwCfg::NotMeasured,
        acpi: None,
        smbios: Smbios::NotMeasured,
        boot_variables: None,
        secure_boot: SecureBootSupport::BuiltIn,
        boot_separator: BootSeparator::Rtmr1,
        payload,
        exits_boot_services: false,
    };
    boot.events(&Sha2, |event| {
        events.push((event.rtmr, event.event_type));
        if let What::Authority(_) = event.what {
            digest = event.digest;
        }
    })
    .unwrap();
    let end = events.len() - 6;
    assert_eq!(
        events[end..],
        [
            (RtmrIndex::Rtmr1, EventType::EFI_ACTION),
            (RtmrIndex::Rtmr1, EventType::SEPARATOR),
            (RtmrIndex::Rtmr1, EventType::EFI_GPT_EVENT),
            (RtmrIndex::Rtmr0, EventType::EFI_VARIABLE_AUTHORITY),
            (RtmrIndex::Rtmr1, EventType::EFI_BOOT_SERVICES_APPLICATION),
            (RtmrIndex::Rtmr2, EventType::IPL),
        ]
    );
    let variable = [
        &Guid::IMAGE_SECURITY_DATABASE.0[..],
        &2_u64.to_le_bytes(),
        &11_u64.to_le_bytes(),
        b"d\0b\0certificate",
    ];
    assert_eq!(digest, Some(Sha2.digest(&variable)));
}

/// The front of a disk with two partitions among four entries.
fn disk() -> Vec<u8> {
    let mut disk = vec![0; PartitionTable::USUAL_SIZE];
    put(&mut disk, 512, b"EFI PART");
    put(&mut disk, 512 + 72, &2_u64.to_le_bytes());
    put(&mut disk, 512 + 80, &4_u32.to_le_bytes());
    put(&mut disk, 512 + 84, &128_u32.to_le_bytes());
    disk[1024] = 1;
    disk[1024 + 2 * 128] = 3;
    disk
}

#[test]
fn a_partition_table_is_measured_with_its_used_entries() {
    let disk = disk();
    let table = PartitionTable::of_disk(&disk).unwrap();
    let measured = [
        &disk[512..512 + 92],
        &2_u64.to_le_bytes(),
        &disk[1024..1024 + 128],
        &disk[1024 + 256..1024 + 384],
    ];
    assert_eq!(table.digest(&Sha2), Sha2.digest(&measured));
    assert!((0..1024 + 512).all(|length| PartitionTable::of_disk(&disk[..length]).is_none()));
    for (at, value) in [
        (512, b'X'),
        (512 + 79, 0xff),
        (512 + 83, 0xff),
        (512 + 84, 0x7f),
    ] {
        let mut other = disk.clone();
        other[at] = value;
        assert!(PartitionTable::of_disk(&other).is_none(), "byte {at}");
    }
}

/// A unified kernel image with a command line and an initrd of 5 bytes.
fn unified(line: &[u8]) -> Vec<u8> {
    let parts: [(&str, u32, Vec<u8>); 3] = [
        (".cmdline", 0x200, line.to_vec()),
        (".initrd", 0x400, b"12345".to_vec()),
        (".linux", 0x600, kernel()),
    ];
    let mut image = pe(&[(0x200, 0x200), (0x400, 0x200), (0x600, 0x600)], 0xc00);
    image[0x200..].fill(0);
    for (index, (name, start, content)) in parts.iter().enumerate() {
        let header = PE_SECTIONS + 40 * index;
        put(&mut image, header, name.as_bytes());
        put(
            &mut image,
            header + 8,
            &(content.len() as u32).to_le_bytes(),
        );
        put(&mut image, *start as usize, content);
    }
    image
}

/// Does something with the boot of a unified kernel image.
fn with_unified<T>(
    parts: &Parts,
    image: &[u8],
    initrd: StubInitrd,
    then: impl FnOnce(&Boot<'_>) -> T,
) -> T {
    parts.with(
        |_| (),
        |boot| {
            let payload = Payload::Unified(UnifiedBoot {
                partitions: None,
                image,
                initrd,
            });
            then(&Boot { payload, ..*boot })
        },
    )
}

#[test]
fn a_unified_kernel_image_says_all_that_it_measures() {
    let parts = Parts::new();
    let image = unified(b"quiet \n");
    let initrd = StubInitrd::Digest(Sha2.digest(&[b"initrd"]));
    let mut told = Vec::new();
    let mut digests = Vec::new();
    with_unified(&parts, &image, initrd, |boot| {
        boot.events(&Sha2, |event| {
            told.push(event.what.to_string());
            digests.push(event.digest.unwrap());
        })
        .unwrap();
    });
    let first = told
        .iter()
        .position(|what| what == "image unified kernel image")
        .unwrap();
    let wanted: [(&str, &[u8]); 8] = [
        ("name of section .linux", b".linux\0"),
        ("section .linux", &kernel()),
        ("name of section .cmdline", b".cmdline\0"),
        ("section .cmdline", b"quiet \n"),
        ("name of section .initrd", b".initrd\0"),
        ("section .initrd", b"12345"),
        ("load options", b"q\0u\0i\0e\0t\0\0\0"),
        ("initrd", b"initrd"),
    ];
    for (what, measured) in wanted {
        let index = told.iter().position(|told| told == what).unwrap();
        assert!(index > first, "{what}");
        assert_eq!(digests[index], Sha2.digest(&[measured]), "{what}");
    }
    // Secure Boot is on.
    assert!(!told.contains(&"image kernel".to_owned()));

    let rtmrs = |image: &[u8]| with_unified(&parts, image, initrd, |boot| boot.rtmrs(&Sha2));
    let (before, after) = (
        rtmrs(&image).unwrap(),
        rtmrs(&unified(b"debug \n")).unwrap(),
    );
    assert_eq!(changed(&before, &after), [1, 2]);
}

#[test]
fn the_kernel_in_an_image_is_measured_unless_secure_boot_is_on() {
    let image = unified(b"quiet");
    let measured = |cfv: &[u8], secure_boot| {
        let mut parts = Parts::new();
        parts.firmware = firmware(cfv);
        let mut digest = None;
        with_unified(&parts, &image, StubInitrd::Unknown, |boot| {
            let boot = Boot {
                secure_boot,
                ..*boot
            };
            boot.events(&Sha2, |event| {
                if event.what == What::Image("kernel") {
                    digest = event.digest;
                }
            })
            .unwrap();
        });
        digest
    };
    let kernel = PeImage::parse(&kernel()).unwrap().authenticode(&Sha2);
    let (with_key, without) = (keys(), cfv(&[]));
    assert_eq!(measured(&with_key, SecureBootSupport::BuiltIn), None);
    assert_eq!(measured(&with_key, SecureBootSupport::Absent), Some(kernel));
    assert_eq!(measured(&without, SecureBootSupport::BuiltIn), Some(kernel));
}

#[test]
fn the_stub_tidies_the_command_line() {
    let units =
        |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
    let parts = Parts::new();
    let load_options = |image: &[u8]| {
        let mut found = None;
        let result = parts.with(
            |_| (),
            |boot| {
                let mut boot = *boot;
                boot.payload = Payload::Unified(UnifiedBoot {
                    partitions: None,
                    image,
                    initrd: StubInitrd::Unknown,
                });
                boot.events(&Sha2, |event| {
                    if event.what.to_string() == "load options" {
                        found = event.digest;
                    }
                })
            },
        );
        result.map(|()| found)
    };
    for (section, line) in [
        (&b" \n\tquiet\n"[..], "quiet\0"),
        (b"a\nb\x7f\tc", "a b  c\0"),
        (b"quiet\0\0\0", "quiet\0"),
        (b"a\0b", "a\0"),
        ("gr\u{fc}n \u{1f980} ".as_bytes(), "gr\u{fc}n\0"),
        ("x\u{1f980}y".as_bytes(), "xy\0"),
    ] {
        let expected = Sha2.digest(&[&units(line)]);
        assert_eq!(
            load_options(&unified(section)),
            Ok(Some(expected)),
            "{line}"
        );
    }
    for none in [&b""[..], b" \n", b"\0quiet"] {
        assert_eq!(load_options(&unified(none)), Ok(None));
    }
    assert_eq!(
        load_options(&unified(b"ab\xff")),
        Err(ExpectError::CommandLine { offset: 2 })
    );
    // A kernel as newer tools put it in: larger in memory.
    let mut image = unified(b"quiet");
    put(&mut image, PE_SECTIONS + 80 + 8, &0x1000_u32.to_le_bytes());
    assert_eq!(
        load_options(&image),
        Err(ExpectError::Section { name: ".linux" })
    );
}

#[test]
fn the_stub_puts_archives_of_small_files_behind_the_initrd() {
    let mut image = unified(b"quiet");
    let digest = |image: &[u8]| stub_initrd_digest(&Sha2, &PeImage::parse(image).unwrap()).unwrap();
    // A single initrd is not padded.
    assert_eq!(digest(&image), Some(Sha2.digest(&[b"12345"])));
    // Behind microcode it is, and so is that.
    put(&mut image, PE_SECTIONS, b".ucode\0\0");
    let both = Sha2.digest(&[b"quiet\0\0\0", b"12345\0\0\0"]);
    assert_eq!(digest(&image), Some(both));
    // What was the command line is os-release then.
    put(&mut image, PE_SECTIONS, b".osrel\0\0");
    let entry = |inode: u32, mode: u32, size: u32, name: &str| {
        let length = name.len() as u32 + 1;
        let fields = [inode, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, length, 0];
        let fields = fields.map(|field| format!("{field:08x}")).concat();
        format!("070701{fields}{name}\0")
    };
    let folder = entry(1, 0o40_555, 0, ".extra") + "\0\0\0";
    let file = entry(2, 0o100_444, 5, ".extra/os-release") + "quiet\0\0\0";
    let end = entry(0, 0, 0, "TRAILER!!!").replace("0000000b", "0000000B") + "\0\0\0";
    let archive = format!("{folder}{file}{end}");
    // Names and contents begin at multiples of 4.
    assert_eq!((folder.len() % 4, file.len() % 4, end.len() % 4), (0, 0, 0));
    let expected = Sha2.digest(&[b"12345\0\0\0", archive.as_bytes()]);
    assert_eq!(digest(&image), Some(expected));
}

#[test]
fn an_empty_section_is_none() {
    let (parts, image) = (Parts::new(), unified(b""));
    with_unified(&parts, &image, StubInitrd::Unknown, |boot| {
        boot.events(&Sha2, |event| {
            assert_ne!(event.what, What::SectionName(".cmdline"));
        })
        .unwrap();
    });
}

#[test]
fn an_image_with_several_profiles_is_not_predicted() {
    let parts = Parts::new();
    // A profile with an initrd of its own, two profiles, and two signatures of registers.
    for name in [".initrd", ".profile", ".pcrsig"] {
        let mut image = unified(b"quiet");
        for index in [0, 1] {
            let header = PE_SECTIONS + 40 * index;
            image[header..header + 8].fill(0);
            put(&mut image, header, name.as_bytes());
        }
        let file = PeImage::parse(&image).unwrap();
        let error = ExpectError::RepeatedSection { name };
        assert_eq!(stub_initrd_digest(&Sha2, &file), Err(error));
        let result = with_unified(&parts, &image, StubInitrd::Systemd257, |boot| {
            boot.rtmrs(&Sha2)
        });
        assert_eq!(result, Err(error));
    }
}
