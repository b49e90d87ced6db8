//! Numbers for setSpecs: each set a record is in counts for all sets above it, too.

use std::collections::{BTreeSet, HashMap, HashSet};

use sqlx::sqlite::SqliteConnection;
use sqlx::{query, query_scalar};

use crate::store::StoreError;

/// What is known of sets; kept between transactions only once committed.
#[derive(Debug, Default)]
pub(super) struct SetNumbers {
    /// Of `a:b`: the numbers of `a` and of `a:b`.
    paths: HashMap<String, Vec<i64>>,
    /// setSpecs that have their row in `oaiserver_set`.
    announced: HashSet<String>,
}

impl SetNumbers {
    /// The numbers of all sets that a record with these space-separated setSpecs is in.
    pub(super) fn of(&self, sets: &str) -> Vec<i64> {
        let mut numbers: Vec<i64> =
            sets.split(' ').filter_map(|spec| self.paths.get(spec)).flatten().copied().collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    /// Makes numbers for the specs that have none yet.
    pub(super) async fn number<'a>(
        &mut self,
        connection: &mut SqliteConnection,
        specs: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), StoreError> {
        // In order, so that the same load makes the same numbers.
        let unknown: BTreeSet<&str> = specs
            .into_iter()
            .filter(|spec| !spec.is_empty() && !self.paths.contains_key(*spec))
            .collect();
        for spec in unknown {
            let mut path = Vec::new();
            for (end, _) in spec.match_indices(':').chain([(spec.len(), "")]) {
                let above = spec.get(..end).unwrap_or(spec);
                query("insert into windrow_set (spec) values (?) on conflict (spec) do nothing")
                    .bind(above)
                    .execute(&mut *connection)
                    .await?;
                let number: i64 = query_scalar("select id from windrow_set where spec = ?")
                    .bind(above)
                    .fetch_one(&mut *connection)
                    .await?;
                path.push(number);
            }
            self.paths.insert(spec.to_owned(), path);
        }
        Ok(())
    }

    /// Gives new sets (setSpec to name) their row in `oaiserver_set`, where ListSets finds them.
    pub(super) async fn announce(
        &mut self,
        connection: &mut SqliteConnection,
        names: &HashMap<String, String>,
        now: &str,
    ) -> Result<(), StoreError> {
        let mut new: Vec<_> =
            names.iter().filter(|(spec, _)| !self.announced.contains(*spec)).collect();
        new.sort_unstable();
        for (spec, name) in new {
            query(
                "insert into oaiserver_set (spec, name, system_created, created, updated) \
                 values (?1, ?2, 0, ?3, ?3) on conflict (spec) do nothing",
            )
            .bind(spec)
            .bind(name)
            .bind(now)
            .execute(&mut *connection)
            .await?;
            self.announced.insert(spec.clone());
        }
        Ok(())
    }
}
