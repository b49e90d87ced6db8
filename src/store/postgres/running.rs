//! Which pipelines this process runs: locked for as long as its connection lives.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection, query_scalar};

use crate::store::StoreError;
use crate::store::claims::Claims;

/// Advisory locks on one connection that does nothing else. The server lets go of them when the
/// connection ends, however it ends.
pub(super) struct Running {
    options: PgConnectOptions,
    connection: Option<PgConnection>,
    pipelines: BTreeSet<String>,
    claims: Claims,
}

impl Running {
    /// No pipeline yet, and no connection.
    pub(super) fn new(options: PgConnectOptions) -> Running {
        Running { options, connection: None, pipelines: BTreeSet::new(), claims: Claims::default() }
    }

    /// Locks a pipeline, unless this process has it already.
    ///
    /// # Errors
    /// [`StoreError::Running`] when another process has it.
    pub(super) async fn begin(&mut self, pipeline: &str) -> Result<(), StoreError> {
        self.renew().await?;
        if !self.pipelines.contains(pipeline) {
            self.lock(pipeline).await?;
            self.pipelines.insert(pipeline.to_owned());
        }
        Ok(())
    }

    /// As [`Running::begin`], until it is released.
    pub(super) async fn claim(&mut self, pipeline: &str) -> Result<(), StoreError> {
        self.begin(pipeline).await?;
        self.claims.add(pipeline);
        Ok(())
    }

    /// Takes a claim back.
    pub(super) async fn release(&mut self, pipeline: &str) {
        if self.claims.take(pipeline) {
            self.end(pipeline).await;
        }
    }

    /// Lets go of a pipeline that nobody claims.
    pub(super) async fn end(&mut self, pipeline: &str) {
        if !self.claims.has(pipeline)
            && self.pipelines.remove(pipeline)
            && let Some(connection) = &mut self.connection
        {
            let unlock = query_scalar("select pg_advisory_unlock($1)").bind(key(pipeline));
            let unlocked: Result<bool, _> = unlock.fetch_one(connection).await;
            if unlocked.is_err() {
                // The connection is gone, and its locks with it; those of others are renewed.
                self.connection = None;
            }
        }
    }

    /// Connects anew and locks the same pipelines again when the connection is lost.
    ///
    /// # Errors
    /// [`StoreError::Running`] when another process was faster.
    pub(super) async fn renew(&mut self) -> Result<(), StoreError> {
        if let Some(connection) = &mut self.connection {
            if connection.ping().await.is_ok() {
                return Ok(());
            }
            self.connection = None;
        }
        for pipeline in self.pipelines.clone() {
            if let Err(error) = self.lock(&pipeline).await {
                // All or none: the next attempt begins again.
                self.connection = None;
                return Err(error);
            }
        }
        Ok(())
    }

    async fn lock(&mut self, pipeline: &str) -> Result<(), StoreError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.options.connect().await?,
        };
        let lock = query_scalar("select pg_try_advisory_lock($1)").bind(key(pipeline));
        let locked: bool = lock.fetch_one(&mut connection).await?;
        self.connection = Some(connection);
        if locked { Ok(()) } else { Err(StoreError::Running(pipeline.to_owned())) }
    }
}

fn key(pipeline: &str) -> i64 {
    let hash = Sha256::digest(format!("windrow run {pipeline}"));
    hash.first_chunk::<8>().map_or(0, |bytes| i64::from_be_bytes(*bytes))
}
