// SPDX-License-Identifier: Apache-2.0 OR MIT

//! SHA-384 of a large payload: the default engine, and OpenSSL's plugged in, each beside itself without the library.

use std::ffi::c_int;
use std::hint::black_box;

use anyhow::{ensure, Result};
use libloading::Library;
use sha2::Digest as _;
use tdx_firmware::{HashEngine, Hasher, Sha2};
use tdx_uapi::Digest;

use crate::turns::{least, ratio};

/// OpenSSL's `SHA512_CTX`, of 216 bytes, with room to spare.
#[repr(C, align(16))]
#[derive(Clone, Copy)]
struct Context([u8; 256]);

/// OpenSSL's SHA-384, as firmware would plug in one with vector registers.
#[derive(Clone, Copy)]
struct OpenSsl {
    init: unsafe extern "C" fn(*mut Context) -> c_int,
    update: unsafe extern "C" fn(*mut Context, *const u8, usize) -> c_int,
    finish: unsafe extern "C" fn(*mut u8, *mut Context) -> c_int,
    at_once: unsafe extern "C" fn(*const u8, usize, *mut u8) -> *mut u8,
}

impl OpenSsl {
    fn load(library: &Library) -> Result<Self, libloading::Error> {
        // SAFETY: These are the signatures of OpenSSL's sha.h. The pointers are used as long as the library is loaded.
        unsafe {
            Ok(Self {
                init: *library.get(b"SHA384_Init\0")?,
                update: *library.get(b"SHA384_Update\0")?,
                finish: *library.get(b"SHA384_Final\0")?,
                at_once: *library.get(b"SHA384\0")?,
            })
        }
    }
}

/// A hash of [`OpenSsl`].
struct OpenSslHasher(OpenSsl, Context);

impl HashEngine for OpenSsl {
    type Hasher = OpenSslHasher;

    fn hasher(&self) -> OpenSslHasher {
        let mut context = Context([0; 256]);
        // SAFETY: The context has room for OpenSSL's.
        unsafe { (self.init)(&raw mut context) };
        OpenSslHasher(*self, context)
    }
}

impl Hasher for OpenSslHasher {
    fn update(&mut self, bytes: &[u8]) {
        // SAFETY: The context was made by `init`; it is no larger when moved.
        unsafe { (self.0.update)(&raw mut self.1, bytes.as_ptr(), bytes.len()) };
    }

    fn finish(mut self) -> Digest {
        let mut digest = Digest::ZERO;
        // SAFETY: As above; SHA-384 has 48 bytes.
        unsafe { (self.0.finish)(digest.0.as_mut_ptr(), &raw mut self.1) };
        digest
    }
}

/// Hashes.
pub(crate) fn compare(mib: usize, rounds: u32) -> Result<()> {
    let payload: Vec<u8> = (0..mib << 20).map(|at| (at * 31 >> 3) as u8).collect();
    let payload = payload.as_slice();
    let (mut default, mut bare) = ([0; 48], [0; 48]);
    let mut through = || default = Sha2.digest(&[black_box(payload)]).0;
    let mut alone = || bare = sha2::Sha384::digest(black_box(payload)).into();

    // SAFETY: OpenSSL's library may be loaded at any time.
    let library = unsafe { Library::new("libcrypto.so.3") };
    let Some(openssl) = library
        .as_ref()
        .ok()
        .and_then(|library| OpenSsl::load(library).ok())
    else {
        let times = least(rounds, &mut [&mut through, &mut alone]);
        println!(
            "SHA-384 of {mib} MiB: the default engine has {:.3} of bare sha2's speed",
            ratio(times[1], times[0])
        );
        println!("SHA-384 beside OpenSSL: skipped; there is no libcrypto.so.3");
        return Ok(());
    };
    let (mut plugged, mut at_once) = ([0; 48], [0; 48]);
    let mut plugged_in = || plugged = openssl.digest(&[black_box(payload)]).0;
    let mut openssl_alone = || {
        // SAFETY: The payload is read, and 48 bytes are written.
        unsafe {
            (openssl.at_once)(
                black_box(payload).as_ptr(),
                payload.len(),
                at_once.as_mut_ptr(),
            )
        };
    };
    let times = least(
        rounds,
        &mut [
            &mut through,
            &mut alone,
            &mut plugged_in,
            &mut openssl_alone,
        ],
    );
    ensure!(
        [bare, plugged, at_once]
            .iter()
            .all(|digest| *digest == default),
        "the engines disagree"
    );
    println!(
        "SHA-384 of {mib} MiB: the default engine has {:.3} of bare sha2's speed",
        ratio(times[1], times[0])
    );
    println!(
        "SHA-384 of {mib} MiB: OpenSSL plugged in has {:.3} of bare OpenSSL's speed",
        ratio(times[3], times[2])
    );
    println!(
        "SHA-384 of {mib} MiB: the default engine has {:.3} of bare OpenSSL's speed",
        ratio(times[3], times[0])
    );
    Ok(())
}
