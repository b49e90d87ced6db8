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

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use super::{ServerConfig, ServerError, ServerState, Shared, list};
use crate::oai::{
    Answer, Envelope, ErrorCode, Identify, ListEntry, MetadataFormat, OaiError, Request, SetEntry,
    is_domain_name, local_part, oai_identifier,
};
use crate::record::Datestamp;
use crate::store::{Item, ItemContent, ItemQuery, Set, StoreError};

/// Arguments in the query.
pub(super) async fn get(
    State(shared): State<Arc<Shared>>,
    RawQuery(query): RawQuery,
) -> Result<Response, ServerError> {
    respond(&shared, &pairs(query.unwrap_or_default().as_bytes())).await
}

/// Arguments in a form; a form of another content type is HTTP 415, none at all is a form.
pub(super) async fn post(
    State(shared): State<Arc<Shared>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    form: Result<Bytes, BytesRejection>,
) -> Result<Response, ServerError> {
    if let Some(content_type) = headers.get(CONTENT_TYPE) {
        let content_type = String::from_utf8_lossy(content_type.as_bytes());
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        if !media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(ServerError::MediaType(media_type.to_owned()));
        }
    }
    let mut arguments = pairs(query.unwrap_or_default().as_bytes());
    arguments.extend(pairs(&form?));
    respond(&shared, &arguments).await
}

fn pairs(encoded: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(encoded).into_owned().collect()
}

async fn respond(
    shared: &Arc<Shared>,
    arguments: &[(String, String)],
) -> Result<Response, ServerError> {
    let response_date = Datestamp::from(shared.state.clock.now());
    let result = match Request::parse(arguments) {
        Ok(request) => answer(shared, request, response_date).await,
        Err(errors) => Ok(Answer::Errors(errors)),
    };
    let answer = match result {
        Ok(answer) => answer,
        Err(Refusal::Protocol(errors)) => Answer::Errors(errors),
        Err(Refusal::Server(error)) => return Err(error),
    };
    let base_url = &shared.state.config.base_url;
    let xml = answer.write(&Envelope { response_date, base_url, arguments });
    Ok(([(CONTENT_TYPE, "text/xml; charset=utf-8")], xml).into_response())
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
    response_date: Datestamp,
) -> Result<Answer, Refusal> {
    match request {
        Request::Identify => identify(&shared.state, response_date).await,
        Request::ListMetadataFormats { identifier } => {
            list_metadata_formats(&shared.state, identifier).await
        }
        Request::ListSets { token } => list_sets(&shared.state, token).await,
        Request::GetRecord { identifier, metadata_prefix } => {
            get_record(shared, &identifier, &metadata_prefix).await
        }
        Request::List { verb, start } => list::list(shared, verb, start).await,
    }
}

async fn identify(state: &ServerState, response_date: Datestamp) -> Result<Answer, Refusal> {
    let ServerConfig { repository_name, repository_identifier, admin_emails, .. } = &state.config;
    let earliest_datestamp = state.store.earliest_datestamp().await?.unwrap_or(response_date);
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
    // The schema of this description knows domain names only.
    let oai_identifier = is_domain_name(repository_identifier)
        .then(|| (repository_identifier.clone(), oai_identifier(repository_identifier, sample)));
    Ok(Answer::Identify(Identify {
        repository_name: repository_name.clone(),
        admin_emails: admin_emails.clone(),
        earliest_datestamp,
        oai_identifier,
    }))
}

async fn list_metadata_formats(
    state: &ServerState,
    identifier: Option<String>,
) -> Result<Answer, Refusal> {
    let mut formats = Vec::with_capacity(state.serializers.len());
    for serializer in state.serializers.iter() {
        let offered = match &identifier {
            None => true,
            Some(identifier) => {
                let item = item(state, identifier, serializer.content).await?;
                let item = item.ok_or_else(|| no_such_identifier(identifier))?;
                item.header.deleted || serializer.can_write(&item)
            }
        };
        if offered {
            formats.push(MetadataFormat {
                prefix: serializer.prefix.to_owned(),
                schema: serializer.schema.to_owned(),
                namespace: serializer.namespace.to_owned(),
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
) -> Result<Answer, Refusal> {
    let state = &shared.state;
    let serializer = state.serializers.iter().find(|row| row.prefix == metadata_prefix);
    let content = serializer.map_or(ItemContent::Header, |serializer| serializer.content);
    let item = item(state, identifier, content).await?;
    let (Some(serializer), Some(item)) = (serializer, &item) else {
        let no_format = serializer.is_none().then(|| no_such_format(metadata_prefix));
        let no_item = item.is_none().then(|| no_such_identifier(identifier));
        return Err(Refusal::Protocol(no_item.into_iter().chain(no_format).collect()));
    };
    match list::write_record(shared, serializer, item) {
        ListEntry::Record(record) => Ok(Answer::GetRecord(record)),
        ListEntry::LeftOut(identifier) => Err(OaiError::new(
            ErrorCode::CannotDisseminateFormat,
            format!("{identifier} cannot be had as {metadata_prefix}"),
        )
        .into()),
    }
}

async fn item(
    state: &ServerState,
    identifier: &str,
    content: ItemContent,
) -> Result<Option<Item>, StoreError> {
    match local_part(&state.config.repository_identifier, identifier) {
        Some(local) => state.store.item(&local, content).await,
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
