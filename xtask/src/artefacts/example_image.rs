// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The firmware library's example image: built with the root's tools, and booted in an emulated TD that has nothing else.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::{root_cargo, PROJECT};
use crate::progress::Progress;
use crate::setup::Environment;
use crate::vm::CPU;

const MANIFEST: &str = "firmware-lib/example-image/Cargo.toml";
const PROGRAM: &str = "tdx-firmware-example";

/// How many seconds a boot may take. It takes less than one.
const LIMIT: &str = "60";

/// The image.
#[derive(Debug)]
pub(crate) struct ExampleImage {
    /// Its file.
    pub(crate) file: PathBuf,
}

/// The machine that it is booted on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Machine {
    /// How many vCPUs it has.
    pub(crate) vcpus: u32,
    /// How many bytes of memory.
    pub(crate) memory: u64,
    /// Whether the emulation obeys the image.
    pub(crate) control: bool,
}

impl ExampleImage {
    /// Builds the image, with a feature of its own if one is named.
    pub(crate) fn build(
        environment: &Environment,
        feature: Option<&str>,
        progress: &Progress,
    ) -> Result<Self> {
        let mut step = progress.step("example image")?;
        step.run(&mut root_cargo::fetch(environment, MANIFEST))?;
        let mut cargo = root_cargo::cargo(environment)?;
        cargo.args(["build", "--locked", "--release"]);
        cargo.args(["--manifest-path", MANIFEST]);
        cargo.args(feature.map(|feature| format!("--features={feature}")));
        step.run(&mut cargo)?;
        let folder = environment.paths.build("root-cargo").join("release");
        let file = feature.map_or_else(
            || "example.fd".to_owned(),
            |feature| format!("example-{feature}.fd"),
        );
        let mut objcopy = environment
            .enclosure()
            .bind_read_only(environment.paths.project(), PROJECT)
            .bind(&folder, "/built")
            .directory("/built")
            .command("objcopy");
        step.run(objcopy.args(["-O", "binary", PROGRAM, &file]))?;
        step.done();
        let file = folder.join(file);
        Ok(Self { file })
    }

    /// What the image says on its serial port, on a machine that has no other device.
    pub(crate) fn boot(
        &self,
        environment: &Environment,
        plugin: &Path,
        machine: Machine,
        progress: &Progress,
    ) -> Result<String> {
        let mut step = progress.step(&format!("example image, {} vCPUs", machine.vcpus))?;
        let mut enclosure = environment.enclosure();
        for (file, folder) in [(&*self.file, "/built"), (plugin, "/plugin")] {
            let parent = file.parent().context("a file is in a folder")?;
            enclosure = enclosure.bind_read_only(parent, folder);
        }
        let name = |file: &Path| {
            let name = file.file_name().context("a file has a name")?;
            anyhow::Ok(name.to_string_lossy().into_owned())
        };
        let mut command = enclosure.command("timeout");
        command.args([LIMIT, "qemu-system-x86_64", "-nodefaults"]);
        command.args(["-no-user-config", "-no-reboot", "-display", "none"]);
        command.args(["-serial", "stdio", "-accel", "tcg,thread=multi"]);
        command.args(["-machine", "q35", "-cpu", CPU]);
        command.args(["-smp", &machine.vcpus.to_string()]);
        command.args(["-m", &format!("{}M", machine.memory >> 20)]);
        command.args(["-bios", &format!("/built/{}", name(&self.file)?)]);
        let control = if machine.control { ",control=on" } else { "" };
        command.arg("-plugin");
        command.arg(format!("file=/plugin/{}{control}", name(plugin)?));
        let text = step.output(&mut command)?;
        step.done();
        Ok(text)
    }
}

/// How many bytes of an image are used: all but its longest run of zeros.
pub(crate) fn used(image: &[u8]) -> usize {
    let zeros = image.split(|byte| *byte != 0).map(<[u8]>::len).max();
    image.len() - zeros.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::used;

    #[test]
    fn the_longest_zeros_are_not_used() {
        assert_eq!(used(&[0, 1, 0, 0, 0, 2]), 3);
    }
}
