// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A boot to describe, and its log.

use crate::common::{image, pe, put, Section, BFV, CFV, TD_HOB, TEMP_MEM};
use tdx_call::{ExtendBuffer, Gpa, OperandMut, RtmrIndex};
use tdx_firmware::event_log::{EventLog, LogWriter};
use tdx_firmware::expect::{
    smbios_digest, AcpiBlobs, Blob, Boot, BootSeparator, BootVariable, Difference, DirectBoot,
    FwCfg, FwCfgFile, KernelHeader, Payload, SecureBootSupport, Smbios, Summary,
};
use tdx_firmware::hob::{qemu, TdHob};
use tdx_firmware::measurement::Recorded;
use tdx_firmware::tdvf::Tdvf;
use tdx_firmware::{Guid, Measurement, Sha2};
use tdx_module::{InProcess, Platform, TdParameters};
use tdx_uapi::Digest;

pub(crate) const STORE: usize = 72;

pub(crate) const FIRST: usize = STORE + 28;

/// A variable of the store: whose, name, data, state.
pub(crate) type Variable<'a> = (Guid, &'a str, &'a [u8], u8);

pub(crate) const SECURE_BOOT_ENABLE: Guid = Guid::new(0xf0a30bc7_af08_4556_99c4_001009c93a44);

/// A CFV of 4096 bytes with these variables.
pub(crate) fn cfv(variables: &[Variable<'_>]) -> Vec<u8> {
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

pub(crate) fn keys() -> Vec<u8> {
    cfv(&[
        (Guid::GLOBAL_VARIABLE, "PK", b"platform key", 0x3f),
        (Guid::GLOBAL_VARIABLE, "KEK", b"key exchange", 0x3f),
        (Guid::IMAGE_SECURITY_DATABASE, "db", b"old", 0x3c),
        (Guid::IMAGE_SECURITY_DATABASE, "db", b"new", 0x3f),
    ])
}

pub(crate) fn firmware(cfv: &[u8]) -> Vec<u8> {
    let hob = Section {
        size: 0x1000,
        ..TD_HOB
    };
    let mut image = image(&[BFV, CFV, hob, TEMP_MEM]);
    put(&mut image, 0, cfv);
    image
}

pub(crate) fn td_hob(firmware: &[u8], ram: u64) -> Vec<u8> {
    let mut area = vec![0; 0x1000];
    let tdvf = Tdvf::parse(firmware).unwrap();
    qemu::write_td_hob(&mut area, &tdvf, &qemu::q35_ram(ram)).unwrap();
    area
}

/// A kernel: a PE image with a setup header in it.
pub(crate) fn kernel() -> Vec<u8> {
    let mut kernel = pe(&[(0x400, 0x200)], 0x600);
    put(
        &mut kernel,
        crate::common::PE_OPTIONAL + 60,
        &0x400_u32.to_le_bytes(),
    );
    put(&mut kernel, 0x202, b"HdrS");
    put(&mut kernel, 0x206, &0x20f_u16.to_le_bytes());
    kernel[0x211] = 1;
    put(&mut kernel, 0x236, &2_u16.to_le_bytes());
    kernel
}

pub(crate) fn table_loader() -> Vec<u8> {
    let mut loader = vec![0; 3 * 128];
    for (command, file) in [(0, "etc/acpi/rsdp"), (1, "etc/acpi/tables")] {
        put(&mut loader, command * 128, &1_u32.to_le_bytes());
        put(&mut loader, command * 128 + 4, file.as_bytes());
    }
    put(&mut loader, 256, &2_u32.to_le_bytes());
    loader
}

/// An SMBIOS table of a system with a serial number and of one structure that is not measured.
pub(crate) fn smbios() -> Vec<u8> {
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
pub(crate) struct Parts {
    pub(crate) firmware: Vec<u8>,
    pub(crate) td_hob: Vec<u8>,
    pub(crate) table_loader: Vec<u8>,
    pub(crate) acpi_tables: Vec<u8>,
    pub(crate) smbios: Vec<u8>,
    pub(crate) boot_order: Vec<u8>,
    pub(crate) kernel: Vec<u8>,
    pub(crate) command_line: String,
    pub(crate) initrd: Vec<u8>,
}

impl Parts {
    pub(crate) fn new() -> Self {
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
    pub(crate) fn with<T>(
        &self,
        change: impl FnOnce(&mut Boot<'_>),
        then: impl FnOnce(&Boot<'_>) -> T,
    ) -> T {
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
            fw_cfg: FwCfg::Files(&fw_cfg),
            acpi: Some(AcpiBlobs {
                table_loader: &self.table_loader,
                files: &files,
            }),
            smbios: Smbios::Digest(smbios_digest(&Sha2, &self.smbios).unwrap()),
            boot_variables: Some(&variables),
            secure_boot: SecureBootSupport::BuiltIn,
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

    pub(crate) fn rtmrs(&self) -> [Option<Digest>; 4] {
        self.with(|_| (), |boot| boot.rtmrs(&Sha2).unwrap())
    }

    /// A log of such a boot, which extended the registers of a TD of the model.
    pub(crate) fn log(&self) -> Vec<u8> {
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

pub(crate) fn changed(before: &[Option<Digest>; 4], after: &[Option<Digest>; 4]) -> Vec<usize> {
    (0..4)
        .filter(|index| before[*index] != after[*index])
        .collect()
}

/// The differences between a log of `Parts::new()` and what is expected of `parts`.
pub(crate) fn explain(parts: &Parts) -> (Vec<String>, Summary) {
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
