//! A page, asked for until it comes or will not come: repetitions, waits, what a failure means.

use std::time::Duration;

use super::client::{Client, Fault, Reply};
use super::report::Report;
use crate::formats::Policy;
use crate::oai::page::{Page, PageError};
use crate::record::Warning;
use crate::xml::Options;

/// Why a page does not come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// It is too much at once: a narrower window will do.
    TooMuch(String),
    /// It fails on its side or takes too long: a narrower window may do.
    Failing(String),
    /// The page breaks off, and came no better when asked for again.
    CutShort(Box<(Page, Vec<u8>)>, String),
    /// The token is not accepted (any more).
    Token(String),
    /// The endpoint does not answer.
    Unreachable(String),
    /// The endpoint asks to be left alone for so long.
    TryLater(Duration),
    /// It will not go better.
    Lasting(String),
}

impl Trouble {
    pub(super) fn reason(&self) -> String {
        match self {
            Trouble::TooMuch(reason)
            | Trouble::Failing(reason)
            | Trouble::CutShort(_, reason)
            | Trouble::Token(reason)
            | Trouble::Unreachable(reason)
            | Trouble::Lasting(reason) => reason.clone(),
            Trouble::TryLater(wait) => {
                format!("the endpoint asks to come back in {} seconds", wait.as_secs())
            }
        }
    }
}

/// What becomes of one answer.
enum Verdict {
    Taken(Box<Page>),
    /// Ask again, after this wait at least; if it was the last time, this is the trouble.
    Again(Option<Duration>, Trouble),
    Refused(Trouble),
}

/// Asks for a page, again and again as the endpoint's [`super::Patience`] allows; the verb is the
/// first argument.
pub(super) async fn page(
    client: &Client,
    arguments: &[(&str, &str)],
    report: &mut Report,
) -> Result<(Page, Reply), Trouble> {
    let patience = client.endpoint().patience;
    let verb = arguments.first().map_or("", |(_, verb)| *verb);
    let mut number = 0;
    loop {
        report.requests += 1;
        let mut is_busy = false;
        let (wait, trouble) = match client.ask(arguments).await {
            Ok(reply) => match judge(&reply, verb, client.endpoint().policy) {
                Verdict::Taken(page) => {
                    report.warn("", &reply.warnings);
                    return Ok((*page, reply));
                }
                Verdict::Refused(trouble) => return Err(trouble),
                Verdict::Again(wait, trouble) => {
                    is_busy = wait.is_some() || matches!(reply.status, 429 | 503);
                    (wait, trouble)
                }
            },
            Err(Fault::Passing(reason)) => (None, Trouble::Unreachable(reason)),
            Err(Fault::Slow(reason)) => (None, Trouble::Failing(reason)),
            Err(Fault::TooLarge(reason)) => return Err(Trouble::TooMuch(reason)),
            Err(Fault::Lasting(reason)) => return Err(Trouble::Lasting(reason)),
            Err(Fault::Closed(wait)) => return Err(Trouble::TryLater(wait)),
        };
        if let Some(wait) = wait.filter(|wait| *wait > patience.longest_wait) {
            // Others of this process need not hear it themselves.
            client.rest(wait);
            return Err(Trouble::TryLater(wait));
        }
        if number == patience.retries {
            return Err(trouble);
        }
        let wait = wait.unwrap_or_else(|| patience.wait(number));
        tracing::warn!(reason = trouble.reason(), seconds = wait.as_secs(), "asking again");
        // Who is too busy for one is too busy for all; what fails may fail for one only.
        match is_busy {
            true => client.rest(wait),
            false => tokio::time::sleep(wait).await,
        }
        number += 1;
        report.retries += 1;
    }
}

fn judge(reply: &Reply, verb: &str, policy: Policy) -> Verdict {
    let status = reply.status;
    let said = |page: Result<&Page, &PageError>| match page {
        Err(error) => format!("HTTP {status}: {error}"),
        Ok(_) => format!("HTTP {status}"),
    };
    let charset = reply.content_type.as_deref().and_then(charset);
    let options = Options { repair: policy == Policy::Repair };
    let mut page = match Page::read(&reply.body, charset, options) {
        Ok(page) => page,
        Err(error) => return without_page(reply, &error, said(Err(&error))),
    };
    // An endpoint may report its errors with any status; what it says counts (P3).
    if !page.errors.is_empty() && !matches!(status, 429 | 503) {
        if status != 200 {
            let message = format!("errors of OAI-PMH are sent with HTTP {status}");
            page.warnings.push(Warning::new("oai.status", message));
        }
        return Verdict::Taken(Box::new(page));
    }
    if status >= 400 {
        let error = said(Ok(&page));
        return without_page(reply, &PageError::Empty, error);
    }
    if let Some(other) = page.verb.as_deref().filter(|answered| *answered != verb) {
        let reason = format!("{verb} is answered by {other}");
        return Verdict::Again(None, Trouble::Lasting(reason));
    }
    if page.cut_short.is_some() || page.verb.is_none() {
        let reason = match (&page.cut_short, &reply.incomplete) {
            (Some(reason), Some(why)) => format!("{reason}: {why}"),
            (Some(reason), None) => reason.clone(),
            (None, _) => "the answer has neither a list nor errors".to_owned(),
        };
        let partial = Box::new((page, reply.body.clone()));
        return Verdict::Again(None, Trouble::CutShort(partial, reason));
    }
    Verdict::Taken(Box::new(page))
}

// What a status means when there is no page of OAI-PMH.
fn without_page(reply: &Reply, error: &PageError, reason: String) -> Verdict {
    match reply.status {
        // Some servers ask for a pause with a success.
        200..=299 if reply.retry_after.is_some() => {
            Verdict::Again(reply.retry_after, Trouble::Unreachable(reason))
        }
        _ if matches!(error, PageError::Doctype | PageError::Encoding(_)) => {
            Verdict::Refused(Trouble::Lasting(reason))
        }
        429 | 503 => Verdict::Again(reply.retry_after, Trouble::Unreachable(reason)),
        413 | 414 => Verdict::Refused(Trouble::TooMuch(reason)),
        500 | 502 | 504 => Verdict::Again(reply.retry_after, Trouble::Failing(reason)),
        408 | 425 | 500..=599 => Verdict::Again(reply.retry_after, Trouble::Unreachable(reason)),
        400..=499 => Verdict::Refused(Trouble::Lasting(reason)),
        _ => Verdict::Again(None, Trouble::Unreachable(reason)),
    }
}

/// The charset that a `Content-Type` names.
pub(super) fn charset(content_type: &str) -> Option<&str> {
    let parameter = content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"'))
    });
    parameter.filter(|charset| !charset.is_empty())
}
