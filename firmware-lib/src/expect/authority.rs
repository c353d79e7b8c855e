// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What lets an image pass while Secure Boot is on.
//!
//! Source: UEFI specification, "Firmware/OS Key Exchange"; edk2's `DxeImageVerificationLib.c` and `Measurement.c`, and
//! `CryptPkcs7VerifyCommon.c`, by which any certificate of a chain may be the one in db, not only its root; ITU-T X.690 and
//! RFC 5280, 4.1, for where a certificate's names are.

use super::event::Sink;
use super::{VariableStore, What};
use crate::cursor::Cursor;
use crate::pe::PeImage;
use crate::{EventType, Guid, HashEngine};

/// What let an image pass while Secure Boot is on: an entry of db, or what shim adds to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authority<'a> {
    /// Whose variable it is in.
    pub guid: Guid,
    /// What the variable is called.
    pub name: &'a str,
    /// The entry: its owner's GUID and the certificate or hash, for db.
    pub data: &'a [u8],
}

impl<'a> Authority<'a> {
    /// The entry of db that lets a signed image pass. Of the image's signatures, the first counts that db has a certificate
    /// for: one that the signature comes with itself, or whose subject issued one of these. `None` if there is none.
    /// Hashes in db are not looked at.
    ///
    /// This goes by names. Whether the signature is good, and the image not in dbx, is for the firmware to find out; it
    /// would not have started the image otherwise.
    pub fn of_image(store: &VariableStore<'a>, image: &PeImage<'_>) -> Option<Self> {
        let (guid, name) = (Guid::IMAGE_SECURITY_DATABASE, "db");
        let db = store.find(&guid, &['d' as u16, 'b' as u16])?;
        let data = signatures(image.certificates()?).find_map(|signature| {
            // The names stand in the image's certificates as they do here.
            certificates(db).find(|entry| {
                let certificate = &entry[OWNER..];
                subject(certificate).is_some_and(|name| {
                    is_issuer(name, signature)
                        || signature
                            .windows(certificate.len())
                            .any(|part| part == certificate)
                })
            })
        })?;
        Some(Self { guid, name, data })
    }
}

/// The signatures in an image's certificate table, which begin at multiples of 8 and with their length. Ends where one is cut.
fn signatures(table: &[u8]) -> impl Iterator<Item = &[u8]> {
    /// The length of `WIN_CERTIFICATE`'s header.
    const HEADER: u32 = 8;
    let mut rest = Cursor::new(table);
    core::iter::from_fn(move || {
        let length = rest.u32()?;
        let signature = rest.take_u32(length.checked_sub(HEADER - 4)?)?;
        // The last one may have no padding.
        let _ = rest.take_u32(length.wrapping_neg() % 8);
        Some(signature)
    })
}

/// The length of the GUID that says who put an entry into db.
const OWNER: usize = 16;

/// `EFI_CERT_X509_GUID`.
const X509: Guid = Guid::new(0xa5c059a1_94e4_4aa7_87b5_ab155c2bf072);

/// The entries of lists of signatures that are certificates, each with its owner's GUID. Ends where lists are malformed.
fn certificates(lists: &[u8]) -> impl Iterator<Item = &[u8]> {
    /// A list's kind and three lengths.
    const HEADER: u32 = 28;
    let mut rest = Cursor::new(lists);
    let lists = core::iter::from_fn(move || {
        let kind = *rest.array()?;
        let (length, header, entry) = (rest.u32()?, rest.u32()?, rest.u32()?);
        let mut body = Cursor::new(rest.take_u32(length.checked_sub(HEADER)?)?);
        body.take_u32(header)?;
        let entry = usize::try_from(entry).ok().filter(|entry| *entry > OWNER)?;
        Some((kind, body.rest().chunks_exact(entry)))
    });
    lists
        .filter(|(kind, _)| *kind == X509.0)
        .flat_map(|(_, entries)| entries)
}

/// Whether a certificate with this issuer is among `bytes`: the name, and behind it a validity, which is a sequence of two
/// times. Behind a subject's name there is a key.
fn is_issuer(name: &[u8], bytes: &[u8]) -> bool {
    const SEQUENCE: u8 = 0x30;
    const TIMES: [u8; 2] = [0x17, 0x18];
    bytes.windows(name.len()).enumerate().any(|(at, window)| {
        let behind = bytes.get(at + name.len()..).unwrap_or_default();
        window == name
            && behind.first() == Some(&SEQUENCE)
            && behind.get(2).is_some_and(|tag| TIMES.contains(tag))
    })
}

/// The subject of a certificate, as its DER has it.
fn subject(certificate: &[u8]) -> Option<&[u8]> {
    const VERSION: u8 = 0xa0;
    let (_, certificate, _) = element(certificate)?;
    let (_, mut rest, _) = element(certificate)?;
    if rest.first() == Some(&VERSION) {
        rest = element(rest)?.2;
    }
    // Serial number, signature's algorithm, issuer, validity.
    for _ in 0..4 {
        rest = element(rest)?.2;
    }
    Some(element(rest)?.0)
}

/// The first element of DER: all of it, its contents, and what is behind it.
fn element(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let mut cursor = Cursor::new(bytes);
    cursor.u8()?;
    let length = match cursor.u8()? {
        short @ ..=0x7f => usize::from(short),
        0x81 => usize::from(cursor.u8()?),
        0x82 => usize::from(u16::from_be_bytes(*cursor.array()?)),
        _ => return None,
    };
    let contents = cursor.take(length)?;
    let (all, rest) = bytes.split_at(bytes.len() - cursor.rest().len());
    Some((all, contents, rest))
}

/// The events of authorities, in RTMR0.
pub(super) fn authorities<'a, E: HashEngine>(
    authorities: &[Authority<'a>],
    sink: &mut Sink<'_, 'a, E>,
) {
    for authority in authorities {
        sink.variable(
            EventType::EFI_VARIABLE_AUTHORITY,
            What::Authority(authority.name),
            &authority.guid,
            authority.name.encode_utf16(),
            &[authority.data],
        );
    }
}
