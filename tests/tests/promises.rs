//! Promises of the one door that hold whatever a caller does: it may leave at any moment, it may be a fork, and no
//! route serves whom it should not.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use futures::{FutureExt, future::BoxFuture};
use secrethub::TokioHost;
use secrethub_core::{
    ErrorKind, Operation, Parts, Reply, Request, Vault,
    audit::verify,
    crypto::rustcrypto,
    engine::{Access, ENGINES},
    host::Host,
    id::Timestamp,
    policy::{Facts, Policies},
    store::memory::Memory,
    system::Settings,
    token::Identity,
};
use secrethub_tests::mount_of;
use serde_json::{Value, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

/// A host whose process can be changed, as a fork would, and whose clock can be set ahead, in microseconds.
#[derive(Debug)]
struct Forking(TokioHost, AtomicU32, AtomicU64);

impl Host for Forking {
    fn now(&self) -> Timestamp {
        self.0.now().plus(Duration::from_micros(self.2.load(Ordering::SeqCst)))
    }
    fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.0.sleep(duration)
    }
    fn spawn(&self, name: &'static str, task: BoxFuture<'static, ()>) {
        self.0.spawn(name, task);
    }
    fn run_blocking(&self, work: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, ()> {
        self.0.run_blocking(work)
    }
    fn fill_random(&self, bytes: &mut [u8]) {
        self.0.fill_random(bytes);
    }
    fn process_id(&self) -> u32 {
        self.1.load(Ordering::SeqCst)
    }
}

struct House {
    vault: Arc<Vault>,
    store: Arc<Memory>,
    host: Arc<Forking>,
    token: String,
    share: Value,
}

async fn open(store: &Arc<Memory>, host: &Arc<Forking>) -> Arc<Vault> {
    let (crypto, settings) = (rustcrypto::provider(), Settings::default());
    let parts = Parts { backend: store.clone(), host: host.clone(), crypto, settings };
    Vault::open(parts).await.unwrap()
}

impl House {
    async fn build() -> Self {
        let (store, host) = (
            Arc::new(Memory::default()),
            Arc::new(Forking(TokioHost::new(), AtomicU32::new(1), AtomicU64::new(0))),
        );
        let vault = open(&store, &host).await;
        let house = Self { vault, store, host, token: String::new(), share: Value::Null };
        let shares = json!({ "secret_shares": 1, "secret_threshold": 1 });
        let init = house.ask(Operation::Write, "sys/init", shares).await.unwrap().to_value();
        house.ask(Operation::Write, "sys/unseal", json!({ "key": init["keys"][0] })).await.unwrap();
        let share = init["keys"][0].clone();
        Self { token: init["root_token"].as_str().unwrap().to_owned(), share, ..house }
    }

    /// Another node over the same store, unsealed.
    async fn beside(&self) -> Self {
        let (store, host) = (self.store.clone(), self.host.clone());
        let (token, share) = (self.token.clone(), self.share.clone());
        let house = Self { vault: open(&store, &host).await, store, host, token, share };
        house.ask(Operation::Write, "sys/unseal", json!({ "key": house.share })).await.unwrap();
        house
    }

    fn request(&self, operation: Operation, path: &str, fields: Value) -> Request {
        let request = Request::new("id", operation, path).with_fields(fields);
        if self.token.is_empty() { request } else { request.with_token(&self.token) }
    }

    async fn ask(
        &self,
        operation: Operation,
        path: &str,
        fields: Value,
    ) -> Result<Reply, secrethub_core::Error> {
        self.vault.handle(self.request(operation, path, fields)).await
    }
}

#[tokio::test]
async fn a_caller_may_leave_at_any_poll() {
    let house = House::build().await;
    let mut polls = 0;
    loop {
        // A write, dropped after so many polls; the lane's task runs in between.
        let request =
            house.request(Operation::Write, "auth/token/create", json!({ "policies": ["default"] }));
        let mut call = Box::pin(house.vault.handle(request));
        let mut finished = false;
        for _ in 0..polls {
            finished = futures::poll!(call.as_mut()).is_ready();
            if finished {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(call);
        let other = house.ask(Operation::Read, "auth/token/lookup-self", json!({}));
        tokio::time::timeout(Duration::from_secs(10), other).await.expect("nobody else hangs").unwrap();
        if finished {
            break;
        }
        polls += 1;
    }
    assert!(polls > 1, "the write must have had to wait");
    let key = house.ask(Operation::Read, "audit/public-key", json!({})).await.unwrap().to_value();
    house.vault.shutdown().await.unwrap();
    let mut public = [0; 32];
    hex::decode_to_slice(key["public_key"].as_str().unwrap(), &mut public).unwrap();
    let report = verify(&*house.store, &rustcrypto::provider(), &public, None).await.unwrap();
    assert!(report.is_good(), "{:?}", report.faults);
}

#[tokio::test]
async fn a_change_of_mounts_is_seen_by_the_next_request_on_every_node() {
    let here = House::build().await;
    let there = here.beside().await;
    let kind = async |house: &House, operation, path: &str, fields: Value| {
        house.ask(operation, path, fields).await.err().map(|error| error.kind())
    };
    let secret = json!({ "data": { "v": 1 } });
    for n in 0..20 {
        let (from, to) = (format!("kv{n}"), format!("moved{n}"));
        let mount = json!({ "type": "kv", "options": { "version": "2" } });
        let asked = kind(&here, Operation::Write, &format!("sys/mounts/{from}"), mount).await;
        assert_eq!(asked, None);
        let (before, after) = (format!("{from}/data/a"), format!("{to}/data/a"));
        assert_eq!(kind(&there, Operation::Write, &before, secret.clone()).await, None, "enabled");
        here.ask(Operation::Write, "sys/remount", json!({ "from": from, "to": to })).await.unwrap();
        assert_eq!(
            kind(&there, Operation::Read, &before, json!({})).await,
            Some(ErrorKind::NotFound),
            "moved"
        );
        assert_eq!(kind(&there, Operation::Read, &after, json!({})).await, None, "moved");
        here.ask(Operation::Delete, &format!("sys/mounts/{to}"), json!({})).await.unwrap();
        assert_eq!(
            kind(&there, Operation::Read, &after, json!({})).await,
            Some(ErrorKind::NotFound),
            "disabled"
        );
    }
}

#[tokio::test]
async fn a_fork_is_refused() {
    let house = House::build().await;
    house.host.1.store(2, Ordering::SeqCst);
    let error = house.ask(Operation::Read, "auth/token/lookup-self", json!({})).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("fork"), "{error}");
    house.host.1.store(1, Ordering::SeqCst);
    house.ask(Operation::Read, "auth/token/lookup-self", json!({})).await.unwrap();
}

/// Tokens that could do everything, and are good no more.
async fn dead_tokens(house: &House) -> Vec<(&'static str, String)> {
    let all =
        r#"path "*" { capabilities = ["create", "read", "update", "patch", "delete", "list", "sudo"] }"#;
    house.ask(Operation::Write, "sys/policies/acl/all", json!({ "policy": all })).await.unwrap();
    let write = async |path: &str, fields: Value| house.ask(Operation::Write, path, fields).await.unwrap();
    let text = |reply: Reply| reply.auth.unwrap().client_token.expose().clone();
    let make = async |fields: Value| {
        let mut fields = fields;
        fields["policies"] = json!(["all"]);
        text(write("auth/token/create", fields).await)
    };
    let revoked = make(json!({})).await;
    write("auth/token/revoke", json!({ "token": revoked })).await;
    let parent = make(json!({})).await;
    let request = Request::new("id", Operation::Write, "auth/token/create").with_token(&parent);
    let cut_off = text(house.vault.handle(request).await.unwrap());
    write("auth/token/revoke", json!({ "token": parent })).await;
    let used_up = make(json!({ "num_uses": 1 })).await;
    let once = Request::new("id", Operation::Read, "auth/token/lookup-self").with_token(&used_up);
    house.vault.handle(once).await.unwrap();
    let app = write("apps", json!({ "name": "web-shop", "policies": ["all"] })).await.to_value();
    let login = json!({ "app_id": app["app_id"], "app_token": app["app_token"] });
    let suspended = text(write("apps/login", login).await);
    write(&format!("apps/{}/suspend", app["app_id"].as_str().unwrap()), json!({})).await;
    let (expired, batch) =
        (make(json!({ "ttl": "1h" })).await, make(json!({ "ttl": "1h", "type": "batch" })).await);
    house.host.2.store(7_200_000_000, Ordering::SeqCst);
    vec![
        ("revoked", revoked),
        ("its parent revoked", cut_off),
        ("used up", used_up),
        ("of a suspended application", suspended),
        ("expired", expired),
        ("expired batch", batch),
    ]
}

#[tokio::test]
async fn every_route_refuses_whom_it_should() {
    let house = House::build().await;
    let dead = dead_tokens(&house).await;
    let made = house.ask(
        Operation::Write,
        "auth/token/create",
        json!({ "policies": ["default"], "no_default_policy": true }),
    );
    let powerless = made.await.unwrap().auth.unwrap().client_token.expose().clone();
    let mut checked = 0;
    for engine in ENGINES {
        let mount = mount_of(engine.kind, engine.variant).expect("a mount");
        for route in engine
            .routes
            .iter()
            .filter(|route| matches!(route.access, Access::Token | Access::Sudo | Access::Ceremony))
        {
            let path =
                format!("{mount}{}", route.pattern.replace("{path*}", "a/b").replace(['{', '}', '*'], ""));
            let ask = async |token: &str| {
                let mut request = Request::new("id", route.operation, path.as_str());
                if !token.is_empty() {
                    request = request.with_token(token);
                }
                house.vault.handle(request).await.err().map(|error| error.kind())
            };
            let stranger = match route.access {
                Access::Ceremony => ErrorKind::Unsupported,
                _ => ErrorKind::Unauthenticated,
            };
            assert_eq!(ask("").await, Some(stranger), "no token: {route:?} at {path}");
            assert_eq!(
                ask("shs.wrong").await,
                Some(ErrorKind::Unauthenticated),
                "bad token: {route:?} at {path}"
            );
            for (what, token) in &dead {
                let kind = ask(token).await;
                assert_eq!(kind, Some(ErrorKind::Unauthenticated), "{what}: {route:?} at {path}");
            }
            let default = Identity { policies: vec!["default".to_owned()], ..Identity::built_in("test") };
            let rights = Policies::built_in().rights(&default, &path, &|_| None, Facts::default());
            if !rights.any() {
                assert_eq!(
                    ask(&powerless).await,
                    Some(ErrorKind::Denied),
                    "default policy: {route:?} at {path}"
                );
            }
            checked += 1;
        }
    }
    assert!(checked > 40, "{checked}");
    house.ask(Operation::Write, "sys/seal", json!({})).await.unwrap();
    for path in ["sys/mounts", "auth/token/lookup-self", "secret/data/a", "audit/records", "no/such"] {
        let sealed = house.ask(Operation::Read, path, json!({})).now_or_never();
        let kind = sealed.expect("a sealed vault answers at once").err().map(|error| error.kind());
        assert_eq!(kind, Some(ErrorKind::Sealed), "{path}");
    }
}

#[tokio::test]
async fn followers_see_every_record_in_order() {
    let house = House::build().await;
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let sink = Arc::clone(&seen);
    house.vault.follow(Arc::new(move |linked| sink.lock().unwrap().push(linked.record.seq)));
    for _ in 0..5 {
        house.ask(Operation::Read, "auth/token/lookup-self", json!({})).await.unwrap();
    }
    house.vault.shutdown().await.unwrap();
    let seen = seen.lock().unwrap().clone();
    assert!(seen.len() >= 5 && seen.windows(2).all(|pair| pair[1] == pair[0] + 1), "{seen:?}");
}
