//! Between Python's values and JSON. A [`Secret`] among the values goes out as what it holds.

use crate::secret::Secret;
use pyo3::{
    IntoPyObjectExt,
    exceptions::{PyTypeError, PyValueError},
    prelude::*,
    types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple},
};
use serde_json::{Map, Number, Value};

/// Values are nested no deeper; the parser at the other end has the same bound.
const DEPTH_MAX: usize = 100;

/// The fields of a request.
pub(crate) fn fields(from: Option<&Bound<'_, PyDict>>) -> PyResult<Map<String, Value>> {
    from.map_or_else(|| Ok(Map::new()), |dict| object(dict, 0))
}

/// Any value as JSON.
pub(crate) fn to_json(value: &Bound<'_, PyAny>) -> PyResult<Value> {
    nested(value, 0)
}

fn nested(value: &Bound<'_, PyAny>, depth: usize) -> PyResult<Value> {
    if depth > DEPTH_MAX {
        return Err(PyValueError::new_err(format!("a value is nested deeper than {DEPTH_MAX}")));
    }
    if value.is_none() {
        Ok(Value::Null)
    } else if let Ok(secret) = value.cast::<Secret>() {
        secret.get().to_json()
    } else if let Ok(text) = value.cast::<PyString>() {
        Ok(Value::String(text.extract()?))
    } else if let Ok(flag) = value.cast::<PyBool>() {
        Ok(Value::Bool(flag.is_true()))
    } else if value.is_instance_of::<PyInt>() {
        integer(value)
    } else if let Ok(float) = value.cast::<PyFloat>() {
        let number = Number::from_f64(float.value());
        number.map(Value::Number).ok_or_else(|| PyValueError::new_err("JSON has neither NaN nor infinity"))
    } else if let Ok(dict) = value.cast::<PyDict>() {
        object(dict, depth).map(Value::Object)
    } else if value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>() {
        let items = value.try_iter()?.map(|item| nested(&item?, depth + 1));
        items.collect::<PyResult<_>>().map(Value::Array)
    } else {
        // The type, never the value: it may be the secret.
        let kind = value.get_type().name()?;
        Err(PyTypeError::new_err(format!(
            "{kind} has no place in JSON: give a text, a number, a list or a dict"
        )))
    }
}

fn object(dict: &Bound<'_, PyDict>, depth: usize) -> PyResult<Map<String, Value>> {
    let pair = |(name, value): (Bound<'_, PyAny>, Bound<'_, PyAny>)| {
        let name = name.cast::<PyString>().map_err(|_| PyTypeError::new_err("names of fields are texts"))?;
        Ok((name.extract()?, nested(&value, depth + 1)?))
    };
    dict.iter().map(pair).collect()
}

fn integer(value: &Bound<'_, PyAny>) -> PyResult<Value> {
    let large = |_| PyValueError::new_err("an integer of more than 64 bits: give it as a text");
    match value.extract::<i64>() {
        Ok(number) => Ok(number.into()),
        Err(_) => value.extract::<u64>().map(Value::from).map_err(large),
    }
}

/// JSON as Python's values.
pub(crate) fn to_python<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    match value {
        Value::Null => Ok(py.None().into_bound(py)),
        Value::Bool(flag) => flag.into_bound_py_any(py),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => number.into_bound_py_any(py),
            (None, Some(number)) => number.into_bound_py_any(py),
            (None, None) => number.as_f64().into_bound_py_any(py),
        },
        Value::String(text) => text.into_bound_py_any(py),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| to_python(py, item)).collect::<PyResult<_>>()?;
            PyList::new(py, items)?.into_bound_py_any(py)
        }
        Value::Object(fields) => {
            let dict = PyDict::new(py);
            for (name, value) in fields {
                dict.set_item(name, to_python(py, value)?)?;
            }
            dict.into_bound_py_any(py)
        }
    }
}
