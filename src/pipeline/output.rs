//! A file that is written: packed by its name's extension, and under its name only when whole.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::source::{Codec, Encoder};

const BUFFER_BYTES: usize = 256 * 1024;

type Sink = BufWriter<Box<dyn Write + Send>>;

/// Where records are written to.
pub struct Output {
    encoder: Encoder<Sink>,
    /// The file's name while it is written, and when it is whole.
    file: Option<(PathBuf, PathBuf, File)>,
}

impl Output {
    /// A stream, not packed.
    #[must_use]
    pub fn stream(out: Box<dyn Write + Send>) -> Output {
        let sink = BufWriter::with_capacity(BUFFER_BYTES, out);
        Output { encoder: Encoder::Plain(sink), file: None }
    }

    /// The file at `path`, which is `NAME.partial` until [`Output::commit`]; packed when its name
    /// ends in `.gz`, `.zst`, `.bz2` or `.xz`. A link is followed; what is there and is no file,
    /// a device or a pipe, is written at once.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn file(path: &Path) -> io::Result<Output> {
        let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
            return Ok(Output::stream(Box::new(File::create(path)?)));
        }
        let partial = partial(path);
        let file = File::create(&partial)?;
        let sink: Box<dyn Write + Send> = Box::new(file.try_clone()?);
        let sink = BufWriter::with_capacity(BUFFER_BYTES, sink);
        let encoder = Encoder::new(Codec::of_path(path), sink)?;
        Ok(Output { encoder, file: Some((partial, path.to_owned(), file)) })
    }

    /// Writes what is still held back; a file gets its name.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn commit(self) -> io::Result<()> {
        self.encoder.finish()?.flush()?;
        if let Some((partial, path, file)) = self.file {
            file.sync_all()?;
            fs::rename(partial, path)?;
        }
        Ok(())
    }

    /// Gives up, since nothing more can be written: a file is taken away again.
    pub fn discard(self) {
        if let Some((partial, ..)) = self.file {
            // What cannot even be removed stays under its name for a part.
            let _removed = fs::remove_file(partial);
        }
    }

    /// Writes what is still held back, but a file does not get its name: answers where it stands.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn abandon(self) -> io::Result<Option<PathBuf>> {
        self.encoder.finish()?.flush()?;
        Ok(self.file.map(|(partial, ..)| partial))
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.encoder.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.encoder.flush()
    }
}

fn partial(path: &Path) -> PathBuf {
    let mut name = path.file_name().map_or_else(OsString::new, OsString::from);
    name.push(".partial");
    path.with_file_name(name)
}
