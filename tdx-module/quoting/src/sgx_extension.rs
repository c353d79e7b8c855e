// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The SGX extension of a PCK certificate: which platform it is for.
//!
//! Source: *Intel SGX PCK Certificate and Certificate Revocation List Profile Specification*, "SGX extensions".

use crate::seed::Seed;
use crate::PlatformConfig;
use der::asn1::{Any, OctetStringRef};
use der::oid::ObjectIdentifier;
use der::{Encode, EncodeValue, Sequence, Tagged};
use x509_cert::ext::Extension;

/// `id-ce-sGXExtensions`; everything else is numbered below it.
const SGX_EXTENSIONS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113741.1.13.1");

/// The PCE-ID: there is but one PCE.
pub(crate) const PCE_ID: [u8; 2] = [0; 2];

/// SGX Type: "scalable", which servers with TDX have.
const SCALABLE: SgxType = SgxType::Scalable;

#[derive(Clone, Copy, der::Enumerated)]
#[repr(u8)]
enum SgxType {
    Scalable = 1,
}

/// A part of the extension: its number and what it holds.
#[derive(Sequence)]
struct Part {
    id: ObjectIdentifier,
    value: Any,
}

/// The extension for the platform of `seed` and `config`.
pub(crate) fn sgx_extension(seed: &Seed, config: &PlatformConfig) -> der::Result<Extension> {
    let ppid: [u8; 16] = seed.bytes("PPID");
    let platform_instance: [u8; 16] = seed.bytes("platform instance ID");
    let parts = vec![
        part(&[1], &OctetStringRef::new(&ppid)?)?,
        part(&[2], &tcb(config)?)?,
        part(&[3], &OctetStringRef::new(&PCE_ID)?)?,
        part(&[4], &OctetStringRef::new(&config.fmspc)?)?,
        part(&[5], &SCALABLE)?,
        part(&[6], &OctetStringRef::new(&platform_instance)?)?,
        part(&[7], &configuration()?)?,
    ];
    Ok(Extension {
        extn_id: SGX_EXTENSIONS,
        critical: false,
        extn_value: der::asn1::OctetString::new(parts.to_der()?)?,
    })
}

/// The TCB for which the certificate is: the components' SVNs, the PCE's, and CPUSVN.
///
/// CPUSVN in a certificate is the components' SVNs once more, not what the processor reports.
fn tcb(config: &PlatformConfig) -> der::Result<Vec<Part>> {
    let mut parts = (1..)
        .zip(&config.sgx_components)
        .map(|(number, svn)| part(&[2, number], svn))
        .collect::<der::Result<Vec<_>>>()?;
    parts.push(part(&[2, 17], &config.pce_svn)?);
    parts.push(part(
        &[2, 18],
        &OctetStringRef::new(&config.sgx_components)?,
    )?);
    Ok(parts)
}

/// Whether packages can be added, whether the keys are kept for that, and whether hyper-threading is on: nothing that a
/// strict verifier has objections to.
fn configuration() -> der::Result<Vec<Part>> {
    (1..=3).map(|number| part(&[7, number], &false)).collect()
}

fn part(numbers: &[u32], value: &(impl EncodeValue + Tagged)) -> der::Result<Part> {
    let id = numbers
        .iter()
        .try_fold(SGX_EXTENSIONS, |id, number| id.push_arc(*number))?;
    Ok(Part {
        id,
        value: Any::encode_from(value)?,
    })
}
