//! `windrow.yaml`: what a site says about the endpoint it runs.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::containers;
use crate::crosswalk::{Crosswalk, CrosswalkError};
use crate::oai::DeletedRecord;
use crate::serializers::{OAI_DC, Serializer, custom, serializers};
use crate::server::{Compression, Limits, ServerConfig};
use crate::yaml::{Checker, Diagnostics, Fields, Kind, Node, SourceText, parse};

/// A site, as its file has it; what the file does not say is as it is without one.
pub struct Site {
    /// `store`
    pub store: Option<String>,
    /// `serve.listen`
    pub listen: Option<SocketAddr>,
    /// `serve.base_url`; without, the address listened on.
    pub base_url: Option<String>,
    /// What the server is told.
    pub config: ServerConfig,
    /// `serve.token_keys`; without, the store's own.
    pub token_keys: Vec<[u8; 32]>,
    /// `serve.formats`, or all of the table.
    pub serializers: Vec<Serializer>,
}

const KEYS: &[&str] = &[
    "listen",
    "base_url",
    "repository_name",
    "repository_id",
    "admin_emails",
    "page_size",
    "token_keys",
    "complete_list_size",
    "deleted_record",
    "hosts",
    "trusted_proxies",
    "crosswalks",
    "formats",
    "descriptions",
    "about",
    "compression",
    "limits",
];
const LIMITS: &[&str] =
    &["requests_per_minute", "connections", "idle", "answer", "shutdown", "cache_bytes"];

/// A key shorter than this may be guessed.
const SHORTEST_KEY: usize = 16;

impl Site {
    /// A site without a file. A file of `crosswalks` replaces the built-in one of its name.
    ///
    /// # Errors
    /// [`CrosswalkError`] when a crosswalk has mistakes.
    pub fn plain(crosswalks: Option<&Path>) -> Result<Site, CrosswalkError> {
        Ok(Site {
            store: None,
            listen: None,
            base_url: None,
            config: ServerConfig::default(),
            token_keys: Vec::new(),
            serializers: serializers(crosswalks)?,
        })
    }

    /// Reads a site's file; paths in it are relative to `folder`. `crosswalks` is what the command
    /// line says in place of the file.
    ///
    /// # Errors
    /// Every mistake of the file, and of the crosswalks that it names.
    pub fn read(
        source: &Arc<SourceText>,
        folder: &Path,
        crosswalks: Option<&Path>,
    ) -> Result<Site, Diagnostics> {
        let root = parse(source)?;
        let mut check = Checker::new(source);
        let fields = check.fields(&root, "the configuration", &["store", "serve"]);
        let store = text(&mut check, fields, "store");
        let empty = Node { span: fields.span, kind: Kind::Map(Vec::new()) };
        let fields = check.fields(fields.get("serve").unwrap_or(&empty), "serve", KEYS);
        let mut reading = Reading { check, fields, folder };
        let config = reading.config();
        let listen = reading.listen();
        let base_url = reading.text("base_url");
        let token_keys = reading.token_keys();
        let serializers = reading.serializers(crosswalks);
        reading.check.finish(Site { store, listen, base_url, config, token_keys, serializers })
    }
}

/// The file in reading: `serve`, and the folder that its paths are relative to.
struct Reading<'f> {
    check: Checker,
    fields: Fields<'f>,
    folder: &'f Path,
}

impl Reading<'_> {
    fn text(&mut self, key: &str) -> Option<String> {
        text(&mut self.check, self.fields, key)
    }

    fn number<T: TryFrom<u64>>(&mut self, fields: Fields<'_>, key: &str) -> Option<T> {
        let node = fields.get(key)?;
        let number = self.check.number(node, key)?;
        let fitting = T::try_from(number).ok();
        if fitting.is_none() {
            self.check.error("E0103", node.span, format!("{key} is {number}, which is too much"));
        }
        fitting
    }

    fn at_least_one(&mut self, fields: Fields<'_>, key: &str) -> Option<u32> {
        let node = fields.get(key)?;
        let number = self.number(fields, key)?;
        if number == 0 {
            self.check.error("E0103", node.span, format!("{key} is 0, expected 1 or more"));
        }
        Some(number)
    }

    fn texts(&mut self, key: &str) -> Option<Vec<String>> {
        let node = self.fields.get(key)?;
        let texts = self.check.one_or_many(node).iter().map(|item| self.check.text(item, key));
        Some(texts.collect::<Vec<_>>().into_iter().flatten().collect())
    }

    /// The meaning of one of a few words.
    fn word<T: Copy>(&mut self, node: &Node, what: &str, known: &[(&str, T)]) -> Option<T> {
        let word = self.check.text(node, what)?;
        let found = known.iter().find(|(name, _)| *name == word).map(|(_, meaning)| *meaning);
        if found.is_none() {
            let names = known.iter().map(|(name, _)| *name);
            self.check.unknown("E0106", node.span, what, &word, names);
        }
        found
    }

    fn config(&mut self) -> ServerConfig {
        let mut config = ServerConfig::default();
        if let Some(name) = self.text("repository_name") {
            config.repository_name = name;
        }
        if let Some(identifier) = self.text("repository_id") {
            config.repository_identifier = identifier;
        }
        if let Some(admin_emails) = self.texts("admin_emails") {
            config.admin_emails = admin_emails;
        }
        if let Some(page_size) = self.number(self.fields, "page_size") {
            config.page_size = page_size;
        }
        if let Some(node) = self.fields.get("complete_list_size") {
            let known = [("exact", true), ("absent", false)];
            config.counts_lists = self.word(node, "complete_list_size", &known).unwrap_or(true);
        }
        if let Some(node) = self.fields.get("deleted_record") {
            let known = DeletedRecord::NAMES;
            let word = self.word(node, "deleted_record", known);
            config.deleted_record = word.unwrap_or(config.deleted_record);
        }
        config.hosts = self.texts("hosts").unwrap_or_default();
        config.trusted_proxies = self.number(self.fields, "trusted_proxies").unwrap_or(0);
        if let Some(node) = self.fields.get("compression") {
            let words = self.check.list(node, "compression").iter();
            let known = Compression::NAMES;
            let words = words.map(|word| self.word(word, "compression", known));
            config.compressions = words.collect::<Vec<_>>().into_iter().flatten().collect();
        }
        if let Some(node) = self.fields.get("descriptions") {
            config.descriptions = containers::descriptions(&mut self.check, node);
        }
        if let Some(node) = self.fields.get("about") {
            config.about = containers::about(&mut self.check, node);
        }
        config.limits = self.limits();
        config
    }

    fn limits(&mut self) -> Limits {
        let mut limits = Limits::default();
        let Some(node) = self.fields.get("limits") else { return limits };
        let fields = self.check.fields(node, "limits", LIMITS);
        limits.requests_per_minute =
            self.at_least_one(fields, "requests_per_minute").and_then(NonZeroU32::new);
        let mut seconds = |key: &str, default: Duration| {
            self.number(fields, key).map_or(default, Duration::from_secs)
        };
        limits.idle = seconds("idle", limits.idle);
        limits.answer = seconds("answer", limits.answer);
        limits.shutdown = seconds("shutdown", limits.shutdown);
        if let Some(connections) = self.at_least_one(fields, "connections") {
            limits.connections = usize::try_from(connections).unwrap_or(usize::MAX);
        }
        limits.cache_bytes = self.number(fields, "cache_bytes").unwrap_or(limits.cache_bytes);
        limits
    }

    fn listen(&mut self) -> Option<SocketAddr> {
        let node = self.fields.get("listen")?;
        let text = self.check.text(node, "listen")?;
        let address = text.parse().ok();
        if address.is_none() {
            let message = format!("listen is `{text}`, expected an address such as 127.0.0.1:8080");
            self.check.error("E0103", node.span, message);
        }
        address
    }

    /// Keys of any length, brought to one length; the first signs.
    fn token_keys(&mut self) -> Vec<[u8; 32]> {
        let Some(node) = self.fields.get("token_keys") else { return Vec::new() };
        let nodes = self.check.list(node, "token_keys");
        nodes.iter().filter_map(|node| self.token_key(node)).collect()
    }

    // `{ env: NAME }` or `{ file: PATH }`: a secret does not stand in a configuration.
    fn token_key(&mut self, node: &Node) -> Option<[u8; 32]> {
        let fields = self.check.fields(node, "a token key", &["env", "file"]);
        let found = match text(&mut self.check, fields, "env") {
            Some(name) => {
                std::env::var(&name).map_err(|_| format!("the environment has no {name}"))
            }
            None => {
                let file = self.check.required(fields, "file", "a token key")?;
                let path = self.folder.join(self.check.text(file, "file")?);
                std::fs::read_to_string(&path)
                    .map_err(|error| format!("cannot read {}: {error}", path.display()))
            }
        };
        let found = found.and_then(|key| match key.trim() {
            key if key.len() >= SHORTEST_KEY => Ok(Sha256::digest(key).into()),
            key => Err(format!(
                "a token key has {} characters, expected {SHORTEST_KEY} or more",
                key.len()
            )),
        });
        found.map_err(|message| self.check.error("E0103", node.span, message)).ok()
    }

    fn serializers(&mut self, crosswalks: Option<&Path>) -> Vec<Serializer> {
        let of_file = self.text("crosswalks").map(|folder| self.folder.join(folder));
        let crosswalks = crosswalks.map(Path::to_owned).or(of_file);
        let known = match serializers(crosswalks.as_deref()) {
            Ok(known) => known,
            Err(error) => {
                self.complain(self.fields.get("crosswalks"), error);
                Vec::new()
            }
        };
        let Some(node) = self.fields.get("formats") else { return known };
        let mut table: Vec<Option<Serializer>> = known.into_iter().map(Some).collect();
        let nodes = self.check.list(node, "formats");
        let mut chosen: Vec<Serializer> = Vec::new();
        for node in nodes {
            let Some(serializer) = self.serializer(node, &mut table) else { continue };
            if chosen.iter().any(|other| other.prefix == serializer.prefix) {
                let message = format!("format `{}` stands here twice", serializer.prefix);
                self.check.error("E0103", node.span, message);
            }
            chosen.push(serializer);
        }
        if self.check.is_clean() && !chosen.iter().any(|row| row.prefix == OAI_DC) {
            let message = "formats have no `oai_dc`, which every repository must offer";
            self.check.error("E0102", node.span, message);
        }
        chosen
    }

    /// A format of the table by its prefix, or one of the site's own.
    fn serializer(&mut self, node: &Node, table: &mut [Option<Serializer>]) -> Option<Serializer> {
        if !matches!(node.kind, Kind::Map(_)) {
            let prefix = self.check.text(node, "a format")?;
            let is_it = |row: &&mut Option<Serializer>| {
                row.as_ref().is_some_and(|row| row.prefix == prefix)
            };
            if let Some(row) = table.iter_mut().find(is_it) {
                return row.take();
            }
            let known = table.iter().flatten().map(|row| row.prefix.as_str());
            self.check.unknown("E0106", node.span, "format", &prefix, known);
            return None;
        }
        let keys = ["prefix", "namespace", "schema", "crosswalk"];
        let fields = self.check.fields(node, "a format", &keys);
        let [prefix, namespace, schema, crosswalk] = keys.map(|key| {
            let node = self.check.required(fields, key, "a format")?;
            self.check.text(node, key)
        });
        let (prefix, namespace, schema) = (prefix?, namespace?, schema?);
        let place = fields.get("prefix").map_or(node.span, |node| node.span);
        if prefix.contains(':') || prefix.parse::<crate::record::SetSpec>().is_err() {
            let message = format!("prefix is `{prefix}`, expected letters, digits and -_.!~*'()");
            self.check.error("E0103", place, message);
        }
        let path: PathBuf = self.folder.join(crosswalk?);
        let crosswalk = match Crosswalk::load(&path) {
            Ok(crosswalk) => crosswalk,
            Err(error) => {
                self.complain(fields.get("crosswalk"), error);
                return None;
            }
        };
        let made = custom(&prefix, &namespace, &schema, crosswalk);
        made.map_err(|message| self.check.error("E0103", node.span, message)).ok()
    }

    /// Notes the mistakes of a crosswalk, or that it cannot be read, where the site names it.
    fn complain(&mut self, node: Option<&Node>, error: CrosswalkError) {
        match error {
            CrosswalkError::Invalid(mistakes) => self.check.absorb(mistakes),
            CrosswalkError::Read { .. } => {
                let span = node.map_or(self.fields.span, |node| node.span);
                self.check.error("E0501", span, error.to_string());
            }
        }
    }
}

fn text(check: &mut Checker, fields: Fields<'_>, key: &str) -> Option<String> {
    fields.get(key).and_then(|node| check.text(node, key))
}
