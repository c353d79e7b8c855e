// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The databases of secure boot.

use crate::cursor::Cursor;
use crate::Guid;
use core::fmt;

/// Lists of certificates or hashes: the contents of PK, KEK, db and dbx.
///
/// # Invariants
///
/// Nothing but well-formed lists.
///
/// Source: UEFI specification, "Secure Boot and Driver Signing", "Signature Database".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignatureLists<'a>(&'a [u8]);

/// Certificates or hashes of one kind: `EFI_SIGNATURE_LIST`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignatureList<'a> {
    /// Their kind.
    pub kind: Guid,
    /// What belongs to the list as a whole.
    pub header: &'a [u8],
    /// The length of each, with the GUID of its owner, in bytes. Not 0.
    pub signature_len: usize,
    /// All of them, one after another.
    signatures: &'a [u8],
}

impl SignatureList<'_> {
    /// `EFI_CERT_X509_GUID`.
    pub const X509: Guid = Guid::new(0xa5c059a1_94e4_4aa7_87b5_ab155c2bf072);
    /// `EFI_CERT_SHA256_GUID`.
    pub const SHA256: Guid = Guid::new(0xc1c41626_504c_4092_aca9_41f936934328);
}

impl<'a> SignatureLists<'a> {
    /// Reads lists. `None` when they are not well-formed.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = bytes;
        while !rest.is_empty() {
            (_, rest) = SignatureList::split(rest)?;
        }
        Some(Self(bytes))
    }

    /// The lists.
    pub fn iter(&self) -> impl Iterator<Item = SignatureList<'a>> + 'a {
        let mut rest = self.0;
        core::iter::from_fn(move || {
            let (list, behind) = SignatureList::split(rest)?;
            rest = behind;
            Some(list)
        })
    }
}

impl<'a> SignatureList<'a> {
    /// The list at the front, and what is behind it.
    fn split(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        const HEADER_LEN: u32 = 28;
        let mut cursor = Cursor::new(bytes);
        let kind = Guid(*cursor.array()?);
        let list_len = cursor.u32()?;
        let header_len = cursor.u32()?;
        let signature_len = usize::try_from(cursor.u32()?).ok()?;
        let mut body = Cursor::new(cursor.take_u32(list_len.checked_sub(HEADER_LEN)?)?);
        let header = body.take_u32(header_len)?;
        let signatures = body.rest();
        let whole = signature_len >= 16 && signatures.len() % signature_len == 0;
        let list = Self {
            kind,
            header,
            signature_len,
            signatures,
        };
        whole.then_some((list, cursor.rest()))
    }

    /// Pairs of an owner and a certificate or hash.
    pub fn iter(&self) -> impl Iterator<Item = (Guid, &'a [u8])> + 'a {
        self.signatures
            .chunks_exact(self.signature_len)
            .filter_map(|signature| {
                let mut cursor = Cursor::new(signature);
                Some((Guid(*cursor.array()?), cursor.rest()))
            })
    }
}

impl fmt::Display for SignatureLists<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |kind: Option<Guid>| -> usize {
            self.iter()
                .filter(|list| match kind {
                    Some(kind) => list.kind == kind,
                    None => ![SignatureList::X509, SignatureList::SHA256].contains(&list.kind),
                })
                .map(|list| list.signatures.len() / list.signature_len)
                .sum()
        };
        let counts = [
            (count(Some(SignatureList::X509)), "X.509 certificate"),
            (count(Some(SignatureList::SHA256)), "SHA-256 hash"),
            (count(None), "other entry"),
        ];
        if counts.iter().all(|(count, _)| *count == 0) {
            return f.write_str("empty");
        }
        let some = counts.iter().filter(|(count, _)| *count != 0);
        for (at, (count, what)) in some.enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{what} ×{count}")?;
        }
        Ok(())
    }
}
