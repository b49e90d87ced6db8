//! An S3 on the loopback that keeps objects in memory and fails as it is told, and a little of the
//! web.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use tokio::runtime::Handle;
use windrow::files::Access;

type Objects = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

#[derive(Default)]
struct Inner {
    objects: Objects,
    uploads: Mutex<HashMap<String, BTreeMap<usize, Bytes>>>,
    begun: AtomicUsize,
    requests: AtomicUsize,
    failures: Mutex<VecDeque<u16>>,
    always: Mutex<Option<u16>>,
    never: AtomicBool,
    /// Objects are given in so many pieces, after such a pause each; none ends if it says so.
    trickle: Mutex<Option<Trickle>>,
    /// Called once, before the first part of an upload is taken.
    before_part: Mutex<Option<Box<dyn FnOnce() + Send>>>,
    /// Paths that somebody asked for.
    asked: Mutex<BTreeSet<String>>,
}

/// How slowly objects come.
#[derive(Clone, Copy)]
pub struct Trickle {
    pub pieces: usize,
    pub pause: Duration,
    pub ends: bool,
}

/// The double; it ends with the test's runtime.
pub struct S3Double {
    url: String,
    inner: Arc<Inner>,
}

impl S3Double {
    pub async fn start() -> S3Double {
        let inner = Arc::new(Inner::default());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = axum::Router::new().fallback(answer).with_state(Arc::clone(&inner));
        tokio::spawn(async move { axum::serve(listener, router).await });
        S3Double { url, inner }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// What an environment would say.
    pub fn variables(&self) -> Vec<(String, String)> {
        let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        vec![
            variable("AWS_ENDPOINT", &self.url),
            variable("AWS_ALLOW_HTTP", "true"),
            variable("AWS_REGION", "us-east-1"),
            variable("AWS_ACCESS_KEY_ID", "key"),
            variable("AWS_SECRET_ACCESS_KEY", "secret"),
            variable("WINDROW_S3_PATIENCE", "2"),
        ]
    }

    pub fn access(&self) -> Access {
        Access { runtime: Handle::current(), variables: self.variables().into_iter().collect() }
    }

    pub fn objects(&self) -> Objects {
        Arc::clone(&self.inner.objects)
    }

    pub fn open_uploads(&self) -> usize {
        self.inner.uploads.lock().unwrap().len()
    }

    pub fn requests(&self) -> usize {
        self.inner.requests.load(Ordering::Relaxed)
    }

    pub fn fail_next(&self, statuses: &[u16]) {
        self.inner.failures.lock().unwrap().extend(statuses);
    }

    pub fn fail_always(&self, status: u16) {
        *self.inner.always.lock().unwrap() = Some(status);
    }

    /// Answers again.
    pub fn recover(&self) {
        *self.inner.always.lock().unwrap() = None;
        self.inner.never.store(false, Ordering::Relaxed);
    }

    pub fn trickle(&self, trickle: Trickle) {
        *self.inner.trickle.lock().unwrap() = Some(trickle);
    }

    pub fn before_first_part(&self, call: impl FnOnce() + Send + 'static) {
        *self.inner.before_part.lock().unwrap() = Some(Box::new(call));
    }

    /// How many paths somebody has asked for.
    pub fn asked(&self) -> usize {
        self.inner.asked.lock().unwrap().len()
    }

    pub fn answer_never(&self) {
        self.inner.never.store(true, Ordering::Relaxed);
    }
}

fn reply(status: u16, body: impl Into<Body>) -> Response {
    let response = Response::builder().status(StatusCode::from_u16(status).unwrap());
    response.header("etag", "\"1\"").body(body.into()).unwrap()
}

async fn answer(State(inner): State<Arc<Inner>>, request: Request) -> Response {
    inner.requests.fetch_add(1, Ordering::Relaxed);
    inner.asked.lock().unwrap().insert(request.uri().path().to_owned());
    if inner.never.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
    }
    let failure = inner.failures.lock().unwrap().pop_front();
    if let Some(status) = failure.or(*inner.always.lock().unwrap()) {
        return reply(status, "no");
    }
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().trim_start_matches('/').to_owned();
    let query: HashMap<String, String> =
        form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes())
            .into_owned()
            .collect();
    if let Some(page) = path.strip_prefix("web/") {
        return web(&inner, page);
    }
    let key = path.split_once('/').map_or("", |(_, key)| key).to_owned();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    if query.contains_key("partNumber")
        && let Some(call) = inner.before_part.lock().unwrap().take()
    {
        call();
    }
    let objects = Arc::clone(&inner.objects);
    let mut uploads = inner.uploads.lock().unwrap();
    match (&parts.method, query.get("uploadId")) {
        (&Method::POST, None) if query.contains_key("uploads") => {
            let id = inner.begun.fetch_add(1, Ordering::Relaxed).to_string();
            uploads.insert(id.clone(), BTreeMap::new());
            reply(
                200,
                format!(
                    "<InitiateMultipartUploadResult><Bucket>meadow</Bucket><Key>{key}</Key>\
                     <UploadId>{id}</UploadId></InitiateMultipartUploadResult>"
                ),
            )
        }
        (&Method::PUT, Some(id)) => {
            let number = query["partNumber"].parse().unwrap();
            uploads.get_mut(id).unwrap().insert(number, body);
            reply(200, "")
        }
        (&Method::POST, Some(id)) => {
            let parts = uploads.remove(id).unwrap();
            let bytes: Vec<u8> = parts.values().flat_map(|part| part.to_vec()).collect();
            objects.lock().unwrap().insert(key.clone(), bytes);
            reply(
                200,
                format!(
                    "<CompleteMultipartUploadResult><Bucket>meadow</Bucket><Key>{key}</Key>\
                     <ETag>1</ETag></CompleteMultipartUploadResult>"
                ),
            )
        }
        (&Method::DELETE, Some(id)) => {
            uploads.remove(id);
            reply(204, "")
        }
        (&Method::PUT, None) => {
            objects.lock().unwrap().insert(key, body.to_vec());
            reply(200, "")
        }
        (&Method::DELETE, None) => {
            objects.lock().unwrap().remove(&key);
            reply(204, "")
        }
        (&Method::GET, None) if query.contains_key("list-type") => {
            list(&objects, query.get("prefix").map_or("", String::as_str))
        }
        (method, None) => {
            let trickle = *inner.trickle.lock().unwrap();
            object(&objects, &key, method == Method::HEAD, trickle)
        }
        _ => reply(400, ""),
    }
}

fn list(objects: &Objects, prefix: &str) -> Response {
    let contents: String = objects
        .lock()
        .unwrap()
        .iter()
        .filter(|(key, _)| key.starts_with(prefix))
        .map(|(key, bytes)| {
            format!(
                "<Contents><Key>{key}</Key><LastModified>2020-01-01T00:00:00.000Z\
                         </LastModified><ETag>1</ETag><Size>{}</Size></Contents>",
                bytes.len()
            )
        })
        .collect();
    reply(
        200,
        format!(
            "<ListBucketResult><IsTruncated>false</IsTruncated>{contents}\
                     </ListBucketResult>"
        ),
    )
}

fn object(objects: &Objects, key: &str, is_head: bool, trickle: Option<Trickle>) -> Response {
    let objects = objects.lock().unwrap();
    let Some(bytes) = objects.get(key) else { return reply(404, "") };
    let response = Response::builder()
        .header("etag", "\"1\"")
        .header("last-modified", "Wed, 01 Jan 2020 00:00:00 GMT")
        .header("content-length", bytes.len());
    let body = match trickle {
        _ if is_head => Body::empty(),
        None => Body::from(bytes.clone()),
        Some(trickle) => {
            let size = bytes.len().div_ceil(trickle.pieces);
            let pieces: Vec<Vec<u8>> = bytes.chunks(size).map(<[u8]>::to_vec).collect();
            Body::from_stream(futures_util::stream::unfold(
                pieces.into_iter(),
                move |mut pieces| async move {
                    tokio::time::sleep(trickle.pause).await;
                    if !trickle.ends && pieces.len() == 1 {
                        std::future::pending::<()>().await;
                    }
                    let piece = pieces.next()?;
                    Some((Ok::<_, std::io::Error>(piece), pieces))
                },
            ))
        }
    };
    response.body(body).unwrap()
}

fn web(inner: &Inner, page: &str) -> Response {
    let redirect = |to: String| {
        Response::builder().status(302).header("location", to).body(Body::empty()).unwrap()
    };
    match page.split_once('/') {
        Some(("redirect", "0")) => redirect("../a.pdf".to_owned()),
        Some(("redirect", left)) => redirect((left.parse::<u32>().unwrap() - 1).to_string()),
        Some(("status", status)) => reply(status.parse().unwrap(), ""),
        _ if page == "scheme" => redirect("file:///etc/passwd".to_owned()),
        _ => object(&inner.objects, page, false, None),
    }
}
