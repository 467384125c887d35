//! [`promise`]: work of a runtime as a future of asyncio.
//!
//! A thread that is inside Python while the interpreter ends is killed there, in the middle of our frames. So who tells a
//! loop of an outcome is counted, and the end of the program waits for them ([`end_of_program`]).

use crate::failure::Failure;
use pyo3::{IntoPyObject, IntoPyObjectExt, prelude::*, types::PyCFunction};
use std::{
    sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::SeqCst},
    time::{Duration, Instant},
};
use tokio::{runtime::Handle, task::AbortHandle};

/// How long the end of the program waits for those who tell.
const TELLING_MAX: Duration = Duration::from_secs(5);

/// Those who tell, of this process; after a fork the count is the parent's.
static TELLING: AtomicUsize = AtomicUsize::new(0);
static PROCESS: AtomicU32 = AtomicU32::new(0);
/// Does the program end.
static ENDED: AtomicBool = AtomicBool::new(false);

/// One who tells; `None` once nobody is to be told any more.
struct Teller;

impl Teller {
    fn begin() -> Option<Self> {
        let own = std::process::id();
        if PROCESS.swap(own, SeqCst) != own {
            TELLING.store(0, SeqCst);
        }
        TELLING.fetch_add(1, SeqCst);
        let teller = Self;
        (!ENDED.load(SeqCst)).then_some(teller)
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        TELLING.fetch_sub(1, SeqCst);
    }
}

/// Called once, when the program ends and Python still works: from now on no thread of ours enters it.
#[pyfunction]
pub(crate) fn end_of_program(py: Python<'_>) {
    ENDED.store(true, SeqCst);
    let (start, own) = (Instant::now(), std::process::id());
    py.detach(|| {
        while PROCESS.load(SeqCst) == own && TELLING.load(SeqCst) > 0 && start.elapsed() < TELLING_MAX {
            std::thread::sleep(Duration::from_millis(1));
        }
    });
}

/// A future of asyncio's running loop, which the work fulfils. Cancelled there, the work is dropped here.
pub(crate) fn promise<'py, T>(
    py: Python<'py>,
    handle: &Handle,
    work: impl Future<Output = Result<T, Failure>> + Send + 'static,
) -> PyResult<Bound<'py, PyAny>>
where
    T: for<'a> IntoPyObject<'a> + Send + 'static,
{
    let (promise, settle) = make_promise(py)?;
    let task = handle.spawn(async move {
        let outcome = work.await;
        // Waiting for the GIL would keep a thread of the runtime from its work.
        tokio::task::block_in_place(|| settle.with(outcome));
    });
    cancel_with(&promise, task.abort_handle())?;
    Ok(promise)
}

/// The same for work that blocks and cannot be cancelled.
pub(crate) fn promise_by_thread<'py>(
    py: Python<'py>,
    work: impl FnOnce() -> Result<(), Failure> + Send + 'static,
) -> PyResult<Bound<'py, PyAny>> {
    let (promise, settle) = make_promise(py)?;
    std::thread::spawn(move || settle.with(work()));
    Ok(promise)
}

/// Fulfils a promise from any thread. One that is dropped, as the work was, breaks it: nobody waits for ever.
struct Settle(Option<(Py<PyAny>, Py<PyAny>)>);

fn make_promise(py: Python<'_>) -> PyResult<(Bound<'_, PyAny>, Settle)> {
    let event_loop = py.import("asyncio")?.call_method0("get_running_loop")?;
    let promise = event_loop.call_method0("create_future")?;
    let settle = Settle(Some((event_loop.unbind(), promise.clone().unbind())));
    Ok((promise, settle))
}

impl Settle {
    /// At the end of the interpreter nobody waits any more, and a closed loop has nobody to tell.
    fn with<T: for<'a> IntoPyObject<'a>>(mut self, outcome: Result<T, Failure>) {
        if let Some((event_loop, promise)) = self.0.take()
            && let Some(_counted) = Teller::begin()
        {
            drop(Python::try_attach(|py| tell(event_loop.bind(py), promise.bind(py), outcome)));
        }
    }
}

impl Drop for Settle {
    fn drop(&mut self) {
        if self.0.is_some() {
            let broken = Failure::new("Closed", "it was closed while this request was under way");
            Self(self.0.take()).with::<()>(Err(broken));
        }
    }
}

fn tell<T: for<'a> IntoPyObject<'a>>(
    event_loop: &Bound<'_, PyAny>,
    promise: &Bound<'_, PyAny>,
    outcome: Result<T, Failure>,
) -> PyResult<()> {
    let py = event_loop.py();
    let (value, error) = match outcome {
        Ok(value) => (value.into_py_any(py)?, py.None()),
        Err(failure) => (py.None(), failure.raise(py).into_value(py).into_any()),
    };
    let fulfil = py.import("secrethub.errors")?.getattr("_fulfil")?;
    event_loop.call_method1("call_soon_threadsafe", (fulfil, promise, value, error))?;
    Ok(())
}

fn cancel_with(promise: &Bound<'_, PyAny>, task: AbortHandle) -> PyResult<()> {
    let cancel = PyCFunction::new_closure(promise.py(), None, None, move |_, _| task.abort())?;
    promise.call_method1("add_done_callback", (cancel,))?;
    Ok(())
}
