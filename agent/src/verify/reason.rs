// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Which claim it is that `dcap-qvl` found not to hold, and why.

use super::{Claim, Collateral};
use dcap_qvl::intel::parse_pck_extension_from_pem;
use dcap_qvl::verify::QuoteVerifier;
use dcap_qvl::{SvnComponent, SvnShortfall, TcbInfo};
use tdx_uapi::quote::Quote;

/// What a message says, by words in it. The first that is found counts: the texts for the enclave name the QE identity.
const WORDS: [(&str, &str); 23] = [
    ("Failed to decode quote", "quote"),
    ("DCAP", "quote"),
    ("QE vendor ID", "quote"),
    ("TEE type", "quote"),
    ("TDX TEE quote", "quote"),
    ("qe_report", "quoting-enclave"),
    ("QE report", "quoting-enclave"),
    ("QE auth data", "quoting-enclave"),
    ("QE MRSIGNER", "quoting-enclave"),
    ("QE ISV", "quoting-enclave"),
    ("QE MISCSELECT", "quoting-enclave"),
    ("QE ATTRIBUTES", "quoting-enclave"),
    ("ISV enclave report signature", "signature"),
    ("No matching TCB level", "tcb"),
    ("TDX module", "tcb"),
    ("TCB status", "tcb"),
    ("Reserved bits in TD attributes", "attributes"),
    ("TD migration", "attributes"),
    ("SEPT_VE_DISABLE", "attributes"),
    ("TD attributes", "attributes"),
    ("PCK", "certificates"),
    ("in quote", "certificates"),
    ("Intel extension", "certificates"),
];

/// What tells that a chain of certificates does not hold, without saying which.
const CHAIN: &str = "Failed to verify certificate chain";

/// What is said of a Quote for whose platform no certificate is there.
const NO_CERTIFICATE: &str = "Certificate chain is too short in quote";

/// The claim that fails.
pub(super) fn claim(
    error: &dyn std::fmt::Display,
    verifier: &QuoteVerifier,
    quote: &Quote<'_>,
    bytes: &[u8],
    collateral: &Collateral,
    now: u64,
) -> Claim {
    let message = format!("{error:#}");
    let name = if message.contains(CHAIN) {
        whose_chain(verifier, bytes, collateral, now)
    } else {
        let word = WORDS.iter().find(|(word, _)| message.contains(word));
        // All the rest is about CRLs, TCB info and QE identity, and comes before the Quote is looked at.
        word.map_or("collateral", |(_, name)| name)
    };
    let detail = match name {
        "tcb" => shortfall(quote, collateral)
            .map_or(message.clone(), |short| format!("{message}: {short}")),
        _ => message,
    };
    Claim::fails(name, detail)
}

/// Whose certificates do not lead to the root: those of the platform, or those of the collateral, which are looked at first.
fn whose_chain(
    verifier: &QuoteVerifier,
    bytes: &[u8],
    collateral: &Collateral,
    now: u64,
) -> &'static str {
    let mut without = collateral.inner().clone();
    without.pck_certificate_chain = Some(String::new());
    match verifier.verify(bytes, &without, now) {
        Err(error) if format!("{error:#}").contains(NO_CERTIFICATE) => "certificates",
        _ => "collateral",
    }
}

/// What the platform lacks for the lowest TCB level that there is.
fn shortfall(quote: &Quote<'_>, collateral: &Collateral) -> Option<String> {
    let info: TcbInfo = serde_json::from_str(&collateral.inner().tcb_info).ok()?;
    let platform = parse_pck_extension_from_pem(quote.certification_data).ok()?;
    let svn = &quote.td().tee_tcb_svn;
    let fewest = info
        .tcb_levels
        .iter()
        .filter_map(|level| {
            level
                .shortfalls(&platform.cpu_svn, platform.pce_svn, Some(svn))
                .ok()
        })
        .min_by_key(Vec::len)?;
    let each: Vec<_> = fewest.iter().map(describe).collect();
    match each.as_slice() {
        [] => None,
        each => Some(format!("for the nearest level {}", each.join(", "))),
    }
}

fn describe(short: &SvnShortfall) -> String {
    let component = match short.component {
        SvnComponent::Sgx(number) => format!("component {number} of CPUSVN"),
        SvnComponent::Tdx(number) => format!("component {number} of TEE_TCB_SVN"),
        _ => "PCESVN".into(),
    };
    format!("{component} is {}, needed is {}", short.have, short.needs)
}
