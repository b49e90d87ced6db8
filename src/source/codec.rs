//! Compression, told by the first bytes when reading and by the file's name when writing.

use std::io::{self, BufRead, Read, Write};
use std::path::Path;

use super::budget::Bytes;

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// <https://sourceware.org/bzip2/>; any number of streams.
    Bzip2,
    /// RFC 1952; any number of members.
    Gzip,
    /// <https://tukaani.org/xz/xz-file-format.txt>; any number of streams.
    Xz,
    /// RFC 8878; any number of frames.
    Zstd,
}

/// What unpacking xz may take: what `xz -9` asks for, and some.
const XZ_MEMORY_BYTES: u64 = 96 * 1024 * 1024;
/// Packing with it takes 32 MiB; the next presets double that and gain a few percent.
const XZ_PRESET: u32 = 3;
const ZSTD_LEVEL: i32 = 3;

impl Codec {
    /// All of them.
    pub const ALL: [Codec; 4] = [Codec::Bzip2, Codec::Gzip, Codec::Xz, Codec::Zstd];

    /// The file name extension, without the dot.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Codec::Bzip2 => "bz2",
            Codec::Gzip => "gz",
            Codec::Xz => "xz",
            Codec::Zstd => "zst",
        }
    }

    /// The codec that a file's name speaks for.
    #[must_use]
    pub fn of_path(path: &Path) -> Option<Codec> {
        let extension = path.extension()?;
        Codec::ALL.into_iter().find(|codec| extension.eq_ignore_ascii_case(codec.extension()))
    }

    /// The codec that a file's first bytes speak for; 10 of them suffice.
    #[must_use]
    pub fn of_bytes(head: &[u8]) -> Option<Codec> {
        match head {
            [0x1F, 0x8B, 8, ..] => Some(Codec::Gzip),
            [0x28, 0xB5, 0x2F, 0xFD, ..] => Some(Codec::Zstd),
            // A frame to be skipped, which some writers put in front.
            [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..] => Some(Codec::Zstd),
            [0xFD, b'7', b'z', b'X', b'Z', 0, ..] => Some(Codec::Xz),
            // The digits of pi, or those of its root when nothing is packed.
            [b'B', b'Z', b'h', b'1'..=b'9', b'1', b'A', b'Y', b'&', b'S', b'Y', ..]
            | [b'B', b'Z', b'h', b'1'..=b'9', 0x17, b'r', b'E', b'8', b'P', 0x90, ..] => {
                Some(Codec::Bzip2)
            }
            _ => None,
        }
    }

    /// Unpacks `packed`.
    pub(super) fn decoder(self, packed: impl BufRead + Send + 'static) -> io::Result<Bytes> {
        Ok(match self {
            Codec::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(packed)),
            Codec::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(packed)),
            Codec::Xz => {
                let flags = liblzma::stream::CONCATENATED;
                let stream = liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY_BYTES, flags)?;
                Box::new(liblzma::bufread::XzDecoder::new_stream(packed, stream))
            }
            Codec::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(packed)?),
        })
    }
}

/// Packs what is written to it, or passes it on as it is.
pub enum Encoder<W: Write> {
    /// As it is.
    Plain(W),
    /// [`Codec::Bzip2`]
    Bzip2(bzip2::write::BzEncoder<W>),
    /// [`Codec::Gzip`]
    Gzip(flate2::write::GzEncoder<W>),
    /// [`Codec::Xz`]
    Xz(liblzma::write::XzEncoder<W>),
    /// [`Codec::Zstd`]
    Zstd(zstd::stream::write::Encoder<'static, W>),
}

impl<W: Write> Encoder<W> {
    /// Packs into `out`.
    ///
    /// # Errors
    /// When the codec cannot be set up.
    pub fn new(codec: Option<Codec>, out: W) -> io::Result<Encoder<W>> {
        Ok(match codec {
            None => Encoder::Plain(out),
            Some(Codec::Bzip2) => {
                let level = bzip2::Compression::best();
                Encoder::Bzip2(bzip2::write::BzEncoder::new(out, level))
            }
            Some(Codec::Gzip) => {
                let level = flate2::Compression::default();
                Encoder::Gzip(flate2::write::GzEncoder::new(out, level))
            }
            Some(Codec::Xz) => Encoder::Xz(liblzma::write::XzEncoder::new(out, XZ_PRESET)),
            Some(Codec::Zstd) => Encoder::Zstd(zstd::stream::write::Encoder::new(out, ZSTD_LEVEL)?),
        })
    }

    /// Writes what is still held back and gives the writer back.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn finish(self) -> io::Result<W> {
        match self {
            Encoder::Plain(out) => Ok(out),
            Encoder::Bzip2(encoder) => encoder.finish(),
            Encoder::Gzip(encoder) => encoder.finish(),
            Encoder::Xz(encoder) => encoder.finish(),
            Encoder::Zstd(encoder) => encoder.finish(),
        }
    }

    fn inner(&mut self) -> &mut dyn Write {
        match self {
            Encoder::Plain(out) => out,
            Encoder::Bzip2(encoder) => encoder,
            Encoder::Gzip(encoder) => encoder,
            Encoder::Xz(encoder) => encoder,
            Encoder::Zstd(encoder) => encoder,
        }
    }
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.inner().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner().flush()
    }
}

// A decoder that meets damage does not tell what it unpacked before it in the same call; so much
// is lost at most.
const STEP_BYTES: usize = 16 * 1024;

/// Takes small steps.
pub(super) struct Steps<R>(pub R);

impl<R: Read> Read for Steps<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = buffer.len().min(STEP_BYTES);
        self.0.read(buffer.get_mut(..length).unwrap_or_default())
    }
}
