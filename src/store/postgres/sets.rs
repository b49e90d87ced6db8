//! Numbers for setSpecs: each set a record is in counts for all sets above it, too.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use sqlx::postgres::PgConnection;
use sqlx::{query, query_as};

use super::moment::Moment;
use crate::store::StoreError;

// oaiserver_set.name is varchar(255).
const NAME_LENGTH: usize = 255;

/// What is known of committed sets, by all connections.
#[derive(Debug, Default, Clone)]
pub(super) struct Sets {
    /// Of `a:b`: the numbers of `a` and of `a:b`.
    paths: HashMap<String, Vec<i64>>,
    /// setSpecs that have their row in `oaiserver_set`.
    announced: HashSet<String>,
}

/// The committed sets, and what one transaction adds to them.
#[derive(Debug)]
pub(super) struct SetNumbers {
    known: Arc<Sets>,
    new: Sets,
}

impl Sets {
    /// Takes over what a transaction added, once it is committed.
    pub(super) fn learn(&mut self, numbers: SetNumbers) {
        self.paths.extend(numbers.new.paths);
        self.announced.extend(numbers.new.announced);
    }
}

impl SetNumbers {
    /// Begins with the committed sets.
    pub(super) fn new(known: Arc<Sets>) -> SetNumbers {
        SetNumbers { known, new: Sets::default() }
    }

    /// Whether there is something to [`Sets::learn`].
    pub(super) fn has_news(&self) -> bool {
        !self.new.paths.is_empty() || !self.new.announced.is_empty()
    }

    /// The numbers of all sets that a record with these space-separated setSpecs is in.
    pub(super) fn of(&self, sets: &str) -> Vec<i64> {
        let path = |spec| self.known.paths.get(spec).or_else(|| self.new.paths.get(spec));
        let mut numbers: Vec<i64> = sets.split(' ').filter_map(path).flatten().copied().collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    /// Makes numbers for the specs that have none yet.
    pub(super) async fn number<'a>(
        &mut self,
        connection: &mut PgConnection,
        specs: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), StoreError> {
        let unknown: BTreeSet<&str> = specs
            .into_iter()
            .filter(|spec| !spec.is_empty() && !self.known.paths.contains_key(*spec))
            .collect();
        if unknown.is_empty() {
            return Ok(());
        }
        // Sorted: whoever makes some of the same sets waits for the first, and nobody in a circle.
        let all: BTreeSet<&str> = unknown.iter().flat_map(|spec| path(spec)).collect();
        let all: Vec<&str> = all.into_iter().collect();
        query(
            "insert into windrow_set (spec) select unnest($1::text[]) on conflict (spec) do nothing",
        )
        .bind(&all)
        .execute(&mut *connection)
        .await?;
        let numbers: Vec<(String, i64)> =
            query_as("select spec, id from windrow_set where spec = any($1)")
                .bind(&all)
                .fetch_all(connection)
                .await?;
        let numbers: HashMap<String, i64> = numbers.into_iter().collect();
        for spec in unknown {
            let path = path(spec).filter_map(|spec| numbers.get(spec).copied()).collect();
            self.new.paths.insert(spec.to_owned(), path);
        }
        Ok(())
    }

    /// Gives new sets (setSpec to name) their row in `oaiserver_set`, where ListSets finds them.
    pub(super) async fn announce(
        &mut self,
        connection: &mut PgConnection,
        names: &HashMap<String, String>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let new: BTreeMap<&str, String> = names
            .iter()
            .filter(|(spec, _)| !self.known.announced.contains(*spec))
            .map(|(spec, name)| (spec.as_str(), name.chars().take(NAME_LENGTH).collect()))
            .collect();
        if new.is_empty() {
            return Ok(());
        }
        let (specs, names): (Vec<&str>, Vec<String>) = new.into_iter().unzip();
        query(
            "insert into oaiserver_set (spec, name, system_created, created, updated) \
             select spec, name, false, $3, $3 from unnest($1::text[], $2::text[]) as u (spec, name) \
             on conflict (spec) do nothing",
        )
        .bind(&specs)
        .bind(names)
        .bind(Moment(now))
        .execute(connection)
        .await?;
        self.new.announced.extend(specs.into_iter().map(str::to_owned));
        Ok(())
    }
}

/// Of `a:b`: `a` and `a:b`.
fn path(spec: &str) -> impl Iterator<Item = &str> {
    let ends = spec.match_indices(':').map(|(end, _)| end).chain([spec.len()]);
    ends.filter_map(|end| spec.get(..end))
}
