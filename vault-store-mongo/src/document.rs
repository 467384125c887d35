//! Entries as documents of the collection `kv`: `{_id: key, rev, value}`, and `guard`, which nobody reads. MongoDB
//! compares text without a collation by its bytes, which is the order of keys.

use crate::error::unreadable;
use mongodb::bson::{Binary, Bson, Document, doc, spec::BinarySubtype};
use secrethub_core::{
    id::Rev,
    store::{Entry, Key, Range, Sealed, StoreError},
};

pub(crate) fn binary(bytes: &[u8]) -> Bson {
    Bson::Binary(Binary { subtype: BinarySubtype::Generic, bytes: bytes.to_vec() })
}

pub(crate) fn entry_of(mut document: Document) -> Result<Entry, StoreError> {
    let (key, rev) = (key_of(&document)?, rev_of(&document)?);
    match document.remove("value") {
        Some(Bson::Binary(value)) => Ok(Entry { key, rev, value: Sealed::from_stored(value.bytes) }),
        _ => Err(unreadable("kv.value")),
    }
}

pub(crate) fn key_of(document: &Document) -> Result<Key, StoreError> {
    let name = document.get_str("_id").map_err(|_| unreadable("kv._id"))?;
    Key::new(name).map_err(|_| unreadable("kv._id"))
}

pub(crate) fn rev_of(document: &Document) -> Result<Rev, StoreError> {
    bytes(document, "rev").map(Rev).ok_or_else(|| unreadable("kv.rev"))
}

/// Bytes of a fixed width.
pub(crate) fn bytes<const N: usize>(document: &Document, field: &str) -> Option<[u8; N]> {
    document.get_binary_generic(field).ok()?.as_slice().try_into().ok()
}

/// A whole number, which servers send in any of three types.
pub(crate) fn number(document: &Document, field: &str) -> Option<u64> {
    match document.get(field)? {
        Bson::Int32(number) => u64::try_from(*number).ok(),
        Bson::Int64(number) => u64::try_from(*number).ok(),
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "checked, and casts saturate"
        )]
        Bson::Double(number) if *number >= 0.0 => Some(*number as u64),
        _ => None,
    }
}

/// The filter of a range of keys.
pub(crate) fn filter_of(range: &Range) -> Document {
    let mut bounds = doc! { "$gte": &range.from };
    if let Some(to) = &range.to {
        bounds.insert("$lt", to);
    }
    doc! { "_id": bounds }
}
