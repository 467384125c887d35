//! [`Reply`]: an answer that stays in this library's memory until Python asks for parts of it.

use crate::{json, secret::Secret};
use pyo3::{
    exceptions::{PyKeyError, PyTypeError},
    prelude::*,
    types::{PyDict, PyTuple},
};
use serde_json::Value;

/// A step into the body: a name, or a place in a list.
#[derive(FromPyObject)]
enum Step {
    Name(String),
    Place(usize),
}

/// An answer of the door, laid out as on the wire.
#[pyclass(frozen, module = "secrethub")]
#[allow(missing_debug_implementations, reason = "it may hold secrets")]
pub(crate) struct Reply(Value);

impl Reply {
    pub(crate) fn new(body: Value) -> Self {
        Self(body)
    }

    fn inside(&self) -> &Value {
        match &self.0["data"] {
            Value::Null if self.0.get("mount_type").is_none() && self.0.get("request_id").is_none() => {
                &self.0
            }
            data => data,
        }
    }

    fn at(&self, path: &Bound<'_, PyTuple>) -> PyResult<Option<&Value>> {
        let mut found = Some(&self.0);
        for step in path.iter() {
            found = match step.extract::<Step>()? {
                Step::Name(name) => found.and_then(|value| value.get(&name)),
                Step::Place(place) => found.and_then(|value| value.get(place)),
            };
        }
        Ok(found.filter(|value| !value.is_null()))
    }

    fn needed(&self, path: &Bound<'_, PyTuple>) -> PyResult<&Value> {
        let missing = || PyKeyError::new_err(format!("the reply has no {path}"));
        self.at(path)?.ok_or_else(missing)
    }
}

#[pymethods]
impl Reply {
    /// The data of the answer, in the clear.
    #[getter]
    fn data<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        json::to_python(py, self.inside())
    }

    /// The whole body, in the clear.
    #[getter]
    fn body<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        json::to_python(py, &self.0)
    }

    /// Names in the answer to a list.
    #[getter]
    fn keys(&self) -> Vec<&str> {
        let keys = self.0["data"]["keys"].as_array();
        keys.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// What the vault wants known beside the answer.
    #[getter]
    fn warnings(&self) -> Vec<&str> {
        let warnings = self.0["warnings"].as_array();
        warnings.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// The request's id in the audit log.
    #[getter]
    fn request_id(&self) -> Option<&str> {
        self.0["request_id"].as_str()
    }

    /// One value of the body, in the clear; `None` where there is none.
    #[pyo3(signature = (*path))]
    fn value<'py>(&self, py: Python<'py>, path: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>> {
        json::to_python(py, self.at(path)?.unwrap_or(&Value::Null))
    }

    /// One value of the body, hidden.
    #[pyo3(signature = (*path))]
    fn secret(&self, path: &Bound<'_, PyTuple>) -> PyResult<Secret> {
        self.needed(path).map(Secret::of)
    }

    /// The values of an object or list of the body, each hidden.
    #[pyo3(signature = (*path))]
    fn secrets<'py>(&self, py: Python<'py>, path: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyDict>> {
        let found = self.needed(path)?;
        let fields = found.as_object().ok_or_else(|| PyTypeError::new_err(format!("{path} is no object")))?;
        let hidden = PyDict::new(py);
        for (name, value) in fields {
            hidden.set_item(name, Secret::of(value))?;
        }
        Ok(hidden)
    }

    fn __repr__(&self) -> String {
        match self.request_id() {
            Some(id) => format!("<Reply to {id}>"),
            None => "<Reply>".to_owned(),
        }
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("a Reply may hold secrets and is not pickled"))
    }
}
