//! [`Vault`]: the one door. HTTP, Python, agent, dashboard, command line and benches all come through
//! [`Vault::handle`], so that authentication → policy → engine → commit → audit cannot be skipped.

mod admit;
mod gate;
mod logins;
mod question;
mod record;
mod wrap;

use crate::{
    audit::{Change, SubmitError},
    backup::Restore,
    barrier::Fault,
    cx::{Cx, Notes, Watched},
    engine::{Access, Call},
    error::{Error, ErrorKind},
    host::Host,
    id::Timestamp,
    limits::{LANE_CLOSE_GRACE, REQUEST_DEADLINE},
    policy::SECRET_MANAGER,
    request::{Origin, Reply, Request},
    store::{Backend, Key, Op},
    system::{Effect, Figures, Follow, MountTable, SecretManagerApi, Settings, System, Unsealed},
    token::{BATCH_PREFIX, Identity, Seen, Shown, open_batch, read_identity},
};
use admit::{Admitted, Asked, Refusal, admit};
use futures::{
    channel::oneshot,
    future::{Either, select},
};
use gate::Gate;
use std::{pin::pin, sync::Arc, time::Duration};

/// What a vault is made of.
#[allow(missing_debug_implementations, reason = "settings hold the master key")]
pub struct Parts {
    /// Where sealed bytes and records rest.
    pub backend: Arc<dyn Backend>,
    /// The door to time, tasks and randomness.
    pub host: Arc<dyn Host>,
    /// Cryptography.
    pub crypto: crate::crypto::CryptoProvider,
    /// What the operator chose.
    pub settings: Settings,
}

/// A secrets vault.
#[derive(Debug)]
pub struct Vault {
    system: System,
}

/// What came of one attempt: an answer, or the keys that somebody else changed meanwhile.
#[allow(clippy::large_enum_variant, reason = "moved once a request; boxing would allocate at every one")]
enum Attempt {
    Answer(Result<Reply, Error>),
    Again(Option<Key>),
}

impl Vault {
    /// Opens a vault on a store. With a master key or a passphrase it is made if need be and unsealed; otherwise it
    /// waits, sealed, for `sys/init` or `sys/unseal`.
    pub async fn open(parts: Parts) -> Result<Arc<Self>, Error> {
        let system = System::new(parts.backend, parts.host, parts.crypto, parts.settings);
        system.unseal_alone().await?;
        Ok(Arc::new(Self { system }))
    }

    /// Seals this node and flushes its chain; the last thing a program does.
    pub async fn shutdown(&self) -> Result<(), Error> {
        self.system.seal().await
    }

    /// Shows every audit record to `follower` after its commit (a file, a collector). A follower is no part of the
    /// promise: what it does not keep is still in the store.
    pub fn follow(&self, follower: Arc<Follow>) {
        self.system.follow(follower);
    }

    /// What this node can be counted by, for metrics; at hand, and no secret.
    pub fn figures(&self) -> Figures {
        self.system.figures()
    }

    /// Begins to bring a snapshot in, where there is no vault yet.
    pub async fn restore(&self) -> Result<Restore, Error> {
        self.system.check_process()?;
        self.system.restore().await
    }

    /// Runs the background work until `shutdown` is ready, or the future is dropped. Either may happen at any time:
    /// what a job had begun to commit belongs to the lane, and the rest is done at its next turn.
    pub async fn run_jobs(&self, shutdown: impl Future<Output = ()> + Send) {
        select(pin!(crate::job::run(&self.system)), pin!(shutdown)).await;
    }

    /// Counts a request that a front-end turned away before it came here; those of an address leave one record together.
    pub fn count_turned_away(&self, address: Option<std::net::IpAddr>) {
        self.system.count_turned_away(address);
    }

    /// Serves one request. The future may be dropped at any await: what was handed to the lane goes on, and nobody
    /// else notices.
    pub async fn handle(&self, request: Request) -> Result<Reply, Error> {
        self.system.check_process()?;
        let host = self.system.host();
        let received = host.monotonic();
        let (mut turn, mut gate) = (None, Gate::default());
        loop {
            match self.attempt(&request, received, &mut gate).await {
                Attempt::Answer(answer) => return gate.tell(answer),
                Attempt::Again(_) if host.monotonic().saturating_sub(received) > REQUEST_DEADLINE => {
                    return Err(Error::unavailable("others kept changing the same entry; try again"));
                }
                Attempt::Again(Some(key)) if turn.is_none() => {
                    turn = Some(self.system.turnstile().wait(&key).await);
                }
                Attempt::Again(_) => {}
            }
        }
    }

    async fn attempt(&self, request: &Request, received: Duration, gate: &mut Gate) -> Attempt {
        let now = self.system.host().now();
        let Some(unsealed) = self.system.unsealed() else {
            return Attempt::Answer(self.attempt_sealed(request, now).await);
        };
        if unsealed.are_mounts_confirmed(self.system.host().monotonic()) {
            // By the mounts of the request before: who is turned away costs the store nothing.
            if let Err(refusal) = gate.ask_early(&self.system, &unsealed.last_mounts(), request).await {
                return Attempt::Answer(Err(refusal));
            }
        }
        let (seen, mounts) = match self.see(&unsealed, request, now).await {
            Ok(seen) => seen,
            // Who asks cannot be known, so nothing can be recorded either: the store is not there.
            Err(error) => return Attempt::Answer(Err(error)),
        };
        match gate.ask(&self.system, &mounts, request, seen.identity.as_deref(), false).await {
            Ok(()) => self.serve(unsealed, &mounts, seen, request, received, now).await,
            Err(refusal) => Attempt::Answer(Err(refusal)),
        }
    }

    /// Who asks, and which mounts there are.
    async fn see(
        &self,
        unsealed: &Arc<Unsealed>,
        request: &Request,
        now: Timestamp,
    ) -> Result<(Seen, Arc<MountTable>), Error> {
        let backend = self.system.backend();
        let shown = self.shown(unsealed, request).await?;
        let guess = unsealed.last_mounts();
        let target = admit::target(&guess, request);
        let read = || read_identity(&*backend, unsealed, &shown, target.as_ref(), now);
        let mut seen = match read().await {
            // Another node has rotated and re-wrapped the token before this one heard of the new key.
            Err(error) if Fault::is_behind(&error) => {
                self.system.reload_keyring().await?;
                read().await?
            }
            seen => seen?,
        };
        let epoch_rev = seen.watched.iter().next().and_then(|(_, rev)| rev);
        let mounts = unsealed.mounts(&*backend, epoch_rev).await?;
        unsealed.confirm_mounts(self.system.host().monotonic());
        seen.forget_if(|token| mounts.revocations().end(token));
        seen.bind(request.remote.address);
        if !Arc::ptr_eq(&guess, &mounts) {
            seen.ahead = None; // It was computed from mounts that no longer stand.
        }
        Ok((seen, mounts))
    }

    /// What the request shows of who asks. A batch token says it itself, to who holds the keys.
    async fn shown<'r>(&self, unsealed: &Unsealed, request: &'r Request) -> Result<Shown<'r>, Error> {
        let Some(text) = &request.token else { return Ok(Shown::Nothing) };
        // EXPOSE: the token's index is a keyed hash of its text, and a batch token is opened.
        let text = text.expose().as_str();
        if !text.starts_with(BATCH_PREFIX) {
            return Ok(Shown::Text(text));
        }
        let mut token = open_batch(unsealed.barrier(), text);
        if token.as_ref().is_err_and(Fault::is_behind) {
            self.system.reload_keyring().await?;
            token = open_batch(unsealed.barrier(), text);
        }
        // A term that nobody knows any more: the token has ended with it.
        let token = token.unwrap_or_default();
        let hash = || unsealed.barrier().token_hash(text);
        Ok(token.map_or(Shown::Nothing, |token| Shown::Batch(Arc::new(Identity::of(token, &hash())))))
    }

    /// The first seed's interface is served under an identity of its own; everything else by the token.
    fn identity_for(&self, request: &Request, seen: &Seen) -> Option<Arc<Identity>> {
        match (request.origin, self.system.settings().secret_manager) {
            (Origin::SecretManager, SecretManagerApi::Open) => {
                Some(Arc::new(Identity::built_in(SECRET_MANAGER)))
            }
            (Origin::SecretManager, SecretManagerApi::Off) => None,
            _ => seen.identity.clone(),
        }
    }

    async fn serve(
        &self,
        unsealed: Arc<Unsealed>,
        mounts: &Arc<MountTable>,
        mut seen: Seen,
        request: &Request,
        received: Duration,
        now: Timestamp,
    ) -> Attempt {
        let existence = match question::existence(&*self.system.backend(), mounts, &seen, request).await {
            Ok(existence) => existence,
            Err(error) => return Attempt::Answer(Err(error)),
        };
        let identity = self.identity_for(request, &seen);
        let known = identity.as_ref().or(seen.elsewhere.as_ref());
        let mut ledger = record::Ledger::new(request, known.map(AsRef::as_ref), now);
        ledger.headers(unsealed.barrier(), mounts.auditing(), request);
        let asked = Asked {
            mounts,
            identity: identity.as_deref(),
            request,
            exists: existence.as_ref().map(|(_, exists)| *exists),
            open_ceremonies: self.system.settings().unauthenticated_ceremonies,
            facts: question::facts(request, identity.as_deref(), now),
        };
        let (admitted, mut turn) = (admit(&asked, &mut ledger), None);
        let (answer, cx) = match admitted {
            Ok(admitted) => {
                let mount = Arc::clone(admitted.mount);
                let watched = std::mem::take(&mut seen.watched);
                let asker = identity.clone();
                let mut cx =
                    Cx::new(self.system.clone(), Some(Arc::clone(&unsealed)), mount, asker, watched, now);
                (cx.ahead, cx.table) = (seen.ahead.take(), Some(Arc::clone(mounts)));
                (cx.filter, cx.facts, cx.sudo) = (admitted.filter.clone(), asked.facts, admitted.sudo);
                let answer = logins::call(&mut cx, &admitted, request, &mut turn).await;
                if admitted.route.access == Access::Probe {
                    return Attempt::Answer(answer);
                }
                let answer = answer.and_then(|reply| wrap::wrapped(&mut cx, request, reply));
                if let Some((key, exists)) = existence
                    && cx
                        .staged
                        .iter()
                        .any(|(staged, op)| *staged == key && exists == matches!(op, Op::Create(_)))
                {
                    return Attempt::Again(Some(key)); // It was judged as what it no longer is.
                }
                (answer, Some(cx))
            }
            Err(Refusal(error)) => {
                if seen.elsewhere.is_some() {
                    ledger.rule("the token is bound to other addresses");
                }
                (Err(error), None)
            }
        };
        if answer.as_ref().is_err_and(|error| error.kind() == ErrorKind::Conflict) {
            return Attempt::Again(None);
        }
        self.commit(unsealed, seen, request, received, ledger, cx, answer).await
    }

    /// Commits what was staged together with the record, and only then answers.
    #[allow(clippy::too_many_arguments, reason = "the whole of one request, used once")]
    async fn commit(
        &self,
        unsealed: Arc<Unsealed>,
        mut seen: Seen,
        request: &Request,
        received: Duration,
        ledger: record::Ledger,
        cx: Option<Cx>,
        answer: Result<Reply, Error>,
    ) -> Attempt {
        let (watched, mut ops, mut effects, notes, stands) = match cx {
            Some(cx) => (cx.watched, cx.staged, cx.effects, cx.notes, cx.stands),
            None => (std::mem::take(&mut seen.watched), Vec::new(), Vec::new(), Notes::default(), false),
        };
        if answer.is_err() && !stands {
            ops.clear();
            effects.clear();
        }
        if let Err(error) = spend_use(unsealed.barrier(), &seen, &mut ops) {
            return Attempt::Answer(Err(error));
        }
        if !ops.is_empty() {
            let guards = watched.iter().filter_map(|(key, rev)| Some((key.clone(), Op::Guard(rev?))));
            let own: Vec<(Key, Op)> =
                guards.filter(|(key, _)| ops.iter().all(|(staged, _)| staged != key)).collect();
            ops.extend(own);
        }
        let sealing = effects.iter().any(|effect| matches!(effect, Effect::Seal));
        let urgent = sealing || notes.urgent;
        let draft = ledger.draft(unsealed.barrier(), request, notes, &answer);
        let waiting = self.system.host().monotonic();
        // Sealing has bounds of its own.
        let deadline = received + if sealing { 4 * LANE_CLOSE_GRACE } else { REQUEST_DEADLINE };
        let change = Change { ops, draft, received, deadline: Some(deadline), urgent };
        let outcome = self.submit(Arc::clone(&unsealed), change, effects).await;
        match &outcome {
            Ok(()) => self.system.meter().audited(self.system.host().monotonic().saturating_sub(waiting)),
            Err(SubmitError::Conflict(_) | SubmitError::Lost | SubmitError::Closed) => {}
            Err(_) => self.system.meter().failed(),
        }
        match outcome {
            Ok(()) => Attempt::Answer(answer),
            // Sealing always works, also when the store is gone; the record is then missing, and the log says so.
            Err(_) if sealing => Attempt::Answer(answer),
            Err(SubmitError::Conflict(keys)) => Attempt::Again(keys.into_iter().next()),
            // Either way the lane is over; if the node is not sealing, it opens another and nothing was applied.
            Err(SubmitError::Lost | SubmitError::Closed) => match self.system.replace_lane(&unsealed).await {
                Ok(()) => Attempt::Again(None),
                Err(error) => Attempt::Answer(Err(error)),
            },
            Err(SubmitError::Overloaded) => {
                Attempt::Answer(Err(Error::unavailable("too many requests are waiting; try again")))
            }
            Err(SubmitError::Unknown) => Attempt::Answer(Err(Error::unavailable(
                "the store did not say whether the change was made; look before you try again",
            ))),
            Err(SubmitError::Clash(key)) => {
                Attempt::Answer(Err(Error::internal(format!("two changes of {key}"))))
            }
            Err(SubmitError::TooLarge) => {
                Attempt::Answer(Err(Error::new(ErrorKind::TooLarge, "the request changes too much at once")))
            }
            Err(SubmitError::Full) => Attempt::Answer(Err(Error::full())),
            Err(SubmitError::Unavailable(source)) => Attempt::Answer(Err(Error::unavailable(
                "the store does not answer; nothing was changed",
            )
            .with_source(source))),
        }
    }

    /// The lane sends a batch of unknown outcome again until it is known, however long the store is away; a caller is
    /// told in time that nobody knows. Effects follow their commit even then, and even if the caller has left: they run
    /// in a task of their own.
    async fn submit(
        &self,
        unsealed: Arc<Unsealed>,
        mut change: Change,
        effects: Vec<Effect>,
    ) -> Result<(), SubmitError> {
        if effects.is_empty() {
            return unsealed.lane().submit(change).await;
        }
        let host = self.system.host();
        // The effects wait for as long as it takes.
        let deadline = change.deadline.take().unwrap_or(Duration::MAX);
        let (done, outcome) = oneshot::channel();
        let system = self.system.clone();
        let task = async move {
            let committed = unsealed.lane().submit(change).await;
            for effect in effects {
                match effect {
                    Effect::Adopt(keyring) if committed.is_ok() => unsealed.barrier().adopt(keyring),
                    Effect::Refresh if committed.is_ok() => system.refresh().await,
                    Effect::Run(work) if committed.is_ok() => work(),
                    Effect::Adopt(_) | Effect::Refresh | Effect::Run(_) => {}
                    Effect::Seal => {
                        if let Err(error) = system.seal().await {
                            tracing::error!(%error, "sealed, but the last records were not flushed");
                        }
                    }
                }
            }
            // The caller may have left: nobody is owed the outcome then.
            let _ = done.send(committed);
        };
        host.spawn("effects", Box::pin(task));
        match select(outcome, host.sleep(deadline.saturating_sub(host.monotonic()))).await {
            Either::Left((outcome, _)) => outcome.unwrap_or(Err(SubmitError::Unknown)),
            Either::Right(_) => Err(SubmitError::Unknown),
        }
    }

    /// A sealed vault answers what is open to anybody, and refuses the rest.
    async fn attempt_sealed(&self, request: &Request, now: Timestamp) -> Result<Reply, Error> {
        let mounts = MountTable::built_in();
        let mut ledger = record::Ledger::new(request, None, now);
        let asked = Asked {
            mounts: &mounts,
            identity: None,
            request,
            exists: None,
            open_ceremonies: false,
            facts: question::facts(request, None, now),
        };
        let admitted = match admit(&asked, &mut ledger) {
            Ok(admitted) if matches!(admitted.route.access, Access::Probe | Access::Open) => admitted,
            Ok(_) | Err(_) => return Err(Error::sealed()),
        };
        if request.wrap_ttl.is_some() {
            return Err(Error::invalid("a sealed vault cannot wrap a reply; leave out the wrap TTL"));
        }
        let mut cx =
            Cx::new(self.system.clone(), None, Arc::clone(admitted.mount), None, Watched::default(), now);
        let answer = call(&mut cx, &admitted, request).await;
        if admitted.route.access != Access::Probe {
            self.system.remember(ledger.sealed_draft(cx.notes, &answer));
            self.system.record_sealed_events().await?;
        }
        answer
    }
}

/// Runs the engine, and tells the caller of fields that nobody read.
async fn call(cx: &mut Cx, admitted: &Admitted<'_>, request: &Request) -> Result<Reply, Error> {
    admitted.check_refused(request)?;
    let mut reply = (admitted.route.handler)(cx, Call { request, params: admitted.params }).await?;
    reply.warnings.extend(admitted.unknown_fields(request));
    reply.mount_type = admitted.engine.kind;
    reply.pattern = admitted.route.pattern;
    reply.time = cx.now();
    Ok(reply)
}

/// A token with a number of uses pays one, whatever came of the request.
fn spend_use(barrier: &crate::barrier::Barrier, seen: &Seen, ops: &mut Vec<(Key, Op)>) -> Result<(), Error> {
    let Some((identity, entry)) = seen.identity.as_ref().zip(seen.token.as_ref()) else { return Ok(()) };
    let Some(token) = identity.token.as_ref().filter(|token| token.uses_left.is_some()) else {
        return Ok(());
    };
    if ops.iter().any(|(key, _)| *key == entry.key) {
        return Ok(()); // The engine changes this very token, and has counted the use.
    }
    let spent = crate::token::Token {
        uses_left: token.uses_left.map(|uses| uses.saturating_sub(1)),
        ..token.clone()
    };
    let document = serde_json::to_vec(&spent).map_err(Error::internal)?;
    ops.push((entry.key.clone(), Op::Replace(entry.rev, barrier.seal(&entry.key, &document)?)));
    Ok(())
}
