//! One lane over one store that fails on demand, in a world whose schedule replays.

use secrethub_core::{
    audit::{
        AuditRow, Change, Columns, Draft, Lane, LaneParts, SubmitError, Witness,
        chain::{self, GENESIS},
    },
    crypto::{CryptoProvider, rustcrypto},
    host::Host,
    id::{BootId, Rev},
    store::{AuditLog as _, Batch, Entry, Key, Op, Sealed, Store as _, memory::Memory},
    testing::{PlainKeys, SimHost, Unreliable, World},
};
use std::sync::Arc;

pub(crate) struct Fixture {
    pub(crate) world: World,
    pub(crate) host: Arc<SimHost>,
    pub(crate) store: Arc<Unreliable<Memory>>,
    pub(crate) crypto: CryptoProvider,
    pub(crate) lane: Lane,
}

impl Fixture {
    pub(crate) fn new(seed: u64) -> Self {
        let world = World::new(seed);
        let store = Arc::new(Unreliable::new(Arc::new(Memory::default()), seed));
        let host = world.node();
        let lane = open(&world, &host, &store, true);
        assert!(
            world.settle(1_000),
            "the first checkpoint is made, so that scripted faults meet the lane alone"
        );
        Self { world, host, store, crypto: rustcrypto::provider(), lane }
    }

    /// Submits on a task of its own; the answer comes when `settle` has run.
    pub(crate) fn submit(&self, change: Change) -> Pending {
        let (lane, (done, answer)) = (self.lane.clone(), futures::channel::oneshot::channel());
        let task = async move { drop(done.send(lane.submit(change).await)) };
        self.host.spawn("caller", Box::pin(task));
        Pending(answer)
    }

    /// Submits and waits.
    pub(crate) fn ask(&self, change: Change) -> Result<(), SubmitError> {
        let lane = self.lane.clone();
        self.world.run(async move { lane.submit(change).await }).expect("the lane answers")
    }

    pub(crate) fn run<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> T {
        self.world.run(future).expect("an answer")
    }

    pub(crate) fn entry(&self, name: &str) -> Option<Entry> {
        let (store, key) = (Arc::clone(self.store.inner()), key(name));
        self.run(async move { store.get(&[key]).await.unwrap().pop().unwrap() })
    }

    /// Something that another process does behind the lane's back.
    pub(crate) fn behind(&self, op: impl FnOnce(&mut Batch)) {
        let mut batch = Batch::new(rev(&self.host));
        op(&mut batch);
        let store = Arc::clone(self.store.inner());
        self.run(async move { store.commit(&batch).await.unwrap() });
    }

    /// The chain as stored, verified to its last link and against the lane's witness.
    pub(crate) fn chain(&self) -> Vec<AuditRow> {
        let (store, boot) = (Arc::clone(self.store.inner()), self.lane.boot());
        let rows = self.run(async move { store.read(boot, 0, 1_000).await.unwrap() });
        let mut link = GENESIS;
        for (row, seq) in rows.iter().zip(1..) {
            link = chain::link(self.crypto.hash, &link, &row.canonical);
            assert_eq!((row.seq, row.link), (seq, link), "record {seq}");
        }
        let entry = self.entry(&format!("lane/{boot}")).unwrap();
        let plain = entry.value.as_bytes();
        let witness = Witness::parse(&plain[plain.len() - Witness::BYTES..]).unwrap();
        assert_eq!((witness.seq, witness.link), (rows.len() as u64, link), "the witness");
        rows
    }

    /// Ids of the requests on record, in order, without the lane's own.
    pub(crate) fn requests(&self) -> Vec<String> {
        let own = |row: &AuditRow| row.columns.path == "sys/audit";
        self.chain().into_iter().filter(|row| !own(row)).map(|row| row.columns.request_id).collect()
    }
}

pub(crate) struct Pending(futures::channel::oneshot::Receiver<Result<(), SubmitError>>);

impl Pending {
    /// The answer, once the world stands still. `None` if there is none: somebody hangs.
    pub(crate) fn answer(mut self) -> Option<Result<(), SubmitError>> {
        self.0.try_recv().ok().flatten()
    }
}

pub(crate) fn open(world: &World, host: &Arc<SimHost>, store: &Arc<Unreliable<Memory>>, audit: bool) -> Lane {
    let crypto = rustcrypto::provider();
    let mut boot = [0; 16];
    host.fill_random(&mut boot);
    let mut seed = [0; 8];
    host.fill_random(&mut seed);
    let parts = LaneParts {
        backend: Arc::clone(store) as _,
        host: Arc::clone(host) as _,
        crypto,
        barrier: Arc::new(PlainKeys::new(&crypto, u64::from_be_bytes(seed))),
        boot: BootId(boot),
        audit_enabled: audit,
    };
    world.run(Lane::start(parts)).expect("an answer").expect("a lane")
}

pub(crate) fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

pub(crate) fn rev(host: &SimHost) -> Rev {
    let mut id = [0; 16];
    host.fill_random(&mut id);
    Rev(id)
}

pub(crate) fn value(text: &str) -> Sealed {
    Sealed::from_stored(text.as_bytes().to_vec())
}

pub(crate) fn change(id: &str, ops: impl IntoIterator<Item = (&'static str, Op)>) -> Change {
    let columns = Columns {
        request_id: id.to_owned(),
        operation: "update".to_owned(),
        path: format!("secret/{id}"),
        ..Columns::default()
    };
    Change {
        ops: ops.into_iter().map(|(name, op)| (key(name), op)).collect(),
        draft: Draft { columns, fields: Vec::new(), headers: Vec::new() },
        received: std::time::Duration::ZERO,
        deadline: None,
        urgent: false,
    }
}

pub(crate) fn create(text: &str) -> Op {
    Op::Create(value(text))
}
