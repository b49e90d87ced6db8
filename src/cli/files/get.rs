//! `windrow files get`: the bytes of a file, compared with its checksum on the way.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use uuid::Uuid;

use super::super::{Failure, Outcome, usage};
use super::{Desk, verify};
use crate::files::{self, Access};
use crate::records::Name;
use crate::store::StoredInstance;

pub(super) async fn run(
    desk: &Desk,
    (record, key, version): (&Name, &str, Option<Uuid>),
    output: Option<PathBuf>,
) -> Result<Outcome, Failure> {
    let id = desk.record(record).await?;
    let objects = desk.objects(id).await?;
    let object = objects.into_iter().find(|object| {
        object.key == key && version.map_or(object.is_head, |it| object.version_id == it)
    });
    let missing = || anyhow!("record {id} has no file {key:?}");
    let instance = object.ok_or_else(missing)?.instance;
    let instance = instance.with_context(|| format!("file {key:?} of record {id} is deleted"))?;
    let access = desk.access.clone();
    let copied = tokio::task::spawn_blocking(move || match output {
        Some(path) => to_file(&instance, &access, &path),
        None => copy(&instance, &access, &mut std::io::stdout().lock()),
    });
    copied.await??;
    Ok(Outcome::Clean)
}

/// The file gets its name when all of it is there and right; until then it is `NAME.partial`. What
/// is there and is no file, a device or a pipe, is written at once.
fn to_file(instance: &StoredInstance, access: &Access, path: &Path) -> Result<(), Failure> {
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let create = |path: &Path| {
        let file = File::create(path);
        file.map_err(|error| usage(anyhow!("cannot write {}: {error}", path.display())))
    };
    if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        return copy(instance, access, &mut create(path)?);
    }
    let mut partial = path.clone().into_os_string();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let mut file = create(&partial)?;
    let copied = copy(instance, access, &mut file).and_then(|()| {
        file.sync_all()?;
        Ok(fs::rename(&partial, path)?)
    });
    if copied.is_err() {
        // What went wrong is told; that a part of it stays is no news.
        let _removed = fs::remove_file(&partial);
    }
    copied
}

fn copy(instance: &StoredInstance, access: &Access, out: &mut dyn Write) -> Result<(), Failure> {
    let mut bytes = files::open(&instance.uri, access)?;
    let mut summing = files::Summing::default();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let length = bytes.read(&mut buffer)?;
        if length == 0 {
            break;
        }
        let read = buffer.get(..length).unwrap_or_default();
        summing.add(read);
        out.write_all(read)?;
    }
    out.flush()?;
    Ok(summing.end().check(&instance.uri, &verify::expected_of(instance))?)
}
