//! A location that is a bucket of an S3, or a part of one.
//!
//! Large files go in parts, and become an object when all are there and right; until then there is
//! none. What a killed run has begun is no object either: a lifecycle rule of the bucket ends it.
//!
//! Where the S3 is and who may use it is said by the environment: `AWS_REGION`, `AWS_ENDPOINT`,
//! `AWS_ALLOW_HTTP`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN` and what
//! else AWS's own programs read; or by a file, `AWS_SHARED_CREDENTIALS_FILE` (`AWS_PROFILE`).

use std::io::{self, Read};
use std::sync::{Arc, Once};
use std::time::{Duration, SystemTime};

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{
    BackoffConfig, ClientOptions, GetResult, ObjectStore, ObjectStoreExt, RetryConfig,
    WriteMultipart,
};
use tokio::runtime::Handle;
use uuid::Uuid;

use super::sum::{Expected, Sum, broken, pass};
use super::{Access, Bytes, FilesError, Found, fan_out};

/// A part of a file has so many bytes at least.
const PART_BYTES: usize = 8 * 1024 * 1024;
/// An S3 takes 10,000 parts; of a file whose size is known there are fewer.
const PARTS: u64 = 9000;
/// So many parts of one file are on their way at once.
const PARTS_AT_ONCE: usize = 4;
/// So many objects are seen at once.
const PAGE: usize = 500;
/// How long an S3 may be silent, and how often a request is repeated for how long.
const PATIENCE: Duration = Duration::from_secs(60);
const RETRIES: usize = 8;
/// The variable that shortens the patience, in seconds.
const PATIENCE_VARIABLE: &str = "WINDROW_S3_PATIENCE";

/// A bucket, and what the keys of a location begin with.
#[derive(Debug, Clone)]
pub struct Bucket {
    uri: String,
    name: String,
    prefix: String,
    store: Arc<AmazonS3>,
    runtime: Handle,
}

impl Bucket {
    pub(super) fn open(uri: &str, access: &Access) -> Result<Bucket, FilesError> {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| {
            // An error says that there is one already, which will do.
            drop(rustls::crypto::ring::default_provider().install_default());
        });
        let wrong = |message: String| FilesError::Location { uri: uri.to_owned(), message };
        let (name, prefix) =
            parts(uri).ok_or_else(|| wrong("expected s3://BUCKET/PREFIX".into()))?;
        let variable = |name: &str| access.variables.get(name).map(String::as_str);
        let patience = variable(PATIENCE_VARIABLE).and_then(|text| text.parse().ok());
        let patience = patience.map_or(PATIENCE, Duration::from_secs);
        let retry = RetryConfig {
            backoff: BackoffConfig {
                init_backoff: (patience / 100).min(Duration::from_millis(100)),
                max_backoff: patience / 4,
                base: 2.0,
            },
            max_retries: RETRIES,
            retry_timeout: patience,
        };
        let mut builder = AmazonS3Builder::new();
        for (name, value) in &access.variables {
            if let Ok(key) = name.to_ascii_lowercase().parse() {
                builder = builder.with_config(key, value);
            }
        }
        builder = builder
            .with_bucket_name(name)
            .with_retry(retry)
            // Removed one by one: not every S3 knows more.
            .with_disable_bulk_delete(true)
            .with_client_options(
                ClientOptions::new()
                    // A large object may take as long as it takes, while its bytes come.
                    .with_timeout_disabled()
                    .with_read_timeout(patience)
                    .with_connect_timeout(patience.min(Duration::from_secs(10))),
            )
            .with_allow_http(matches!(variable("AWS_ALLOW_HTTP"), Some("true" | "1")));
        if let Some((id, secret, token)) = credentials(variable).map_err(wrong)? {
            builder = builder.with_access_key_id(id).with_secret_access_key(secret);
            if let Some(token) = token {
                builder = builder.with_token(token);
            }
        }
        let store = builder.build().map_err(|error| wrong(error.to_string()))?;
        Ok(Bucket {
            uri: uri.trim_end_matches('/').to_owned(),
            name: name.to_owned(),
            prefix: prefix.to_owned(),
            store: Arc::new(store),
            runtime: access.runtime.clone(),
        })
    }

    /// The bucket that an object is in, and the object's key.
    pub(super) fn of_object(uri: &str, access: &Access) -> Result<(Bucket, String), FilesError> {
        let key = parts(uri).map(|(_, key)| key.to_owned()).unwrap_or_default();
        Ok((Bucket::open(uri, access)?, key))
    }

    pub(super) fn uri(&self) -> &str {
        &self.uri
    }

    fn key_of(&self, id: Uuid) -> String {
        let fan = fan_out(id);
        if self.prefix.is_empty() { fan } else { format!("{}/{fan}", self.prefix) }
    }

    pub(super) fn uri_of(&self, id: Uuid) -> String {
        format!("s3://{}/{}", self.name, self.key_of(id))
    }

    pub(super) fn size_of(&self, id: Uuid) -> Result<Option<u64>, FilesError> {
        let key = Path::from(self.key_of(id));
        match self.runtime.block_on(self.store.head(&key)) {
            Ok(object) => Ok(Some(object.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed(&error)),
        }
    }

    pub(super) fn put(
        &self,
        id: Uuid,
        from: &mut dyn Read,
        expected: (&str, &Expected),
    ) -> Result<Sum, FilesError> {
        let key = Path::from(self.key_of(id));
        let part_bytes = part_bytes(expected.1.size);
        let mut first: Vec<u8> = Vec::new();
        let mut upload: Option<WriteMultipart> = None;
        let sum = pass(from, expected, |bytes| {
            if let Some(upload) = &mut upload {
                upload.write(bytes);
                let room = upload.wait_for_capacity(PARTS_AT_ONCE);
                return self.runtime.block_on(room).map_err(|error| self.failed(&error));
            }
            first.extend_from_slice(bytes);
            if first.len() >= part_bytes {
                let begun = self.runtime.block_on(self.store.put_multipart(&key));
                let begun = begun.map_err(|error| self.failed(&error))?;
                // It sends its parts from tasks of the runtime.
                let _entered = self.runtime.enter();
                let mut begun = WriteMultipart::new_with_chunk_size(begun, part_bytes);
                begun.write(&std::mem::take(&mut first));
                upload = Some(begun);
            }
            Ok(())
        });
        match (sum, upload) {
            (Ok(sum), None) => {
                let put = self.runtime.block_on(self.store.put(&key, first.into()));
                put.map_err(|error| self.failed(&error))?;
                Ok(sum)
            }
            (Ok(sum), Some(upload)) => {
                let ended = self.runtime.block_on(upload.finish());
                ended.map_err(|error| self.failed(&error))?;
                Ok(sum)
            }
            (Err(error), upload) => {
                if let Some(upload) = upload {
                    // That the parts stay until the bucket's rule ends them harms nobody.
                    let _aborted = self.runtime.block_on(upload.abort());
                }
                Err(error)
            }
        }
    }

    pub(super) fn read(&self, key: &str) -> Result<Bytes, FilesError> {
        let uri = format!("s3://{}/{key}", self.name);
        match self.runtime.block_on(self.store.get(&Path::from(key))) {
            Ok(object) => Ok(self.stream(object)),
            Err(object_store::Error::NotFound { .. }) => Err(FilesError::Missing(uri)),
            Err(error) => Err(broken(&uri, &io::Error::other(chain(&error)))),
        }
    }

    /// The bytes of an instance, if they are there.
    pub(super) fn kept(&self, id: Uuid) -> Result<Option<Bytes>, FilesError> {
        let key = Path::from(self.key_of(id));
        match self.runtime.block_on(self.store.get(&key)) {
            Ok(object) => Ok(Some(self.stream(object))),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed(&error)),
        }
    }

    fn stream(&self, object: GetResult) -> Bytes {
        let (stream, runtime) = (object.into_stream(), self.runtime.clone());
        Box::new(Stream { stream, runtime, rest: bytes::Bytes::new() })
    }

    pub(super) fn walk<E: From<FilesError>>(
        &self,
        mut see: impl FnMut(Vec<Found>) -> Result<(), E>,
    ) -> Result<(), E> {
        let prefix = (!self.prefix.is_empty()).then(|| Path::from(self.prefix.as_str()));
        let list = self.store.list(prefix.as_ref());
        let mut pages = list.chunks(PAGE);
        while let Some(page) = self.runtime.block_on(pages.next()) {
            let mut found = Vec::with_capacity(page.len());
            for object in page {
                let object = object.map_err(|error| self.failed(&error))?;
                let key = object.location.as_ref();
                if is_fan_out(key.strip_prefix(&self.prefix).unwrap_or(key)) {
                    let uri = format!("s3://{}/{key}", self.name);
                    let modified = SystemTime::from(object.last_modified);
                    found.push(Found { uri, size: object.size, modified, is_part: false });
                }
            }
            see(found)?;
        }
        Ok(())
    }

    pub(super) fn remove(&self, uri: &str) -> Result<(), FilesError> {
        let key = parts(uri).map(|(_, key)| key).unwrap_or_default();
        match self.runtime.block_on(self.store.delete(&Path::from(key))) {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed(&error)),
        }
    }

    fn failed(&self, error: &object_store::Error) -> FilesError {
        FilesError::Write { uri: self.uri.clone(), message: chain(error) }
    }
}

/// Bytes of an object as they come.
struct Stream {
    stream: BoxStream<'static, object_store::Result<bytes::Bytes>>,
    runtime: Handle,
    rest: bytes::Bytes,
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() {
            match self.runtime.block_on(self.stream.next()) {
                None => return Ok(0),
                Some(Ok(bytes)) => self.rest = bytes,
                Some(Err(error)) => return Err(io::Error::other(chain(&error))),
            }
        }
        let length = self.rest.len().min(buffer.len());
        let bytes = self.rest.split_to(length);
        if let Some(room) = buffer.get_mut(..length) {
            room.copy_from_slice(&bytes);
        }
        Ok(length)
    }
}

/// How many bytes a part has, of a file with so many.
fn part_bytes(size: Option<u64>) -> usize {
    let part = size.unwrap_or(0).div_ceil(PARTS);
    usize::try_from(part).unwrap_or(PART_BYTES).max(PART_BYTES)
}

/// The error with its reasons: the first line rarely says what happened.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(reason) = source {
        let reason_text = reason.to_string();
        if !text.contains(&reason_text) {
            text = format!("{text}: {reason_text}");
        }
        source = reason.source();
    }
    text
}

/// Bucket and key of `s3://BUCKET/KEY`, without slashes around the key.
fn parts(uri: &str) -> Option<(&str, &str)> {
    let rest = uri.strip_prefix("s3://")?;
    let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
    (!bucket.is_empty()).then_some((bucket, key.trim_matches('/')))
}

/// Whether a key, below a prefix, is one of [`fan_out`].
fn is_fan_out(key: &str) -> bool {
    let mut parts = key.trim_start_matches('/').split('/');
    let lengths = [2, 2, 32].map(|length| {
        parts.next().is_some_and(|part| {
            part.len() == length && part.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
        })
    });
    lengths == [true; 3] && parts.next() == Some("data") && parts.next().is_none()
}

type Credentials = (String, String, Option<String>);

/// Those of the file that the environment names, unless it has some itself.
fn credentials<'v>(
    variable: impl Fn(&str) -> Option<&'v str>,
) -> Result<Option<Credentials>, String> {
    if variable("AWS_ACCESS_KEY_ID").is_some() {
        return Ok(None);
    }
    let Some(path) = variable("AWS_SHARED_CREDENTIALS_FILE") else { return Ok(None) };
    let profile = variable("AWS_PROFILE").unwrap_or("default");
    let shown = path.to_owned();
    let text = std::fs::read_to_string(path).map_err(|error| format!("{shown}: {error}"))?;
    let found = of_profile(&text, profile);
    found.map(Some).ok_or_else(|| format!("{shown} has no credentials of profile {profile}"))
}

fn of_profile(text: &str, profile: &str) -> Option<Credentials> {
    let lines = text.lines().map(str::trim);
    let lines = lines.skip_while(|line| *line != format!("[{profile}]")).skip(1);
    let (mut id, mut secret, mut token) = (None, None, None);
    for line in lines.take_while(|line| !line.starts_with('[')) {
        let Some((key, value)) = line.split_once('=') else { continue };
        let value = value.trim().to_owned();
        match key.trim() {
            "aws_access_key_id" => id = Some(value),
            "aws_secret_access_key" => secret = Some(value),
            "aws_session_token" => token = Some(value),
            _ => {}
        }
    }
    Some((id?, secret?, token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_has_a_bucket_and_a_key() {
        assert_eq!(parts("s3://meadow/a/b/"), Some(("meadow", "a/b")));
        assert_eq!(parts("s3://meadow"), Some(("meadow", "")));
        assert_eq!(parts("s3:///a"), None);
        assert!(is_fan_out("/01/23/4567-89ab-cdef-0123-456789abcdef/data"));
        assert!(!is_fan_out("01/23/4567-89ab-cdef-0123-456789abcdef/other"));
        assert!(!is_fan_out("logo.png"));
    }

    #[test]
    fn parts_grow_with_a_file_that_would_have_too_many() {
        assert_eq!(part_bytes(None), PART_BYTES);
        assert_eq!(part_bytes(Some(70 << 30)), PART_BYTES);
        for size in [80 << 30, 1 << 40, 5 << 40] {
            let part = part_bytes(Some(size)) as u64;
            assert!(size.div_ceil(part) <= PARTS && part < 5 << 30, "{size}: {part}");
        }
    }

    #[test]
    fn credentials_are_of_one_profile() {
        let text = "[other]\naws_access_key_id = A\naws_secret_access_key = B\n\
                    [default]\naws_access_key_id=C\n# no\naws_secret_access_key = D=\n[x]\n";
        assert_eq!(of_profile(text, "default"), Some(("C".into(), "D=".into(), None)));
        assert_eq!(of_profile(text, "other"), Some(("A".into(), "B".into(), None)));
        assert_eq!(of_profile(text, "x"), None);
    }
}
