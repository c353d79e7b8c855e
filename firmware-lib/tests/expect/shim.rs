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

/// The certificate that [`shim`] brings.
const VENDOR: &[u8] = b"0\x04dist";

/// A shim with a certificate and the list "revoked".
fn shim() -> Vec<u8> {
    shim_with(VENDOR, b"revoked")
}

/// A shim with this in its section `.vendor_cert`, whose sections have names of more than 8 bytes.
fn shim_with(vendor: &[u8], revoked: &[u8]) -> Vec<u8> {
    let (vendor_size, revoked_size) = (vendor.len() as u32, revoked.len() as u32);
    let size = 16 + vendor_size + revoked_size;
    let mut shim = pe(&[(0x200, 0x200), (0x400, 0x200)], 0x800);
    // No symbols, and the names behind them.
    put(&mut shim, PE_HEADER + 12, &0x600_u32.to_le_bytes());
    put(&mut shim, 0x600 + 4, b".vendor_cert\0.sbatlevel\0");
    for (index, (name, size)) in [(b"/4\0", size), (b"/17", 30)].iter().enumerate() {
        let header = PE_SECTIONS + 40 * index;
        put(&mut shim, header, *name);
        put(&mut shim, header + 8, &size.to_le_bytes());
    }
    let numbers = [vendor_size, revoked_size, 16, 16 + vendor_size];
    put(&mut shim, 0x200, &numbers.map(u32::to_le_bytes).concat());
    put(&mut shim, 0x210, &[vendor, revoked].concat());
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
fn told(db: &[u8], shim: &[u8]) -> Result<Vec<Told>, ExpectError> {
    told_of(db, [shim, &kernel(), &kernel()])
}

/// Register, what is measured, and digest.
type Told = (RtmrIndex, String, Option<tdx_uapi::Digest>);

/// The same with other files of GRUB and kernel.
fn told_of(db: &[u8], [shim, grub, kernel]: [&[u8]; 3]) -> Result<Vec<Told>, ExpectError> {
    let firmware = firmware(&store(db));
    let parts = Parts::new();
    let mut told = Vec::new();
    parts.with(
        |_| (),
        |boot| {
            let mut boot = *boot;
            boot.firmware = Tdvf::parse(&firmware).unwrap();
            boot.payload = Payload::Shim(ShimBoot {
                partitions: None,
                shim,
                grub,
                commands: &[],
                kernel,
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

/// The digest of a variable that is measured with its name.
fn variable(guid: &Guid, name: &str, data: &[&[u8]]) -> tdx_uapi::Digest {
    let units: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let length = data.concat().len() as u64;
    let head = [
        &guid.0[..],
        &(name.len() as u64).to_le_bytes(),
        &length.to_le_bytes(),
        &units,
    ];
    Sha2.digest(&[&head.concat(), &data.concat()])
}

#[test]
fn shim_measures_what_it_brings() {
    let db = list(&[certificate("Xoot", "Xoot"), certificate("Root", "Root")]);
    let told = told(&db, &shim()).unwrap();
    let vendor = [&Guid::SHIM_LOCK.0[..], VENDOR].concat();
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
fn a_shim_that_brings_nothing_measures_lists_of_a_hash_of_zeros() {
    let db = list(&[certificate("Root", "Root")]);
    let told = told(&db, &shim_with(b"", b"")).unwrap();
    let sha256 = Guid::new(0xc1c41626_504c_4092_aca9_41f936934328);
    let numbers = [76, 0, 48].map(u32::to_le_bytes).concat();
    let nothing = [&sha256.0[..], &numbers, &Guid::SHIM_LOCK.0, &[0; 32]].concat();
    assert_eq!(nothing.len(), 76);
    for what in ["boot loader: MokList", "boot loader: MokListX"] {
        let event = told.iter().find(|(_, found, _)| found == what);
        assert_eq!(event.unwrap().2, Some(Sha2.digest(&[&nothing])), "{what}");
    }
    assert!(told
        .iter()
        .all(|(_, what, _)| what != "authority of MokListRT"));
}

#[test]
fn a_shim_with_a_database_is_not_predicted() {
    let db = list(&[certificate("Root", "Root")]);
    assert_eq!(told(&db, &shim_with(&db, b"")), Err(ExpectError::VendorDb));
}

#[test]
fn firmware_and_shim_each_measure_an_authority_once() {
    let [root, other] = ["Root", "Xoot"].map(|name| certificate(name, name));
    let db = list(&[root.clone(), other.clone()]);
    let measured = |entry: &[u8]| {
        let data: [&[u8]; 2] = [&[0xaa; 16], entry];
        Some(variable(&Guid::IMAGE_SECURITY_DATABASE, "db", &data))
    };
    let by = |issuer: &str| signed(kernel(), &[certificate(issuer, "Signer")]);
    let authorities = |grub: &[u8], kernel: &[u8]| -> Vec<_> {
        let told = told_of(&db, [&shim(), grub, kernel]).unwrap();
        let authorities = told
            .into_iter()
            .filter(|event| event.1 == "authority of db");
        authorities.map(|event| event.2).collect()
    };
    let (root, other) = (measured(&root), measured(&other));
    // Shim is by the first one.
    assert_eq!(authorities(&by("Root"), &by("Root")), [root, root]);
    assert_eq!(authorities(&by("Xoot"), &by("Xoot")), [root, other]);
    assert_eq!(authorities(&by("Xoot"), &by("Root")), [root, other, root]);
    assert_eq!(authorities(&kernel(), &kernel()), [root]);
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
