//! Reading an answer: its head once, its body by length, by chunks or to the end.

use httparse::Status;

use super::Error;

/// Heads and bodies above this are not from a server of ours.
pub(super) const HEAD_BYTES_MAX: usize = 64 * 1024;
pub(super) const BODY_BYTES_MAX: usize = 512 * 1024 * 1024;

/// An answer, borrowed from its connection's buffers.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    /// HTTP status.
    pub status: u16,
    /// `Retry-After`, in seconds.
    pub retry_after: Option<u64>,
    /// The head as it came.
    pub head: &'a [u8],
    /// The body, unchunked.
    pub body: &'a [u8],
}

impl<'a> Reply<'a> {
    /// A header's value. Looks through the head, so not for the hot path.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        let head = std::str::from_utf8(self.head).ok()?;
        head.lines().skip(1).find_map(|line| {
            let (known, value) = line.split_once(':')?;
            known
                .trim()
                .eq_ignore_ascii_case(name)
                .then(|| value.trim())
        })
    }
}

/// How the end of a body is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// So many bytes.
    Length(usize),
    /// Chunk by chunk.
    Chunked,
    /// Until the server closes.
    ToTheEnd,
}

/// What the head of an answer says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) bytes: usize,
    pub(super) framing: Framing,
    pub(super) keep_alive: bool,
    pub(super) retry_after: Option<u64>,
}

/// Parses a head; `None` while it is incomplete.
pub(super) fn parse_head(bytes: &[u8]) -> Result<Option<Head>, Error> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    let parsed = response
        .parse(bytes)
        .map_err(|_| Error::Malformed { what: "head" })?;
    let Status::Complete(head_bytes) = parsed else {
        if bytes.len() > HEAD_BYTES_MAX {
            return Err(Error::Malformed {
                what: "head without end",
            });
        }
        return Ok(None);
    };
    let status = response.code.unwrap_or_default();
    let mut head = Head {
        status,
        bytes: head_bytes,
        framing: Framing::ToTheEnd,
        keep_alive: response.version == Some(1),
        retry_after: None,
    };
    if matches!(status, 100..=199 | 204 | 304) {
        head.framing = Framing::Length(0);
    }
    for header in response.headers.iter() {
        let value = || std::str::from_utf8(header.value).unwrap_or_default().trim();
        if header.name.eq_ignore_ascii_case("content-length") {
            let length = value()
                .parse()
                .map_err(|_| Error::Malformed { what: "length" })?;
            if length > BODY_BYTES_MAX {
                return Err(Error::Malformed { what: "length" });
            }
            // A 304 may tell the length that a 200 would have had.
            if status != 304 && head.framing != Framing::Chunked {
                head.framing = Framing::Length(length);
            }
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            head.framing = Framing::Chunked;
        } else if header.name.eq_ignore_ascii_case("connection") {
            head.keep_alive &= !value().eq_ignore_ascii_case("close");
        } else if header.name.eq_ignore_ascii_case("retry-after") {
            head.retry_after = value().parse().ok();
        }
    }
    head.keep_alive &= head.framing != Framing::ToTheEnd;
    Ok(Some(head))
}

/// Undoes chunking from `input` on; `None` while chunks are missing.
pub(super) fn unchunk(mut input: &[u8], body: &mut Vec<u8>) -> Result<Option<()>, Error> {
    body.clear();
    let malformed = || Error::Malformed { what: "chunk" };
    loop {
        let Some(line_end) = input.windows(2).position(|pair| pair == b"\r\n") else {
            return Ok(None);
        };
        let line = std::str::from_utf8(&input[..line_end]).map_err(|_| malformed())?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).map_err(|_| malformed())?;
        input = &input[line_end + 2..];
        if size == 0 {
            return trailers_complete(input);
        }
        if size > BODY_BYTES_MAX || body.len() > BODY_BYTES_MAX {
            return Err(malformed());
        }
        if input.len() < size + 2 {
            return Ok(None);
        }
        if &input[size..size + 2] != b"\r\n" {
            return Err(malformed());
        }
        body.extend_from_slice(&input[..size]);
        input = &input[size + 2..];
    }
}

/// After the last chunk come trailers (ignored) and an empty line.
fn trailers_complete(mut input: &[u8]) -> Result<Option<()>, Error> {
    loop {
        let Some(line_end) = input.windows(2).position(|pair| pair == b"\r\n") else {
            return Ok(None);
        };
        if line_end == 0 {
            return Ok(Some(()));
        }
        input = &input[line_end + 2..];
    }
}
