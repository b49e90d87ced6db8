//! The verbs that are no harvest: Identify, ListSets, ListMetadataFormats, GetRecord.

use super::HarvestError;
use super::asking::{self, Trouble};
use super::client::{Client, Reply};
use super::report::Report;
use crate::oai::page::{Catalog, ListedFormat, ListedSet, Page, PageFault, PageRecord, Repository};

/// More pages of sets are taken for a circle.
const MAX_SET_PAGES: usize = 100_000;

/// Asks who the endpoint is.
///
/// # Errors
/// [`HarvestError`] when it does not say so.
pub async fn identify(client: &Client, report: &mut Report) -> Result<Repository, HarvestError> {
    let catalog = catalog(client, &[("verb", "Identify")], report).await?;
    catalog
        .repository
        .ok_or_else(|| HarvestError::Endpoint("the answer holds no Identify".to_owned()))
}

/// Asks for all sets; none when the endpoint has no sets.
///
/// # Errors
/// [`HarvestError`] when the list does not come to its end.
pub async fn sets(client: &Client, report: &mut Report) -> Result<Vec<ListedSet>, HarvestError> {
    let mut sets = Vec::new();
    let mut tokens: Vec<String> = Vec::new();
    loop {
        let arguments = match tokens.last() {
            None => vec![("verb", "ListSets")],
            Some(token) => vec![("verb", "ListSets"), ("resumptionToken", token.as_str())],
        };
        let catalog = match catalog(client, &arguments, report).await {
            Err(HarvestError::Endpoint(message)) if message.starts_with("noSetHierarchy") => {
                return Ok(sets);
            }
            other => other?,
        };
        sets.extend(catalog.sets);
        match catalog.token.map(|token| token.text).filter(|token| !token.is_empty()) {
            None => return Ok(sets),
            Some(token) if tokens.contains(&token) || tokens.len() == MAX_SET_PAGES => {
                let message = format!("the list of sets goes in a circle at token {token:?}");
                return Err(HarvestError::Endpoint(message));
            }
            Some(token) => tokens.push(token),
        }
    }
}

/// Asks for the formats of the endpoint, or of one of its items.
///
/// # Errors
/// [`HarvestError`] when it does not say so.
pub async fn formats(
    client: &Client,
    identifier: Option<&str>,
    report: &mut Report,
) -> Result<Vec<ListedFormat>, HarvestError> {
    let mut arguments = vec![("verb", "ListMetadataFormats")];
    arguments.extend(identifier.map(|identifier| ("identifier", identifier)));
    Ok(catalog(client, &arguments, report).await?.formats)
}

/// Asks for one record.
///
/// # Errors
/// [`HarvestError`] when it does not come.
pub async fn record(
    client: &Client,
    identifier: &str,
    prefix: &str,
    report: &mut Report,
) -> Result<(PageRecord, Reply), HarvestError> {
    let arguments = of_record(identifier, prefix);
    let (page, reply) = asking::page(client, &arguments, report).await.map_err(error)?;
    report.warn("", &page.warnings);
    refused(&page.errors)?;
    let mut records = page.records.into_iter();
    let record = records.next();
    let record =
        record.ok_or_else(|| HarvestError::Endpoint("the answer holds no record".to_owned()))?;
    Ok((record, reply))
}

/// The arguments that ask for one record.
pub(super) fn of_record<'a>(identifier: &'a str, prefix: &'a str) -> [(&'static str, &'a str); 3] {
    [("verb", "GetRecord"), ("identifier", identifier), ("metadataPrefix", prefix)]
}

async fn catalog(
    client: &Client,
    arguments: &[(&str, &str)],
    report: &mut Report,
) -> Result<Catalog, HarvestError> {
    let (_, Reply { body, .. }): (Page, Reply) =
        asking::page(client, arguments, report).await.map_err(error)?;
    let catalog =
        Catalog::read(&body).map_err(|error| HarvestError::Endpoint(error.to_string()))?;
    report.warn("", &catalog.warnings);
    refused(&catalog.errors)?;
    Ok(catalog)
}

fn refused(errors: &[PageFault]) -> Result<(), HarvestError> {
    if errors.is_empty() {
        return Ok(());
    }
    let errors: Vec<String> =
        errors.iter().map(|error| format!("{}: {}", error.code, error.message)).collect();
    Err(HarvestError::Endpoint(errors.join("; ")))
}

pub(super) fn error(trouble: Trouble) -> HarvestError {
    match trouble {
        Trouble::TryLater(wait) => HarvestError::TryLater(wait),
        other => HarvestError::Endpoint(other.reason()),
    }
}
