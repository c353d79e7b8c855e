// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Writes cpio archives of the `newc` format, the one that Linux unpacks as its initial file system.
//!
//! Source: Linux, Documentation/driver-api/early-userspace/buffer-format.rst. A header is the magic and 13 numbers of
//! eight hexadecimal digits; name and data are padded to four bytes. Everything belongs to root.

use std::io::{self, Read, Write};

/// Type bits of a folder's mode.
const FOLDER: u32 = 0o040_000;
/// Type bits of a regular file's mode.
const FILE: u32 = 0o100_000;
/// Type bits of a symbolic link's mode.
const LINK: u32 = 0o120_000;
/// The permissions, and the set-user-ID, set-group-ID and sticky bits.
const PERMISSIONS: u32 = 0o7777;
/// The largest file that the format can hold.
pub(crate) const LARGEST_FILE: u64 = u32::MAX as u64;

/// An archive on its way into `sink`.
#[derive(Debug)]
pub(crate) struct Archive<W> {
    sink: W,
    /// Bytes written so far, for the padding and for [`Archive::finish`].
    written: u64,
    next_inode: u32,
}

/// What an entry has beside its contents.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Attributes {
    /// Permission bits; other bits are ignored.
    pub(crate) mode: u32,
    /// Modification time in seconds since 1970, cut to what the format can hold.
    pub(crate) mtime: i64,
}

impl Attributes {
    /// Permissions only, of a thing whose age does not matter.
    pub(crate) fn mode(mode: u32) -> Self {
        Self { mode, mtime: 0 }
    }
}

impl<W: Write> Archive<W> {
    /// Starts an archive. `sink` should buffer, because headers are written piece by piece.
    pub(crate) fn new(sink: W) -> Self {
        Self {
            sink,
            written: 0,
            next_inode: 1,
        }
    }

    /// Adds a folder. `name` is a path without a leading `/`; the kernel wants parents before their children.
    pub(crate) fn folder(&mut self, name: &[u8], attributes: Attributes) -> io::Result<()> {
        self.header(name, FOLDER, attributes, 0)
    }

    /// Adds a symbolic link that points to `target`.
    pub(crate) fn link(&mut self, name: &[u8], target: &[u8], mtime: i64) -> io::Result<()> {
        let attributes = Attributes { mode: 0o777, mtime };
        self.header(name, LINK, attributes, target.len() as u64)?;
        self.put(target)?;
        self.pad(4)
    }

    /// Adds a file whose contents are at hand.
    pub(crate) fn bytes(
        &mut self,
        name: &[u8],
        attributes: Attributes,
        contents: &[u8],
    ) -> io::Result<()> {
        self.file(name, attributes, contents.len() as u64, contents)
    }

    /// Adds a file of exactly `size` bytes, read from `contents`.
    ///
    /// # Errors
    /// Beside those of reading and writing: `FileTooLarge` above [`LARGEST_FILE`], and `UnexpectedEof` if `contents`
    /// ends early. What comes after `size` bytes is left unread: a file that grows is cut where it was when measured.
    pub(crate) fn file(
        &mut self,
        name: &[u8],
        attributes: Attributes,
        size: u64,
        contents: impl Read,
    ) -> io::Result<()> {
        self.header(name, FILE, attributes, size)?;
        let copied = io::copy(&mut contents.take(size), &mut self.sink)?;
        self.written += copied;
        if copied != size {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!("the file has {copied} bytes now, {size} when it was measured"),
            ));
        }
        self.pad(4)
    }

    /// Ends the archive, padded so that another one can follow, and gives back the sink and the archive's size in bytes.
    pub(crate) fn finish(mut self) -> io::Result<(W, u64)> {
        self.header(b"TRAILER!!!", 0, Attributes::default(), 0)?;
        self.pad(512)?;
        self.sink.flush()?;
        Ok((self.sink, self.written))
    }

    fn header(
        &mut self,
        name: &[u8],
        kind: u32,
        attributes: Attributes,
        size: u64,
    ) -> io::Result<()> {
        if size > LARGEST_FILE {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!("{size} bytes are more than a cpio archive can hold in one file ({LARGEST_FILE})"),
            ));
        }
        let mode = kind | (attributes.mode & PERMISSIONS);
        // Negative times and those after 2106 do not fit.
        let mtime = u32::try_from(attributes.mtime).unwrap_or(0);
        let links = 1;
        let name_size = name.len() as u64 + 1;
        let fields = [
            u64::from(self.next_inode),
            u64::from(mode),
            0, // owner
            0, // group
            links,
            u64::from(mtime),
            size,
            0, // device, major and minor
            0,
            0, // device that a node stands for, major and minor
            0,
            name_size,
            0, // checksum, of another format
        ];
        self.next_inode += 1;
        let mut header = String::from("070701");
        for field in fields {
            header += &format!("{field:08X}");
        }
        self.put(header.as_bytes())?;
        self.put(name)?;
        self.put(&[0])?;
        self.pad(4)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sink.write_all(bytes)?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    fn pad(&mut self, alignment: u64) -> io::Result<()> {
        while self.written % alignment != 0 {
            self.put(&[0])?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Archive, Attributes};
    use std::io::ErrorKind;
    use std::process::{Command, Stdio};

    fn sample() -> Vec<u8> {
        let mut archive = Archive::new(Vec::new());
        archive.folder(b"a", Attributes::mode(0o755)).unwrap();
        archive
            .bytes(b"a/empty", Attributes::mode(0o644), b"")
            .unwrap();
        let run = Attributes {
            mode: 0o4755,
            mtime: 1_000_000_000,
        };
        archive.bytes(b"a/run me", run, b"five!").unwrap();
        archive.link(b"a/link", b"run me", 0).unwrap();
        archive
            .bytes(b"a/\xff\n", Attributes::mode(0o600), &[0; 4096])
            .unwrap();
        archive.finish().unwrap().0
    }

    #[test]
    fn entries_and_archive_are_aligned() {
        let bytes = sample();
        assert_eq!(bytes.len() % 512, 0);
        let magics = (0..bytes.len())
            .step_by(4)
            .filter(|&at| bytes[at..].starts_with(b"070701"));
        assert_eq!(magics.count(), 6);
    }

    /// Two archives in a row, as the kernel gets them, unpacked by the machine's own tool where there is one.
    #[test]
    fn other_programs_unpack_what_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let Ok(mut cpio) = Command::new("cpio")
            .args(["-idm", "--no-absolute-filenames", "--quiet"])
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .spawn()
        else {
            eprintln!("skipped: this machine has no cpio");
            return;
        };
        std::io::Write::write_all(&mut cpio.stdin.take().unwrap(), &sample()).unwrap();
        assert!(cpio.wait().unwrap().success());
        let read = |name: &std::ffi::OsStr| std::fs::read(folder.path().join("a").join(name));
        assert_eq!(read("run me".as_ref()).unwrap(), b"five!");
        assert_eq!(read("link".as_ref()).unwrap(), b"five!");
        assert_eq!(read("empty".as_ref()).unwrap(), b"");
        let odd = std::os::unix::ffi::OsStrExt::from_bytes(b"\xff\n");
        assert_eq!(read(odd).unwrap(), [0; 4096]);
        let meta = folder.path().join("a/run me").metadata().unwrap();
        assert_eq!(std::os::unix::fs::MetadataExt::mtime(&meta), 1_000_000_000);
    }

    #[test]
    fn a_file_that_shrinks_is_an_error() {
        let mut archive = Archive::new(Vec::new());
        let error = archive
            .file(b"x", Attributes::default(), 10, &b"123"[..])
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    }

    #[test]
    fn a_file_of_4_gib_is_refused_before_it_is_read() {
        let mut archive = Archive::new(std::io::sink());
        let error = archive
            .file(b"x", Attributes::default(), 1 << 32, std::io::repeat(0))
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::FileTooLarge);
    }

    #[test]
    fn times_that_do_not_fit_are_dropped() {
        let mut archive = Archive::new(Vec::new());
        let old = Attributes { mode: 0, mtime: -1 };
        archive.bytes(b"x", old, b"").unwrap();
        let bytes = archive.finish().unwrap().0;
        assert_eq!(&bytes[6 + 5 * 8..6 + 6 * 8], b"00000000");
    }
}
