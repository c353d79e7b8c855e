// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Builds the guest's file system: a base that boots share and that is kept between runs, and the part of one boot.

use super::cpio::{Archive, Attributes, LARGEST_FILE};
use super::root::{Root, LIBRARIES, LOADER};
use super::{files, modules, quote, Guest};
use anyhow::{bail, ensure, Context, Result};
use rustix::fs::MemfdFlags;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, BufWriter, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

/// Process 1 of the guest.
const INIT: &str = include_str!("init.sh");

/// The C library in all its parts and the compiler's run-time library, which every Rust program is linked to.
const SHARED: &[&str] = &[
    "libBrokenLocale.so.1",
    "libanl.so.1",
    "libc.so.6",
    "libdl.so.2",
    "libgcc_s.so.1",
    "libm.so.6",
    "libnss_compat.so.2",
    "libnss_dns.so.2",
    "libnss_files.so.2",
    "libpthread.so.0",
    "libresolv.so.2",
    "librt.so.1",
    "libutil.so.1",
];

/// Programs that go along beside busybox, with the libraries that they are linked to.
///
/// busybox has a shell and a modprobe too. But its modprobe cuts off the modalias of a processor, which is long, and its
/// shell takes its own tools for those of the same name in PATH.
const PROGRAMS: &[&str] = &["usr/bin/bash", "usr/bin/dash", "usr/bin/kmod"];
/// Names of these programs.
const NAMES: &[(&str, &str)] = &[
    ("usr/bin/sh", "dash"),
    ("usr/sbin/depmod", "../bin/kmod"),
    ("usr/sbin/insmod", "../bin/kmod"),
    ("usr/sbin/lsmod", "../bin/kmod"),
    ("usr/sbin/modinfo", "../bin/kmod"),
    ("usr/sbin/modprobe", "../bin/kmod"),
    ("usr/sbin/rmmod", "../bin/kmod"),
];
/// What bash knows of terminals.
const TERMINALS: &str = "usr/share/terminfo";

/// How the names of what is being built begin.
pub(super) const UNFINISHED: &str = "unfinished-";

const FOLDERS: &[(&str, u32)] = &[
    ("dev", 0o755),
    ("etc", 0o755),
    ("mnt", 0o755),
    ("proc", 0o755),
    ("root", 0o700),
    ("run", 0o755),
    ("sys", 0o755),
    ("tmp", 0o1777),
    ("usr", 0o755),
    ("usr/bin", 0o755),
    ("usr/lib", 0o755),
    ("usr/lib/modules", 0o755),
    ("usr/lib/x86_64-linux-gnu", 0o755),
    ("usr/lib64", 0o755),
    ("usr/local", 0o755),
    ("usr/local/bin", 0o755),
    ("usr/sbin", 0o755),
    ("usr/share", 0o755),
    ("var", 0o755),
    ("var/log", 0o755),
    ("var/tmp", 0o1777),
    ("vm", 0o700),
];

const LINKS: &[(&str, &str)] = &[
    ("bin", "usr/bin"),
    ("lib", "usr/lib"),
    ("lib64", "usr/lib64"),
    ("sbin", "usr/sbin"),
    ("var/run", "../run"),
    ("etc/mtab", "../proc/self/mounts"),
];

const TEXTS: &[(&str, &str)] = &[
    (
        "etc/passwd",
        "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/:/bin/false\n",
    ),
    ("etc/group", "root:x:0:\nnogroup:x:65534:\n"),
    ("etc/hosts", "127.0.0.1 localhost\n::1 localhost\n"),
    (
        "etc/nsswitch.conf",
        "passwd: files\ngroup: files\nhosts: files\n",
    ),
    ("etc/profile", "PS1='\\h:\\w# '\n"),
    (
        "etc/fstab",
        "devpts /dev/pts devpts mode=620,ptmxmode=666 0 0\n\
         tmpfs /dev/shm tmpfs mode=1777 0 0\n\
         cgroup2 /sys/fs/cgroup cgroup2 defaults 0 0\n\
         debugfs /sys/kernel/debug debugfs defaults 0 0\n\
         configfs /sys/kernel/config configfs defaults 0 0\n",
    ),
];

/// What changes from boot to boot, as the guest's init reads it.
#[derive(Debug)]
pub(crate) struct Boot<'a> {
    pub(crate) command: &'a [OsString],
    /// Whether the command has a standard input other than /dev/null.
    pub(crate) input: bool,
    /// For a command on a terminal: its type, rows and columns.
    pub(crate) terminal: Option<(OsString, u16, u16)>,
}

/// The initial file system of one boot, in memory: nothing is left behind, however the program ends.
pub(crate) fn assemble(guest: &Guest, boot: &Boot<'_>) -> Result<File> {
    let mut base = base(guest)?;
    let base_size = base.metadata()?.len();
    check_memory(guest, base_size + files::size(&guest.files))?;
    let flags = MemfdFlags::CLOEXEC;
    let mut image = File::from(rustix::fs::memfd_create("initrd", flags).context("memfd_create")?);
    io::copy(&mut base, &mut image).context("cannot copy the guest's base image")?;

    let mut archive = Archive::new(BufWriter::with_capacity(1 << 20, image));
    files::pack(&mut archive, "root", &guest.files)?;
    let plain = Attributes::mode(0o600);
    archive.bytes(b"vm/config", plain, &config(guest, boot))?;
    let script = if boot.command.is_empty() {
        b"exec bash -l\n".to_vec()
    } else {
        quote::exec(boot.command)
    };
    archive.bytes(b"vm/command", plain, &script)?;
    // The kernel gives up on an archive in the middle when memory runs out, and boots what it has got.
    archive.bytes(b"vm/complete", plain, b"")?;
    let (writer, _) = archive.finish()?;
    Ok(writer
        .into_inner()
        .map_err(io::IntoInnerError::into_error)?)
}

fn config(guest: &Guest, boot: &Boot<'_>) -> Vec<u8> {
    let (terminal, rows, columns) = match &boot.terminal {
        Some((kind, rows, columns)) => (kind.as_bytes(), *rows, *columns),
        None => (&b"dumb"[..], 24, 80),
    };
    let mut config = format!(
        "driver={}\ninput={}\ntty={}\nrows={rows}\ncolumns={columns}\nhostname={}\nterm=",
        guest.driver.name(),
        u8::from(boot.input),
        u8::from(boot.terminal.is_some()),
        if guest.plugin.is_some() { "td" } else { "vm" },
    )
    .into_bytes();
    quote::quote(terminal, &mut config);
    config.push(b'\n');
    config
}

/// The kernel holds the image and what it unpacks from it at the same time.
fn check_memory(guest: &Guest, needed: u64) -> Result<()> {
    const MIB: u64 = 1 << 20;
    /// What kernel and init take.
    const KERNEL: u64 = 128;
    let has = guest.memory.0;
    // A TD sets aside 6 % and at least 64 MiB to share with the host (Linux, arch/x86/mm/mem_encrypt.c).
    let shared = match guest.plugin {
        Some(_) => (has * 6 / 100).max(64),
        None => 0,
    };
    let least = needed.div_ceil(MIB) * 2 + KERNEL + shared;
    ensure!(
        least <= has,
        "the guest's memory is too small: with the files to be copied its file system has {} MiB, for which it takes \
         {least} MiB of memory and it has {has} MiB. Give it more with --memory",
        needed / MIB
    );
    Ok(())
}

/// The base image, opened. It is built when it is not there yet.
fn base(guest: &Guest) -> Result<File> {
    let root = Root(&guest.root);
    let key = key(guest, root)?;
    let path = guest.cache.join(format!("base-{key:016x}.cpio"));
    match File::open(&path) {
        Ok(file) => return Ok(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("cannot open {}", path.display())),
    }
    fs::create_dir_all(&guest.cache)
        .with_context(|| format!("cannot make the folder {}", guest.cache.display()))?;
    let mut file = tempfile::Builder::new()
        .prefix(UNFINISHED)
        .tempfile_in(&guest.cache)
        .with_context(|| format!("cannot write in {}", guest.cache.display()))?;
    build(guest, root, BufWriter::new(file.as_file_mut()))
        .context("cannot build the guest's base image")?;
    // Whoever is second replaces the first one's by the same.
    file.persist(&path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    drop_old(&guest.cache);
    File::open(&path).with_context(|| format!("cannot open {}", path.display()))
}

/// A number that changes with whatever the base image is made of.
fn key(guest: &Guest, root: Root<'_>) -> Result<u64> {
    let mut hasher = DefaultHasher::new();
    (INIT, SHARED, FOLDERS, LINKS, TEXTS).hash(&mut hasher);
    (PROGRAMS, NAMES, modules::WANTED).hash(&mut hasher);
    (&guest.release, &guest.extra_modules, guest.driver.name()).hash(&mut hasher);
    let mut sources = vec![
        root.file("usr/bin/busybox")?,
        root.file(&format!("{LIBRARIES}/libc.so.6"))?,
        guest.modules.join("kernel"),
    ];
    for program in PROGRAMS {
        sources.push(root.file(program)?);
    }
    sources.extend(guest.driver.own_module().map(Path::to_owned));
    for source in sources {
        let meta = source
            .metadata()
            .with_context(|| format!("cannot look at {}", source.display()))?;
        (&source, meta.len(), meta.ino()).hash(&mut hasher);
        (meta.mtime(), meta.mtime_nsec()).hash(&mut hasher);
    }
    Ok(hasher.finish())
}

fn build(guest: &Guest, root: Root<'_>, sink: impl Write) -> Result<()> {
    let mut archive = Archive::new(sink);
    for &(name, mode) in FOLDERS {
        archive.folder(name.as_bytes(), Attributes::mode(mode))?;
    }
    for &(name, target) in LINKS {
        archive.link(name.as_bytes(), target.as_bytes(), 0)?;
    }
    for &(name, text) in TEXTS {
        archive.bytes(name.as_bytes(), Attributes::mode(0o644), text.as_bytes())?;
    }
    archive.bytes(b"init", Attributes::mode(0o755), INIT.as_bytes())?;

    let busybox = root.file("usr/bin/busybox")?;
    files::add(&mut archive, b"usr/bin/busybox", &busybox)?;
    let applets = Command::new(&busybox)
        .arg("--list-full")
        .output()
        .with_context(|| format!("cannot run {}", busybox.display()))?;
    ensure!(applets.status.success(), "busybox --list-full failed");
    for applet in String::from_utf8(applets.stdout)?.lines() {
        // `sbin/ip` and `usr/sbin/chroot` alike: /sbin is a link to /usr/sbin in the guest.
        let name = applet.rsplit('/').next().unwrap_or(applet);
        let folder = if applet.contains("sbin/") {
            "sbin"
        } else {
            "bin"
        };
        let inside = format!("usr/{folder}/{name}");
        let other = PROGRAMS.contains(&inside.as_str())
            || NAMES.iter().any(|n| n.0.ends_with(&format!("/{name}")));
        if name != "busybox" && !other {
            archive.link(inside.as_bytes(), b"/usr/bin/busybox", 0)?;
        }
    }
    for &(name, target) in NAMES {
        archive.link(name.as_bytes(), target.as_bytes(), 0)?;
    }
    files::add(&mut archive, LOADER.as_bytes(), &root.file(LOADER)?)?;
    let mut shared: BTreeSet<String> = SHARED.iter().map(|&name| name.to_owned()).collect();
    for program in PROGRAMS {
        files::add(&mut archive, program.as_bytes(), &root.file(program)?)?;
        shared.extend(root.libraries(program)?);
    }
    for library in shared {
        let path = format!("{LIBRARIES}/{library}");
        files::add(&mut archive, path.as_bytes(), &root.file(&path)?)?;
    }
    if let Ok(terminals) = root.file(TERMINALS) {
        files::add(&mut archive, TERMINALS.as_bytes(), &terminals)?;
    }

    let tree = tempfile::Builder::new()
        .prefix(UNFINISHED)
        .tempdir_in(&guest.cache)?;
    modules::lay_out(
        root,
        &guest.modules,
        &guest.release,
        &guest.extra_modules,
        &guest.driver,
        tree.path(),
    )?;
    let from = tree.path().join("lib/modules").join(&guest.release);
    let inside = format!("usr/lib/modules/{}", guest.release);
    files::add(&mut archive, inside.as_bytes(), &from)?;
    let (_, size) = archive.finish()?;
    if size > LARGEST_FILE {
        bail!("the base image has {size} bytes");
    }
    Ok(())
}

/// Deletes all but the newest base images, of which each build of the driver makes one, and what a process that was
/// killed while it made one left behind. Who has a deleted image open keeps it.
fn drop_old(cache: &Path) {
    const KEPT: usize = 8;
    const ABANDONED: Duration = Duration::from_secs(3600);
    let mut images: Vec<(SystemTime, PathBuf)> = Vec::new();
    // Failures are left to the next one: another process may just be at the same.
    for entry in fs::read_dir(cache).into_iter().flatten().flatten() {
        let Ok(modified) = entry.metadata().and_then(|meta| meta.modified()) else {
            continue;
        };
        let name = entry.file_name();
        if name.as_bytes().starts_with(b"base-") {
            images.push((modified, entry.path()));
        } else if name.as_bytes().starts_with(UNFINISHED.as_bytes())
            && modified.elapsed().is_ok_and(|age| age > ABANDONED)
        {
            let _ = fs::remove_file(entry.path()).or_else(|_| fs::remove_dir_all(entry.path()));
        }
    }
    images.sort_by(|a, b| b.cmp(a));
    for (_, path) in images.into_iter().skip(KEPT) {
        let _ = fs::remove_file(path);
    }
}
