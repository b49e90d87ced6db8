//! How records leave: a table of metadata formats, each with its writer.

mod table;

use thiserror::Error;

pub use table::serializers;

use crate::store::{Item, ItemContent};

/// A record that could not be written in a format.
#[derive(Debug, Error)]
#[error("{pid_value} cannot be written as {prefix}: {message}")]
pub struct SerializeError {
    /// The record.
    pub pid_value: String,
    /// The metadataPrefix.
    pub prefix: String,
    /// The reason.
    pub message: String,
}

type Write = dyn Fn(&Item) -> Result<String, String> + Send + Sync;

/// One metadata format that the endpoint offers.
pub struct Serializer {
    /// metadataPrefix.
    pub prefix: &'static str,
    /// XML namespace of its root.
    pub namespace: &'static str,
    /// Location of its XSD.
    pub schema: &'static str,
    /// What it is written from; an item without it cannot be disseminated in this format.
    pub content: ItemContent,
    write: Box<Write>,
}

impl Serializer {
    /// A serializer that writes with `write`: one XML element, without XML declaration.
    pub fn new(
        prefix: &'static str,
        namespace: &'static str,
        schema: &'static str,
        content: ItemContent,
        write: impl Fn(&Item) -> Result<String, String> + Send + Sync + 'static,
    ) -> Serializer {
        Serializer { prefix, namespace, schema, content, write: Box::new(write) }
    }

    /// Whether this item can be written in this format.
    #[must_use]
    pub fn can_write(&self, item: &Item) -> bool {
        match self.content {
            ItemContent::Header => true,
            ItemContent::Json => item.json.is_some(),
            ItemContent::Source => item.source.is_some(),
        }
    }

    /// The item's metadata as one XML element that declares its own namespaces.
    ///
    /// # Errors
    /// [`SerializeError`] names the record and the reason.
    pub fn write(&self, item: &Item) -> Result<String, SerializeError> {
        (self.write)(item).map_err(|message| SerializeError {
            pid_value: item.header.pid_value.clone(),
            prefix: self.prefix.to_owned(),
            message,
        })
    }
}
