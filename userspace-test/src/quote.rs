// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Asking the driver for a Quote, by ioctl.

use crate::device::{Device, ReportData};
use crate::memory::{Pages, PAGE};
use anyhow::{Context, Result};
use tdx_uapi::ioctl::{
    TdxQuoteHdr, TdxQuoteReq, TDX_1_0_CMD_GET_QUOTE, TDX_1_5_CMD_GET_QUOTE,
    TDX_1_5_CMD_GET_QUOTE_IOWR, TDX_CMD_GET_QUOTE, TDX_CMD_GET_QUOTE_IOWR,
};
use zerocopy::{FromBytes, IntoBytes};

/// The numbers of all generations.
pub(crate) const NUMBERS: [u32; 5] = [
    TDX_CMD_GET_QUOTE,
    TDX_CMD_GET_QUOTE_IOWR,
    TDX_1_0_CMD_GET_QUOTE,
    TDX_1_5_CMD_GET_QUOTE,
    TDX_1_5_CMD_GET_QUOTE_IOWR,
];

/// The length of a buffer as programs have it.
pub(crate) const USUAL_LEN: usize = 16 << 10;

/// A request in memory, that can be wrong in many ways before it is sent.
pub(crate) struct Request {
    pages: Pages,
    /// What the ioctl is told of the length.
    pub(crate) len: u64,
    /// The header.
    pub(crate) header: TdxQuoteHdr,
    /// What follows it.
    pub(crate) data: Vec<u8>,
}

impl Request {
    /// A request with this data, as it should be.
    pub(crate) fn new(data: Vec<u8>) -> Result<Self> {
        Ok(Self {
            pages: Pages::new(1 + USUAL_LEN / PAGE)?,
            len: USUAL_LEN as u64,
            header: TdxQuoteHdr {
                version: 1,
                status: 0,
                in_len: data.len() as u32,
                out_len: 0,
            },
            data,
        })
    }

    /// Sends it under this number, and returns the header and the data that came in its place.
    pub(crate) fn send(
        &self,
        device: &Device,
        number: u32,
    ) -> Result<nix::Result<(TdxQuoteHdr, Vec<u8>)>> {
        let hdr = TdxQuoteHdr::LEN;
        let request = TdxQuoteReq {
            buf: self.pages.at(PAGE).value(),
            len: self.len,
        };
        self.pages.write(0, request.as_bytes())?;
        self.pages.write(PAGE, self.header.as_bytes())?;
        self.pages.write(PAGE + hdr, &self.data)?;
        if let Err(error) = device.ioctl(number, self.pages.at(0)) {
            assert_eq!(
                self.pages.read(PAGE, hdr + self.data.len())?,
                [self.header.as_bytes(), &self.data].concat(),
                "the buffer has changed although the ioctl says {error}"
            );
            return Ok(Err(error));
        }
        let header = self.pages.read(PAGE, hdr)?;
        let header = TdxQuoteHdr::read_from_bytes(&header).expect("that is the length of a header");
        assert_eq!(
            (header.version, header.in_len),
            (self.header.version, self.header.in_len),
            "the driver has written to what is not its own"
        );
        let data = self.pages.read(PAGE + hdr, header.out_len as usize)?;
        Ok(Ok((header, data)))
    }
}

/// Asks for a Quote with `reportdata`, as a program that has a TDREPORT does.
pub(crate) fn quote(device: &Device, reportdata: &ReportData) -> Result<nix::Result<Vec<u8>>> {
    let report = device
        .get_report(reportdata)
        .context("there is no TDREPORT")?;
    let answer = Request::new(report.to_vec())?.send(device, TDX_CMD_GET_QUOTE)?;
    Ok(answer.map(|(header, data)| {
        assert_eq!(header.status, 0, "the host's status");
        data
    }))
}

/// A message to a quote generation service that asks for a Quote, with its length before it.
pub(crate) fn message(report: &[u8]) -> Vec<u8> {
    let size = (16 + 8 + report.len()) as u32;
    let mut message = size.to_be_bytes().to_vec();
    // Version 1.0.
    message.extend([1, 0, 0, 0]);
    for number in [0, size, 0, report.len() as u32, 0] {
        message.extend(number.to_le_bytes());
    }
    message.extend(report);
    message
}
