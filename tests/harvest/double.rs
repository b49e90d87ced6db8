//! An OAI-PMH endpoint on loopback that behaves as a test tells it to, well or badly.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// One request, decoded.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub arguments: Vec<(String, String)>,
    /// How many requests with the same arguments came before.
    pub before: usize,
}

impl Request {
    pub fn argument(&self, name: &str) -> Option<&str> {
        self.arguments.iter().find(|pair| pair.0 == name).map(|pair| pair.1.as_str())
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers.find(|pair| pair.0.eq_ignore_ascii_case(name)).map(|pair| pair.1.as_str())
    }

    pub fn is(&self, verb: &str) -> bool {
        self.argument("verb") == Some(verb)
    }

    /// The page of a list that goes on from a token, the first one without.
    pub fn is_list(&self) -> bool {
        self.is("ListRecords") || self.is("ListIdentifiers")
    }
}

/// What is sent back.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    /// `Content-Length`, when it is not that of the body.
    pub announced: Option<usize>,
    /// A pause in the middle of the body.
    pub pause: Option<Duration>,
}

impl Answer {
    pub fn xml(body: impl Into<Vec<u8>>) -> Answer {
        let kind = ("Content-Type", "text/xml; charset=utf-8".to_owned());
        Answer { status: 200, headers: vec![kind], body: body.into(), announced: None, pause: None }
    }

    pub fn status(status: u16, body: &str) -> Answer {
        let kind = ("Content-Type", "text/html".to_owned());
        let body = format!("<html><head><title>{body}</title></head></html>").into_bytes();
        Answer { status, headers: vec![kind], body, announced: None, pause: None }
    }

    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Answer {
        self.headers.push((name, value.into()));
        self
    }

    /// The body with `from` replaced once by `to`.
    pub fn replace(self, from: &str, to: &str) -> Answer {
        let text = String::from_utf8(self.body).unwrap();
        assert!(text.contains(from), "{from} is not in {text}");
        Answer { body: text.replacen(from, to, 1).into_bytes(), ..self }
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A server; it ends with the value.
pub struct Double {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Double {
    pub fn new(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Double {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stopped = Arc::new(AtomicBool::new(false));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (stop, log) = (Arc::clone(&stopped), Arc::clone(&requests));
        let answer = Arc::new(answer);
        let open = Arc::new(AtomicUsize::new(0));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let Ok(stream) = stream else { continue };
                let (answer, log, open) =
                    (Arc::clone(&answer), Arc::clone(&log), Arc::clone(&open));
                open.fetch_add(1, Ordering::Relaxed);
                std::thread::spawn(move || {
                    // A client that goes away is its own affair.
                    let _gone = serve(stream, &*answer, &log);
                    open.fetch_sub(1, Ordering::Relaxed);
                });
            }
        });
        Double { address, stopped, requests }
    }

    pub fn url(&self) -> String {
        format!("http://{}/oai", self.address)
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        // Wakes the listener, which looks and ends.
        let _ended = TcpStream::connect(self.address);
    }
}

fn serve(
    stream: TcpStream,
    answer: &(dyn Fn(&Request) -> Answer + Send + Sync),
    log: &Mutex<Vec<Request>>,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut out = stream;
    while let Some(mut request) = read(&mut reader)? {
        {
            let mut log = log.lock().unwrap();
            let same = |other: &&Request| other.arguments == request.arguments;
            request.before = log.iter().filter(same).count();
            log.push(request.clone());
        }
        let answer = answer(&request);
        let length = answer.announced.unwrap_or(answer.body.len());
        let mut head = format!("HTTP/1.1 {} X\r\nContent-Length: {length}\r\n", answer.status);
        for (name, value) in &answer.headers {
            head += &format!("{name}: {value}\r\n");
        }
        out.write_all((head + "\r\n").as_bytes())?;
        let (first, second) = answer.body.split_at(answer.body.len() / 2);
        out.write_all(first)?;
        if let Some(pause) = answer.pause {
            out.flush()?;
            std::thread::sleep(pause);
        }
        out.write_all(second)?;
        if answer.announced.is_some() {
            break;
        }
    }
    Ok(())
}

fn read(reader: &mut impl BufRead) -> std::io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split(' ');
    let (method, target) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let (method, target) = (method.to_owned(), target.to_owned());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let mut request =
        Request { method, path: String::new(), headers, arguments: Vec::new(), before: 0 };
    let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    path.clone_into(&mut request.path);
    let pairs = form_urlencoded::parse(query.as_bytes()).chain(form_urlencoded::parse(&body));
    request.arguments =
        pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    Ok(Some(request))
}
