//! Runners: one plan over many records, memory reused.

use std::time::Duration;

use super::account::{Account, State};
use super::ignore::IgnoreCache;
use super::input::{FieldIndex, JsonInput, MarcInput, Source, XmlInput};
use super::known::KnownByClass;
use super::plan::{Input, OfUnmapped, Plan};
use super::run::{Held, Run};
use super::shape::Buffers;
use super::trace::Trace;
use crate::formats::SourceRecord;
use crate::formats::envelope::{Header, header};
use crate::formats::marc21::Marc;
use crate::json::tree::Tree;
use crate::record::Locator;
use crate::xml::tree::Tree as XmlTree;

/// What is kept from record to record only for its memory.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Positions of values, which [`Origins::Many`] points into.
    pub origins: Vec<u32>,
    /// What was done with which value, in order.
    pub marks: Vec<(u32, State)>,
    /// A text that is no longer used, to be filled again.
    pub text: String,
    /// The final state of each value.
    pub states: Vec<State>,
    /// Buffers for each depth of objects.
    pub pool: Vec<Buffers>,
    pub ignored: IgnoreCache,
    pub known: KnownByClass,
    /// How often each step and case of the plan was used.
    pub uses: Vec<u64>,
    /// Time spent in each rule, when that is wanted.
    pub times: Option<Vec<Duration>>,
    /// Where each value of the output comes from, when that is wanted.
    pub trace: Option<Box<Trace>>,
}

/// A record to be mapped.
#[derive(Debug, Clone, Copy)]
enum Given<'g> {
    Marc(&'g Marc),
    Json(&'g Tree<'g>),
    Xml(&'g XmlTree),
}

/// Runs one plan over many records, reusing its memory. One runner a worker.
#[derive(Debug)]
pub struct Runner<'p> {
    plan: &'p Plan,
    memory: Memory,
    index: FieldIndex,
    /// Whether the last record is surely valid.
    sure: bool,
    /// Whether what became of each value is noted.
    accounts: bool,
    /// What became of every value so far.
    pub account: Account,
}

impl<'p> Runner<'p> {
    /// A runner of this plan.
    #[must_use]
    pub fn new(plan: &'p Plan) -> Runner<'p> {
        let pool = (0..=plan.depth).map(|_| Buffers::default()).collect();
        let memory = Memory { pool, uses: vec![0; plan.labels.len()], ..Memory::default() };
        Runner {
            plan,
            memory,
            index: FieldIndex::default(),
            sure: false,
            accounts: true,
            account: Account::default(),
        }
    }

    /// A runner for whoever wants the output only: [`Runner::account`] knows of problems, and not
    /// what became of each value, unless the plan asks for that.
    #[must_use]
    pub fn without_account(plan: &'p Plan) -> Runner<'p> {
        let accounts = !matches!(plan.unmapped, OfUnmapped::Report);
        Runner { accounts, ..Runner::new(plan) }
    }

    /// How often each of [`Plan::labels`] was used: wrote a value, built an object, was taken.
    #[must_use]
    pub fn uses(&self) -> &[u64] {
        &self.memory.uses
    }

    /// Whether the last record is surely what the crosswalk's target schema asks for, by the way
    /// it was made; `false` is for a validator to judge.
    #[must_use]
    pub fn is_surely_valid(&self) -> bool {
        self.sure
    }

    /// From now on measures the time that each rule takes.
    pub fn measure(&mut self) {
        self.memory.times = Some(vec![Duration::ZERO; self.plan.rules.len()]);
    }

    /// The time that each of [`Plan::rules`] took; empty when it is not measured.
    #[must_use]
    pub fn times(&self) -> &[Duration] {
        self.memory.times.as_deref().unwrap_or_default()
    }

    /// Maps one record and tells where each value of the output comes from.
    ///
    /// # Errors
    /// Like [`Runner::run`]; the trace tells what was mapped before.
    pub fn explain(
        &mut self,
        source: &SourceRecord,
        out: &mut Vec<u8>,
    ) -> (Result<(), Held>, Trace) {
        self.memory.trace = Some(Box::default());
        let result = self.run(source, out);
        let trace = self.memory.trace.take().map(|trace| *trace).unwrap_or_default();
        (result, trace)
    }

    /// Says where the record stands that was mapped last, for the problems that it had.
    pub fn locate(&mut self, locator: &Locator) {
        self.account.problems.locate(|| locator.to_string());
    }

    /// Maps one record; `out` is replaced by its bytes: canonical JSON, an XML
    /// element, or `<record>` of MARCXML.
    ///
    /// # Errors
    /// [`Held`] when a policy holds the record back; `out` is then of no use.
    pub fn run(&mut self, source: &SourceRecord, out: &mut Vec<u8>) -> Result<(), Held> {
        let id = source.control_number().unwrap_or("");
        match source {
            SourceRecord::Marc(marc) => self.map(Given::Marc(marc), id, out),
            SourceRecord::Json(root) => self.run_json(&Tree::of(root), id, out),
            SourceRecord::Xml(tree) => self.map(Given::Xml(tree), id, out),
        }
    }

    /// As [`Runner::run`], of a document; messages name it by `id`.
    ///
    /// # Errors
    /// Like [`Runner::run`].
    pub fn run_json(&mut self, json: &Tree<'_>, id: &str, out: &mut Vec<u8>) -> Result<(), Held> {
        self.map(Given::Json(json), id, out)
    }

    fn map(&mut self, given: Given<'_>, id: &str, out: &mut Vec<u8>) -> Result<(), Held> {
        out.clear();
        let plan = self.plan;
        let is_tombstone = !plan.tombstone.is_empty() && is_tombstone(given, &plan.input);
        let rules = if is_tombstone { &plan.tombstone } else { &plan.rules };
        let source = match (given, &plan.input) {
            (Given::Marc(marc), Input::Marc) => {
                Source::Marc(MarcInput::new(marc, &plan.chains, &mut self.account, &mut self.index))
            }
            (Given::Json(tree), Input::Json | Input::Columns) => {
                Source::Json(JsonInput::new(tree, self.accounts))
            }
            (Given::Xml(tree), Input::Xml { record, namespaces }) => {
                // A tombstone is its header.
                let record = record.as_ref().filter(|_| !is_tombstone);
                match XmlInput::new(tree, record.map(String::as_str), namespaces) {
                    Some(input) => Source::Xml(input),
                    None => {
                        let record = record.map_or("record", String::as_str);
                        let message = format!("there is no element {record} in it");
                        return Err(refused("record", message, false));
                    }
                }
            }
            _ => {
                let message = "the record is not of the format that the crosswalk reads".to_owned();
                return Err(refused("format", message, true));
            }
        };
        let mut run = Run {
            plan,
            id,
            source,
            bindings: Vec::new(),
            output: None,
            sure: true,
            pairs: 0,
            nodes: Vec::with_capacity(16),
            spare: Vec::with_capacity(8),
            pieces: Vec::new(),
            memory: &mut self.memory,
            account: &mut self.account,
        };
        run.memory.origins.clear();
        run.memory.marks.clear();
        run.account.next_record();
        let mut buffers = run.buffers(0, plan.shape.slots());
        let mut result = run.rules(rules, &mut buffers);
        if self.accounts && result.is_ok() {
            result = run.settle(&mut buffers);
        }
        let keeps = matches!(plan.unmapped, OfUnmapped::Keep(_));
        let demands = plan.demands.as_ref().filter(|_| run.sure && !keeps && result.is_ok());
        self.sure = plan.shape.is_filled(&buffers)
            && demands.is_some_and(|demands| demands.hold(buffers.filled()));
        if result.is_ok() {
            plan.output.write(&plan.shape, &buffers, out);
        }
        if let Some(place) = self.memory.pool.first_mut() {
            *place = buffers;
        }
        result.map_err(|held| *held)
    }
}

/// Whether a record is deleted and has nothing else to say: an OAI-PMH header without metadata, or
/// a MARC record without data fields.
fn is_tombstone(given: Given<'_>, input: &Input) -> bool {
    match (given, input) {
        (Given::Marc(marc), Input::Marc) => {
            let is_deleted = marc.leader().0.get(5) == Some(&b'd');
            is_deleted && marc.fields().all(|field| field.tag().is_control())
        }
        (Given::Xml(tree), Input::Xml { record, namespaces }) => {
            header(tree).is_some_and(Header::is_deleted)
                && (record.is_none()
                    || XmlInput::new(tree, record.as_deref(), namespaces).is_none())
        }
        _ => false,
    }
}

fn refused(code: &str, message: String, fatal: bool) -> Held {
    Held { rule: String::new(), code: code.to_owned(), message, fatal }
}
