//! `windrow harvest identify | sets | formats | get`.

use std::io::{BufWriter, Write};

use serde_json::json;

use super::super::{Failure, Outcome, runtime, show};
use super::endpoint::EndpointArguments;
use super::failure;
use super::records::print;
use crate::oai::page::{Deletions, Repository};
use crate::record::Granularity;
use crate::source::oai_pmh::{self, Report};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    endpoint: EndpointArguments,
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub struct FormatArguments {
    #[command(flatten)]
    common: Arguments,
    /// Only the formats of this item
    #[arg(long, value_name = "IDENTIFIER")]
    identifier: Option<String>,
}

#[derive(Debug, clap::Args)]
pub struct GetArguments {
    #[command(flatten)]
    endpoint: EndpointArguments,
    /// The record's OAI identifier
    identifier: String,
    /// metadataPrefix
    #[arg(long, value_name = "PREFIX", default_value = "oai_dc")]
    prefix: String,
}

pub fn identify(arguments: Arguments) -> Result<Outcome, Failure> {
    let client = arguments.endpoint.client()?;
    let mut report = Report::default();
    let asked = oai_pmh::identify(&client, &mut report);
    let repository = runtime()?.block_on(asked).map_err(failure)?;
    let mut out = std::io::stdout();
    let rows = rows(&repository);
    if arguments.json {
        let mut object: serde_json::Map<String, serde_json::Value> = rows
            .into_iter()
            .filter(|(name, _)| *name != "adminEmail" && *name != "compression")
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        object.insert("adminEmail".to_owned(), json!(repository.admin_emails));
        object.insert("compression".to_owned(), json!(repository.compressions));
        object.insert("description".to_owned(), json!(repository.descriptions));
        writeln!(out, "{}", serde_json::Value::Object(object))?;
    } else {
        for (name, value) in rows {
            writeln!(out, "{name}: {value}")?;
        }
    }
    Ok(Outcome::Clean)
}

fn rows(repository: &Repository) -> Vec<(&'static str, String)> {
    let deletions = repository.deletions.map_or("", Deletions::as_str);
    let granularity = match repository.granularity {
        Some(Granularity::Day) => "YYYY-MM-DD",
        Some(Granularity::Second) => "YYYY-MM-DDThh:mm:ssZ",
        None => "",
    };
    let mut rows = vec![
        ("repositoryName", repository.name.clone()),
        ("baseURL", repository.base_url.clone()),
        ("protocolVersion", repository.protocol_version.clone()),
    ];
    rows.extend(repository.admin_emails.iter().map(|email| ("adminEmail", email.clone())));
    rows.extend([
        ("earliestDatestamp", repository.earliest_text.clone()),
        ("deletedRecord", deletions.to_owned()),
        ("granularity", granularity.to_owned()),
    ]);
    rows.extend(repository.compressions.iter().map(|kind| ("compression", kind.clone())));
    rows
}

pub fn sets(arguments: Arguments) -> Result<Outcome, Failure> {
    let client = arguments.endpoint.client()?;
    let sets =
        runtime()?.block_on(oai_pmh::sets(&client, &mut Report::default())).map_err(failure)?;
    let mut out = BufWriter::new(std::io::stdout());
    if arguments.json {
        for set in sets {
            let line = json!({
                "set_spec": set.spec, "name": set.name, "descriptions": set.descriptions
            });
            writeln!(out, "{line}")?;
        }
    } else {
        let rows: Vec<_> = sets.into_iter().map(|set| vec![set.spec, set.name]).collect();
        show::Sheet::text(&mut out).table(&["setSpec", "setName"], &rows)?;
    }
    out.flush()?;
    Ok(Outcome::Clean)
}

pub fn formats(arguments: FormatArguments) -> Result<Outcome, Failure> {
    let client = arguments.common.endpoint.client()?;
    let mut report = Report::default();
    let asked = oai_pmh::formats(&client, arguments.identifier.as_deref(), &mut report);
    let formats = runtime()?.block_on(asked).map_err(failure)?;
    let mut out = BufWriter::new(std::io::stdout());
    if arguments.common.json {
        for format in formats {
            let line = json!({
                "prefix": format.prefix, "schema": format.schema, "namespace": format.namespace
            });
            writeln!(out, "{line}")?;
        }
    } else {
        let rows: Vec<_> =
            formats.into_iter().map(|format| vec![format.prefix, format.namespace]).collect();
        show::Sheet::text(&mut out).table(&["metadataPrefix", "metadataNamespace"], &rows)?;
    }
    out.flush()?;
    Ok(Outcome::Clean)
}

pub fn get(arguments: GetArguments) -> Result<Outcome, Failure> {
    let client = arguments.endpoint.client()?;
    let mut report = Report::default();
    let asked = oai_pmh::record(&client, &arguments.identifier, &arguments.prefix, &mut report);
    let (record, _) = runtime()?.block_on(asked).map_err(failure)?;
    print(&record, &mut std::io::stdout())?;
    Ok(if record.damage.is_none() { Outcome::Clean } else { Outcome::Quarantined })
}
