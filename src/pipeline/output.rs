//! A file that is written, alone or in a bag: packed by its name's extension, and under its name
//! only when whole.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use jiff::civil::Date;

use crate::formats::bagit::{self, Algorithm, Digester};
use crate::source::{Codec, Encoder};

const BUFFER_BYTES: usize = 256 * 1024;

/// Where records are written to.
pub struct Output {
    encoder: Encoder<BufWriter<Sink>>,
    place: Place,
}

/// Takes the bytes as they come to be in the file.
enum Sink {
    Plain(Box<dyn Write + Send>),
    Digested(File, Box<Digester>),
}

/// `partial` is the name while it is written, `path` when it is whole.
enum Place {
    Stream,
    File { partial: PathBuf, path: PathBuf, file: File },
    Bag { partial: PathBuf, path: PathBuf, name: String, date: Date },
}

impl Output {
    /// A stream, not packed.
    #[must_use]
    pub fn stream(out: Box<dyn Write + Send>) -> Output {
        let sink = BufWriter::with_capacity(BUFFER_BYTES, Sink::Plain(out));
        Output { encoder: Encoder::Plain(sink), place: Place::Stream }
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
        let sink = Sink::Plain(Box::new(file.try_clone()?));
        let place = Place::File { partial, path: path.to_owned(), file };
        Output::new(path, sink, place)
    }

    /// The file `name` in a bag at `path`, a folder that is not there yet; it is `PATH.partial`
    /// until [`Output::commit`] writes the tag files. Packed as [`Output::file`] is.
    ///
    /// # Errors
    /// Those of the file system; `AlreadyExists` for either folder.
    pub fn bag(path: &Path, name: &str, date: Date) -> io::Result<Output> {
        // The folder's name, however it was written: `bag/` too.
        let path: PathBuf = path.components().collect();
        let partial = partial(&path);
        for folder in [&path, &partial] {
            if folder.symlink_metadata().is_ok() {
                let message = format!("{} is there already", folder.display());
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
            }
        }
        let payload = partial.join("data");
        fs::create_dir(&partial)?;
        fs::create_dir(&payload)?;
        let file = payload.join(name);
        let digester = Box::new(Algorithm::default().digester());
        let sink = Sink::Digested(File::create_new(&file)?, digester);
        let place = Place::Bag { partial, path, name: name.to_owned(), date };
        Output::new(&file, sink, place)
    }

    fn new(path: &Path, sink: Sink, place: Place) -> io::Result<Output> {
        let sink = BufWriter::with_capacity(BUFFER_BYTES, sink);
        Ok(Output { encoder: Encoder::new(Codec::of_path(path), sink)?, place })
    }

    /// Writes what is still held back; a file or a bag gets its name.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn commit(self) -> io::Result<()> {
        let sink = finish(self.encoder)?;
        match (self.place, sink) {
            (Place::File { partial, path, file }, _) => {
                file.sync_all()?;
                fs::rename(partial, path)
            }
            (Place::Bag { partial, path, name, date }, Sink::Digested(file, digester)) => {
                file.sync_all()?;
                let payload = [digester.finish(name)];
                let tag_files = bagit::tag_files(&payload, Algorithm::default(), date);
                for tag_file in tag_files.map_err(io::Error::other)? {
                    let mut file = File::create_new(partial.join(tag_file.name))?;
                    file.write_all(tag_file.text.as_bytes())?;
                    file.sync_all()?;
                }
                fs::rename(partial, path)
            }
            (Place::Stream | Place::Bag { .. }, _) => Ok(()),
        }
    }

    /// Gives up, since nothing more can be written: a file or a bag is taken away again.
    pub fn discard(self) {
        // What cannot even be removed stays under its name for a part.
        let _removed = match self.place {
            Place::Stream => Ok(()),
            Place::File { partial, .. } => fs::remove_file(partial),
            Place::Bag { partial, .. } => fs::remove_dir_all(partial),
        };
    }

    /// Writes what is still held back, but a file or a bag does not get its name: answers where it
    /// stands.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn abandon(self) -> io::Result<Option<PathBuf>> {
        finish(self.encoder)?;
        Ok(match self.place {
            Place::Stream => None,
            Place::File { partial, .. } | Place::Bag { partial, .. } => Some(partial),
        })
    }
}

fn finish(encoder: Encoder<BufWriter<Sink>>) -> io::Result<Sink> {
    let mut sink = encoder.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
    sink.flush()?;
    Ok(sink)
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Sink::Plain(out) => out.write(bytes),
            Sink::Digested(file, digester) => {
                let written = file.write(bytes)?;
                digester.update(bytes.get(..written).unwrap_or(bytes));
                Ok(written)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Sink::Plain(out) => out.flush(),
            Sink::Digested(file, _) => file.flush(),
        }
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
