//! A pipeline's endpoint: what is asked of it, and the journals that its lists are kept in.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::definition;
use super::limits::percent;
use super::period::{EXPECTED, period};
use super::reconcile::{MaxDelete, Reconcile};
use crate::formats::{self, Format};
use crate::oai::ListVerb;
use crate::record::{Datestamp, Granularity};
use crate::source::Halt;
use crate::source::oai_pmh::{
    Client, Credentials, Endpoint, Harvest, HarvestError, Journal, Report, Secret, Selection,
    Standing, State, first_received, page_files, run_of,
};
use crate::yaml::{Checker, Fields, Node};

/// No endpoint is asked for more windows at once.
const MOST_WINDOWS: usize = 64;

/// `source` of a pipeline with `type: oai-pmh`.
#[derive(Debug, Clone)]
pub struct HarvestSource {
    /// `name`, or the pipeline's.
    pub name: String,
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
    /// `reconcile` and `max_delete`
    pub reconcile: Option<Reconcile>,
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
    /// A window that is open and why, for people; `None` when all came.
    #[must_use]
    pub fn open(&self) -> Option<String> {
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
    /// The endpoint's base URL, as others may see it: without user, password and arguments.
    pub(super) fn base_url(&self) -> String {
        let url = &self.endpoint.url;
        let url = url.split(['?', '#']).next().unwrap_or_default();
        let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
        let (host, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let host = host.rsplit('@').next().unwrap_or_default();
        format!("{scheme}://{host}{path}")
    }

    /// The journal of each list: of each set, or of the whole.
    pub(super) fn lists(&self) -> Vec<(Option<&str>, PathBuf)> {
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
    pub async fn harvest(&self, halt: &Halt) -> Harvests {
        let mut harvests = Harvests::default();
        let client = match Client::new(Arc::clone(&self.endpoint)) {
            Ok(client) => client,
            Err(error) => return Harvests { error: Some(error), ..harvests },
        };
        for (set, folder) in self.lists() {
            match self.list(&client, set, &folder, halt).await {
                Ok(report) => harvests.reports.push(report),
                Err(HarvestError::Halted) => {
                    return Harvests { error: Some(HarvestError::Halted), ..harvests };
                }
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
        halt: &Halt,
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
        let harvest = Harvest::new(client, verb, selection, Some(journal), &mut take);
        harvest.until(halt.clone()).run().await
    }

    /// Whether a record of these sets belongs to the lists that are asked for.
    pub(super) fn has(&self, set_specs: &[String]) -> bool {
        let is_in = |spec: &String, set: &String| {
            spec.strip_prefix(set.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
        };
        self.sets.is_empty()
            || set_specs.iter().any(|spec| self.sets.iter().any(|set| is_in(spec, set)))
    }

    /// The files of pages that are to be loaded, each with the name that messages and checkpoints
    /// use: those that were not loaded yet, or `all`; in the order in which they came, since what
    /// one list deletes another may bring back.
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
                    let received = first_received(&path)?;
                    files.push((received, (path.clone(), inside.display().to_string())));
                }
            }
        }
        files.sort_by_key(|(received, _)| *received);
        Ok(files.into_iter().map(|(_, file)| file).collect())
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
    "requests_per_second",
    "windows",
    "reconcile",
    "max_delete",
    "connect_timeout",
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
        name: name.to_owned(),
        reconcile: reconcile(check, fields),
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
        let Some(text) = check.text(node, key) else { return default };
        let number =
            text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        number.unwrap_or_else(|| {
            check.error("E0103", node.span, format!("{key} is `{text}`, expected seconds"));
            default
        })
    };
    let (limits, patience) = (&mut endpoint.limits, &mut endpoint.patience);
    limits.connect = seconds(check, "connect_timeout", limits.connect);
    limits.first_byte = seconds(check, "timeout", limits.first_byte);
    limits.idle = seconds(check, "idle_timeout", limits.idle);
    limits.whole = seconds(check, "whole_timeout", limits.whole);
    patience.first_wait = seconds(check, "first_wait", patience.first_wait);
    patience.longest_wait = seconds(check, "longest_wait", patience.longest_wait);
    endpoint.pause = seconds(check, "pause", endpoint.pause);
    let rate = fields.get("requests_per_second");
    let rate = rate.and_then(|node| Some((node, check.text(node, "requests_per_second")?)));
    if let Some((node, text)) = rate {
        let pause: Option<f64> = text.parse().ok().filter(|rate| *rate > 0.0).map(f64::recip);
        match pause.and_then(|pause| Duration::try_from_secs_f64(pause).ok()) {
            Some(pause) => endpoint.pause = endpoint.pause.max(pause),
            None => check.error(
                "E0103",
                node.span,
                format!("requests_per_second is `{text}`, expected a number above 0"),
            ),
        }
    }
    let number = |check: &mut Checker, key: &str| {
        let node = fields.get(key)?;
        check.number(node, key)
    };
    if let Some(retries) = number(check, "retries") {
        patience.retries = u32::try_from(retries).unwrap_or(u32::MAX);
    }
    if let Some(windows) = number(check, "windows") {
        match usize::try_from(windows) {
            Ok(windows @ 1..=MOST_WINDOWS) => endpoint.windows = windows,
            _ => {
                let span = fields.get("windows").map_or(fields.span, |node| node.span);
                let message = format!("windows is {windows}, expected 1 to {MOST_WINDOWS}");
                check.error("E0103", span, message);
            }
        }
    }
    if let Some(bytes) = number(check, "max_bytes") {
        limits.body_bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    }
}

fn reconcile(check: &mut Checker, fields: Fields<'_>) -> Option<Reconcile> {
    let mut most = MaxDelete::Percent(1.0);
    let share = fields.get("max_delete");
    if let Some((node, text)) = share.and_then(|node| Some((node, check.text(node, "max_delete")?)))
    {
        let given = percent(&text).map(MaxDelete::Percent);
        match given.or_else(|| text.parse().ok().map(MaxDelete::Records)) {
            Some(given) => most = given,
            None => {
                let expected = "expected a share such as 1% or a number of records";
                check.error("E0103", node.span, format!("max_delete is `{text}`, {expected}"));
            }
        }
        if fields.get("reconcile").is_none() {
            let message = "max_delete is of use with `reconcile` only";
            check.error("E0102", node.span, message);
        }
    }
    let node = fields.get("reconcile")?;
    let text = check.text(node, "reconcile")?;
    let every = period(&text);
    if every.is_none() {
        check.error("E0103", node.span, format!("reconcile is `{text}`, {EXPECTED}"));
    }
    Some(Reconcile { every: every?, most })
}

fn credentials(check: &mut Checker, fields: Fields<'_>, folder: &Path) -> Credentials {
    if let Some(node) = fields.get("bearer") {
        for key in ["user", "password"] {
            if let Some(other) = fields.get(key) {
                let message = format!("{key} beside `bearer`, expected one of the two");
                check.error("E0102", other.span, message);
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fixtures_of_mistakes_have_every_key() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/configuration");
        let read = |file: &str| std::fs::read_to_string(folder.join(file)).unwrap();
        let misspelled = read("harvest_keys_misspelled/expect.txt");
        let cases = ["harvest_values_wrong", "harvest_password_wrong", "source_type_unknown"];
        let wrong = cases.map(|case| read(&format!("{case}/pipeline.yaml"))).concat();
        for key in KEYS {
            assert!(misspelled.contains(&format!("did you mean `{key}`?")), "{key}");
            assert!(wrong.contains(&format!(" {key}: ")), "{key}");
        }
    }
}
