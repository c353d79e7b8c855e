// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The control channel: what the guest's init (`init.sh`) and we tell each other, in lines.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Instant;

/// The longest line and the longest text that is taken from the guest, in bytes.
const LONGEST: usize = 1 << 16;

/// What the guest says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// The command is being started.
    Ready,
    /// It will not be, for this reason.
    Failed(String),
    /// It has ended with this status.
    Exited(u8),
    /// All that it wrote is on its way: so many bytes of standard output and standard error.
    Done(u64, u64),
}

/// Why the guest said nothing.
#[derive(Debug)]
pub(crate) enum Silence {
    /// The time was over.
    TimedOut,
    /// The channel was closed.
    Closed,
    /// It was no sentence of the protocol.
    Nonsense(String),
}

/// Our end of the channel.
#[derive(Debug)]
pub(crate) struct Control {
    socket: UnixStream,
    /// What has been received and not been understood yet.
    pending: Vec<u8>,
}

impl Control {
    pub(crate) fn new(socket: UnixStream) -> Self {
        Self {
            socket,
            pending: Vec::new(),
        }
    }

    /// A second handle, with which others can close the channel or write to it.
    pub(crate) fn handle(&self) -> io::Result<UnixStream> {
        self.socket.try_clone()
    }

    /// Lets the guest power off.
    pub(crate) fn bye(&mut self) {
        // If it is gone already, that is what was wanted.
        let _ = self.socket.write_all(b"bye\n");
    }

    /// The guest's next sentence, waited for until `end` at most.
    pub(crate) fn next(&mut self, end: Option<Instant>) -> Result<Said, Silence> {
        let line = loop {
            if let Some(at) = self.pending.iter().position(|&byte| byte == b'\n') {
                let mut line: Vec<u8> = self.pending.drain(..=at).collect();
                line.pop();
                break String::from_utf8_lossy(&line).into_owned();
            }
            self.receive(end)?;
        };
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["ready"] => Some(Said::Ready),
            ["exited", status] => status.parse().ok().map(Said::Exited),
            ["done", out, err] => match (out.parse(), err.parse()) {
                (Ok(out), Ok(err)) => Some(Said::Done(out, err)),
                _ => None,
            },
            ["failed", bytes] => match bytes.parse() {
                Ok(bytes @ 0..=LONGEST) => {
                    while self.pending.len() < bytes {
                        self.receive(end)?;
                    }
                    let text: Vec<u8> = self.pending.drain(..bytes).collect();
                    let text = String::from_utf8_lossy(&text).replace('\r', "");
                    Some(Said::Failed(text.trim_end().to_owned()))
                }
                _ => None,
            },
            _ => None,
        }
        .ok_or(Silence::Nonsense(line))
    }

    /// Takes in what has come.
    fn receive(&mut self, end: Option<Instant>) -> Result<(), Silence> {
        if self.pending.len() > 2 * LONGEST {
            return Err(Silence::Nonsense("a line without an end".into()));
        }
        let limit = match end.map(|end| end.saturating_duration_since(Instant::now())) {
            Some(limit) if limit.is_zero() => return Err(Silence::TimedOut),
            limit => limit,
        };
        let mut buffer = [0; 4096];
        let received = self
            .socket
            .set_read_timeout(limit)
            .and_then(|()| self.socket.read(&mut buffer));
        match received {
            Ok(0) => Err(Silence::Closed),
            Ok(count) => {
                self.pending.extend_from_slice(&buffer[..count]);
                Ok(())
            }
            Err(error) => match error.kind() {
                io::ErrorKind::Interrupted => Ok(()),
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Err(Silence::TimedOut),
                _ => Err(Silence::Closed),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Control, Said, Silence};
    use std::io::Write;
    use std::os::unix::net::UnixStream;
    use std::time::{Duration, Instant};

    fn hear(bytes: &[u8]) -> (Control, UnixStream) {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.write_all(bytes).unwrap();
        (Control::new(ours), theirs)
    }

    #[test]
    fn sentences_are_understood_one_by_one() {
        let (mut control, guest) = hear(b"ready\nexited 137\ndone 5 0\nfailed 4\na\nb\nready\n");
        drop(guest);
        assert_eq!(control.next(None).unwrap(), Said::Ready);
        assert_eq!(control.next(None).unwrap(), Said::Exited(137));
        assert_eq!(control.next(None).unwrap(), Said::Done(5, 0));
        assert_eq!(control.next(None).unwrap(), Said::Failed("a\nb".into()));
        assert_eq!(control.next(None).unwrap(), Said::Ready);
        assert!(matches!(control.next(None), Err(Silence::Closed)));
    }

    #[test]
    fn nonsense_is_told() {
        for line in [
            "hello",
            "exited 256",
            "exited",
            "done 1",
            "done -1 0",
            "failed 99999999",
        ] {
            let (mut control, _guest) = hear(format!("{line}\n").as_bytes());
            assert!(matches!(control.next(None), Err(Silence::Nonsense(said)) if said == line));
        }
        let (mut control, mut guest) = hear(b"");
        std::thread::spawn(move || while guest.write_all(&[b'x'; 4096]).is_ok() {});
        assert!(matches!(control.next(None), Err(Silence::Nonsense(_))));
    }

    #[test]
    fn silence_ends_with_the_time() {
        let (mut control, _guest) = hear(b"half a sent");
        let end = Instant::now() + Duration::from_millis(20);
        assert!(matches!(control.next(Some(end)), Err(Silence::TimedOut)));
    }
}
