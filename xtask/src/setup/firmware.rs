// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What boots from firmware need beside the root: a TDVF, boot loaders, and tools that sign and enrol keys.
//!
//! The TDVF comes from Debian's development suite, the only one that has it; the rest from the suite of the root. The root
//! stays as it is, because others may be using it: packages are unpacked beside it and shown in it when they are used.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{bail, Context, Result};

use super::record::{now, FirmwareRecord, Record, RootRecord};
use super::tool_chain::online;
use super::SUITE;
use crate::disposal::discard;
use crate::enclosure::Enclosure;
use crate::paths::Paths;
use crate::progress::{Progress, Step};
use crate::space;

/// Raised whenever what is below would make something else of the same packages.
const RECIPE: u32 = 3;

/// What is kept on disk, and its downloads.
const SIZE: u64 = 200 << 20;

/// The suite that has the newest TDVF.
const NEWEST: &str = "sid";

/// The package with the TDVF, and its file.
const TDVF: (&str, &str) = ("ovmf-inteltdx", "usr/share/ovmf/OVMF.inteltdx.ms.fd");

/// What a machine boots from a disk: shim and GRUB as Debian had them signed, and the stub of unified kernel images.
const LOADERS: [&str; 3] = ["shim-signed", "grub-efi-amd64-signed", "systemd-boot-efi"];

/// Tools: `virt-fw-vars`, which changes the variables of a firmware image, `ukify`, which makes unified kernel images, and
/// `sbsign`, with which that signs them.
const TOOLS: [&str; 3] = ["python3-virt-firmware", "systemd-ukify", "sbsigntool"];

/// Where the tools' packages are shown in the root.
const TOOLS_IN_ROOT: &str = "/firmware-tools";

/// What is set up for boots from firmware.
#[derive(Debug, Clone)]
pub(crate) struct Firmware {
    /// The TDVF, as Debian ships it.
    pub(crate) tdvf: PathBuf,
    /// The version of its package.
    pub(crate) version: String,
    /// The folder that the boot loaders' packages are unpacked in.
    pub(crate) loaders: PathBuf,
    tools: PathBuf,
}

impl Firmware {
    /// Where `bin/` and `lib/` of the tools are in an enclosure [with tools](Firmware::with_tools).
    pub(crate) const USR: &str = "/firmware-tools/usr";

    /// Adds the tools to what programs in the root see.
    pub(crate) fn with_tools(&self, enclosure: Enclosure) -> Enclosure {
        enclosure.bind_read_only(&self.tools, TOOLS_IN_ROOT)
    }

    /// A command that runs a tool in an enclosure [with tools](Firmware::with_tools).
    ///
    /// # Errors
    /// When the tools are not there.
    pub(crate) fn tool(&self, enclosure: &Enclosure, name: &str) -> Result<Command> {
        let usr = Self::USR;
        let mut modules = format!("{usr}/lib/python3/dist-packages");
        let libraries = self.tools.join("usr/lib");
        for entry in fs::read_dir(&libraries)
            .with_context(|| format!("looking for Python in {}", libraries.display()))?
        {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name.starts_with("python3.") {
                modules += &format!(":{usr}/lib/{name}:{usr}/lib/{name}/lib-dynload");
            }
        }
        let mut command = enclosure.command(format!("{usr}/bin/{name}"));
        command
            .env("PYTHONPATH", modules)
            .env("LD_LIBRARY_PATH", format!("{usr}/lib/x86_64-linux-gnu"));
        Ok(command)
    }

    /// What this record is about, if it is whole, would be made like that now, and fits the root.
    fn recorded(paths: &Paths, record: &FirmwareRecord, root: &RootRecord) -> Option<Self> {
        let folder = paths.firmware();
        let firmware = Self {
            tdvf: folder.join("tdvf").join(TDVF.1),
            version: record.version.clone(),
            loaders: folder.join("loaders"),
            tools: folder.join("tools"),
        };
        let current = record.recipe == RECIPE && record.root == root.date;
        (current && firmware.tdvf.is_file()).then_some(firmware)
    }
}

/// What is there, if it is whole.
pub(super) fn find(paths: &Paths, record: &Record) -> Option<Firmware> {
    Firmware::recorded(paths, record.firmware.as_ref()?, record.root.as_ref()?)
}

/// Fetches and unpacks everything, and adds it to the record.
pub(super) fn set_up(paths: &Paths, record: &mut Record, progress: &Progress) -> Result<()> {
    let root = record.root.clone().context("there is no root")?;
    let work = paths.cache("firmware");
    // Each package in there is taken, and what an earlier set-up has left may be of another version, or cut off.
    discard(paths, &work)?;
    fs::create_dir_all(&work).with_context(|| format!("making {}", work.display()))?;
    space::require(paths.work(), SIZE, "firmware and boot loaders")?;
    let whole = work.join("whole");

    let mut step = progress.step("firmware packages")?;
    let packages = download(paths, &root, &work, &mut step)?;
    let version = packages
        .get(TDVF.0)
        .with_context(|| format!("apt-get download left no {}", TDVF.0))?
        .clone();
    unpack(paths, &work, &mut step)?;
    if !whole.join("tdvf").join(TDVF.1).is_file() {
        bail!("the package {} {version} has no {}", TDVF.0, TDVF.1);
    }
    step.note(&format!("{} {version}", TDVF.0));
    step.done();

    discard(paths, &paths.firmware())?;
    fs::rename(&whole, paths.firmware()).context("moving the firmware into place")?;
    record.firmware = Some(FirmwareRecord {
        recipe: RECIPE,
        root: root.date,
        suite: NEWEST.into(),
        version,
        date: now(),
        packages,
    });
    record.save(&paths.record())?;
    discard(paths, &work)
}

/// Fetches all packages into folders of `work`, each kind into its own, and returns their versions. apt checks hashes.
fn download(
    paths: &Paths,
    root: &RootRecord,
    work: &Path,
    step: &mut Step,
) -> Result<BTreeMap<String, String>> {
    for folder in ["tdvf", "loaders", "tools/partial", "lists/partial"] {
        fs::create_dir_all(work.join(folder))?;
    }
    let inside = online(paths, &paths.root())?.bind(work, "/work");
    let source = format!(
        "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] {} {NEWEST} main\n",
        root.mirror
    );
    fs::write(work.join("sources.list"), source)?;
    // The lists of another suite must not become the root's.
    let newest = [
        "-q",
        "-oDir::Etc::sourcelist=/work/sources.list",
        "-oDir::Etc::sourceparts=/dev/null",
        "-oDir::State::lists=/work/lists",
        "-oDir::Cache::pkgcache=",
        "-oDir::Cache::srcpkgcache=",
        "-oAcquire::Languages=none",
        // This suite's index is valid for a week only, and a mirror may be behind. Its signature is checked all the same.
        "-oAcquire::Check-Valid-Until=false",
    ];
    let in_tdvf = inside.clone().directory("/work/tdvf");
    step.run(in_tdvf.command("apt-get").args(newest).arg("update"))?;
    step.run(
        in_tdvf
            .command("apt-get")
            .args(newest)
            .args(["download", TDVF.0]),
    )?;
    if !step
        .status(inside.command("apt-get").args(["-q", "update"]))?
        .success()
    {
        step.warn("the package lists could not be brought up to date; going on with those of the last time");
    }
    let in_loaders = inside.clone().directory("/work/loaders");
    step.run(
        in_loaders
            .command("apt-get")
            .args(["-q", "-t", SUITE, "download"])
            .args(LOADERS),
    )?;
    // With all that they depend on and the root lacks.
    let mut tools = inside.command("apt-get");
    tools.args(["-q", "-y", "--no-install-recommends", "-t", SUITE]);
    tools.args([
        "-oDir::Cache::archives=/work/tools",
        "--download-only",
        "install",
    ]);
    step.run(tools.args(TOOLS))?;

    let mut packages = BTreeMap::new();
    for kind in ["tdvf", "loaders", "tools"] {
        for deb in debs(&work.join(kind))? {
            let fields = "${Package}\t${Version}";
            let mut show = inside.command("dpkg-deb");
            show.args(["--showformat", fields, "--show"]);
            let text = step.output(show.arg(format!("/work/{kind}/{deb}")))?;
            if let Some((name, version)) = text.trim().split_once('\t') {
                packages.insert(name.to_owned(), version.to_owned());
            }
        }
    }
    Ok(packages)
}

/// Unpacks each kind of packages into a folder of its name under `whole`.
fn unpack(paths: &Paths, work: &Path, step: &mut Step) -> Result<()> {
    let inside = Enclosure::root(paths.root()).bind(work, "/work");
    for kind in ["tdvf", "loaders", "tools"] {
        fs::create_dir_all(work.join("whole").join(kind))?;
        for deb in debs(&work.join(kind))? {
            step.run(
                inside
                    .command("dpkg-deb")
                    .arg("-x")
                    .arg(format!("/work/{kind}/{deb}"))
                    .arg(format!("/work/whole/{kind}")),
            )?;
        }
    }
    Ok(())
}

/// The names of the packages' files in a folder.
fn debs(folder: &Path) -> Result<Vec<String>> {
    let names =
        fs::read_dir(folder)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    Ok(names.filter(|name| name.ends_with(".deb")).collect())
}
