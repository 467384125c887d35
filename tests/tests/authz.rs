//! The authz table's other half: what is allowed is served. Every route is asked, with the example from its own row,
//! by a token that may; a route that is not in this table because its answer is a refusal by nature is listed below
//! with the refusal that is its documented answer.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use secrethub::TokioHost;
use secrethub_core::{
    ErrorKind, Operation, Parts, Request, Secret, Vault,
    barrier::MasterKey,
    crypto::rustcrypto,
    engine::{ENGINES, Engine, Route},
    store::memory::Memory,
    system::{
        AuditDevice, DeviceKeeper, Facts, Guardian, InFlight, LogLevel, Machine, ProcessFacts, Settings,
    },
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, pin::Pin, sync::Arc, time::Duration};

/// Routes whose documented answer in this house is a refusal.
const REFUSED: &[(Operation, &str, ErrorKind)] = &[
    // There is a vault already.
    (Operation::Write, "sys/init", ErrorKind::Invalid),
    (Operation::Write, "sys/storage/raft/snapshot", ErrorKind::Invalid),
    (Operation::Write, "sys/storage/raft/snapshot-force", ErrorKind::Invalid),
    // Its shares are not backed up, and none is a recovery share.
    (Operation::Read, "sys/rekey/backup", ErrorKind::Invalid),
    (Operation::Read, "sys/rotate/root/backup", ErrorKind::Invalid),
    (Operation::Read, "sys/rekey/recovery-key-backup", ErrorKind::Invalid),
    (Operation::Read, "sys/rotate/recovery/backup", ErrorKind::Invalid),
    // Records are kept for ever in this house.
    (Operation::Write, "audit/prune", ErrorKind::Invalid),
];

/// Would keep every audit device.
#[derive(Debug)]
struct Keeper;

impl DeviceKeeper for Keeper {
    fn check<'a>(&'a self, _: &'a AuditDevice) -> Checked<'a> {
        Box::pin(async { Ok(()) })
    }

    fn keep(&self, _: &[AuditDevice]) {}
}

/// A machine that says nothing of itself, and logs.
#[derive(Debug)]
struct Quiet;

impl Machine for Quiet {
    fn facts(&self) -> Pin<Box<dyn Future<Output = Result<Facts, secrethub_core::Error>> + Send + '_>> {
        Box::pin(async { Ok(Facts::default()) })
    }

    fn process(&self) -> Option<ProcessFacts> {
        None
    }

    fn in_flight(&self) -> BTreeMap<String, InFlight> {
        BTreeMap::new()
    }

    fn loggers(&self) -> BTreeMap<&'static str, LogLevel> {
        BTreeMap::from([("core", LogLevel::Info)])
    }

    fn set_log_level(&self, _: Option<&str>, _: Option<LogLevel>) {}
}

type Checked<'a> = Pin<Box<dyn Future<Output = Result<(), secrethub_core::Error>> + Send + 'a>>;

fn mount_of(engine: &Engine) -> &'static str {
    secrethub_tests::mount_of(engine.kind, engine.variant)
        .unwrap_or_else(|| panic!("say where {engine:?} is mounted"))
}

/// A vault in which every example finds what it names.
struct House {
    vault: Arc<Vault>,
    token: String,
    share: String,
    /// What stands for the placeholders of the examples.
    child: String,
    accessor: String,
    chain: String,
    secret_id: String,
    migration: String,
    nonce: String,
    wrapping: String,
    lease: String,
    secret_accessor: String,
    app: String,
    app_token: String,
}

impl House {
    /// A house in which the ceremony is under way that the route goes on with.
    async fn build_for(route: &Route) -> Self {
        let mut house = match route.pattern.contains("recovery") {
            true => Self::build_static().await,
            false => Self::build().await,
        };
        let begins = route.operation == Operation::Write && route.pattern.ends_with("t");
        let path = match route.pattern {
            _ if begins => return house,
            pattern if pattern.starts_with("generate-root") => "sys/generate-root-token/attempt",
            pattern if pattern.contains("recovery") => "sys/rotate/recovery/init",
            pattern if pattern.starts_with("rekey/") || pattern.starts_with("rotate/root/") => {
                "sys/rotate/root/init"
            }
            _ => return house,
        };
        house.begin(path, route.pattern.ends_with("/verify")).await;
        house
    }

    async fn begin(&mut self, path: &str, verify: bool) {
        let fields = match path.ends_with("init") {
            true => json!({ "secret_shares": 1, "secret_threshold": 1, "require_verification": verify }),
            false => json!({}),
        };
        let begun = self.get(path, fields).await;
        self.nonce = begun["nonce"].as_str().unwrap().to_owned();
        if verify {
            let fields = json!({ "key": self.share, "nonce": self.nonce });
            let done = self.get(&path.replace("init", "update"), fields).await;
            self.nonce = done["verification_nonce"].as_str().unwrap().to_owned();
            self.share = done["keys"][0].as_str().unwrap().to_owned();
        }
    }

    /// A vault that unseals itself; its root token is made by who holds the master key.
    async fn build_static() -> Self {
        let key = "k".repeat(32);
        let master_key = MasterKey::parse(&Secret::new(key.clone())).unwrap();
        let settings = Settings {
            guardian: Guardian::MasterKey(master_key),
            unauthenticated_ceremonies: true,
            ..Settings::default()
        };
        let mut house = Self::open(settings).await;
        let otp = "0123456789ABCDEFGHIJKLMNOPQR";
        let begun = house.get("sys/generate-root/attempt", json!({ "otp": otp })).await;
        let fields = json!({ "key": key, "nonce": begun["nonce"] });
        let done = house.get("sys/generate-root/update", fields).await;
        let encoded = STANDARD_NO_PAD.decode(done["encoded_token"].as_str().unwrap()).unwrap();
        let token = encoded.iter().zip(otp.bytes()).map(|(a, b)| a ^ b).collect();
        (house.token, house.share) = (String::from_utf8(token).unwrap(), key);
        house
    }

    async fn open(settings: Settings) -> Self {
        let (host, crypto) = (Arc::new(TokioHost::new()), rustcrypto::provider());
        let backend = Arc::new(Memory::default());
        let vault = Vault::open(Parts { backend, host, crypto, settings }).await.unwrap();
        let empty = String::new;
        Self {
            vault,
            token: empty(),
            share: empty(),
            child: empty(),
            accessor: empty(),
            chain: empty(),
            secret_id: empty(),
            migration: empty(),
            nonce: empty(),
            wrapping: empty(),
            lease: empty(),
            secret_accessor: empty(),
            app: empty(),
            app_token: empty(),
        }
    }

    async fn build() -> Self {
        let keeper = Some(Arc::new(Keeper) as _);
        let machine = Some(Arc::new(Quiet) as _);
        let mut house = Self::open(Settings { device_keeper: keeper, machine, ..Settings::default() }).await;
        let init = house.get("sys/init", json!({ "secret_shares": 1, "secret_threshold": 1 })).await;
        house.share = init["keys"][0].as_str().unwrap().to_owned();
        house.get("sys/unseal", json!({ "key": house.share })).await;
        house.token = init["root_token"].as_str().unwrap().to_owned();
        for n in 1..=3 {
            house.get("secret/data/a/b", json!({ "data": { "password": n } })).await;
        }
        house.get("sys/mounts/old", json!({ "type": "kv" })).await;
        let moved = house.get("sys/remount", json!({ "from": "old", "to": "kv1" })).await;
        house.migration = moved["migration_id"].as_str().unwrap().to_owned();
        house.get("kv1/a/b", json!({ "password": 1 })).await;
        house.get("sys/config/auditing/request-headers/X-Trace", json!({})).await;
        let mut wrapped = house.request(Operation::Read, "sys/mounts", json!({}));
        wrapped.wrap_ttl = Some(Duration::from_secs(60));
        let wrap = house.vault.handle(wrapped).await.unwrap().wrap.unwrap();
        house.wrapping = wrap.token.expose().clone();
        house.get("sys/quotas/rate-limit/made", json!({ "path": "kv1/", "rate": 1_000 })).await;
        house.get("cubbyhole/a/b", json!({ "password": 1 })).await;
        for method in ["approle", "userpass"] {
            house.get(&format!("sys/auth/{method}"), json!({ "type": method })).await;
        }
        house.get("auth/approle/role/made", json!({ "role_id": "ROLE_ID" })).await;
        let secret = json!({ "secret_id": "the-secret" });
        let secret = house.get("auth/approle/role/made/custom-secret-id", secret).await;
        house.secret_accessor = secret["secret_id_accessor"].as_str().unwrap().to_owned();
        let app = house.get("apps", json!({ "name": "made", "policies": ["default"] })).await;
        house.app = app["app_id"].as_str().unwrap().to_owned();
        house.app_token = app["app_token"].as_str().unwrap().to_owned();
        let password = json!({ "password": "correct horse battery staple" });
        house.get("auth/userpass/users/made", password).await;
        house.get("auth/token/roles/made", json!({ "allowed_policies": ["default"] })).await;
        let made = house.request(
            Operation::Write,
            "auth/token/create",
            json!({ "policies": ["default"], "ttl": "1h" }),
        );
        let auth = house.vault.handle(made).await.unwrap().auth.unwrap();
        (house.child, house.accessor) = (auth.client_token.expose().clone(), auth.accessor);
        let leases = house.request(Operation::Read, "sys/leases", json!({}));
        let leases = house.vault.handle(leases).await.unwrap().to_value();
        let mut leases = leases["leases"].as_array().unwrap().iter();
        let lease = leases.find(|lease| lease["renewable"] == true).unwrap();
        house.lease = lease["lease_id"].as_str().unwrap().to_owned();
        let chains = house.request(Operation::Read, "audit/chains", json!({}));
        let chains = house.vault.handle(chains).await.unwrap().to_value();
        house.chain = chains["chains"][0]["chain"].as_str().unwrap().to_owned();
        let made = house.get("secret-manager/create", json!({ "secret": "aGk=" })).await;
        house.secret_id = made["secret_id"].as_str().unwrap().to_owned();
        house
    }

    fn request(&self, operation: Operation, path: &str, fields: Value) -> Request {
        let request = Request::new("id", operation, path).with_fields(fields);
        if self.token.is_empty() { request } else { request.with_token(&self.token) }
    }

    async fn get(&self, path: &str, fields: Value) -> Value {
        self.vault.handle(self.request(Operation::Write, path, fields)).await.unwrap().to_value()
    }

    /// The example with its placeholders filled.
    fn fields(&self, mount: &str, route: &Route) -> Value {
        let filled = route
            .example
            .replace("shs.…", &self.child)
            .replace("shs.wrapping", &self.wrapping)
            .replace("auth/token/create/HASH", &self.lease)
            .replace("SECRET_ID_ACCESSOR", &self.secret_accessor)
            .replace("APP_ID", &self.app)
            .replace("APP_TOKEN", &self.app_token)
            .replace(r#""accessor":"…""#, &format!(r#""accessor":"{}""#, self.accessor))
            .replace(r#""key":"…""#, &format!(r#""key":"{}""#, self.share))
            .replace(r#""nonce":"…""#, &format!(r#""nonce":"{}""#, self.nonce))
            .replace("00000000000000000000000000000000", &self.chain)
            .replace("550e8400-e29b-41d4-a716-446655440000", &self.secret_id);
        let fields: Value = serde_json::from_str(&filled).unwrap();
        assert!(!filled.contains('…'), "{mount}{route:?}: an example must work as it stands: {filled}");
        fields
    }
}

/// A path that the pattern matches and that exists in the house.
fn path_of(mount: &str, route: &Route, house: &House) -> String {
    use Operation::{Delete, List, Read, Write};
    let rest = match (mount, route.operation, route.pattern) {
        ("sys/", Write, "mounts/{path*}") => "fresh",
        // What every vault has cannot be disabled; what is not there is disabled already.
        ("sys/", Delete, "auth/{path*}") => "gone",
        ("sys/", Write, "auth/{path*}") => "fresh",
        ("sys/", _, "auth/{path*}" | "auth/{path*}/tune") => "token",
        ("sys/", _, "audit-hash/{path*}") => "store",
        ("sys/", ..) => "secret",
        ("secret/" | "kv1/" | "cubbyhole/", List, _) => "a/",
        // Its example says `cas: 0`: only if there is none.
        ("secret/", Write, "data/{path*}") => "new",
        _ => "a/b",
    };
    let pattern = route.pattern.replace("{path*}", rest).replace("{id}", &house.migration);
    let pattern = pattern.replace("{prefix*}", "auth/token").replace("/{lease*}", "");
    let pattern = pattern.replace("{header}", "X-Trace").replace("{logger}", "core");
    let pattern = pattern.replace("{algorithm}", "sha2-256").replace("{bytes}", "16");
    let policy = if route.operation == Read { "default" } else { "app" };
    let pattern = pattern
        .replace("{name*}", policy)
        .replace("{template}", "read_only")
        .replace("{role}", "made")
        .replace("{quota}", "made");
    let pattern = pattern.replace("{setting}", "token-ttl").replace("{user}", "made");
    let pattern = pattern.replace("{app}", &house.app).replace("{policy}", "default");
    assert!(!pattern.contains('{'), "say what stands for the names of {route:?}");
    format!("{mount}{pattern}")
}

#[tokio::test]
async fn every_route_serves_who_may() {
    let (mut served, mut wrong) = (0, Vec::new());
    for engine in ENGINES {
        let mount = mount_of(engine);
        for route in engine.routes {
            let mut house = House::build_for(route).await;
            let (path, fields) = (path_of(mount, route, &house), house.fields(mount, route));
            if route.pattern == "renew-self" {
                house.token.clone_from(&house.child); // The root token never ends, so it cannot be renewed.
            }
            let mut request = house.request(route.operation, &path, fields);
            if route.pattern == "wrapping/wrap" {
                request.wrap_ttl = Some(Duration::from_secs(60));
            }
            let answer = house.vault.handle(request).await;
            let pattern = format!("{mount}{}", route.pattern);
            let refused =
                REFUSED.iter().find(|(operation, name, _)| *operation == route.operation && *name == pattern);
            let expect = refused.map(|(_, _, kind)| *kind);
            let kind = answer.as_ref().err().map(secrethub_core::Error::kind);
            if kind != expect {
                wrong.push(format!("{route:?} at {path}: {answer:?}"));
            }
            served += 1;
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(served > 60, "{served}");
}
