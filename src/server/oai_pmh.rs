//! `/oai`: the six verbs over a store.
//!
//! What the protocol leaves open is decided so:
//!
//! - A list is paged by position (datestamp, record UUID), one item read ahead: the last page of
//!   several has an empty resumptionToken, a list of one page has none, and no page is empty. A
//!   token whose list has since become empty behind its position is answered `noRecordsMatch`:
//!   that ends a harvest, where an empty list would be invalid and `badResumptionToken` would
//!   start it over. A token whose format is no longer offered is a `badResumptionToken`.
//! - A record that its serializer cannot write counts as an item that does not have the format:
//!   `GetRecord` answers `cannotDisseminateFormat`, `ListRecords` goes on without it, so that one
//!   record cannot hide the rest. It is not lost in silence: the page names it in a comment,
//!   `ListIdentifiers` and completeListSize still have it, the log has an error with identifier
//!   and reason, and `/health` says `degraded`.
//! - The arguments of a POST are those of its query and its form together.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, RawQuery, Request as HttpRequest, State};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use tokio::sync::mpsc::Receiver;
use tokio::time::timeout;

use super::access::Outcome;
use super::body::Pieces;
use super::cache::PageText;
use super::record::Bench;
use super::{Compression, ServerConfig, ServerError, ServerState, Shared, gzip, list};
use crate::oai::{
    Answer, Envelope, ErrorCode, Identify, MetadataFormat, OaiError, RecordWriter, Request,
    SetEntry, container, local_part, oai_identifier,
};
use crate::record::{Datestamp, content_hash};
use crate::store::{Item, ItemContent, ItemQuery, Set, StoreError};

const XML: HeaderValue = HeaderValue::from_static("text/xml; charset=utf-8");

/// Arguments in the query.
pub(super) async fn get(
    State(shared): State<Arc<Shared>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ServerError> {
    let arguments = pairs(query.unwrap_or_default().as_bytes());
    let mut response = respond(&shared, &arguments, &headers).await?;
    if is_known(&headers, &response) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = Body::empty();
    }
    Ok(response)
}

/// Arguments in a form; a form of another content type is HTTP 415, none at all is a form.
pub(super) async fn post(
    State(shared): State<Arc<Shared>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    request: HttpRequest,
) -> Result<Response, ServerError> {
    if let Some(content_type) = headers.get(CONTENT_TYPE) {
        let content_type = String::from_utf8_lossy(content_type.as_bytes());
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        if !media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(ServerError::MediaType(media_type.to_owned()));
        }
    }
    // A form that does not come holds its connection no longer than a head would.
    let form = timeout(shared.state.config.limits.idle, Bytes::from_request(request, &())).await;
    let form = form.map_err(|_| ServerError::FormUnreadable("it did not come".to_owned()))??;
    let mut arguments = pairs(query.unwrap_or_default().as_bytes());
    arguments.extend(pairs(&form));
    respond(&shared, &arguments, &headers).await
}

fn pairs(encoded: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(encoded).into_owned().collect()
}

/// Whether the client has the answer already (RFC 9110 §13.1.2).
fn is_known(request: &HeaderMap, response: &Response) -> bool {
    let etag = response.headers().get(ETAG).and_then(|etag| etag.to_str().ok());
    let known = request.get(IF_NONE_MATCH).and_then(|known| known.to_str().ok());
    etag.zip(known).is_some_and(|(etag, known)| known.split(',').any(|one| one.trim() == etag))
}

/// Up to when a store is told of: [`Store::settled`](crate::store::Store::settled).
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    response_date: Datestamp,
}

impl Moment {
    /// Before anything else is read.
    pub async fn of(state: &ServerState) -> Result<Moment, StoreError> {
        Ok(Moment { response_date: state.store.settled(state.clock.now()).await? })
    }

    /// Whether an item of this datestamp may be told of.
    pub fn holds(self, datestamp: Datestamp) -> bool {
        datestamp <= self.response_date
    }

    /// Whether every item of this datestamp can be seen.
    pub fn is_over(self, datestamp: Datestamp) -> bool {
        datestamp < self.response_date
    }

    /// Whether more can be seen than at another moment.
    pub fn is_after(self, other: Moment) -> bool {
        self.response_date > other.response_date
    }
}

/// What a request gets.
enum Reply {
    Answer(Answer),
    Record { xml: String, etag: String },
    Records(Records),
}

/// The records of an answer, from the verb's element on.
pub(super) struct Records {
    pub pieces: RecordPieces,
    /// How many records are there already.
    pub records: u64,
}

/// What the records of an answer are in.
pub(super) enum RecordPieces {
    /// All of them, and what is behind them.
    Whole(PageText, Bytes),
    /// The first ones, and what comes.
    Coming(Bytes, Receiver<Result<Bytes, ServerError>>),
}

async fn respond(
    shared: &Arc<Shared>,
    arguments: &[(String, String)],
    headers: &HeaderMap,
) -> Result<Response, ServerError> {
    let in_gzip =
        shared.state.config.compressions.contains(&Compression::Gzip) && gzip::is_welcome(headers);
    let moment = Moment::of(&shared.state).await?;
    let mut verb = "";
    let result = match Request::parse(arguments) {
        Ok(request) => {
            verb = request.verb();
            answer(shared, request, moment, in_gzip).await
        }
        Err(errors) => Err(Refusal::Protocol(errors)),
    };
    let mut outcome = Outcome { verb, code: "ok", records: 0 };
    let reply = match result {
        Ok(reply) => reply,
        Err(Refusal::Protocol(errors)) => {
            outcome.code = errors.first().map_or("", OaiError::code);
            Reply::Answer(Answer::Errors(errors))
        }
        Err(Refusal::Server(error)) => return Err(error),
    };
    let base_url = &shared.state.config.base_url;
    let envelope = Envelope { response_date: moment.response_date, base_url, arguments };
    let mut response = match reply {
        Reply::Answer(answer) => Body::from(answer.write(&envelope)).into_response(),
        Reply::Record { xml, etag } => {
            outcome.records = 1;
            let mut response = Body::from(envelope.open() + &xml).into_response();
            if let Ok(etag) = HeaderValue::from_str(&etag) {
                response.headers_mut().insert(ETAG, etag);
            }
            response
        }
        Reply::Records(Records { pieces, records }) => {
            outcome.records = records;
            let open = envelope.open();
            match pieces {
                RecordPieces::Coming(first, coming) => {
                    Pieces::streamed([open.into(), first], coming).into_response()
                }
                RecordPieces::Whole(PageText::Plain(xml), behind) => {
                    Pieces::whole([open.into(), xml, behind]).into_response()
                }
                RecordPieces::Whole(PageText::Deflated(page), behind) => {
                    let body = Pieces::whole(page.between(open.as_bytes(), &behind));
                    ([(CONTENT_ENCODING, "gzip"), (VARY, "accept-encoding")], body).into_response()
                }
            }
        }
    };
    response.headers_mut().insert(CONTENT_TYPE, XML);
    response.extensions_mut().insert(outcome);
    Ok(response)
}

/// Why a request does not get what it asks for.
pub(super) enum Refusal {
    /// An answer of the protocol.
    Protocol(Vec<OaiError>),
    /// An HTTP error.
    Server(ServerError),
}

impl From<OaiError> for Refusal {
    fn from(error: OaiError) -> Refusal {
        Refusal::Protocol(vec![error])
    }
}

impl From<ServerError> for Refusal {
    fn from(error: ServerError) -> Refusal {
        Refusal::Server(error)
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Refusal {
        Refusal::Server(error.into())
    }
}

async fn answer(
    shared: &Arc<Shared>,
    request: Request,
    moment: Moment,
    in_gzip: bool,
) -> Result<Reply, Refusal> {
    match request {
        Request::Identify => identify(&shared.state, moment).await.map(Reply::Answer),
        Request::ListMetadataFormats { identifier } => {
            list_metadata_formats(shared, identifier).await.map(Reply::Answer)
        }
        Request::ListSets { token } => list_sets(&shared.state, token).await.map(Reply::Answer),
        Request::GetRecord { identifier, metadata_prefix } => {
            get_record(shared, &identifier, &metadata_prefix).await
        }
        Request::List { verb, start } => {
            list::list(shared, verb, &start, (moment, in_gzip)).await.map(Reply::Records)
        }
    }
}

async fn identify(state: &ServerState, moment: Moment) -> Result<Answer, Refusal> {
    let ServerConfig { repository_identifier, .. } = &state.config;
    let earliest = state.store.earliest_datestamp().await?;
    let any = ItemQuery {
        after: None,
        from: None,
        until: None,
        set_spec: None,
        limit: 1,
        content: ItemContent::Header,
    };
    let items = state.store.items(&any).await?;
    let sample = items.first().map_or("1", |item| item.header.pid_value.as_str());
    let sample = oai_identifier(repository_identifier, sample);
    let mut descriptions = vec![container::oai_identifier(repository_identifier, &sample)];
    descriptions.extend_from_slice(&state.config.descriptions);
    Ok(Answer::Identify(Identify {
        repository_name: state.config.repository_name.clone(),
        admin_emails: state.config.admin_emails.clone(),
        earliest_datestamp: earliest.unwrap_or(moment.response_date).min(moment.response_date),
        deleted_record: state.config.deleted_record,
        compressions: state.config.compressions.iter().map(|one| one.as_str()).collect(),
        descriptions,
    }))
}

async fn list_metadata_formats(
    shared: &Shared,
    identifier: Option<String>,
) -> Result<Answer, Refusal> {
    let state = &shared.state;
    let item = match &identifier {
        None => None,
        Some(identifier) => {
            let item = item(shared, identifier, ItemContent::Source).await?;
            Some(item.ok_or_else(|| no_such_identifier(identifier))?)
        }
    };
    let mut formats = Vec::with_capacity(state.serializers.len());
    for serializer in state.serializers.iter() {
        let offered = item.as_ref().is_none_or(|item| {
            item.header.deleted
                || serializer.is_total
                || serializer.writer().write(item, &mut String::new()).is_ok()
        });
        if offered {
            formats.push(MetadataFormat {
                prefix: serializer.prefix.clone(),
                schema: serializer.schema.clone(),
                namespace: serializer.namespace.clone(),
            });
        }
    }
    if formats.is_empty() {
        return Err(OaiError::new(ErrorCode::NoMetadataFormats, "no format is offered").into());
    }
    Ok(Answer::ListMetadataFormats(formats))
}

async fn list_sets(state: &ServerState, token: Option<String>) -> Result<Answer, Refusal> {
    if token.is_some() {
        let message = "resumptionToken was not given by this repository: sets are listed at once";
        return Err(OaiError::new(ErrorCode::BadResumptionToken, message).into());
    }
    let sets = state.store.sets().await?;
    if sets.is_empty() {
        return Err(no_set_hierarchy().into());
    }
    let entry =
        |set: Set| SetEntry { spec: set.spec, name: set.name, description: set.description };
    Ok(Answer::ListSets(sets.into_iter().map(entry).collect()))
}

async fn get_record(
    shared: &Arc<Shared>,
    identifier: &str,
    metadata_prefix: &str,
) -> Result<Reply, Refusal> {
    let serializer = shared.state.serializers.iter().find(|row| row.prefix == metadata_prefix);
    let content = serializer.map_or(ItemContent::Header, |serializer| serializer.content);
    let item = item(shared, identifier, content).await?;
    let (Some(serializer), Some(item)) = (serializer, &item) else {
        let no_format = serializer.is_none().then(|| no_such_format(metadata_prefix));
        let no_item = item.is_none().then(|| no_such_identifier(identifier));
        return Err(Refusal::Protocol(no_item.into_iter().chain(no_format).collect()));
    };
    let mut bench = Bench::new(shared, serializer);
    let mut writer = RecordWriter::new("GetRecord");
    bench.record(item, &mut writer);
    if bench.given == 0 {
        let message = format!("{identifier} cannot be had as {metadata_prefix}");
        return Err(OaiError::new(ErrorCode::CannotDisseminateFormat, message).into());
    }
    writer.close(None);
    let xml = writer.take();
    // Weak: responseDate, outside of the record, is another each time.
    let hash: String =
        content_hash(xml.as_bytes()).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    Ok(Reply::Record { xml, etag: format!("W/\"{hash}\"") })
}

/// The item of an identifier, unless it is hidden.
async fn item(
    shared: &Shared,
    identifier: &str,
    content: ItemContent,
) -> Result<Option<Item>, StoreError> {
    match local_part(&shared.state.config.repository_identifier, identifier) {
        Some(local) => {
            let item = shared.state.store.item(&local, content).await?;
            Ok(item.filter(|item| !shared.is_hidden(item)))
        }
        None => Ok(None),
    }
}

fn no_such_identifier(identifier: &str) -> OaiError {
    OaiError::new(ErrorCode::IdDoesNotExist, format!("no item is identified by {identifier:?}"))
}

pub(super) fn no_such_format(metadata_prefix: &str) -> OaiError {
    let message = format!("metadataPrefix {metadata_prefix:?} is not offered");
    OaiError::new(ErrorCode::CannotDisseminateFormat, message)
}

pub(super) fn no_set_hierarchy() -> OaiError {
    OaiError::new(ErrorCode::NoSetHierarchy, "the repository has no sets")
}
