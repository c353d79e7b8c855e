// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Which registers change with what, and how that is explained.

mod common;

use common::{image, pe, put, Section, BFV, CFV, TD_HOB, TEMP_MEM};
use proptest::prelude::*;
use tdx_call::{ExtendBuffer, Gpa, OperandMut, RtmrIndex};
use tdx_firmware::event_log::{EventLog, LogWriter};
use tdx_firmware::expect::{
    smbios_digest, AcpiBlobs, Authority, Blob, Boot, BootSeparator, BootVariable, Difference,
    DirectBoot, DiskBoot, ExpectError, FwCfgFile, Image, KernelHeader, Payload, Smbios, Summary,
    VariableStore, What,
};
use tdx_firmware::hob::{qemu, TdHob};
use tdx_firmware::measurement::Recorded;
use tdx_firmware::tdvf::Tdvf;
use tdx_firmware::{EventType, Guid, HashEngine, Measurement, Sha2};
use tdx_module::{InProcess, Platform, TdParameters};
use tdx_uapi::Digest;

const STORE: usize = 72;
const FIRST: usize = STORE + 28;

/// A variable of the store: whose, name, data, state.
type Variable<'a> = (Guid, &'a str, &'a [u8], u8);

const SECURE_BOOT_ENABLE: Guid = Guid::new(0xf0a30bc7_af08_4556_99c4_001009c93a44);

/// A CFV of 4096 bytes with these variables.
fn cfv(variables: &[Variable<'_>]) -> Vec<u8> {
    let mut cfv = vec![0xff; 0x1000];
    cfv[..FIRST].fill(0);
    put(
        &mut cfv,
        16,
        &Guid::new(0xfff12b8d_7696_4c8b_a985_2747075b4f50).0,
    );
    put(&mut cfv, 40, b"_FVH");
    put(&mut cfv, 48, &72_u16.to_le_bytes());
    let signature = Guid::new(0xaaf32c78_947b_439a_a180_2e144ec37792);
    put(&mut cfv, STORE, &signature.0);
    put(&mut cfv, STORE + 16, &0xe00_u32.to_le_bytes());
    put(&mut cfv, STORE + 20, &[0x5a, 0xfe]);
    let mut at = FIRST;
    for (guid, name, data, state) in variables {
        let name: Vec<u8> = name
            .encode_utf16()
            .chain([0])
            .flat_map(u16::to_le_bytes)
            .collect();
        let mut variable = vec![0; 60];
        put(&mut variable, 0, &0x55aa_u16.to_le_bytes());
        variable[2] = *state;
        put(&mut variable, 36, &(name.len() as u32).to_le_bytes());
        put(&mut variable, 40, &(data.len() as u32).to_le_bytes());
        put(&mut variable, 44, &guid.0);
        variable.extend(name);
        variable.extend(*data);
        put(&mut cfv, at, &variable);
        at = (at + variable.len()).next_multiple_of(4);
    }
    cfv
}

fn keys() -> Vec<u8> {
    cfv(&[
        (Guid::GLOBAL_VARIABLE, "PK", b"platform key", 0x3f),
        (Guid::GLOBAL_VARIABLE, "KEK", b"key exchange", 0x3f),
        (Guid::IMAGE_SECURITY_DATABASE, "db", b"old", 0x3c),
        (Guid::IMAGE_SECURITY_DATABASE, "db", b"new", 0x3f),
    ])
}

fn firmware(cfv: &[u8]) -> Vec<u8> {
    let hob = Section {
        size: 0x1000,
        ..TD_HOB
    };
    let mut image = image(&[BFV, CFV, hob, TEMP_MEM]);
    put(&mut image, 0, cfv);
    image
}

fn td_hob(firmware: &[u8], ram: u64) -> Vec<u8> {
    let mut area = vec![0; 0x1000];
    let tdvf = Tdvf::parse(firmware).unwrap();
    qemu::write_td_hob(&mut area, &tdvf, &qemu::q35_ram(ram)).unwrap();
    area
}

/// A kernel: a PE image with a setup header in it.
fn kernel() -> Vec<u8> {
    let mut kernel = pe(&[(0x400, 0x200)], 0x600);
    put(
        &mut kernel,
        common::PE_OPTIONAL + 60,
        &0x400_u32.to_le_bytes(),
    );
    put(&mut kernel, 0x202, b"HdrS");
    put(&mut kernel, 0x206, &0x20f_u16.to_le_bytes());
    kernel[0x211] = 1;
    put(&mut kernel, 0x236, &2_u16.to_le_bytes());
    kernel
}

fn table_loader() -> Vec<u8> {
    let mut loader = vec![0; 3 * 128];
    for (command, file) in [(0, "etc/acpi/rsdp"), (1, "etc/acpi/tables")] {
        put(&mut loader, command * 128, &1_u32.to_le_bytes());
        put(&mut loader, command * 128 + 4, file.as_bytes());
    }
    put(&mut loader, 256, &2_u32.to_le_bytes());
    loader
}

/// An SMBIOS table of a system with a serial number and of one structure that is not measured.
fn smbios() -> Vec<u8> {
    let mut system = vec![1, 27, 0, 1];
    // Maker, product, version and serial number, UUID, wake-up type, two strings more.
    system.extend([1, 2, 0, 3]);
    system.extend([0x55; 16]);
    system.extend([6, 0, 0]);
    system.extend(b"QEMU\0Machine\0serial\0\0");
    let secret = [&[11, 5, 1, 1, 1][..], b"text\0\0"].concat();
    [&system[..], &secret, &[127, 4, 2, 1, 0, 0]].concat()
}

/// All that a boot is described with.
struct Parts {
    firmware: Vec<u8>,
    td_hob: Vec<u8>,
    table_loader: Vec<u8>,
    acpi_tables: Vec<u8>,
    smbios: Vec<u8>,
    boot_order: Vec<u8>,
    kernel: Vec<u8>,
    command_line: String,
    initrd: Vec<u8>,
}

impl Parts {
    fn new() -> Self {
        let firmware = firmware(&keys());
        Self {
            td_hob: td_hob(&firmware, 2 << 30),
            firmware,
            table_loader: table_loader(),
            acpi_tables: b"tables".to_vec(),
            smbios: smbios(),
            boot_order: vec![0, 0],
            kernel: kernel(),
            command_line: "console=ttyS0".to_owned(),
            initrd: b"initrd".to_vec(),
        }
    }

    /// Does something with the description of a direct boot.
    fn with<T>(&self, change: impl FnOnce(&mut Boot<'_>), then: impl FnOnce(&Boot<'_>) -> T) -> T {
        let files = [
            Blob {
                name: "etc/acpi/tables",
                contents: &self.acpi_tables,
            },
            Blob {
                name: "etc/acpi/rsdp",
                contents: b"rsdp",
            },
        ];
        let variables = [BootVariable {
            name: "BootOrder",
            data: &self.boot_order,
        }];
        let fw_cfg = [
            FwCfgFile {
                name: "bootorder",
                contents: b"/rom@genroms/linuxboot_dma.bin\0",
            },
            FwCfgFile {
                name: "BootMenu",
                contents: &[0, 0],
            },
            FwCfgFile {
                name: "etc/boot-menu-wait",
                contents: b"too long",
            },
            FwCfgFile {
                name: "etc/smbios/smbios-tables",
                contents: b"not measured",
            },
        ];
        let mut boot = Boot {
            firmware: Tdvf::parse(&self.firmware).unwrap(),
            td_hob: Some(TdHob::parse(&self.td_hob).unwrap()),
            fw_cfg: Some(&fw_cfg),
            acpi: Some(AcpiBlobs {
                table_loader: &self.table_loader,
                files: &files,
            }),
            smbios: Smbios::Digest(smbios_digest(&Sha2, &self.smbios).unwrap()),
            boot_variables: Some(&variables),
            boot_separator: BootSeparator::Rtmr1,
            payload: Payload::Direct(DirectBoot {
                kernel: &self.kernel,
                header: KernelHeader::AsFile,
                command_line: &self.command_line,
                initrd: Some(&self.initrd),
                authorities: &[],
            }),
            exits_boot_services: true,
        };
        change(&mut boot);
        then(&boot)
    }

    fn rtmrs(&self) -> [Option<Digest>; 4] {
        self.with(|_| (), |boot| boot.rtmrs(&Sha2).unwrap())
    }

    /// A log of such a boot, which extended the registers of a TD of the model.
    fn log(&self) -> Vec<u8> {
        let tdx = InProcess::new(TdParameters::default(), Platform::default()).unwrap();
        let mut area = vec![0; 0x4000];
        let mut buffer = ExtendBuffer::ZERO;
        let gpa = Gpa(&raw const buffer as u64);
        // SAFETY: The model's memory is that of this process, one to one.
        let buffer = unsafe { OperandMut::new(&mut buffer, gpa) };
        let writer = LogWriter::new(&mut area).unwrap();
        let mut measurement = Measurement::new(&tdx, buffer, Sha2, writer);
        self.with(
            |_| (),
            |boot| {
                boot.events(&Sha2, |event| {
                    let digest = event.digest.unwrap();
                    let recorded =
                        measurement.record(event.rtmr, event.event_type, &digest, &[&[0; 4]]);
                    assert_eq!(recorded, Ok(Recorded::Logged));
                })
                .unwrap();
            },
        );
        for (register, value) in RtmrIndex::ALL.into_iter().zip(self.rtmrs()) {
            assert_eq!(Some(tdx.td().rtmr(register)), value);
        }
        area
    }
}

fn changed(before: &[Option<Digest>; 4], after: &[Option<Digest>; 4]) -> Vec<usize> {
    (0..4)
        .filter(|index| before[*index] != after[*index])
        .collect()
}

/// The differences between a log of `Parts::new()` and what is expected of `parts`.
fn explain(parts: &Parts) -> (Vec<String>, Summary) {
    let log = Parts::new().log();
    let mut told = Vec::new();
    let summary = parts.with(
        |_| (),
        |boot| {
            boot.compare(&Sha2, &EventLog::parse(&log).unwrap(), |difference| {
                told.push(match difference {
                    Difference::Changed { expected, .. } => format!("changed {}", expected.what),
                    Difference::Missing(expected) => format!("missing {}", expected.what),
                    Difference::Unexpected(event) => format!("unexpected {}", event.event_type),
                });
            })
            .unwrap()
        },
    );
    (told, summary)
}

#[test]
fn the_log_of_a_boot_replays_to_what_is_expected() {
    let parts = Parts::new();
    let log = parts.log();
    let replay = EventLog::parse(&log).unwrap().replay(Sha2).unwrap();
    assert_eq!(parts.rtmrs(), replay.rtmrs().0.map(Some));
    assert_eq!(replay.rtmrs().0[3], Digest::ZERO);
    let (told, summary) = explain(&parts);
    assert_eq!(told, Vec::<String>::new());
    assert_eq!(summary.equal, 2 + 2 + 5 + 1 + 3 + 2 + 5 + 2);
}

#[test]
fn each_part_changes_its_register_and_is_explained() {
    type Change = fn(&mut Parts);
    let changes: [(Change, usize, &str); 9] = [
        (|parts| parts.td_hob[80] ^= 1, 0, "changed TD HOB"),
        (|parts| parts.firmware[0xff0] ^= 1, 0, "changed CFV"),
        (
            |parts| parts.table_loader[300] ^= 1,
            0,
            "changed ACPI blob etc/table-loader",
        ),
        (
            |parts| parts.acpi_tables[0] ^= 1,
            0,
            "changed ACPI blob etc/acpi/tables",
        ),
        (|parts| parts.smbios[28] ^= 1, 0, "changed SMBIOS table"),
        (
            |parts| parts.boot_order[0] ^= 1,
            0,
            "changed variable BootOrder",
        ),
        (|parts| parts.kernel[0x500] ^= 1, 1, "changed image kernel"),
        (
            |parts| parts.command_line.push('x'),
            2,
            "changed load options",
        ),
        (|parts| parts.initrd[0] ^= 1, 2, "changed initrd"),
    ];
    for (change, register, explanation) in changes {
        let mut parts = Parts::new();
        let before = parts.rtmrs();
        change(&mut parts);
        assert_eq!(
            changed(&before, &parts.rtmrs()),
            [register],
            "{explanation}"
        );
        let (told, summary) = explain(&parts);
        assert_eq!(told, [explanation]);
        assert_eq!(summary.differences, 1);
    }
}

#[test]
fn a_changed_bfv_changes_no_rtmr() {
    let mut parts = Parts::new();
    let before = parts.rtmrs();
    parts.firmware[0x1000] ^= 1;
    assert_eq!(changed(&before, &parts.rtmrs()), [0; 0]);
}

#[test]
fn an_enrolled_key_shows_in_cfv_and_variable() {
    let mut parts = Parts::new();
    parts.firmware = firmware(&cfv(&[]));
    let (told, _) = explain(&parts);
    assert_eq!(
        told,
        [
            "changed CFV",
            "changed variable SecureBoot",
            "changed variable PK",
            "changed variable KEK",
            "changed variable db",
        ]
    );
}

#[test]
fn what_is_not_known_is_not_predicted_and_not_missed() {
    let parts = Parts::new();
    let unknown = |boot: &mut Boot<'_>| {
        boot.td_hob = None;
        boot.acpi = None;
        boot.smbios = Smbios::Unknown;
        boot.boot_variables = None;
    };
    let rtmrs = parts.with(unknown, |boot| boot.rtmrs(&Sha2).unwrap());
    let known = parts.rtmrs();
    assert_eq!(rtmrs, [None, known[1], known[2], known[3]]);
    let log = parts.log();
    let summary = parts.with(unknown, |boot| {
        let log = EventLog::parse(&log).unwrap();
        boot.compare(&Sha2, &log, |difference| panic!("{difference}"))
            .unwrap()
    });
    assert_eq!(summary.unknown, 1 + 3 + 1 + 1);
}

#[test]
fn what_is_added_or_left_out_is_told() {
    let mut parts = Parts::new();
    parts.initrd.clear();
    let (told, _) = explain(&parts);
    assert_eq!(told, ["unexpected EV_EVENT_TAG"]);

    let parts = Parts::new();
    let log = parts.log();
    let mut told = Vec::new();
    parts.with(
        |boot| boot.boot_variables = Some(&[]),
        |boot| {
            boot.compare(&Sha2, &EventLog::parse(&log).unwrap(), |difference| {
                told.push(
                    difference
                        .to_string()
                        .split(": ")
                        .next()
                        .unwrap()
                        .to_owned(),
                );
            })
            .unwrap()
        },
    );
    assert_eq!(told, ["unexpected"]);

    // A log that ends early.
    let summary = parts.with(
        |_| (),
        |boot| {
            let log = EventLog::parse(&log[..600]).unwrap();
            boot.compare(&Sha2, &log, |_| ()).unwrap()
        },
    );
    assert!(summary.equal > 2 && summary.differences > 2, "{summary:?}");
}

#[test]
fn older_firmware_puts_both_separators_into_rtmr0() {
    let parts = Parts::new();
    let older = parts.with(
        |boot| boot.boot_separator = BootSeparator::Rtmr0,
        |boot| boot.rtmrs(&Sha2).unwrap(),
    );
    assert_eq!(changed(&parts.rtmrs(), &older), [0, 1]);
}

/// The digests are those of a log of a real boot, `ccel-direct-unpadded.bin` of google/go-eventlog.
#[test]
fn fixed_events_have_the_digests_of_real_logs() {
    let parts = Parts::new();
    let plain = firmware(&cfv(&[]));
    let mut digests = Vec::new();
    parts.with(
        |boot| boot.firmware = Tdvf::parse(Box::leak(plain.into_boxed_slice())).unwrap(),
        |boot| {
            boot.events(&Sha2, |event| {
                let digest = event.digest.unwrap().to_string();
                digests.push((event.what.to_string(), digest[..16].to_owned()));
            })
            .unwrap();
        },
    );
    for (what, digest) in [
        ("variable SecureBoot", "cfa4e2c606f57262"),
        ("variable PK", "6f2e3cbc14f9def8"),
        ("variable KEK", "d607c0efb41c0d75"),
        ("variable db", "08a74f8963b337ac"),
        ("variable dbx", "18cc6e01f0c6ea99"),
        ("separator", "394341b7182cd227"),
        ("variable BootOrder", "1dd6f7b457ad880d"),
        (
            "action \"Calling EFI Application from Boot Option\"",
            "77a0dab2312b4e1e",
        ),
        (
            "action \"Exit Boot Services Invocation\"",
            "214b0bef13797560",
        ),
        (
            "action \"Exit Boot Services Returned with Success\"",
            "0a2e01c85deae718",
        ),
    ] {
        let wanted = (what.to_owned(), digest.to_owned());
        assert!(digests.contains(&wanted), "{what} in {digests:?}");
    }
}

#[test]
fn secure_boot_is_on_with_a_platform_key_unless_turned_off() {
    let with = |variables: &[Variable<'_>]| {
        let cfv = cfv(variables);
        let store = VariableStore::parse(&cfv).unwrap();
        store.secure_boot()
    };
    let pk = (Guid::GLOBAL_VARIABLE, "PK", &b"key"[..], 0x3f);
    let enable = |value: &'static [u8]| (SECURE_BOOT_ENABLE, "SecureBootEnable", value, 0x3f);
    assert!(with(&[pk]));
    assert!(with(&[pk, enable(&[1])]));
    assert!(!with(&[pk, enable(&[0])]));
    assert!(!with(&[enable(&[1])]));
    assert!(!with(&[(pk.0, pk.1, pk.2, 0x3d)]), "a deleted key");
}

#[test]
fn a_cut_variable_is_an_error() {
    let mut cfv = keys();
    put(&mut cfv, FIRST + 40, &0x2000_u32.to_le_bytes());
    assert_eq!(
        VariableStore::parse(&cfv).err(),
        Some(ExpectError::Variable { offset: FIRST })
    );
    let mut parts = Parts::new();
    parts.firmware = firmware(&cfv);
    let result = parts.with(|_| (), |boot| boot.rtmrs(&Sha2));
    assert_eq!(result, Err(ExpectError::Variable { offset: FIRST }));
    parts.firmware = firmware(&[0xff; 0x1000]);
    let result = parts.with(|_| (), |boot| boot.rtmrs(&Sha2));
    assert_eq!(result, Err(ExpectError::NoVariableStore));
}

#[test]
fn what_tells_machines_apart_is_not_measured() {
    let digest = |table: &[u8]| smbios_digest(&Sha2, table);
    let table = smbios();
    let serial = table.windows(6).position(|text| text == b"serial").unwrap();
    let secret = table.windows(4).position(|text| text == b"text").unwrap();
    for at in [8, 23, 24, serial, serial + 5, secret] {
        let mut other = table.clone();
        other[at] ^= 1;
        assert_eq!(digest(&other), digest(&table), "byte {at}");
    }
    for at in [2, 25, 27, serial - 2] {
        let mut other = table.clone();
        other[at] ^= 1;
        assert_ne!(digest(&other), digest(&table), "byte {at}");
    }
    let mut hidden = table.clone();
    hidden[7] = 0;
    hidden[8..25].fill(0);
    hidden[serial..serial + 6].fill(b' ');
    let end = table.len() - 6;
    hidden[secret - 1..end].fill(0);
    assert_eq!(digest(&table), Some(Sha2.digest(&[&hidden])));
    // What is behind the end does not count, and a table without one is cut.
    assert_eq!(digest(&[&table[..], b"more"].concat()), digest(&table));
    assert!((0..table.len()).all(|length| digest(&table[..length]).is_none()));
}

#[test]
fn the_table_loader_names_its_files() {
    let mut parts = Parts::new();
    parts.table_loader.push(0);
    let result = parts.with(|_| (), |boot| boot.rtmrs(&Sha2));
    assert_eq!(result, Err(ExpectError::TableLoader { found: 385 }));
    let mut parts = Parts::new();
    put(&mut parts.table_loader, 128 + 4, b"etc/other");
    let result = parts.with(|_| (), |boot| boot.rtmrs(&Sha2));
    assert_eq!(result, Err(ExpectError::AcpiBlob { command: 1 }));
}

#[test]
fn qemu_patches_the_setup_header() {
    let parts = Parts::new();
    let low_ram = 2 << 30;
    let patched = parts.with(
        |boot| {
            if let Payload::Direct(direct) = &mut boot.payload {
                direct.header = KernelHeader::Patched { low_ram };
            }
        },
        |boot| boot.rtmrs(&Sha2).unwrap(),
    );
    // The same file with what QEMU writes.
    let mut other = Parts::new();
    let kernel = &mut other.kernel;
    kernel[0x210] = 0xb0;
    kernel[0x211] = 0x81;
    let address = (0x8000_0000_u32 - 0x2_8000 - 1 - 6) & !0xfff;
    put(kernel, 0x218, &address.to_le_bytes());
    put(kernel, 0x21c, &6_u32.to_le_bytes());
    put(kernel, 0x224, &0xfe00_u16.to_le_bytes());
    put(kernel, 0x228, &0x2_0000_u32.to_le_bytes());
    assert_eq!(patched, other.rtmrs());
    assert_eq!(changed(&patched, &parts.rtmrs()), [1]);
}

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
    let disk = Payload::Disk(DiskBoot {
        gpt: Some(b"partitions"),
        images: &images,
        boot_loader: &[("grub_cmd: boot", b"boot")],
    });
    let mut events = Vec::new();
    let mut digest = None;
    let firmware = Tdvf::parse(&parts.firmware).unwrap();
    let boot = Boot {
        firmware,
        td_hob: None,
        fw_cfg: None,
        acpi: None,
        smbios: Smbios::NotMeasured,
        boot_variables: None,
        boot_separator: BootSeparator::Rtmr1,
        payload: disk,
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

proptest! {
    #[test]
    fn no_store_makes_it_panic(
        changes in proptest::collection::vec((0..0x200_usize, any::<u8>()), 1..6),
        length in 0..0x1000_usize,
    ) {
        let mut cfv = keys();
        for (offset, value) in changes {
            cfv[offset] = value;
        }
        for bytes in [&cfv[..], &cfv[..length]] {
            if let Ok(store) = VariableStore::parse(bytes) {
                let _ = (store.secure_boot(), format!("{store:?}"));
            }
        }
    }

    #[test]
    fn no_setup_header_makes_it_panic(
        changes in proptest::collection::vec((0x1f0..0x240_usize, any::<u8>()), 0..6),
        low_ram in any::<u64>(),
    ) {
        let mut parts = Parts::new();
        for (offset, value) in changes {
            parts.kernel[offset] = value;
        }
        let _ = parts.with(
            |boot| {
                if let Payload::Direct(direct) = &mut boot.payload {
                    direct.header = KernelHeader::Patched { low_ram };
                }
            },
            |boot| boot.rtmrs(&Sha2),
        );
    }
}
