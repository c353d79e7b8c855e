// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Building a TD: its first pages, and MRTD, their measurement.
//!
//! Source: TDX module ABI, "TDH.MEM.PAGE.ADD", "TDH.MR.EXTEND" and "TDH.MR.FINALIZE"; *TDX Virtual Firmware Design
//! Guide*, "TDVF metadata", for what a host does with the sections of a firmware.

use crate::pages::PageState;
use crate::{HostPolicy, ParameterError, Platform, RamState, Td, TdParameters};
use alloc::collections::BTreeSet;
use core::fmt;
use sha2::{Digest as _, Sha384};
use tdx_call::{Gpa, PageSize};
use tdx_uapi::Digest;

/// The size of a page.
const PAGE: u64 = 4096;

/// What one TDH.MR.EXTEND measures.
const CHUNK: usize = 256;

/// A TD that its host is building.
///
/// The host adds pages to a TD before it runs, and measures those that it wants measured. What is added is the TD's from
/// the start; all else in [`TdParameters::ram`] is what it says there, and for a TD that begins in its firmware that is
/// [`RamState::Pending`].
#[derive(Debug)]
pub struct TdBuild {
    parameters: TdParameters,
    mrtd: Sha384,
    /// The numbers of the pages that were added.
    added: BTreeSet<u64>,
}

impl TdBuild {
    /// A TD without pages. [`TdParameters::mrtd`] does not matter: it is measured.
    pub fn new(parameters: TdParameters) -> Self {
        Self {
            parameters,
            mrtd: Sha384::new(),
            added: BTreeSet::new(),
        }
    }

    /// TDH.MEM.PAGE.ADD: adds the page at `page`. Its address is measured, its content is not.
    ///
    /// # Errors
    ///
    /// [`BuildError`] when the address is no page of the TD's pending memory, or was added before.
    pub fn mem_page_add(&mut self, page: Gpa) -> Result<(), BuildError> {
        let pending = self.parameters.ram.iter().any(|ram| {
            ram.state == RamState::Pending && ram.range.contains(&page.0) && page.0 % PAGE == 0
        });
        if !pending || !self.added.insert(page.0 / PAGE) {
            return Err(BuildError::PageAdd(page));
        }
        self.mrtd.update(block(b"MEM.PAGE.ADD", page));
        Ok(())
    }

    /// TDH.MR.EXTEND: measures the 256 bytes at `chunk`, which lie in a page that was added.
    ///
    /// # Errors
    ///
    /// [`BuildError`] when they do not.
    pub fn mr_extend(&mut self, chunk: Gpa, content: &[u8; CHUNK]) -> Result<(), BuildError> {
        if chunk.0 % CHUNK as u64 != 0 || !self.added.contains(&(chunk.0 / PAGE)) {
            return Err(BuildError::Extend(chunk));
        }
        self.mrtd.update(block(b"MR.EXTEND", chunk));
        self.mrtd.update(content);
        Ok(())
    }

    /// Adds pages one after another, and measures the content of each behind its address if `measured`, as Linux's KVM
    /// and QEMU do with a section of a firmware. What `content` lacks of a page is zero.
    ///
    /// # Errors
    ///
    /// [`BuildError`] as for [`TdBuild::mem_page_add`].
    pub fn add_pages(
        &mut self,
        pages: core::ops::Range<u64>,
        content: &[u8],
        measured: bool,
    ) -> Result<(), BuildError> {
        let mut content = content.chunks(CHUNK);
        for page in pages.step_by(PAGE as usize) {
            self.mem_page_add(Gpa(page))?;
            for chunk in (page..page + PAGE).step_by(CHUNK) {
                let mut bytes = [0; CHUNK];
                let found = content.next().unwrap_or_default();
                bytes[..found.len()].copy_from_slice(found);
                if measured {
                    self.mr_extend(Gpa(chunk), &bytes)?;
                }
            }
        }
        Ok(())
    }

    /// TDH.MR.FINALIZE: MRTD is what was measured, and the TD may run.
    ///
    /// # Errors
    ///
    /// [`ParameterError`] as for [`Td::new`].
    pub fn mr_finalize(self, platform: Platform, host: HostPolicy) -> Result<Td, ParameterError> {
        let mrtd = Digest(self.mrtd.finalize().into());
        let parameters = TdParameters {
            mrtd,
            ..self.parameters
        };
        let mut td = Td::new(parameters, platform, host)?;
        let pages = td.pages.get_mut();
        for page in self.added {
            pages.set(page..page + 1, PageState::Accepted(PageSize::Size4K));
        }
        Ok(td)
    }
}

/// What a TDH function hashes of itself and its address: its name, and the address from byte 16 on.
fn block(name: &[u8], gpa: Gpa) -> [u8; 128] {
    let mut block = [0; 128];
    block[..name.len()].copy_from_slice(name);
    block[16..24].copy_from_slice(&gpa.0.to_le_bytes());
    block
}

/// What a host cannot do while it builds a TD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// The address is no page of the TD's pending memory, or was added before.
    PageAdd(Gpa),
    /// The address is no multiple of 256, or in a page that was not added.
    Extend(Gpa),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PageAdd(gpa) => write!(
                f,
                "TDH.MEM.PAGE.ADD of {:#x}: expected a page of pending memory that was not added before",
                gpa.0
            ),
            Self::Extend(gpa) => write!(
                f,
                "TDH.MR.EXTEND of {:#x}: expected a multiple of 256 in a page that was added",
                gpa.0
            ),
        }
    }
}

impl core::error::Error for BuildError {}
