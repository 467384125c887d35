//! [`Secret`]: a value that Python holds without seeing it. It lies in this library's memory, is wiped when the last
//! reference goes, and comes out only by `reveal`.

use crate::json;
use pyo3::{
    basic::CompareOp,
    exceptions::{PyTypeError, PyValueError},
    prelude::*,
    types::{PyByteArray, PyBytes, PyDict, PyString},
};
use secrethub::core::Secret as Kept;
use serde_json::Value;

/// What stands in every text that is made of a secret by accident.
const SHOWN: &str = "Secret('**redacted**')";

/// A value that is not shown.
#[pyclass(frozen, module = "secrethub", from_py_object)]
#[allow(missing_debug_implementations, reason = "a secret must not be printable")]
pub(crate) struct Secret(Content);

enum Content {
    Text(Kept<String>),
    Bytes(Kept<Vec<u8>>),
    /// Any other JSON, as its text.
    Json(Kept<String>),
}

impl Secret {
    /// A text.
    pub(crate) fn text(text: String) -> Self {
        Self(Content::Text(Kept::new(text)))
    }

    /// A value out of a reply.
    pub(crate) fn of(value: &Value) -> Self {
        match value {
            Value::String(text) => Self::text(text.clone()),
            other => Self(Content::Json(Kept::new(other.to_string()))),
        }
    }

    /// The value, to be sent.
    pub(crate) fn to_json(&self) -> PyResult<Value> {
        match &self.0 {
            // EXPOSE: the caller gives it to the vault.
            Content::Text(text) => Ok(Value::String(text.expose().clone())),
            Content::Json(text) => parse(text),
            Content::Bytes(_) => {
                Err(PyTypeError::new_err("bytes have no place in JSON: give them in base64"))
            }
        }
    }

    /// The text, to show who asks.
    pub(crate) fn to_text(&self) -> PyResult<Kept<String>> {
        match &self.0 {
            // EXPOSE: the caller gives it to the vault.
            Content::Text(text) => Ok(Kept::new(text.expose().clone())),
            _ => Err(not_a_text()),
        }
    }

    fn same_as(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            // EXPOSE: compared in constant time.
            (Content::Text(a), Content::Text(b)) => a.same_bytes(b.expose().as_bytes()),
            (Content::Json(a), Content::Json(b)) => a.same_bytes(b.expose().as_bytes()),
            (Content::Bytes(a), Content::Bytes(b)) => a.same_bytes(b.expose()),
            _ => false,
        }
    }
}

impl Clone for Secret {
    fn clone(&self) -> Self {
        Self(match &self.0 {
            // EXPOSE: a second of the same, as hidden as the first.
            Content::Text(text) => Content::Text(Kept::new(text.expose().clone())),
            Content::Json(text) => Content::Json(Kept::new(text.expose().clone())),
            Content::Bytes(bytes) => Content::Bytes(Kept::new(bytes.expose().clone())),
        })
    }
}

fn parse(text: &Kept<String>) -> PyResult<Value> {
    // EXPOSE: the caller asked for it. Never: it was written by us, so it is JSON.
    serde_json::from_str(text.expose()).map_err(|_| PyValueError::new_err("the value is no JSON"))
}

fn not_a_text() -> PyErr {
    PyTypeError::new_err("this secret is no text: use reveal_bytes() or reveal_json()")
}

#[pymethods]
impl Secret {
    #[new]
    fn new(value: &Bound<'_, PyAny>) -> PyResult<Self> {
        if let Ok(secret) = value.cast::<Self>() {
            return Ok(secret.get().clone());
        }
        if let Ok(bytes) = value.cast::<PyBytes>() {
            return Ok(Self(Content::Bytes(Kept::new(bytes.as_bytes().to_vec()))));
        }
        if let Ok(bytes) = value.cast::<PyByteArray>() {
            return Ok(Self(Content::Bytes(Kept::new(bytes.to_vec()))));
        }
        Ok(Self::of(&json::to_json(value)?))
    }

    /// The text itself, as a new `str`, which Python does not wipe.
    fn reveal<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyString>> {
        match &self.0 {
            // EXPOSE: the caller asked for it.
            Content::Text(text) => Ok(PyString::new(py, text.expose())),
            _ => Err(not_a_text()),
        }
    }

    /// The bytes of the text, or the bytes themselves, in a `bytearray` that the caller can wipe.
    fn reveal_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyByteArray>> {
        match &self.0 {
            // EXPOSE: the caller asked for it.
            Content::Text(text) => Ok(PyByteArray::new(py, text.expose().as_bytes())),
            Content::Bytes(bytes) => Ok(PyByteArray::new(py, bytes.expose())),
            Content::Json(_) => {
                Err(PyTypeError::new_err("this secret is neither text nor bytes: use reveal_json()"))
            }
        }
    }

    /// The value, whatever JSON it is.
    fn reveal_json<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        json::to_python(py, &self.to_json()?)
    }

    fn __repr__(&self) -> &'static str {
        SHOWN
    }

    fn __str__(&self) -> &'static str {
        SHOWN
    }

    fn __format__(&self, _spec: &str) -> &'static str {
        SHOWN
    }

    fn __richcmp__(&self, other: &Bound<'_, PyAny>, op: CompareOp) -> PyResult<bool> {
        match (other.cast::<Self>(), op) {
            (Ok(other), CompareOp::Eq) => Ok(self.same_as(other.get())),
            (Ok(other), CompareOp::Ne) => Ok(!self.same_as(other.get())),
            // A comparison that is always false would be an accident.
            _ => Err(PyTypeError::new_err("a Secret is compared, by ==, with another Secret only")),
        }
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("a Secret is not pickled: reveal() it, if it must leave this process"))
    }

    fn __copy__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __deepcopy__<'py>(slf: PyRef<'py, Self>, _memo: &Bound<'py, PyDict>) -> PyRef<'py, Self> {
        slf
    }
}
