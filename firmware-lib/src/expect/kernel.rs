// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The kernel of a direct boot, as the firmware gets it from QEMU.
//!
//! Source: QEMU's `x86_load_linux`; Linux's Documentation/arch/x86/boot.rst for the setup header.

use super::ExpectError;
use crate::pe::PeImage;
use crate::{HashEngine, Hasher};
use core::ops::Range;
use tdx_uapi::Digest;

/// Whether QEMU changes the kernel's setup header before the firmware measures it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KernelHeader {
    /// The firmware measures the file as it is: QEMU gives it as etc/boot/kernel since 10.0, which edk2-stable202502 and
    /// later load, and since 10.2 it changes nothing for TDs in what older firmware loads.
    #[default]
    AsFile,
    /// QEMU filled in what a boot loader does, before the firmware measured it. It depends on the size of the initrd and of
    /// the TD's memory.
    Patched {
        /// The TD's memory below 4 GiB, in bytes: the end of the first range of [`crate::hob::qemu::q35_ram`].
        low_ram: u64,
    },
}

/// How much of low RAM QEMU keeps for ACPI data.
const ACPI_DATA: u64 = 0x2_8000;

/// The setup header's signature, "HdrS", and the fields that matter here.
const SIGNATURE: usize = 0x202;
const PROTOCOL: usize = 0x206;
const LOAD_FLAGS: usize = 0x211;
const INITRD_MAX: usize = 0x22c;
const XLOAD_FLAGS: usize = 0x236;
const HEADER_END: usize = 0x238;

/// XLF_CAN_BE_LOADED_ABOVE_4G.
const ABOVE_4G: u16 = 1 << 1;

/// A value that QEMU writes over part of the file.
#[derive(Clone, Copy, Debug)]
struct Patch {
    offset: usize,
    bytes: [u8; 4],
    length: usize,
}

impl Patch {
    const NONE: Self = Self {
        offset: 0,
        bytes: [0; 4],
        length: 0,
    };

    fn new(offset: usize, value: u32, length: usize) -> Self {
        Self {
            offset,
            bytes: value.to_le_bytes(),
            length,
        }
    }
}

/// A kernel with the changes that QEMU makes to its setup header.
#[derive(Clone, Copy, Debug)]
pub struct PatchedKernel<'a> {
    kernel: PeImage<'a>,
    /// In ascending order, apart from one another.
    patches: [Patch; 6],
}

impl<'a> PatchedKernel<'a> {
    /// The kernel as QEMU gives it to a TD with `low_ram` bytes of memory below 4 GiB and this initrd. The parameter `vga=`
    /// of the command line, which QEMU writes into the header, too, is not supported.
    ///
    /// # Errors
    ///
    /// [`ExpectError::NoSetupHeader`] and [`ExpectError::Initrd`].
    pub fn new(
        kernel: &PeImage<'a>,
        low_ram: u64,
        initrd_size: Option<usize>,
    ) -> Result<Self, ExpectError> {
        let header = kernel
            .bytes()
            .first_chunk::<HEADER_END>()
            .filter(|header| header[SIGNATURE..].starts_with(b"HdrS"))
            .filter(|header| u16_at(header, PROTOCOL) >= 0x203 && header[LOAD_FLAGS] & 1 != 0)
            .ok_or(ExpectError::NoSetupHeader)?;
        let mut patches = [Patch::NONE; 6];
        // The loader is QEMU, and there is a heap.
        patches[0] = Patch::new(0x210, 0xb0, 1);
        patches[1] = Patch::new(LOAD_FLAGS, u32::from(header[LOAD_FLAGS] | 0x80), 1);
        if let Some(size) = initrd_size {
            let (address, size) = place_initrd(header, low_ram, size)?;
            patches[2] = Patch::new(0x218, address, 4);
            patches[3] = Patch::new(0x21c, size, 4);
        }
        // Where the heap ends, and where the command line is.
        patches[4] = Patch::new(0x224, 0xfe00, 2);
        patches[5] = Patch::new(0x228, 0x2_0000, 4);
        Ok(Self {
            kernel: *kernel,
            patches,
        })
    }

    /// The Authenticode hash of the changed kernel.
    pub fn authenticode(&self, engine: &impl HashEngine) -> Digest {
        let mut hasher = engine.hasher();
        for range in self.kernel.hashed_ranges() {
            self.hash(range, &mut hasher);
        }
        hasher.finish()
    }

    fn hash(&self, range: Range<usize>, hasher: &mut impl Hasher) {
        let kernel = self.kernel.bytes();
        let mut at = range.start;
        for patch in self.patches.iter().filter(|patch| patch.length != 0) {
            let start = patch.offset.clamp(at, range.end);
            let end = (patch.offset + patch.length).clamp(at, range.end);
            hasher.update(&kernel[at..start]);
            if start < end {
                hasher.update(&patch.bytes[start - patch.offset..end - patch.offset]);
            }
            at = end;
        }
        hasher.update(&kernel[at..range.end]);
    }
}

/// Where QEMU puts an initrd, and its size.
fn place_initrd(
    header: &[u8; HEADER_END],
    low_ram: u64,
    size: usize,
) -> Result<(u32, u32), ExpectError> {
    let fits = ExpectError::Initrd { found: size };
    let any_address =
        u16_at(header, PROTOCOL) >= 0x20c && u16_at(header, XLOAD_FLAGS) & ABOVE_4G != 0;
    let max = match any_address {
        true => u64::from(u32::MAX),
        false => {
            u64::from(u16_at(header, INITRD_MAX)) | u64::from(u16_at(header, INITRD_MAX + 2)) << 16
        }
    };
    let ram_end = low_ram
        .checked_sub(ACPI_DATA)
        .and_then(|end| end.checked_sub(1))
        .ok_or(fits)?;
    let max = max.min(ram_end);
    let address = max.checked_sub(size as u64).ok_or(fits)? & !0xfff;
    // Both are below 4 GiB, as `max` is.
    Ok((address as u32, size as u32))
}

fn u16_at(header: &[u8; HEADER_END], offset: usize) -> u16 {
    u16::from_le_bytes([header[offset], header[offset + 1]])
}
