// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The TD that this project boots: the environment's kernel and QEMU, with the plugin and the driver built from here.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{ensure, Context, Result};

use crate::artefacts::module::{self, Rigour};
use crate::artefacts::{firmware_image, host_cargo, keys};
use crate::progress::Progress;
use crate::setup::{self, Environment};
use crate::vm::cli::{BootChoice, DriverChoice, VmArgs};
use crate::vm::{Driver, Guest, Plugin, Start};

/// How long a guest may take to boot. It takes some seconds; the rest is for a machine that is busy with other things.
const BOOT_LIMIT: Duration = Duration::from_secs(180);

/// The same through firmware, which measures and checks what it starts.
const FIRMWARE_BOOT_LIMIT: Duration = Duration::from_secs(360);

/// What of a TD is built here.
#[derive(Debug, Clone)]
pub(crate) struct Td {
    /// The plugin for QEMU.
    pub(crate) plugin: PathBuf,
    /// The driver, where the kernel takes modules in Rust.
    pub(crate) module: Option<PathBuf>,
}

impl Td {
    /// Builds what is missing or has changed.
    pub(crate) fn build(environment: &Environment, progress: &Progress) -> Result<Self> {
        let module = environment
            .kernel
            .rust
            .then(|| module::build(environment, Rigour::Incremental, progress));
        Ok(Self {
            plugin: host_cargo::plugin(&environment.paths, progress)?,
            module: module.transpose()?,
        })
    }

    /// The driver.
    ///
    /// # Errors
    /// Where there cannot be one.
    pub(crate) fn module(&self) -> Result<&Path> {
        self.module
            .as_deref()
            .context("this kernel takes no modules in Rust; name another with --kernel")
    }

    /// A guest with no driver loaded, to be adapted by the caller. `name` is what its logs are called.
    pub(crate) fn guest(&self, environment: &Environment, name: &str) -> Guest {
        Guest {
            plugin: Some(Plugin {
                path: self.plugin.clone(),
                arguments: Vec::new(),
            }),
            driver: Driver::None(self.module.clone()),
            ..ordinary_guest(environment, name)
        }
    }
}

/// A virtual machine that is no TD.
pub(crate) fn ordinary_guest(environment: &Environment, name: &str) -> Guest {
    let Environment {
        root,
        kernel,
        paths,
        ..
    } = environment;
    let mut guest = Guest::new(
        root.clone(),
        kernel.vmlinuz.clone(),
        kernel.modules.join(&kernel.release),
        kernel.release.clone(),
        paths.build("images"),
        paths.logs(),
    );
    guest.name = name.into();
    guest.boot_limit = BOOT_LIMIT;
    guest
}

/// Has a guest boot like that, with a driver that it accepts.
///
/// # Errors
/// When something for it cannot be set up or built.
pub(crate) fn boot(
    guest: &mut Guest,
    environment: &Environment,
    boot: BootChoice,
    progress: &Progress,
) -> Result<()> {
    if boot == BootChoice::Direct {
        return Ok(());
    }
    let firmware = setup::firmware(environment)?;
    let insecure = || firmware_image::without_secure_boot(environment, &firmware, progress);
    guest.start = match boot {
        BootChoice::Direct => Start::Direct,
        BootChoice::Tdvf => Start::Firmware(insecure()?),
        BootChoice::Uki => Start::UnifiedImage(insecure()?, firmware, None),
        BootChoice::TdvfSecureBoot | BootChoice::UkiSecureBoot => {
            let unified = boot == BootChoice::UkiSecureBoot;
            ensure!(
                unified || environment.kernel.signed,
                "the image of {} is not signed, which Secure Boot wants; name another kernel with --kernel",
                environment.kernel.release
            );
            let keys = keys::make(environment, progress)?;
            let image = firmware_image::with_own_keys(environment, &firmware, &keys, progress)?;
            if let Driver::Rust(module) | Driver::None(Some(module)) = &mut guest.driver {
                *module = keys::sign_module(environment, &keys, module, progress)?;
            }
            match unified {
                true => Start::UnifiedImage(image, firmware, Some(keys)),
                false => Start::Grub(image, firmware),
            }
        }
    };
    guest.boot_limit = FIRMWARE_BOOT_LIMIT;
    Ok(())
}

/// `cargo xtask vm`. Returns the status to exit with.
pub(crate) fn run_vm(options: &VmArgs, setup: &setup::Options) -> Result<u8> {
    let environment = setup::environment(setup)?;
    let paths = &environment.paths;
    let progress = Progress::new(paths, 1);
    let td = if options.driver == DriverChoice::C {
        Td {
            plugin: host_cargo::plugin(paths, &progress)?,
            module: None,
        }
    } else {
        Td::build(&environment, &progress)?
    };
    let mut guest = td.guest(&environment, "vm");
    options.choose_driver(&mut guest, td.module.as_deref())?;
    boot(&mut guest, &environment, options.boot, &progress)?;
    options.run(guest)
}
