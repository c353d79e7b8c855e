// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Shim, and what lets it pass.

use super::support::{cfv, firmware, kernel, Parts};
use crate::common::{pe, put, PE_CERTIFICATES, PE_HEADER, PE_SECTIONS};
use proptest::prelude::*;
use tdx_call::RtmrIndex;
use tdx_firmware::expect::{Authority, ExpectError, Payload, ShimBoot, VariableStore};
use tdx_firmware::pe::PeImage;
use tdx_firmware::tdvf::Tdvf;
use tdx_firmware::{Guid, HashEngine, Sha2};

const X509: Guid = Guid::new(0xa5c059a1_94e4_4aa7_87b5_ab155c2bf072);

/// An element of DER with short contents.
fn der(tag: u8, contents: &[u8]) -> Vec<u8> {
    [&[tag, contents.len() as u8], contents].concat()
}

/// What is needed of a certificate: who issued it for whom.
fn certificate(issuer: &str, subject: &str) -> Vec<u8> {
    let name = |name: &str| der(0x30, &der(0x0c, name.as_bytes()));
    let times = [der(0x17, b"260101"), der(0x18, b"20270101")].concat();
    let fields = [
        der(0xa0, &der(2, &[2])),
        der(2, &[7]),
        der(0x30, &[]),
        name(issuer),
        der(0x30, &times),
        name(subject),
        der(0x30, &der(3, b"key")),
    ];
    der(0x30, &der(0x30, &fields.concat()))
}

/// A list of certificates, which all are of the same size.
fn list(certificates: &[Vec<u8>]) -> Vec<u8> {
    let entry = 16 + certificates[0].len() as u32;
    let size = 28 + entry * certificates.len() as u32;
    let mut list = X509.0.to_vec();
    for number in [size, 0, entry] {
        list.extend(number.to_le_bytes());
    }
    for certificate in certificates {
        list.extend([0xaa; 16]);
        list.extend(certificate);
    }
    list
}

/// The image with a signature for each certificate.
fn signed(mut image: Vec<u8>, certificates: &[Vec<u8>]) -> Vec<u8> {
    let mut table = Vec::new();
    for certificate in certificates {
        table.extend((8 + certificate.len() as u32).to_le_bytes());
        table.extend([0, 2, 2, 0]);
        table.extend(certificate);
        table.resize(table.len().next_multiple_of(8), 0);
    }
    let (start, size) = (image.len() as u32, table.len() as u32);
    put(&mut image, PE_CERTIFICATES, &start.to_le_bytes());
    put(&mut image, PE_CERTIFICATES + 4, &size.to_le_bytes());
    image.extend(table);
    image
}

/// A shim with the certificate "vendor" and the list "revoked", whose sections have names of more than 8 bytes.
fn shim() -> Vec<u8> {
    let mut shim = pe(&[(0x200, 0x200), (0x400, 0x200)], 0x800);
    // No symbols, and the names behind them.
    put(&mut shim, PE_HEADER + 12, &0x600_u32.to_le_bytes());
    put(&mut shim, 0x600 + 4, b".vendor_cert\0.sbatlevel\0");
    for (index, (name, size)) in [(b"/4\0", 29_u32), (b"/17", 30)].iter().enumerate() {
        let header = PE_SECTIONS + 40 * index;
        put(&mut shim, header, *name);
        put(&mut shim, header + 8, &size.to_le_bytes());
    }
    for (at, number) in [6_u32, 7, 16, 22].iter().enumerate() {
        put(&mut shim, 0x200 + 4 * at, &number.to_le_bytes());
    }
    put(&mut shim, 0x210, b"vendorrevoked");
    put(&mut shim, 0x400, &[0, 0, 0, 0, 8, 0, 0, 0, 12, 0, 0, 0]);
    put(&mut shim, 0x40c, b"sbat,1\0sbat,2\0");
    signed(shim, &[certificate("Root", "Signer")])
}

/// A variable store with a platform key and this db.
fn store(db: &[u8]) -> Vec<u8> {
    cfv(&[
        (Guid::GLOBAL_VARIABLE, "PK", b"platform key", 0x3f),
        (Guid::IMAGE_SECURITY_DATABASE, "db", db, 0x3f),
    ])
}

/// The events of a boot through shim, with the digests' data where it is known here.
fn told(
    db: &[u8],
    shim: &[u8],
) -> Result<Vec<(RtmrIndex, String, Option<tdx_uapi::Digest>)>, ExpectError> {
    let firmware = firmware(&store(db));
    let (parts, kernel) = (Parts::new(), kernel());
    let mut told = Vec::new();
    parts.with(
        |_| (),
        |boot| {
            let mut boot = *boot;
            boot.firmware = Tdvf::parse(&firmware).unwrap();
            boot.payload = Payload::Shim(ShimBoot {
                partitions: None,
                shim,
                grub: &kernel,
                commands: &[],
                kernel: &kernel,
                command_line: "a",
                initrd: None,
            });
            boot.events(&Sha2, |event| {
                told.push((event.rtmr, event.what.to_string(), event.digest));
            })
        },
    )?;
    Ok(told)
}

#[test]
fn shim_measures_what_it_brings() {
    let db = list(&[certificate("Xoot", "Xoot"), certificate("Root", "Root")]);
    let told = told(&db, &shim()).unwrap();
    let variable = |guid: &Guid, name: &str, data: &[&[u8]]| {
        let units: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let length = data.concat().len() as u64;
        let head = [
            &guid.0[..],
            &(name.len() as u64).to_le_bytes(),
            &length.to_le_bytes(),
            &units,
        ];
        Sha2.digest(&[&head.concat(), &data.concat()])
    };
    let vendor = [&Guid::SHIM_LOCK.0[..], b"vendor"].concat();
    let vendor_list = [
        &X509.0[..],
        &50_u32.to_le_bytes(),
        &0_u32.to_le_bytes(),
        &22_u32.to_le_bytes(),
        &vendor,
    ];
    let by = &db[28 + db[24] as usize..];
    let expected = [
        (
            "authority of db",
            variable(&Guid::IMAGE_SECURITY_DATABASE, "db", &[by]),
        ),
        ("boot loader: MokList", Sha2.digest(&vendor_list)),
        ("boot loader: MokListX", Sha2.digest(&[b"revoked"])),
        (
            "authority of SbatLevel",
            variable(&Guid::SHIM_LOCK, "SbatLevel", &[b"sbat,1"]),
        ),
        ("boot loader: MokListTrusted", Sha2.digest(&[&[1]])),
        (
            "authority of MokListRT",
            variable(&Guid::SHIM_LOCK, "MokListRT", &[&vendor]),
        ),
        ("load options", Sha2.digest(&[b"a\0"])),
    ];
    let mut found = told.iter();
    for (what, digest) in expected {
        let event = found.find(|(_, found, _)| found == what);
        assert_eq!(event.unwrap().2, Some(digest), "{what}");
    }
    // The distribution's certificate lets GRUB and the kernel pass, and is measured once.
    let count = told
        .iter()
        .filter(|(_, what, _)| what == "authority of MokListRT");
    assert_eq!(count.count(), 1);
}

#[test]
fn a_certificate_or_its_issuer_is_the_authority() {
    let image = signed(kernel(), &[certificate("Root", "Signer")]);
    let image = PeImage::parse(&image).unwrap();
    for (issuer, subject, found) in [
        ("Root", "Root", true),
        ("Other", "Root", true),
        ("Root", "Signer", true),
        ("Other", "Signer", false),
        ("Root", "Other", false),
    ] {
        let cfv = store(&list(&[certificate(issuer, subject)]));
        let store = VariableStore::parse(&cfv).unwrap();
        assert_eq!(
            Authority::of_image(&store, &image).is_some(),
            found,
            "{subject} by {issuer}"
        );
    }
}

#[test]
fn the_first_signature_that_db_knows_counts() {
    let image = signed(
        kernel(),
        &["None", "Root", "Xoot"].map(|issuer| certificate(issuer, "Signer")),
    );
    let image = PeImage::parse(&image).unwrap();
    let db = list(&["Xoot", "Root"].map(|subject| certificate("Self", subject)));
    let cfv = store(&db);
    let store = VariableStore::parse(&cfv).unwrap();
    let authority = Authority::of_image(&store, &image).unwrap();
    let entry = 16 + certificate("Self", "Root").len();
    assert_eq!(authority.data, &db[28 + entry..]);
}

#[test]
fn another_image_is_no_shim() {
    let db = list(&[certificate("Root", "Root")]);
    assert_eq!(told(&db, &kernel()), Err(ExpectError::NoShim));
}

proptest! {
    #[test]
    fn no_shim_and_no_db_make_it_panic(
        changes in proptest::collection::vec((0..0x600_usize, any::<u8>()), 1..6),
        bytes in proptest::collection::vec((0..80_usize, any::<u8>()), 1..4),
    ) {
        let (mut shim, mut db) = (shim(), list(&[certificate("Root", "Root")]));
        changes.into_iter().for_each(|(at, value)| shim[at] = value);
        bytes.into_iter().for_each(|(at, value)| db[at] = value);
        let _ = told(&db, &shim);
    }
}
