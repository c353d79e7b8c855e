// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Collateral from a provisioning certification service: Intel's (PCS), or one that caches (PCCS).
//!
//! Source: *Intel SGX and TDX Provisioning Certification Service API*, version 4; the address of the root CA's CRL is that of
//! Intel's certificates, and for other services that of the PCCS.

mod cache;

pub use cache::Cache;

use crate::verify::Collateral;
use crate::{visible, Error, Step};
use dcap_qvl::intel::{extract_cert_chain, parse_pck_extension, pck_ca};
use dcap_qvl::QuoteCollateralV3;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::time::Duration;
use ureq::http::{Response, StatusCode};
use ureq::{Agent, Body};

/// The address of Intel's service.
pub const INTEL: &str = "https://api.trustedservices.intel.com";

/// Where Intel's root CA has its CRL.
const INTEL_ROOT_CRL: &str = "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der";

/// The longest answer that is read. Real ones have some ten KiB.
const MAX_LEN: u64 = 4 << 20;

/// A service that gives collateral.
#[derive(Clone, Debug)]
pub struct Service {
    address: String,
    agent: Agent,
}

/// Which collateral a Quote needs: that for a kind of platform and the CA of its certificate.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct PlatformKind {
    /// FMSPC, as hexadecimal digits.
    pub fmspc: String,
    /// `platform` or `processor`.
    pub ca: &'static str,
}

/// Why a Quote does not say which collateral it needs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("those in the Quote do not say which platform it is of: {0}")]
pub struct NoPlatform(String);

/// A body as it was signed, and its signature.
struct Signed {
    body: String,
    signature: Vec<u8>,
    chain: String,
}

impl PlatformKind {
    /// That of the platform that made a Quote.
    ///
    /// # Errors
    ///
    /// [`NoPlatform`] if it is no Quote, or has no certificate of a platform. Then no collateral makes it genuine:
    /// [`Verdict::no_platform`](crate::verify::Verdict::no_platform) says so.
    pub fn of(quote: &[u8]) -> Result<Self, NoPlatform> {
        let wrong = |error: &dyn std::fmt::Display| NoPlatform(format!("{error:#}"));
        let quote = dcap_qvl::quote::Quote::parse(quote).map_err(|error| wrong(&error))?;
        let chain = extract_cert_chain(&quote).map_err(|error| wrong(&error))?;
        let leaf = chain
            .first()
            .ok_or_else(|| wrong(&"it has no certificate"))?;
        let extension = parse_pck_extension(leaf).map_err(|error| wrong(&error))?;
        let ca = pck_ca(leaf).map_err(|error| wrong(&error))?;
        Ok(Self {
            fmspc: hex::encode_upper(extension.fmspc),
            ca: ca.as_id_str(),
        })
    }
}

impl Service {
    /// The service at an address like [`INTEL`]. Every request may take as long as `limit`.
    pub fn at(address: &str, limit: Duration) -> Self {
        let address = address.trim_end_matches('/');
        // Both of these are given as the address of a PCCS.
        let address = address.trim_end_matches("/certification/v4");
        let address = address.trim_end_matches("/sgx").trim_end_matches("/tdx");
        let config = Agent::config_builder()
            .timeout_global(Some(limit))
            .http_status_as_error(false)
            .build();
        Self {
            address: address.to_owned(),
            agent: config.into(),
        }
    }

    /// Its address.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Fetches what a verifier needs for Quotes of such a platform.
    ///
    /// # Errors
    ///
    /// [`Error::Answer`] at [`Step::Collateral`] names the address and says what came of it.
    pub fn collateral(&self, kind: &PlatformKind) -> Result<Collateral, Error> {
        let url = |path: &str| format!("{}/{path}", self.address);
        let PlatformKind { fmspc, ca } = kind;
        let tcb_info = self.signed::<TcbInfoAnswer>(
            &url(&format!("tdx/certification/v4/tcb?fmspc={fmspc}")),
            "TCB-Info-Issuer-Chain",
        )?;
        let qe_identity = self.signed::<QeIdentityAnswer>(
            &url("tdx/certification/v4/qe/identity"),
            "SGX-Enclave-Identity-Issuer-Chain",
        )?;
        let pck_crl_url = url(&format!("sgx/certification/v4/pckcrl?ca={ca}&encoding=der"));
        let (pck_crl, pck_crl_issuer_chain) =
            self.with_chain(&pck_crl_url, "SGX-PCK-CRL-Issuer-Chain")?;
        let collateral = QuoteCollateralV3 {
            pck_crl_issuer_chain,
            root_ca_crl: self.root_crl()?,
            pck_crl,
            tcb_info_issuer_chain: tcb_info.chain,
            tcb_info: tcb_info.body,
            tcb_info_signature: tcb_info.signature,
            qe_identity_issuer_chain: qe_identity.chain,
            qe_identity: qe_identity.body,
            qe_identity_signature: qe_identity.signature,
            pck_certificate_chain: None,
        };
        Ok(collateral.into())
    }

    fn root_crl(&self) -> Result<Vec<u8>, Error> {
        if self.address == INTEL {
            return Ok(self.get(INTEL_ROOT_CRL)?.1);
        }
        let url = format!("{}/sgx/certification/v4/rootcacrl", self.address);
        let (_, body) = self.get(&url)?;
        // As digits, or as it is.
        match std::str::from_utf8(&body)
            .ok()
            .and_then(|text| hex::decode(text.trim()).ok())
        {
            Some(der) => Ok(der),
            None => Ok(body),
        }
    }

    fn signed<T: for<'a> Deserialize<'a> + Into<(Box<RawValue>, String)>>(
        &self,
        url: &str,
        chain: &str,
    ) -> Result<Signed, Error> {
        let (body, chain) = self.with_chain(url, chain)?;
        let wrong = |error: &dyn std::fmt::Display| {
            failed(format!("{url} answered with something else: {error}"))
        };
        let answer: T = serde_json::from_slice(&body).map_err(|error| wrong(&error))?;
        let (body, signature) = answer.into();
        let signature = hex::decode(signature).map_err(|error| wrong(&error))?;
        Ok(Signed {
            body: body.get().to_owned(),
            signature,
            chain,
        })
    }

    fn with_chain(&self, url: &str, name: &str) -> Result<(Vec<u8>, String), Error> {
        let (response, body) = self.get(url)?;
        let chain = response
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok());
        let chain =
            chain.ok_or_else(|| failed(format!("{url} answered without the header {name}")))?;
        let chain = percent_decode_str(chain).decode_utf8_lossy().into_owned();
        Ok((body, chain))
    }

    fn get(&self, url: &str) -> Result<(Response<Body>, Vec<u8>), Error> {
        let mut response = self
            .agent
            .get(url)
            .call()
            .map_err(|error| failed(format!("{url} cannot be had: {error}")))?;
        let body = response
            .body_mut()
            .with_config()
            .limit(MAX_LEN)
            .read_to_vec()
            .map_err(|error| failed(format!("{url} cannot be read: {error}")))?;
        match response.status() {
            StatusCode::OK => Ok((response, body)),
            status => Err(failed(format!(
                "{url} answered {status}: {}",
                first_line(&body)
            ))),
        }
    }
}

#[derive(Deserialize)]
struct TcbInfoAnswer {
    #[serde(rename = "tcbInfo")]
    body: Box<RawValue>,
    signature: String,
}

#[derive(Deserialize)]
struct QeIdentityAnswer {
    #[serde(rename = "enclaveIdentity")]
    body: Box<RawValue>,
    signature: String,
}

impl From<TcbInfoAnswer> for (Box<RawValue>, String) {
    fn from(answer: TcbInfoAnswer) -> Self {
        (answer.body, answer.signature)
    }
}

impl From<QeIdentityAnswer> for (Box<RawValue>, String) {
    fn from(answer: QeIdentityAnswer) -> Self {
        (answer.body, answer.signature)
    }
}

/// The error that says so, without anything invisible that a service wrote.
fn failed(what: String) -> Error {
    Error::Answer {
        step: Step::Collateral,
        what: visible(&what),
    }
}

/// What a service says of an error, as far as it fits into a message.
fn first_line(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned();
    text.lines().next().unwrap_or_default().to_owned()
}
