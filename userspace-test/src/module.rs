// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Loading and unloading the driver.

use crate::harness::Skip;
use crate::options::{Driver, Options};
use anyhow::{bail, ensure, Context, Result};
use nix::errno::Errno;
use nix::kmod::{delete_module, finit_module, init_module, DeleteModuleFlags, ModuleInitFlags};
use nix::sys::utsname::uname;
use std::ffi::CStr;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// What both drivers' modules are called.
const NAME: &str = "tdx_guest";

/// What a module is called that [`Module::load_renamed`] has loaded.
pub(crate) const OTHER_NAME: &str = "tdx_rival";

/// The folder of a kernel's modules in which ours is, where modprobe prefers it.
const OURS: &str = "updates";

/// The driver's module, as a file.
pub(crate) struct Module(PathBuf);

impl Module {
    /// The driver that the tests are about.
    pub(crate) fn find(options: &Options) -> Result<Self> {
        let folder = match options.driver {
            Driver::Rust | Driver::None => OURS,
            Driver::C => "kernel/drivers/virt/coco/tdx-guest",
        };
        Self::find_at(options.module.as_deref(), folder)
    }

    /// Our driver, whichever the tests are about.
    pub(crate) fn find_rival(options: &Options) -> Result<Self> {
        Self::find_at(options.rival.as_deref(), OURS)
    }

    /// The file that the command line names, or else the one in that folder of the running kernel's modules.
    fn find_at(named: Option<&Path>, folder: &str) -> Result<Self> {
        if let Some(path) = named {
            ensure!(path.is_file(), "there is no {}", path.display());
            return Ok(Self(path.to_owned()));
        }
        let kernel = uname()?.release().to_owned();
        let path = Path::new("/lib/modules")
            .join(kernel)
            .join(folder)
            .join("tdx-guest.ko");
        if !path.is_file() {
            bail!(Skip(format!("there is no {}", path.display())));
        }
        Ok(Self(path))
    }

    /// Loads it.
    pub(crate) fn load(&self) -> Result<nix::Result<()>> {
        self.load_with(c"")
    }

    /// Loads it with these parameters.
    pub(crate) fn load_with(&self, parameters: &CStr) -> Result<nix::Result<()>> {
        let file =
            File::open(&self.0).with_context(|| format!("cannot open {}", self.0.display()))?;
        Ok(finit_module(&file, parameters, ModuleInitFlags::empty()))
    }

    /// Loads it anew, with these parameters.
    pub(crate) fn reload_with(&self, parameters: &CStr) -> Result<()> {
        if references()?.is_some() {
            unload_when_unused()?;
        }
        self.load_with(parameters)?
            .with_context(|| format!("cannot load the driver with {parameters:?}"))
    }

    /// Loads it as if it were another module, so that the kernel does not see at once that it has that one already.
    pub(crate) fn load_renamed(&self) -> Result<nix::Result<()>> {
        // In the file is the `struct module` as it will be in memory: the name is preceded by the state and the list
        // head, 24 bytes of zero, and fills up 56 bytes.
        let before = [0; 24];
        let name = |name: &str| [&before, name.as_bytes(), &[0; 56][name.len()..]].concat();
        let old = name(NAME);
        let mut image =
            fs::read(&self.0).with_context(|| format!("cannot read {}", self.0.display()))?;
        let mut found = (0..=image.len() - old.len()).filter(|&at| image[at..].starts_with(&old));
        let (Some(at), None) = (found.next(), found.next()) else {
            bail!("cannot tell where {} has its name", self.0.display());
        };
        image[at..at + old.len()].copy_from_slice(&name(OTHER_NAME));
        Ok(init_module(&image, c""))
    }

    /// Loads it if no driver is loaded.
    pub(crate) fn ensure_loaded(&self) -> Result<()> {
        match self.load()? {
            Ok(()) | Err(Errno::EEXIST) => Ok(()),
            Err(error) => Err(error).with_context(|| format!("cannot load {}", self.0.display())),
        }
    }
}

/// Unloads the driver, without waiting until nobody uses it.
pub(crate) fn unload() -> nix::Result<()> {
    delete_module(c"tdx_guest", DeleteModuleFlags::O_NONBLOCK)
}

/// Unloads the driver, which those that had it open may need a moment more to close: a file is released when the last
/// system call on it ends, not when it is closed.
pub(crate) fn unload_when_unused() -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        match unload() {
            Err(Errno::EWOULDBLOCK) if Instant::now() < deadline => {}
            result => return result.context("cannot unload the driver"),
        }
        sleep(Duration::from_millis(5));
    }
}

/// How many users the loaded driver has, or nothing if none is loaded.
pub(crate) fn references() -> Result<Option<i32>> {
    match fs::read_to_string(format!("/sys/module/{NAME}/refcnt")) {
        Ok(text) => Ok(Some(
            text.trim()
                .parse()
                .with_context(|| format!("refcnt is {text:?}"))?,
        )),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).context("cannot read the module's reference count"),
    }
}

/// Has modprobe load what has that name or alias.
pub(crate) fn modprobe(name: &str) -> Result<()> {
    match Command::new("modprobe").arg(name).output() {
        Ok(output) => {
            ensure!(
                output.status.success(),
                "modprobe fails: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            bail!(Skip("there is no modprobe".to_owned()))
        }
        Err(error) => Err(error).context("cannot run modprobe"),
    }
}
