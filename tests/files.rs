//! Keepers of bytes: folders and buckets of an S3, whole or not at all, and what goes wrong there.

use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use tokio::runtime::Handle;
use uuid::Uuid;
use windrow::files::{self, Access, BlobStore, Expected, FilesError, Found, sum_of};

use crate::s3_double::{S3Double, Trickle};
use crate::store_records::{Folder, id};

fn access() -> Access {
    Access::from_env(Handle::current())
}

fn folder_store(folder: &Folder) -> BlobStore {
    BlobStore::open(&folder.path().display().to_string(), &access()).unwrap()
}

fn expected_of(bytes: &[u8]) -> Expected {
    let sum = sum_of(&mut &*bytes, ("", &Expected::default())).unwrap();
    Expected { size: Some(sum.size), md5: Some(sum.md5), ..Expected::default() }
}

/// All that lies below a folder, by relative path.
pub fn tree(folder: &Path) -> Vec<String> {
    fn walk(root: &Path, folder: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => walk(root, &path, found),
                false => found.push(path.strip_prefix(root).unwrap().display().to_string()),
            }
        }
    }
    let mut found = Vec::new();
    walk(folder, folder, &mut found);
    found.sort();
    found
}

fn read(uri: &str, access: &Access) -> Vec<u8> {
    let mut bytes = Vec::new();
    files::open(uri, access).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

fn found(store: &BlobStore) -> Vec<Found> {
    let mut all = Vec::new();
    store
        .walk(|page| {
            all.extend(page);
            Ok::<(), FilesError>(())
        })
        .unwrap();
    all.sort_by(|a, b| a.uri.cmp(&b.uri));
    all
}

/// Gives some bytes and then breaks off.
struct BreaksOff(usize, io::ErrorKind);

impl Read for BreaksOff {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.min(buffer.len()) {
            0 => Err(io::Error::new(self.1, "the source is gone")),
            length => {
                self.0 -= length;
                buffer[..length].fill(b'x');
                Ok(length)
            }
        }
    }
}

/// What every keeper promises.
fn keeps_whole_and_verified_bytes_only(store: &BlobStore, access: &Access) {
    let (name, bytes) = (id("a"), b"one meadow".repeat(100));
    assert_eq!(store.size_of(name).unwrap(), None);
    let expected = expected_of(&bytes);
    let instance = store.put(name, &mut &*bytes, ("a.pdf", &expected)).unwrap();
    assert_eq!((instance.id, instance.size), (name, 1000));
    assert_eq!((instance.md5, instance.uri.as_str()), (expected.md5, &*store.uri_of(name)));
    assert_eq!(store.size_of(name).unwrap(), Some(1000));
    assert_eq!(read(&instance.uri, access), bytes);
    // None of these leaves a trace.
    let other = id("b");
    let put = |from: &mut dyn Read, expected: Expected| {
        let error = store.put(other, from, ("b.pdf", &expected)).unwrap_err();
        assert!(error.is_of_one_file(), "{error}");
        assert_eq!(store.size_of(other).unwrap(), None, "{error}");
        error
    };
    let short = put(&mut &bytes[..900], expected);
    assert_eq!(short.to_string(), "b.pdf has 900 bytes, expected 1000");
    let long = put(&mut io::repeat(b'x'), expected);
    assert!(matches!(long, FilesError::Size { expected: 1000, .. }), "{long}");
    let wrong = put(&mut &*b"two meadow".repeat(100), expected);
    assert_eq!(wrong.code(), "files.checksum");
    let gone = put(&mut BreaksOff(500, io::ErrorKind::Other), expected);
    assert_eq!(gone.to_string(), "cannot read b.pdf: the source is gone");
    let passing = put(&mut BreaksOff(500, io::ErrorKind::ConnectionReset), expected);
    assert!(matches!(passing, FilesError::Read { passing: true, .. }));
    let limit = Expected { most: 10, ..Expected::default() };
    assert_eq!(put(&mut &*bytes, limit).code(), "files.size");
    let all = found(store);
    let uris: Vec<&str> = all.iter().map(|found| found.uri.as_str()).collect();
    assert_eq!(uris, [instance.uri.as_str()]);
    assert_eq!((all[0].size, all[0].is_part), (1000, false));
    // Nothing and a lot.
    let empty = store.put(id("empty"), &mut io::empty(), ("e", &expected_of(b""))).unwrap();
    assert_eq!(read(&empty.uri, access), b"");
    let large = b"0123456789abcdef".repeat(20 * 65_536);
    let large_one = store.put(id("large"), &mut &*large, ("l", &expected_of(&large))).unwrap();
    assert!(read(&large_one.uri, access) == large);
    let cut = store.put(id("cut"), &mut &*large, ("l", &expected_of(&large[1..])));
    assert!(matches!(cut, Err(FilesError::Size { .. })));
    assert_eq!(store.size_of(id("cut")).unwrap(), None);
    for found in found(store) {
        store.remove(&found).unwrap();
    }
    assert_eq!(found(store), []);
    let missing = files::open(&instance.uri, access).err().unwrap();
    assert!(matches!(missing, FilesError::Missing(_)), "{missing}");
}

/// Runs what blocks where that is allowed.
async fn blocking(work: impl FnOnce() + Send + 'static) {
    tokio::task::spawn_blocking(work).await.unwrap();
}

#[tokio::test]
async fn a_folder_keeps_whole_and_verified_bytes_only() {
    let folder = Folder::new();
    let (store, access) = (folder_store(&folder), access());
    keeps_whole_and_verified_bytes_only(&store, &access);
    assert_eq!(tree(folder.path()), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_s3_keeps_whole_and_verified_bytes_only() {
    let double = S3Double::start().await;
    let access = double.access();
    let objects = double.objects();
    blocking(move || {
        let store = BlobStore::open("s3://meadow/files/", &access).unwrap();
        keeps_whole_and_verified_bytes_only(&store, &access);
    })
    .await;
    assert_eq!(objects.lock().unwrap().len(), 0);
    assert_eq!(double.open_uploads(), 0, "what was given up is aborted");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_s3_that_stumbles_is_asked_again() {
    let double = S3Double::start().await;
    double.fail_next(&[500, 503, 500]);
    let access = double.access();
    blocking(move || {
        let store = BlobStore::open("s3://meadow", &access).unwrap();
        store.put(id("a"), &mut &b"abc"[..], ("a", &expected_of(b"abc"))).unwrap();
        assert_eq!(read(&store.uri_of(id("a")), &access), b"abc");
    })
    .await;
    assert!(double.requests() >= 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_s3_that_is_down_or_too_slow_stops_the_run() {
    for fault in [Some(503), None] {
        let double = S3Double::start().await;
        match fault {
            Some(status) => double.fail_always(status),
            None => double.answer_never(),
        }
        let access = double.access();
        blocking(move || {
            let store = BlobStore::open("s3://meadow", &access).unwrap();
            let put = store.put(id("a"), &mut &b"abc"[..], ("a", &expected_of(b"abc")));
            let error = put.unwrap_err();
            assert!(!error.is_of_one_file(), "{error}");
            assert_eq!(error.code(), "files.write");
            assert!(!error.to_string().contains("secret"), "{error}");
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_may_take_its_time_while_its_bytes_come() {
    let double = S3Double::start().await;
    let access = double.access();
    let pause = Duration::from_millis(600);
    let trickles =
        [true, false].map(|ends| Trickle { pieces: if ends { 5 } else { 2 }, pause, ends });
    for trickle in trickles {
        double.trickle(trickle);
        let access = access.clone();
        blocking(move || {
            let store = BlobStore::open("s3://meadow", &access).unwrap();
            store.put(id("a"), &mut &b"abcde"[..], ("a", &expected_of(b"abcde"))).unwrap();
            let mut bytes = files::open(&store.uri_of(id("a")), &access).unwrap();
            let sum = sum_of(&mut bytes, ("a", &expected_of(b"abcde")));
            // Who says nothing more for two seconds is given up.
            assert_eq!(sum.is_ok(), trickle.ends, "{sum:?}");
        })
        .await;
    }
}

#[tokio::test]
async fn a_location_that_is_none_is_told() {
    let folder = Folder::new();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let missing = folder.path().join("missing");
    for uri in ["relative", &file.display().to_string(), &missing.display().to_string(), "s3://"] {
        let error = BlobStore::open(uri, &access()).unwrap_err();
        assert!(matches!(error, FilesError::Location { .. }), "{uri}: {error}");
    }
}

/// A small file system of its own for a test, if this process may mount one.
struct Mount(std::path::PathBuf);

impl Mount {
    fn small(folder: &Folder, options: &str) -> Option<Mount> {
        let path = folder.path().join("mount");
        std::fs::create_dir_all(&path).unwrap();
        let mut mount = std::process::Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&path);
        match mount.output() {
            Ok(output) if output.status.success() => Some(Mount(path)),
            _ => {
                eprintln!("ignored: a file system cannot be mounted here");
                None
            }
        }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test]
async fn a_full_disk_stops_the_run_and_leaves_nothing_half_written() {
    let folder = Folder::new();
    let Some(mount) = Mount::small(&folder, "size=1m") else { return };
    let store = BlobStore::open(&mount.0.display().to_string(), &access()).unwrap();
    let small = vec![b'x'; 100_000];
    store.put(id("small"), &mut &*small, ("small", &expected_of(&small))).unwrap();
    let large = vec![b'x'; 2_000_000];
    let error = store.put(id("large"), &mut &*large, ("large", &expected_of(&large))).unwrap_err();
    assert!(matches!(error, FilesError::Full { .. }), "{error}");
    assert!(!error.is_of_one_file());
    assert_eq!(tree(&mount.0).len(), 1);
    // There is room again for the next one.
    store.put(id("next"), &mut &*small, ("next", &expected_of(&small))).unwrap();
}

#[tokio::test]
async fn a_read_only_location_stops_the_run() {
    let folder = Folder::new();
    let Some(mount) = Mount::small(&folder, "size=1m,ro") else { return };
    let store = BlobStore::open(&mount.0.display().to_string(), &access()).unwrap();
    let error = store.put(id("a"), &mut &b"abc"[..], ("a", &expected_of(b"abc"))).unwrap_err();
    assert!(matches!(error, FilesError::Write { .. }), "{error}");
    assert!(!error.is_of_one_file());
}

#[tokio::test]
async fn a_link_is_the_file_itself_or_an_error_that_says_what_helps() {
    let folder = Folder::new();
    let (from, to) = (folder.path().join("from"), folder.path().join("to"));
    std::fs::create_dir_all(&to).unwrap();
    std::fs::write(&from, "abc").unwrap();
    let store = BlobStore::open(&to.display().to_string(), &access()).unwrap();
    let uri = store.link(id("a"), &from).unwrap();
    assert_eq!(store.link(id("a"), &from).unwrap(), uri, "once more is no harm");
    std::fs::write(&from, "abcd").unwrap();
    assert_eq!(store.size_of(id("a")).unwrap(), Some(4));
    let Some(mount) = Mount::small(&folder, "size=1m") else { return };
    let elsewhere = BlobStore::open(&mount.0.display().to_string(), &access()).unwrap();
    let error = elsewhere.link(id("a"), &from).unwrap_err();
    assert!(error.to_string().contains("`mode: copy` does not"), "{error}");
    assert!(!error.is_of_one_file());
}

#[cfg(unix)]
#[tokio::test]
async fn what_lies_where_a_link_is_to_be_is_replaced() {
    let folder = Folder::new();
    let (from, to) = (folder.path().join("from"), folder.path().join("to"));
    std::fs::create_dir_all(&to).unwrap();
    std::fs::write(&from, "abc").unwrap();
    let store = BlobStore::open(&to.display().to_string(), &access()).unwrap();
    store.put(id("a"), &mut &b"xyz"[..], ("a", &expected_of(b"xyz"))).unwrap();
    let uri = store.link(id("a"), &from).unwrap();
    assert_eq!(std::fs::read(&uri).unwrap(), b"abc");
    std::fs::write(&from, "abcd").unwrap();
    assert_eq!(std::fs::read(&uri).unwrap(), b"abcd", "it is the same file");
    assert_eq!(tree(&to).len(), 1);
}

#[tokio::test]
async fn a_location_that_cannot_be_looked_into_stops_the_run() {
    let folder = Folder::new();
    let store = folder_store(&folder);
    let kept = store.uri_of(id("a"));
    let fan = Path::new(&kept).ancestors().nth(3).unwrap();
    std::fs::write(fan, "no folder").unwrap();
    for error in [store.size_of(id("a")).unwrap_err(), store.kept(id("a")).err().unwrap()] {
        assert_eq!((error.code(), error.is_of_one_file()), ("files.location", false), "{error}");
    }
    assert!(store.kept(id("b")).unwrap().is_none());
}

#[cfg(unix)]
#[tokio::test]
async fn what_was_named_lately_is_young_however_old_its_bytes_are() {
    let folder = Folder::new();
    let store = folder_store(&folder);
    let kept = store.put(id("a"), &mut &b"abc"[..], ("a", &expected_of(b"abc"))).unwrap();
    let old = std::time::SystemTime::now() - Duration::from_secs(86_400);
    std::fs::File::options().append(true).open(&kept.uri).unwrap().set_modified(old).unwrap();
    let before = found(&store)[0].modified;
    assert!(before > old);
    // The clock of the file system is a coarse one.
    let is_younger = (0..100_000).any(|_| {
        store.renew(id("a")).unwrap();
        found(&store)[0].modified > before
    });
    assert!(is_younger);
    let modified = std::fs::metadata(&kept.uri).unwrap().modified().unwrap();
    assert_eq!(modified, old, "a link has the time of its source, which is not ours");
}

/// Cuts a file off while it is read.
struct CutWhileRead(std::fs::File, std::path::PathBuf);

impl Read for CutWhileRead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let half = buffer.len().min(100);
        let length = self.0.read(&mut buffer[..half])?;
        std::fs::File::options().write(true).open(&self.1)?.set_len(0)?;
        Ok(length)
    }
}

#[tokio::test]
async fn a_source_that_is_cut_off_while_it_is_read_is_not_kept() {
    let folder = Folder::new();
    let path = folder.path().join("from");
    std::fs::create_dir_all(folder.path().join("to")).unwrap();
    std::fs::write(&path, [b'x'; 1000]).unwrap();
    let to = folder.path().join("to").display().to_string();
    let store = BlobStore::open(&to, &access()).unwrap();
    let mut from = CutWhileRead(std::fs::File::open(&path).unwrap(), path);
    let error = store.put(id("a"), &mut from, ("a", &expected_of(&[b'x'; 1000]))).unwrap_err();
    assert_eq!(error.to_string(), "a has 100 bytes, expected 1000");
    assert_eq!(tree(Path::new(&to)), [""; 0]);
}

#[tokio::test]
async fn parts_are_seen_and_strange_files_left_alone() {
    let folder = Folder::new();
    let store = folder_store(&folder);
    let kept = store.put(id("a"), &mut &b"abc"[..], ("a", &expected_of(b"abc"))).unwrap();
    let beside = Path::new(&kept.uri).parent().unwrap();
    std::fs::write(beside.join("data.x1y2.part"), "ab").unwrap();
    std::fs::write(beside.join("notes.txt"), "ab").unwrap();
    std::fs::write(folder.path().join("README"), "ab").unwrap();
    let all = found(&store);
    assert_eq!(all.iter().map(|found| found.is_part).collect::<Vec<_>>(), [false, true]);
    assert_eq!(tree(folder.path()).len(), 4);
}

#[tokio::test]
async fn the_place_of_an_instance_is_invenios() {
    let folder = Folder::new();
    let store = folder_store(&folder);
    let uri = store.uri_of(Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef));
    assert!(uri.ends_with("/01/23/4567-89ab-cdef-0123-456789abcdef/data"), "{uri}");
}
