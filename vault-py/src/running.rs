//! [`Running`]: what lives in a runtime of its own, and how Python waits for it (`promise`: how asyncio does).
//!
//! Each vault and client brings its runtime, instead of one for the process: a runtime's threads are not there after a
//! fork, and what is global could then neither be used nor replaced.

use crate::failure::Failure;
use pyo3::prelude::*;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::runtime::{Builder, Handle, Runtime};

/// How often somebody who waits looks for a Ctrl-C.
const SIGNALS_EVERY: Duration = Duration::from_millis(100);
/// How long the end of a runtime waits for what still runs on threads.
const END_MAX: Duration = Duration::from_secs(5);

/// A runtime that may be dropped anywhere, on its own threads too.
#[derive(Debug)]
pub(crate) struct Engine(Option<Runtime>);

impl Engine {
    /// With so many threads.
    pub(crate) fn start(threads: usize) -> Result<Self, Failure> {
        let built =
            Builder::new_multi_thread().worker_threads(threads).thread_name("secrethub").enable_all().build();
        let failed = |error| Failure::new("Unavailable", format!("the system gives no threads: {error}"));
        Ok(Self(Some(built.map_err(failed)?)))
    }

    /// To spawn on it and wait for it.
    pub(crate) fn handle(&self) -> Handle {
        match &self.0 {
            Some(runtime) => runtime.handle().clone(),
            None => unreachable!("it is taken only when dropped"), // Never: see `Drop` and `end`.
        }
    }

    /// Ends it, and waits until nothing runs any more.
    fn end(mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_timeout(END_MAX);
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Something on its runtime; while anybody uses it, both stay.
#[derive(Debug)]
pub(crate) struct Open<T> {
    what: Option<T>,
    engine: Option<Engine>,
}

impl<T> Open<T> {
    pub(crate) fn what(&self) -> &T {
        match &self.what {
            Some(what) => what,
            None => unreachable!("it is taken only when dropped"), // Never: see `Drop`.
        }
    }

    pub(crate) fn handle(&self) -> Handle {
        match &self.engine {
            Some(engine) => engine.handle(),
            None => unreachable!("it is taken only when dropped"), // Never: see `Drop`.
        }
    }

    /// Ends the thing and then its runtime, and waits for both.
    fn end(mut self) {
        let engine = self.engine.take();
        self.drop_inside(engine.as_ref());
        if let Some(engine) = engine {
            engine.end();
        }
    }

    /// Pools and connections say farewell on the runtime that they lived on.
    fn drop_inside(&mut self, engine: Option<&Engine>) {
        let handle = engine.map(Engine::handle);
        let _inside = handle.as_ref().map(Handle::enter);
        self.what.take();
    }
}

impl<T> Drop for Open<T> {
    fn drop(&mut self) {
        let engine = self.engine.take();
        self.drop_inside(engine.as_ref());
    }
}

/// What is open, until somebody takes it.
type Room<T> = Mutex<Option<Arc<Open<T>>>>;

/// Something that belongs to the process that made it, until it is closed.
#[derive(Debug)]
pub(crate) struct Running<T> {
    process: u32,
    open: Option<Box<Room<T>>>,
}

impl<T> Running<T> {
    pub(crate) fn new(what: T, engine: Engine) -> Self {
        let open = Open { what: Some(what), engine: Some(engine) };
        Self { process: std::process::id(), open: Some(Box::new(Mutex::new(Some(Arc::new(open))))) }
    }

    /// The process is asked first: in a forked child not even the lock may be touched.
    fn room(&self) -> Result<&Room<T>, Failure> {
        match &self.open {
            Some(room) if self.process == std::process::id() => Ok(room),
            _ => Err(Failure::forked()),
        }
    }

    /// To use it.
    pub(crate) fn enter(&self) -> Result<Arc<Open<T>>, Failure> {
        self.room()?.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or_else(Failure::closed)
    }

    /// To end it; `None` where it is closed already, or another process's to close.
    pub(crate) fn leave(&self) -> Option<Arc<Open<T>>> {
        self.room().ok()?.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl<T> Drop for Running<T> {
    fn drop(&mut self) {
        if self.process != std::process::id()
            && let Some(open) = self.open.take()
        {
            // The threads that its end would wait for are the parent's. It lies there until the child ends.
            Box::leak(open);
        }
    }
}

/// Ends what nobody else uses; otherwise the last of them does.
pub(crate) fn end<T>(open: Arc<Open<T>>) {
    if let Some(open) = Arc::into_inner(open) {
        open.end();
    }
}

enum Stop {
    Failed(Failure),
    Signal(PyErr),
}

/// Waits without the GIL, and ends the work at a Ctrl-C.
pub(crate) fn wait<T: Send>(
    py: Python<'_>,
    handle: &Handle,
    work: impl Future<Output = Result<T, Failure>> + Send,
) -> PyResult<T> {
    let listens = is_main_thread(py)?;
    let waiting = async {
        tokio::select! {
            biased;
            outcome = work => outcome.map_err(Stop::Failed),
            signal = signal(), if listens => Err(Stop::Signal(signal)),
        }
    };
    py.detach(|| handle.block_on(waiting)).map_err(|stop| match stop {
        Stop::Failed(failure) => failure.raise(py),
        Stop::Signal(error) => error,
    })
}

/// Signals come to the main thread alone; another one has no reason to take the GIL before its work is done.
fn is_main_thread(py: Python<'_>) -> PyResult<bool> {
    let threading = py.import("threading")?;
    let main = threading.call_method0("main_thread")?.getattr("ident")?;
    threading.call_method0("get_ident")?.eq(main)
}

/// Ready when Python wants the wait to end.
async fn signal() -> PyErr {
    loop {
        tokio::time::sleep(SIGNALS_EVERY).await;
        if let Some(Err(error)) = Python::try_attach(|py| py.check_signals()) {
            return error;
        }
    }
}
