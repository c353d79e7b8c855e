// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Where clients come from.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;
use vsock::{VsockAddr, VsockListener, VsockStream, VMADDR_CID_ANY};

/// What clients connect to.
pub trait Listener: Send + Sync {
    /// A connection of a client.
    type Connection: Connection;

    /// The next client.
    ///
    /// # Errors
    ///
    /// As `accept(2)`.
    fn accept(&self) -> io::Result<Self::Connection>;
}

/// A connection of a client.
pub trait Connection: Read + Write {
    /// Sets how long a read or a write may wait; not zero.
    ///
    /// # Errors
    ///
    /// As `setsockopt(2)`.
    fn set_timeout(&self, time: Duration) -> io::Result<()>;
}

impl Listener for UnixListener {
    type Connection = UnixStream;

    fn accept(&self) -> io::Result<UnixStream> {
        self.accept().map(|(stream, _)| stream)
    }
}

impl Connection for UnixStream {
    fn set_timeout(&self, time: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(time))?;
        self.set_write_timeout(Some(time))
    }
}

impl Listener for VsockListener {
    type Connection = VsockStream;

    fn accept(&self) -> io::Result<VsockStream> {
        self.accept().map(|(stream, _)| stream)
    }
}

impl Connection for VsockStream {
    fn set_timeout(&self, time: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(time))?;
        self.set_write_timeout(Some(time))
    }
}

/// A Unix socket at `path`. One that a service left behind there, which nobody serves any more, is replaced.
///
/// # Errors
///
/// As `bind(2)`: there is a service, or something that is no socket, or the directory cannot be written to.
pub fn unix_listener(path: &Path) -> io::Result<UnixListener> {
    let socket = fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
    let abandoned = socket
        && UnixStream::connect(path)
            .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
    if abandoned {
        fs::remove_file(path)?;
    }
    UnixListener::bind(path)
}

/// A socket of AF_VSOCK at `port`, for clients in every VM of this host.
///
/// # Errors
///
/// As `bind(2)`: there is a service at this port, or the kernel has no AF_VSOCK.
pub fn vsock_listener(port: u32) -> io::Result<VsockListener> {
    VsockListener::bind(&VsockAddr::new(VMADDR_CID_ANY, port))
}
