//! A compressed archive that every `tar` can read: POSIX ustar, files only, within gzip. Some forty lines,
//! so that no crate more is needed for them.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;

const BLOCK: usize = 512;
/// What the format has room for.
const NAME_BYTES_MAX: usize = 100;

/// An archive in the making.
pub(super) struct Archive<W: Write> {
    out: GzEncoder<W>,
    /// The time of all its files, in seconds since 1970.
    at_s: u64,
}

impl<W: Write> Archive<W> {
    pub(super) fn new(out: W, at_s: u64) -> Self {
        let out = GzEncoder::new(out, Compression::default());
        Self { out, at_s }
    }

    /// Adds a file.
    pub(super) fn add(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.out
            .write_all(&header(name, bytes.len() as u64, self.at_s)?)?;
        self.out.write_all(bytes)?;
        let padding = bytes.len().next_multiple_of(BLOCK) - bytes.len();
        self.out.write_all(&[0; BLOCK][..padding])
    }

    /// Ends it; gives back what it was written to.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.out.write_all(&[0; 2 * BLOCK])?;
        self.out.finish()
    }
}

fn header(name: &str, length: u64, at_s: u64) -> io::Result<[u8; BLOCK]> {
    if name.len() > NAME_BYTES_MAX {
        let what = format!("{name}: a name in an archive has at most {NAME_BYTES_MAX} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    }
    let mut header = [0; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, name.as_bytes());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    // Eleven octal digits: 8 GiB, and until the year 2242.
    put(
        124,
        format!("{:011o}\0", length.min((1 << 33) - 1)).as_bytes(),
    );
    put(
        136,
        format!("{:011o}\0", at_s.min((1 << 33) - 1)).as_bytes(),
    );
    // While it is counted, the checksum is blank.
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    Ok(header)
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn an_archive_is_what_tar_expects() {
        let mut archive = Archive::new(Vec::new(), 1_700_000_000);
        archive
            .add("bundle/README.txt", b"hello\n")
            .expect("memory");
        archive.add("bundle/even", &[b'x'; BLOCK]).expect("memory");
        archive.add("bundle/none", b"").expect("memory");
        assert!(archive.add(&"n".repeat(101), b"").is_err());
        let packed = archive.finish().expect("memory");
        let mut plain = Vec::new();
        let mut reader = flate2::read::GzDecoder::new(&packed[..]);
        reader.read_to_end(&mut plain).expect("gzip");
        // Three headers, two blocks of content, two of the end.
        assert_eq!(plain.len(), 7 * BLOCK);
        assert_eq!(&plain[257..265], b"ustar\x0000");
        assert_eq!(&plain[BLOCK..BLOCK + 6], b"hello\n");

        // Where there is a tar, it agrees.
        let tar = Command::new("tar")
            .args(["-tvf", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let Ok(mut tar) = tar else { return };
        let mut into = tar.stdin.take().expect("a pipe");
        into.write_all(&plain).expect("it reads");
        drop(into);
        let told = tar.wait_with_output().expect("it ends");
        let told = String::from_utf8_lossy(&told.stdout).into_owned();
        for name in ["bundle/README.txt", "bundle/even", "bundle/none"] {
            assert!(told.contains(name), "{told}");
        }
    }
}
