// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What is answered to which request.

use crate::tcb_info::EVALUATION_NUMBER;
use crate::{Platform, PlatformError, Timestamp};
use der::pem::LineEnding;
use percent_encoding::{percent_decode_str, utf8_percent_encode, NON_ALPHANUMERIC};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// An answer to an HTTP request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Names and values of headers.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// What `platform` answers to a GET request for `url` (its path and parameters), with collateral issued at `issued`.
    ///
    /// # Errors
    ///
    /// [`PlatformError`] when there is no such collateral.
    pub fn to(platform: &Platform, url: &str, issued: Timestamp) -> Result<Self, PlatformError> {
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let query = parameters(query);
        let get = |name: &str| query.get(name).map(|value| &**value);
        let collateral = platform.collateral(issued)?;

        Ok(match path {
            "/sgx/certification/v4/pckcrl" => {
                // This platform is of the kind that the platform CA has; the processor CA issued nothing.
                match get("ca") {
                    Some("platform") => {}
                    Some("processor") => return Ok(Self::not_found("no certificates of this CA")),
                    _ => return Ok(Self::bad_request("expected ca=platform or ca=processor")),
                }
                let (kind, body) = match get("encoding") {
                    Some("der") => ("application/pkix-crl", collateral.pck_crl),
                    Some("pem") | None => ("application/x-pem-file", crl_pem(&collateral.pck_crl)?),
                    Some(_) => {
                        return Ok(Self::bad_request("expected encoding=pem or encoding=der"))
                    }
                };
                Self::ok(kind, body)
                    .with_chain("SGX-PCK-CRL-Issuer-Chain", &collateral.pck_crl_issuer_chain)
            }
            "/tdx/certification/v4/tcb" => match get("fmspc") {
                Some(fmspc) if fmspc.eq_ignore_ascii_case(&platform.fmspc()) => {
                    match evaluation(&query) {
                        Ok(()) => Self::ok("application/json", collateral.tcb_info_response())
                            .with_chain("TCB-Info-Issuer-Chain", &collateral.tcb_info_issuer_chain),
                        Err(answer) => answer,
                    }
                }
                Some(_) => Self::not_found(&format!(
                    "no platform here has this FMSPC, but one has {}",
                    platform.fmspc()
                )),
                None => Self::bad_request("expected fmspc="),
            },
            "/tdx/certification/v4/qe/identity" => match evaluation(&query) {
                Ok(()) => Self::ok("application/json", collateral.qe_identity_response())
                    .with_chain(
                        "SGX-Enclave-Identity-Issuer-Chain",
                        &collateral.qe_identity_issuer_chain,
                    ),
                Err(answer) => answer,
            },
            "/sgx/certification/v4/rootcacrl" => {
                Self::ok("application/pkix-crl", hex::encode(collateral.root_ca_crl))
            }
            "/IntelSGXRootCA.der" => Self::ok("application/pkix-crl", collateral.root_ca_crl),
            _ => Self::not_found("no such path"),
        })
    }

    /// What is answered to a request that is not GET.
    pub(super) fn method_not_allowed() -> Self {
        let mut answer = Self::text(405, "only GET is served");
        answer.headers.push(("Allow", "GET".to_owned()));
        answer
    }

    /// What is answered when something fails that is not the client's fault.
    pub(super) fn internal_error(error: &dyn std::error::Error) -> Self {
        Self::text(500, &error.to_string())
    }

    fn ok(kind: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status: 200,
            headers: vec![("Content-Type", kind.to_owned())],
            body: body.into(),
        }
    }

    fn bad_request(what: &str) -> Self {
        Self::text(400, what)
    }

    fn not_found(what: &str) -> Self {
        Self::text(404, what)
    }

    fn text(status: u16, what: &str) -> Self {
        Self {
            status,
            headers: vec![("Content-Type", "text/plain".to_owned())],
            body: format!("{what}\n").into(),
        }
    }

    /// Adds the certificates of who signed the body, as headers have them: PEM, percent-encoded.
    fn with_chain(mut self, name: &'static str, chain: &str) -> Self {
        let value = utf8_percent_encode(chain, NON_ALPHANUMERIC).to_string();
        self.headers.push((name, value));
        self
    }
}

/// Whether the evaluation that is asked for is the one that there is; if not, what is answered.
fn evaluation(query: &BTreeMap<Cow<'_, str>, Cow<'_, str>>) -> Result<(), Answer> {
    match query.get("update").map(|value| &**value) {
        None | Some("standard" | "early") => {}
        Some(_) => {
            return Err(Answer::bad_request(
                "expected update=standard or update=early",
            ))
        }
    }
    match query.get("tcbEvaluationDataNumber") {
        None => Ok(()),
        Some(_) if query.contains_key("update") => Err(Answer::bad_request(
            "update and tcbEvaluationDataNumber exclude each other",
        )),
        Some(number) if **number == EVALUATION_NUMBER.to_string() => Ok(()),
        Some(_) => Err(Answer::not_found(&format!(
            "the only TCB evaluation here has the number {EVALUATION_NUMBER}"
        ))),
    }
}

fn parameters(query: &str) -> BTreeMap<Cow<'_, str>, Cow<'_, str>> {
    let decode = |text| percent_decode_str(text).decode_utf8_lossy();
    query
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect()
}

fn crl_pem(der: &[u8]) -> Result<Vec<u8>, PlatformError> {
    let pem = der::pem::encode_string("X509 CRL", LineEnding::LF, der).map_err(der::Error::from)?;
    Ok(pem.into())
}
