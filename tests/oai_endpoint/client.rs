//! A harvester for tests: plain HTTP/1.1 over loopback; every answer is checked by the XSDs.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

/// An HTTP answer.
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: String,
}

/// Asks one endpoint and keeps all that it answered.
pub struct Client {
    address: String,
    answers: Vec<String>,
}

impl Client {
    /// For the server at `host:port`.
    pub fn new(address: &str) -> Client {
        Client { address: address.to_owned(), answers: Vec::new() }
    }

    /// GET of an OAI-PMH query, sent as it stands; the answer must be one of the protocol.
    pub fn get(&mut self, query: &str) -> String {
        // The request line cannot hold these two as they are.
        let query = query.replace('"', "%22").replace(' ', "%20");
        let reply = self.send(&format!("GET /oai?{query} HTTP/1.1"), "", "");
        self.keep(reply)
    }

    /// POST of the same query as a form.
    pub fn post(&mut self, query: &str) -> String {
        let form = "Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\n";
        let reply = self.send("POST /oai HTTP/1.1", form, query);
        self.keep(reply)
    }

    /// Any request.
    pub fn send(&self, request_line: &str, headers: &str, body: &str) -> Reply {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let length = body.len();
        let request = format!(
            "{request_line}\r\nHost: localhost\r\nConnection: close\r\n\
             {headers}Content-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let head = head.to_lowercase();
        let is_chunked = head.contains("transfer-encoding: chunked");
        let body = if is_chunked { unchunked(body) } else { body.to_owned() };
        Reply { status, head, body }
    }

    fn keep(&mut self, reply: Reply) -> String {
        assert_eq!(reply.status, 200, "{}", reply.body);
        assert!(reply.head.contains("content-type: text/xml; charset=utf-8"), "{}", reply.head);
        self.answers.push(reply.body.clone());
        reply.body
    }

    /// All pages of a list, from `query` to the end of its tokens.
    pub fn pages(&mut self, verb: &str, query: &str) -> Vec<String> {
        let mut pages = vec![self.get(&format!("verb={verb}&{query}"))];
        while let Some(token) = token(pages.last().unwrap()) {
            assert!(pages.len() < 2000, "the list does not end");
            pages.push(self.get(&format!("verb={verb}&resumptionToken={token}")));
        }
        pages
    }

    /// The identifiers of a whole list, in its order.
    pub fn identifiers(&mut self, verb: &str, query: &str) -> Vec<String> {
        let pages = self.pages(verb, query);
        pages.iter().flat_map(|page| all(page, "identifier")).collect()
    }
}

/// The body that came in chunks (RFC 9112 §7.1); one that broke off lacks its last.
fn unchunked(mut body: &str) -> String {
    let mut whole = String::new();
    loop {
        let (size, rest) = body.split_once("\r\n").expect("the answer broke off");
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            return whole;
        }
        let (chunk, rest) = rest.split_at(size);
        whole.push_str(chunk);
        body = rest.strip_prefix("\r\n").expect("the answer broke off");
    }
}

/// Checks every answer of the client against the XSDs.
impl Drop for Client {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            check_schema(&self.answers);
        }
    }
}

fn check_schema(answers: &[String]) {
    let shared = std::env::var_os("WINDROW_SHARED").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared")),
        PathBuf::from,
    );
    let xsd = shared.join("xsd");
    if !xsd.join("oai-all.xsd").exists() {
        return say_ignored("no ../shared");
    }
    if Command::new("xmllint").arg("--version").output().is_err() {
        return say_ignored("no xmllint");
    }
    let folder = std::env::temp_dir().join(format!("windrow-oai-{}", uuid::Uuid::new_v4()));
    std::fs::create_dir_all(&folder).unwrap();
    let schema = folder.join("all.xsd");
    std::fs::write(&schema, driver(&xsd)).unwrap();
    let files: Vec<PathBuf> =
        (0..answers.len()).map(|number| folder.join(format!("{number}.xml"))).collect();
    for (file, answer) in files.iter().zip(answers) {
        std::fs::write(file, answer).unwrap();
    }
    for some in files.chunks(1000) {
        let mut xmllint = Command::new("xmllint");
        xmllint.args(["--nonet", "--noout", "--schema"]).arg(&schema).args(some);
        let output = xmllint.output().unwrap();
        let report = String::from_utf8_lossy(&output.stderr);
        let wrong: Vec<&str> =
            report.lines().filter(|line| !line.ends_with(" validates")).take(20).collect();
        assert!(output.status.success(), "{}", wrong.join("\n"));
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

/// A schema that knows all that answers hold: the wildcards of OAI-PMH.xsd are strict.
fn driver(xsd: &Path) -> String {
    let import = |namespace: &str, path: &str| {
        let path = xsd.join(path);
        format!("<xs:import namespace=\"{namespace}\" schemaLocation=\"{}\"/>\n", path.display())
    };
    let all = xsd.join("oai-all.xsd");
    [
        "<xs:schema xmlns:xs=\"http://www.w3.org/2001/XMLSchema\">\n".to_owned(),
        format!("<xs:include schemaLocation=\"{}\"/>\n", all.display()),
        import("http://datacite.org/schema/kernel-4", "datacite/kernel-4.6/metadata.xsd"),
        import("http://schema.datacite.org/oai/oai-1.1/", "datacite/oai/oai-1.1/oai.xsd"),
        import("http://www.loc.gov/mods/v3", "mods/mods-3-8.xsd"),
        "</xs:schema>\n".to_owned(),
    ]
    .concat()
}

#[expect(clippy::print_stderr, reason = "a test that could not be run must say so")]
fn say_ignored(reason: &str) {
    eprintln!("ignored: {reason}");
}

/// The texts of all elements of this name that have no attributes.
pub fn all(xml: &str, name: &str) -> Vec<String> {
    let (start, end) = (format!("<{name}>"), format!("</{name}>"));
    let text = |rest: &str| rest.split_once(&end).map(|(text, _)| text.to_owned());
    xml.split(&start).skip(1).filter_map(text).collect()
}

/// The codes of an answer's errors.
pub fn codes(xml: &str) -> Vec<String> {
    let code = |rest: &str| rest.split_once('"').unwrap().0.to_owned();
    xml.split("<error code=\"").skip(1).map(code).collect()
}

/// The resumptionToken that leads on.
pub fn token(xml: &str) -> Option<String> {
    let (_, rest) = xml.split_once("<resumptionToken ")?;
    let (_, text) = rest.split_once('>')?;
    text.split_once("</resumptionToken>").map(|(token, _)| token.to_owned())
}

/// The records or headers of a page, cut apart.
pub fn pieces<'x>(xml: &'x str, name: &str) -> Vec<&'x str> {
    let end = format!("</{name}>");
    let mut pieces: Vec<&str> = xml.split(end.as_str()).collect();
    pieces.pop();
    pieces
}
