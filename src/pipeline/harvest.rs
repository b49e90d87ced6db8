//! A pipeline's endpoint: what is asked of it, and the journals that its lists are kept in.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::definition;
use crate::formats::{self, Format};
use crate::oai::ListVerb;
use crate::record::{Datestamp, Granularity};
use crate::source::oai_pmh::{
    Client, Credentials, Endpoint, Harvest, HarvestError, Journal, Report, Secret, Selection,
    Standing, State, page_files, run_of,
};
use crate::yaml::{Checker, Fields, Node};

/// `source` of a pipeline with `type: oai-pmh`.
#[derive(Debug, Clone)]
pub struct HarvestSource {
    /// The endpoint and how it is treated.
    pub endpoint: Arc<Endpoint>,
    /// `metadata_prefix`
    pub prefix: String,
    /// `sets`; without any, the whole of the endpoint.
    pub sets: Vec<String>,
    /// `from`
    pub from: Option<Datestamp>,
    /// `until`
    pub until: Option<Datestamp>,
    /// `journal`: the folder of all lists' journals.
    pub journal: PathBuf,
}

/// What harvesting all lists of a source came to.
#[derive(Debug, Default)]
pub struct Harvests {
    /// Of each list that was asked for.
    pub reports: Vec<Report>,
    /// Why the last of those lists that failed did so.
    pub error: Option<HarvestError>,
}

impl Harvests {
    /// What is missing, for people; `None` when all came.
    #[must_use]
    pub fn missing(&self) -> Option<String> {
        if let Some(error) = &self.error {
            return Some(error.to_string());
        }
        let mut windows = self.reports.iter().flat_map(|report| &report.windows);
        let open = windows.find(|window| window.standing == Standing::Open)?;
        let reason = open.reason.as_deref().unwrap_or("not asked for");
        Some(format!("{}: {reason}", open.window))
    }
}

/// The format that a metadataPrefix usually stands for.
#[must_use]
pub fn format_of_prefix(prefix: &str) -> Option<&'static Format> {
    let name = match prefix.to_ascii_lowercase().as_str() {
        "oai_dc" | "dc" => "oai_dc",
        "marc21" | "marcxml" | "marc" | "oai_marc21" => "marcxml",
        "datacite" | "oai_datacite" | "datacite3" | "datacite4" | "oai_datacite4" => "datacite_xml",
        "mods" | "oai_mods" => "mods",
        "qdc" | "dcterms" | "oai_qdc" | "oai_dcterms" | "dcq" => "dcterms",
        _ => return None,
    };
    formats::by_name(name)
}

impl HarvestSource {
    /// The journal of each list: of each set, or of the whole.
    fn lists(&self) -> Vec<(Option<&str>, PathBuf)> {
        if self.sets.is_empty() {
            return vec![(None, self.journal.clone())];
        }
        let folder = |set: &str| {
            // Names of files may not hold what setSpecs may.
            let safe = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
            let name: String = set.chars().map(safe).collect();
            let hash = crate::record::content_hash(set.as_bytes());
            let [first, second, ..] = hash;
            self.journal.join(format!("{name}-{first:02x}{second:02x}"))
        };
        self.sets.iter().map(|set| (Some(set.as_str()), folder(set))).collect()
    }

    /// Asks the endpoint for what is new in each list, into the journals; what one list comes to
    /// does not keep the next from being asked for.
    pub async fn harvest(&self) -> Harvests {
        let mut harvests = Harvests::default();
        let client = match Client::new(Arc::clone(&self.endpoint)) {
            Ok(client) => client,
            Err(error) => return Harvests { error: Some(error), ..harvests },
        };
        for (set, folder) in self.lists() {
            match self.list(&client, set, &folder).await {
                Ok(report) => harvests.reports.push(report),
                Err(error) => harvests.error = Some(error),
            }
        }
        harvests
    }

    async fn list(
        &self,
        client: &Client,
        set: Option<&str>,
        folder: &Path,
    ) -> Result<Report, HarvestError> {
        let journal = Journal::open(folder, &self.endpoint.url, &self.prefix, set)?;
        let selection = Selection {
            prefix: self.prefix.clone(),
            set: set.map(str::to_owned),
            from: self.from.filter(|_| journal.state.next_from.is_none()),
            until: self.until,
        };
        let mut take = |_| Ok(());
        let verb = ListVerb::ListRecords;
        Harvest::new(client, verb, selection, Some(journal), &mut take).run().await
    }

    /// The files of pages that are to be loaded, each with the name that messages and checkpoints
    /// use: those that were not loaded yet, or `all`.
    ///
    /// # Errors
    /// [`HarvestError::Journal`] when a journal cannot be read.
    pub fn files(&self, all: bool) -> Result<Vec<(PathBuf, String)>, HarvestError> {
        let mut files = Vec::new();
        for (_, folder) in self.lists() {
            let Some(state) = State::read(&folder)? else { continue };
            for path in page_files(&folder)? {
                let run = run_of(&path);
                let is_new = run.is_some_and(|run| run > state.loaded);
                if all || is_new {
                    let inside = path.strip_prefix(&self.journal).unwrap_or(&path);
                    files.push((path.clone(), inside.display().to_string()));
                }
            }
        }
        Ok(files)
    }

    /// Notes that the files which [`HarvestSource::files`] gave are loaded.
    ///
    /// # Errors
    /// [`HarvestError::Journal`] when a journal cannot be written.
    pub fn loaded(&self, files: &[(PathBuf, String)]) -> Result<(), HarvestError> {
        for (set, folder) in self.lists() {
            if State::read(&folder)?.is_none() {
                continue;
            }
            let mut journal = Journal::open(&folder, &self.endpoint.url, &self.prefix, set)?;
            let of_journal = files.iter().filter(|(path, _)| path.parent() == Some(&*folder));
            let runs = of_journal.filter_map(|(path, _)| run_of(path));
            let Some(latest) = runs.max() else { continue };
            // A run that is not at its end gets more pages.
            let latest =
                if journal.state.running { latest.min(journal.state.run - 1) } else { latest };
            if latest > journal.state.loaded {
                journal.state.loaded = latest;
                journal.save()?;
            }
        }
        Ok(())
    }
}

/// The keys of a source of this type.
pub(super) const KEYS: &[&str] = &[
    "type",
    "name",
    "url",
    "metadata_prefix",
    "sets",
    "from",
    "until",
    "journal",
    "format",
    "policy",
    "post",
    "contact",
    "user_agent",
    "user",
    "password",
    "bearer",
    "headers",
    "proxy",
    "ca_file",
    "client_certificate",
    "retries",
    "first_wait",
    "longest_wait",
    "pause",
    "timeout",
    "idle_timeout",
    "whole_timeout",
    "max_bytes",
];

/// Reads a source of this type; paths are relative to `folder`.
pub(super) fn read(
    check: &mut Checker,
    fields: Fields<'_>,
    folder: &Path,
    name: &str,
) -> HarvestSource {
    let text =
        |check: &mut Checker, key: &str| fields.get(key).and_then(|node| check.text(node, key));
    let url = check.required(fields, "url", "the source");
    let url = url.and_then(|node| check.text(node, "url")).unwrap_or_default();
    let mut endpoint = Endpoint::new(url);
    endpoint.post =
        fields.get("post").and_then(|node| check.boolean(node, "post")).unwrap_or(false);
    endpoint.contact = text(check, "contact");
    endpoint.user_agent = text(check, "user_agent");
    endpoint.proxy = text(check, "proxy");
    endpoint.ca_file = text(check, "ca_file").map(|path| folder.join(path));
    endpoint.client_certificate = text(check, "client_certificate").map(|path| folder.join(path));
    endpoint.credentials = credentials(check, fields, folder);
    if let Some(node) = fields.get("headers") {
        for entry in check.mapping(node, "headers").entries() {
            if let Some(secret) = secret(check, &entry.value, "a header", folder) {
                endpoint.headers.push((entry.key.clone(), secret));
            }
        }
    }
    if let Some(policy) = definition::policy(check, fields) {
        endpoint.policy = policy;
    }
    times(check, fields, &mut endpoint);
    let mut sets = Vec::new();
    if let Some(node) = fields.get("sets") {
        for item in check.one_or_many(node) {
            sets.extend(check.text(item, "a set"));
        }
    }
    let bound = |check: &mut Checker, key: &str| {
        let node = fields.get(key)?;
        let text = check.text(node, key)?;
        let parsed = Datestamp::parse(&text);
        if let Err(error) = &parsed {
            check.error("E0103", node.span, format!("{key}: {error}"));
        }
        parsed.ok()
    };
    let from = bound(check, "from").map(|(stamp, _): (Datestamp, Granularity)| stamp);
    let until = bound(check, "until").map(|(stamp, granularity)| stamp.end_of(granularity));
    let journal = text(check, "journal").unwrap_or_else(|| format!("journal/{name}"));
    HarvestSource {
        prefix: text(check, "metadata_prefix").unwrap_or_else(|| "oai_dc".to_owned()),
        endpoint: Arc::new(endpoint),
        sets,
        from,
        until,
        journal: folder.join(journal),
    }
}

fn times(check: &mut Checker, fields: Fields<'_>, endpoint: &mut Endpoint) {
    let seconds = |check: &mut Checker, key: &str, default: Duration| {
        let Some(node) = fields.get(key) else { return default };
        let text = check.text(node, key).unwrap_or_default();
        let number =
            text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        number.unwrap_or_else(|| {
            check.error("E0103", node.span, format!("{key} is `{text}`, expected seconds"));
            default
        })
    };
    let (limits, patience) = (&mut endpoint.limits, &mut endpoint.patience);
    limits.first_byte = seconds(check, "timeout", limits.first_byte);
    limits.idle = seconds(check, "idle_timeout", limits.idle);
    limits.whole = seconds(check, "whole_timeout", limits.whole);
    patience.first_wait = seconds(check, "first_wait", patience.first_wait);
    patience.longest_wait = seconds(check, "longest_wait", patience.longest_wait);
    endpoint.pause = seconds(check, "pause", endpoint.pause);
    let number = |check: &mut Checker, key: &str| {
        let node = fields.get(key)?;
        check.number(node, key)
    };
    if let Some(retries) = number(check, "retries") {
        patience.retries = u32::try_from(retries).unwrap_or(u32::MAX);
    }
    if let Some(bytes) = number(check, "max_bytes") {
        limits.body_bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    }
}

fn credentials(check: &mut Checker, fields: Fields<'_>, folder: &Path) -> Credentials {
    if let Some(node) = fields.get("bearer") {
        return match secret(check, node, "bearer", folder) {
            Some(token) => Credentials::Bearer(token),
            None => Credentials::None,
        };
    }
    let Some(user) = fields.get("user").and_then(|node| check.text(node, "user")) else {
        return Credentials::None;
    };
    let node = check.required(fields, "password", "a source with a user");
    match node.and_then(|node| secret(check, node, "password", folder)) {
        Some(password) => Credentials::Basic(user, password),
        None => Credentials::None,
    }
}

// `{ env: NAME }` or `{ file: PATH }`: a secret does not stand in a pipeline.
fn secret(check: &mut Checker, node: &Node, what: &str, folder: &Path) -> Option<Secret> {
    let fields = check.fields(node, what, &["env", "file"]);
    let found = if let Some(name) = fields.get("env") {
        let name = check.text(name, "env")?;
        std::env::var(&name).map_err(|_| format!("{what}: the environment has no {name}"))
    } else {
        let file = check.required(fields, "file", what)?;
        let path = folder.join(check.text(file, "file")?);
        std::fs::read_to_string(&path)
            .map_err(|error| format!("{what}: cannot read {}: {error}", path.display()))
    };
    match found {
        Ok(text) => Some(Secret::new(text.trim().to_owned())),
        Err(message) => {
            check.error("E0103", node.span, message);
            None
        }
    }
}
