//! The bytes of files from where their source says they are: mapped paths, archives, URLs.

use std::io::{self, Read};
use std::path::Path;

use tokio::runtime::Handle;
use windrow::record::FilePlace;
use windrow::source::fetch::{FetchError, Fetcher, HttpFetcher, PathMap, UrlRules};

use crate::s3_double::S3Double;
use crate::store_records::Folder;

fn map(prefix: &str, target: &Path) -> PathMap {
    let mut map = PathMap::default();
    map.add(prefix, target).unwrap();
    map
}

fn text(map: &PathMap, path: &str) -> Result<String, FetchError> {
    let mut opened = map.open(path)?;
    let mut text = String::new();
    opened.bytes.read_to_string(&mut text).unwrap();
    assert_eq!(opened.size, Some(text.len() as u64));
    Ok(text)
}

#[test]
fn a_path_is_looked_for_below_the_longest_prefix() {
    let folder = Folder::new();
    let here = |name: &str| folder.path().join(name);
    for name in ["a/g0/1", "b/1"] {
        std::fs::create_dir_all(here(name)).unwrap();
        std::fs::write(here(name).join("content.pdf;1"), name).unwrap();
    }
    let mut map = map("/opt/data/", &here("a"));
    map.add("/opt/data/g1", &here("b")).unwrap();
    assert_eq!(text(&map, "/opt/data/g0/1/content.pdf;1").unwrap(), "a/g0/1");
    assert_eq!(text(&map, "/opt/data/g1/1/content.pdf;1").unwrap(), "b/1");
    for (path, code) in [
        ("/opt/database/x", "files.unmapped"),
        ("/opt/data/g0/2", "files.missing"),
        ("/opt/data/g0/1/content.pdf;1/x", "files.missing"),
        ("/opt/data/g0/1", "files.no_file"),
        ("/opt/data/../data/g0/1/content.pdf;1", "files.escape"),
        ("/opt/data/g0/../../b/1/content.pdf;1", "files.escape"),
    ] {
        assert_eq!(text(&map, path).unwrap_err().code(), code, "{path}");
    }
    assert!(map.add("/x", &here("nowhere")).is_err());
    assert!(map.add("/x", &here("b/1/content.pdf;1")).unwrap_err().contains("expected a folder"));
}

#[cfg(unix)]
#[test]
fn symbolic_links_lead_about_within_a_folder_and_not_out_of_it() {
    use std::os::unix::fs::symlink;
    let folder = Folder::new();
    let here = |name: &str| folder.path().join(name);
    std::fs::create_dir_all(here("in")).unwrap();
    std::fs::write(here("in/file"), "abc").unwrap();
    std::fs::write(here("secret"), "abc").unwrap();
    symlink(here("in/file"), here("in/inner")).unwrap();
    symlink(here("secret"), here("in/outer")).unwrap();
    symlink(folder.path(), here("in/up")).unwrap();
    let map = map("/d", &here("in"));
    assert_eq!(text(&map, "/d/inner").unwrap(), "abc");
    for path in ["/d/outer", "/d/up/secret"] {
        assert_eq!(text(&map, path).unwrap_err().code(), "files.escape", "{path}");
    }
}

#[test]
fn members_of_archives_are_read_by_name() {
    let folder = Folder::new();
    let (tar_path, zip_path) = (folder.path().join("old.tar"), folder.path().join("old.zip"));
    let members = [("./g0/1/content.pdf;1", "one"), ("g0/2/content.pdf;1", "the second")];
    let mut tar = tar::Builder::new(std::fs::File::create(&tar_path).unwrap());
    let mut zip = zip::ZipWriter::new(std::fs::File::create(&zip_path).unwrap());
    for (name, text) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, text.as_bytes()).unwrap();
        zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        io::Write::write_all(&mut zip, text.as_bytes()).unwrap();
    }
    tar.finish().unwrap();
    zip.finish().unwrap();
    for path in [tar_path, zip_path] {
        let map = map("/opt", &path);
        assert_eq!(text(&map, "/opt/g0/2/content.pdf;1").unwrap(), "the second");
        assert_eq!(text(&map, "/opt/g0/1/content.pdf;1").unwrap(), "one");
        assert_eq!(text(&map, "/opt/g0/3").unwrap_err().code(), "files.missing");
        assert_eq!(text(&map, "/opt/../g0").unwrap_err().code(), "files.escape");
    }
}

#[test]
fn a_packed_member_may_be_large() {
    let folder = Folder::new();
    let path = folder.path().join("old.zip");
    let size: u64 = 80 * 1024 * 1024;
    let mut zip = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
    zip.start_file("large", zip::write::SimpleFileOptions::default()).unwrap();
    io::copy(&mut io::repeat(0).take(size), &mut zip).unwrap();
    zip.finish().unwrap();
    let mut opened = map("/opt", &path).open("/opt/large").unwrap();
    assert_eq!(opened.size, Some(size));
    assert_eq!(io::copy(&mut opened.bytes, &mut io::sink()).unwrap(), size);
}

fn fetch(rules: UrlRules, url: &str) -> Result<Vec<u8>, FetchError> {
    let http = HttpFetcher::new(rules, Handle::current()).unwrap();
    let fetcher = Fetcher { map: PathMap::default().into(), http };
    let place = FilePlace::Url(url.to_owned());
    let look = fetcher.look(&place);
    let opened = fetcher.open(&place);
    assert_eq!(
        look.as_ref().map_err(FetchError::code).err(),
        opened.as_ref().map_err(FetchError::code).err()
    );
    let mut bytes = Vec::new();
    opened?.bytes.read_to_end(&mut bytes).unwrap();
    Ok(bytes)
}

#[tokio::test(flavor = "multi_thread")]
async fn urls_are_asked_by_the_rules() {
    let double = S3Double::start().await;
    let url = |path: &str| format!("{}/web/{path}", double.url());
    double.objects().lock().unwrap().insert("a.pdf".into(), b"abc".to_vec());
    let rules = UrlRules { allow_private: true, ..UrlRules::default() };
    let cases = [
        (rules.clone(), url("a.pdf"), Ok(b"abc".to_vec())),
        (rules.clone(), url("redirect/3"), Ok(b"abc".to_vec())),
        (rules.clone(), url("redirect/9"), Err("files.url")),
        (rules.clone(), url("b.pdf"), Err("files.missing")),
        (rules.clone(), url("status/503"), Err("files.read")),
        (rules.clone(), url("scheme"), Err("files.url")),
        (rules.clone(), "ftp://example.org/a".to_owned(), Err("files.url")),
        (rules.clone(), "no url".to_owned(), Err("files.url")),
        (UrlRules { max_bytes: 2, ..rules.clone() }, url("a.pdf"), Err("files.url")),
        (UrlRules { allowed: false, ..rules }, url("a.pdf"), Err("files.url")),
        (UrlRules::default(), url("a.pdf"), Err("files.url")),
        (UrlRules::default(), url("a.pdf").replace("127.0.0.1", "localhost"), Err("files.url")),
        (UrlRules::default(), "http://[::1]:9/".to_owned(), Err("files.url")),
        (UrlRules::default(), "http://169.254.169.254/latest".to_owned(), Err("files.url")),
    ];
    for (rules, url, wanted) in cases {
        let got = tokio::task::spawn_blocking({
            let url = url.clone();
            move || fetch(rules, &url)
        });
        let got = got.await.unwrap();
        assert_eq!(
            got.as_ref().map_err(FetchError::code),
            wanted.as_ref().map_err(|code| *code),
            "{url}: {got:?}"
        );
    }
}
