// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One of Debian's kernels: its packages fetched and unpacked, and its source prepared for building modules in Rust.
//!
//! Debian's header packages lack the metadata of the kernel's Rust crates. The source package of exactly the same version,
//! with the flavour's configuration and the same rustc, makes the same crates, and so modules that the stock kernel loads.

mod debug;
mod tree;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{bail, Context, Result};

use super::archive::Archive;
use super::extra::{self, LLVM};
use super::record::{now, KernelRecord, Record, RootRecord};
use super::selection::{Choice, Flavour};
use super::tool_chain::online;
use super::SUITE;
use crate::disposal::discard;
use crate::enclosure::Enclosure;
use crate::paths::Paths;
use crate::progress::{Progress, Step};
use crate::space;
use tree::Made;

/// Raised whenever what is below would make another tree or another image of the same packages.
const RECIPE: u32 = 1;

/// What a kernel of the flavour is made by, as a number.
fn recipe(flavour: Flavour) -> u32 {
    match flavour {
        Flavour::Cloud | Flavour::Generic => RECIPE,
        Flavour::Debug => RECIPE.wrapping_add(debug::recipe()),
    }
}

/// The steps of [`set_up`].
pub(super) const fn steps(flavour: Flavour) -> usize {
    match flavour {
        Flavour::Cloud | Flavour::Generic => 4,
        Flavour::Debug => 3,
    }
}

/// What an unpacked kernel takes on disk, beside its downloads.
const UNPACKED: u64 = 1200 << 20;

/// The packages whose versions a prepared tree depends on.
const TOOLS: [&str; 4] = ["bindgen", "gcc-14", "rustc", "rust-src"];

/// A kernel that is ready to be booted and built against.
#[derive(Debug, Clone)]
pub(crate) struct Kernel {
    /// As `uname -r` prints it.
    pub(crate) release: String,
    /// Debian's configuration of it.
    pub(crate) flavour: Flavour,
    /// The version of its Debian packages.
    pub(crate) version: String,
    /// The image to boot.
    pub(crate) vmlinuz: PathBuf,
    /// The folder that holds `<release>/kernel/…` and `<release>/modules.dep`.
    pub(crate) modules: PathBuf,
    /// The prepared source, with `tools/testing/selftests`. It was made at [`Kernel::TREE`] and must be used there.
    pub(crate) tree: PathBuf,
    /// Whether its image is signed for Secure Boot.
    pub(crate) signed: bool,
    /// Whether it takes modules in Rust.
    pub(crate) rust: bool,
    /// The command of the C compiler that built it.
    compiler: String,
}

impl Kernel {
    /// Where the tree has to be seen while it is used: Kbuild remembers paths.
    pub(crate) const TREE: &'static str = "/kernel";

    /// What `make` has to be told to use the tools that built it.
    pub(crate) fn make_argument(&self) -> String {
        match self.compiler.as_str() {
            debug::COMPILER => debug::MAKE.into(),
            compiler => format!("CC={compiler}"),
        }
    }

    /// Whether the root has what modules for it are built with, beside what every root has.
    pub(super) fn has_tools(&self, record: &Record) -> bool {
        self.flavour != Flavour::Debug || extra::missing(record, &LLVM).is_empty()
    }

    /// The kernel of this record, if it is whole and was made as it would be made now.
    pub(super) fn recorded(
        paths: &Paths,
        release: &str,
        record: &KernelRecord,
        root: &RootRecord,
    ) -> Option<Self> {
        let folder = paths.kernel(release);
        let kernel = Self {
            release: release.into(),
            flavour: record.flavour,
            version: record.version.clone(),
            vmlinuz: folder.join("vmlinuz"),
            modules: folder.join("image/lib/modules"),
            tree: folder.join("tree"),
            signed: record.signed,
            rust: record.rust,
            compiler: record.compiler.clone(),
        };
        let current = record.recipe == recipe(record.flavour) && record.tools == tools(root);
        (current && kernel.vmlinuz.is_file() && kernel.tree.is_dir()).then_some(kernel)
    }
}

/// Fetches and prepares a kernel, and adds it to the record.
pub(super) fn set_up(
    paths: &Paths,
    record: &mut Record,
    wanted: Option<&str>,
    flavour: Flavour,
    lists_are_fresh: bool,
    progress: &Progress,
) -> Result<()> {
    let mut step = progress.step("kernel packages")?;
    let choice = resolve(paths, wanted, flavour, lists_are_fresh, &mut step)?;
    if flavour == Flavour::Debug && !extra::missing(record, &LLVM).is_empty() {
        // Before it is looked whether the kernel is there: the root may be newer, and modules take clang, too.
        extra::add(paths, &LLVM, record, &mut step)?;
    }
    let root = record.root.clone().context("there is no root")?;
    let release = choice.release.as_str();
    if wanted.is_none() {
        record.default_kernels.insert(flavour, release.into());
    }
    if is_known(paths, record, &choice, &root) {
        step.note(&format!("{release} is there already"));
        step.done();
        return record.save(&paths.record());
    }
    discard(paths, &paths.kernel(release))?;
    let work = work(paths, &choice);
    if !work.exists() {
        // What was begun of another version of the release is of no use any more.
        discard(paths, &works(paths, release))?;
    }
    let whole = work.join("whole");
    fs::create_dir_all(&whole).with_context(|| format!("making {}", whole.display()))?;
    if !whole.join("tree").exists() {
        // A build that was killed may have left files that look finished, so there is no going on with a partial tree.
        discard(paths, &work.join(tree::PARTIAL))?;
        let unpacked = match flavour {
            Flavour::Cloud | Flavour::Generic => UNPACKED,
            Flavour::Debug => debug::UNPACKED,
        };
        let needed = (choice.size + unpacked).saturating_sub(space::of_files_in(&work));
        space::require(paths.work(), needed, &format!("the kernel {release}"))?;
    }
    download(paths, &choice, &work, &mut step)?;
    step.done();

    let Made { rust, compiler } = if flavour == Flavour::Debug {
        debug::make(paths, &choice, &work, progress)?
    } else {
        let mut step = progress.step(&format!("kernel {release}: image"))?;
        if !whole.join("image").exists() {
            image(paths, &choice, &work, &mut step)?;
        }
        step.done();
        tree::make(paths, &choice, &work, progress)?
    };

    fs::create_dir_all(paths.work().join("kernels"))?;
    fs::rename(&whole, paths.kernel(release))
        .with_context(|| format!("moving {}", whole.display()))?;
    let kernel = KernelRecord {
        recipe: recipe(flavour),
        flavour,
        version: choice.version.clone(),
        signed: choice.signed,
        rust,
        compiler,
        date: now(),
        packages: choice.packages().collect(),
        tools: tools(&root),
    };
    record.kernels.insert(release.into(), kernel);
    record.save(&paths.record())?;
    discard(paths, &works(paths, release))
}

/// Whether the chosen kernel is whole. Another one may have its release: Debian's revisions of a version share theirs.
fn is_known(paths: &Paths, record: &Record, choice: &Choice, root: &RootRecord) -> bool {
    let release = choice.release.as_str();
    let of_release = record.kernels.get(release);
    of_release
        .filter(|kernel| kernel.version == choice.version)
        .is_some_and(|kernel| Kernel::recorded(paths, release, kernel, root).is_some())
}

/// Where a kernel is made, which is kept until it is whole. No version goes on from what is there of another.
fn work(paths: &Paths, choice: &Choice) -> PathBuf {
    works(paths, &choice.release).join(&choice.version)
}

/// That of all versions of a release.
fn works(paths: &Paths, release: &str) -> PathBuf {
    paths.cache(&format!("kernel-{release}"))
}

/// Of the root's packages, those that a prepared tree depends on.
fn tools(root: &RootRecord) -> BTreeMap<String, String> {
    let of = |name: &str| Some((name.to_owned(), root.packages.get(name)?.clone()));
    TOOLS.iter().filter_map(|name| of(name)).collect()
}

/// Chooses the kernel from the archive's newest index that can be had.
fn resolve(
    paths: &Paths,
    wanted: Option<&str>,
    flavour: Flavour,
    lists_are_fresh: bool,
    step: &mut Step,
) -> Result<Choice> {
    let root = paths.root();
    if !lists_are_fresh
        && !step
            .status(
                online(paths, &root)?
                    .command("apt-get")
                    .args(["-q", "update"]),
            )?
            .success()
    {
        step.warn("the package lists could not be brought up to date; going on with those of the last time");
    }
    let format = "$(CODENAME)\t$(FILENAME)";
    let apt = Enclosure::root(&root);
    let indices = step.output(apt.command("apt-get").args([
        "indextargets",
        "--format",
        format,
        "Created-By: Packages",
    ]))?;
    let mut archive = Archive::default();
    let backports = format!("{SUITE}-backports");
    // The suite's own kernels are older, and only looked at for one that is asked for.
    for (codename, file) in indices.lines().filter_map(|line| line.split_once('\t')) {
        if codename == backports || wanted.is_some() {
            let mut cat = apt.command("/usr/lib/apt/apt-helper");
            step.read(cat.args(["cat-file", file]), |index| {
                archive.add_index(index)
            })?;
        }
    }
    let choice = match wanted {
        Some(wanted) => Choice::named(&archive, wanted, flavour)?,
        None => Choice::newest(&archive, flavour)?,
    };
    step.note(&format!("chose {} ({})", choice.release, choice.version));
    Ok(choice)
}

/// Fetches the packages that are not there yet. apt checks their hashes.
fn download(paths: &Paths, choice: &Choice, work: &Path, step: &mut Step) -> Result<()> {
    let online = online(paths, &paths.root())?
        .bind(work, "/work")
        .directory("/work");
    step.run(
        online
            .command("apt-get")
            .args(["-q", "download"])
            .args(choice.packages()),
    )
}

/// Unpacks the image and its modules to `whole/image`, and `whole/vmlinuz`.
fn image(paths: &Paths, choice: &Choice, work: &Path, step: &mut Step) -> Result<()> {
    let release = choice.release.as_str();
    let partial = work.join("image.partial");
    discard(paths, &partial)?;
    let inside = Enclosure::root(paths.root())
        .bind(work, "/work")
        .directory("/work");
    for package in &choice.image {
        step.run(
            inside
                .command("dpkg-deb")
                .arg("-x")
                .arg(deb(work, package)?)
                .arg("image.partial"),
        )?;
    }
    // Older packages have the modules in /lib, newer ones in /usr/lib, where depmod of this root does not look.
    if partial.join("usr/lib/modules").is_dir() {
        discard(paths, &partial.join("lib"))?;
        fs::rename(partial.join("usr/lib"), partial.join("lib"))?;
    }
    let modules = partial.join("lib/modules").join(release);
    let places = [
        modules.join("vmlinuz"),
        modules.join("vmlinuz.unsigned"),
        partial.join("boot").join(format!("vmlinuz-{release}")),
    ];
    let Some(vmlinuz) = places.iter().find(|place| place.is_file()) else {
        bail!("the packages {} hold no vmlinuz", choice.image.join(", "));
    };
    if !modules.join("modules.dep").exists() {
        step.run(
            inside
                .command("depmod")
                .args(["-b", "image.partial", release]),
        )?;
    }
    let whole = work.join("whole");
    fs::rename(vmlinuz, whole.join("vmlinuz"))?;
    fs::rename(&partial, whole.join("image")).context("moving the unpacked image")
}

/// The name of the downloaded file of a package.
fn deb(work: &Path, package: &str) -> Result<String> {
    let prefix = format!("{package}_");
    let mut names =
        fs::read_dir(work)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names
        .find(|name| name.starts_with(&prefix) && name.ends_with(".deb"))
        .with_context(|| {
            format!(
                "apt-get download {package} left no file in {}",
                work.display()
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RELEASE: &str = "7.2.12-tdx-debug";

    fn choice(version: &str) -> Choice {
        Choice {
            release: RELEASE.into(),
            flavour: Flavour::Debug,
            version: version.into(),
            image: Vec::new(),
            signed: true,
            headers: None,
            source: "linux-source-7.2".into(),
            size: 0,
        }
    }

    #[test]
    fn another_revision_is_another_kernel_of_the_same_release() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::of(folder.path().into()).unwrap();
        fs::create_dir_all(paths.kernel(RELEASE).join("tree")).unwrap();
        fs::write(paths.kernel(RELEASE).join("vmlinuz"), "").unwrap();
        let (first, second) = (choice("7.2.12-1~bpo13+1"), choice("7.2.12-2~bpo13+1"));
        let root = RootRecord::default();
        let kernel = KernelRecord {
            recipe: recipe(Flavour::Debug),
            flavour: Flavour::Debug,
            version: first.version.clone(),
            signed: true,
            rust: true,
            compiler: debug::COMPILER.into(),
            date: String::new(),
            packages: Vec::new(),
            tools: tools(&root),
        };
        let mut record = Record::default();
        record.kernels.insert(RELEASE.into(), kernel);
        assert!(is_known(&paths, &record, &first, &root));
        assert!(!is_known(&paths, &record, &second, &root));
        assert_ne!(work(&paths, &first), work(&paths, &second));
    }
}
