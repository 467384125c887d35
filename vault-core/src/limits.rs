//! Every limit of the product, as a constant with its reason. A loop, queue, batch or buffer that has no
//! row here has no business being in the product.

use std::time::Duration;

/// Longest store key in bytes: what every backend can index without a prefix.
pub const KEY_BYTES_MAX: usize = 512;
/// Documents that a node remembers parsed: the tokens and secrets that are in use at a time.
pub const MEMO_DOCUMENTS: usize = 8_192;
/// A longer document is parsed every time, so that all that are remembered stay within a few dozen megabytes.
pub const MEMO_DOCUMENT_BYTES_MAX: usize = 2 * 1024;
/// Entries or records of one batch that fills a store.
pub const RESTORE_BATCH_OPS: usize = 500;
/// Bytes of one batch that fills a store.
pub const RESTORE_BATCH_BYTES: usize = 2 * 1024 * 1024;
/// How often such a batch is sent while its outcome stays unknown.
pub const RESTORE_SENDINGS: usize = 50;
/// Longest sealed value in bytes: MongoDB's document limit less room for its other fields.
pub const VALUE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Changes that one request may stage. What is larger commits a tombstone and sweeps.
pub const REQUEST_OPS_MAX: usize = 256;
/// Changes in one merged commit: keeps a transaction short on every backend.
pub const BATCH_OPS_MAX: usize = 8_192;
/// Requests merged into one commit.
pub const LANE_REQUESTS_MAX: usize = 1_024;
/// Bytes merged into one commit.
pub const LANE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// A commit waits for more changes at most this part of the time that a commit takes…
pub const LANE_GATHER_DIVISOR: u32 = 4;
/// … and never longer, so that a slow disk does not make every request slower still.
pub const LANE_GATHER_MAX: Duration = Duration::from_millis(2);
/// Requests that may wait for the lane; beyond it a caller is told 503 at once instead of waiting for ever.
pub const LANE_QUEUE_MAX: usize = 8_192;
/// How late a caller may hear that its time is over: the lane looks so often after who waits, with one timer for all of
/// them. A timer for each would take an allocation and two locks, shared by all, at every request.
pub const LANE_LATENESS_MAX: Duration = Duration::from_millis(250);
/// Silence after which a starting node takes a lane out of the row. One that was only idle takes a new boot id.
pub const LANE_IDLE_MAX: Duration = Duration::from_secs(3_600);
/// Lanes in the row: who changes mounts or policies must replace an epoch for each in one request, and a node that
/// dies again and again must not grow the row until that fails.
pub const LANES_MAX: usize = 128;
/// Bytes that may wait for the lane; beyond it a caller is told 503, whatever the number of requests.
pub const LANE_QUEUE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Bytes that one request may write: one value of the largest size, with room for what stands beside it.
pub const REQUEST_BYTES_MAX: usize = 2 * VALUE_BYTES_MAX;
/// First pause before a commit whose outcome is unknown is sent again; doubles up to [`LANE_RETRY_MAX`].
pub const LANE_RETRY_MIN: Duration = Duration::from_millis(10);
/// Longest pause before a commit whose outcome is unknown is sent again.
pub const LANE_RETRY_MAX: Duration = Duration::from_secs(1);
/// How long a closing lane waits for a store that does not answer. A seal must end, whatever the store does.
pub const LANE_CLOSE_GRACE: Duration = Duration::from_secs(10);
/// Free bytes on the store's disk below which operators are warned, unless configured: an hour of some hundred requests
/// a second.
pub const DISK_WATERMARK_BYTES: u64 = 1 << 30;
/// Time between two looks at the other nodes, and between two records of this one.
pub const HEARTBEAT: Duration = Duration::from_secs(10);
/// Time between two records of a node that sees no other. Nobody waits for them, and a disk may sleep meanwhile; a node
/// that comes is seen at the next look, which only reads.
pub const HEARTBEAT_ALONE: Duration = Duration::from_secs(60);
/// A node whose record stays as it is for so long is told as stale.
pub const NODE_STALE: Duration = Duration::from_secs(60);
/// The record of a node that was silent for so long is removed by any other.
pub const NODE_FORGOTTEN: Duration = Duration::from_secs(3_600);
/// How long a node that is sealed tries to remove its record.
pub const NODE_LEAVE_GRACE: Duration = Duration::from_secs(2);
/// Clocks of two nodes that differ by more are reported: tokens expire by them.
pub const CLOCK_SKEW_MAX: Duration = Duration::from_secs(5);
/// A job's lock that did not change for so long, as a node sees it that wants it, is free: its holder is dead or paused, and
/// whatever it still sends is refused. Longer than a lane needs for a commit when the store is slow.
pub const LOCK_TTL: Duration = Duration::from_secs(15);
/// A holder renews its lock when it is so old and there is more to do.
pub const LOCK_RENEW: Duration = Duration::from_secs(5);
/// Entries a page of a scan may hold.
pub const SCAN_ENTRIES_MAX: usize = 1_000;
/// Bytes a page of a scan may hold (at least one entry is always returned).
pub const SCAN_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Keys of one `get`.
pub const GET_KEYS_MAX: usize = 256;
/// Audit records a page may hold.
pub const AUDIT_PAGE_MAX: usize = 1_000;
/// Longest text column of an audit record in bytes; longer text is cut, never refused.
pub const AUDIT_TEXT_BYTES_MAX: usize = 1_024;
/// Body fields whose keyed hash a record carries.
pub const AUDIT_FIELDS_MAX: usize = 32;
/// Headers that an operator may have records tell of, and values of headers that one record tells of.
pub const AUDIT_HEADERS_MAX: usize = 32;
/// Longest name of such a header in bytes: records have a byte for its length, and names are shorter.
pub const AUDIT_HEADER_NAME_BYTES_MAX: usize = 64;
/// Audit devices that the API may declare: each reads the whole log once more.
pub const AUDIT_DEVICES_MAX: usize = 16;
/// Records after which a checkpoint is due.
pub const CHECKPOINT_RECORDS: u64 = 1_000;
/// Activity after which a checkpoint is due.
pub const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(10);
/// Records of a sealed node that wait for the unseal; the oldest are counted, then dropped.
pub const SEALED_EVENTS_MAX: usize = 1_024;
/// How long a request may retry after conflicts.
pub const REQUEST_DEADLINE: Duration = Duration::from_secs(10);
/// Request body in bytes, as Vault has it.
pub const BODY_BYTES_MAX: usize = 32 * 1024 * 1024;
/// A secret of the first seed's API in decoded bytes.
pub const SECRET_MANAGER_BYTES_MAX: usize = 1024 * 1024;
/// Ciphertexts of the first seed that a master key is tried on before a vault is made under it.
pub const FIRST_SEED_SAMPLE: usize = 16;
/// Secrets and records of one import: a secret takes two changes, and one request may make 256.
pub const IMPORT_ITEMS_MAX: usize = 100;
/// Bytes of one imported audit record; the first seed's have a few hundred.
pub const IMPORTED_TEXT_BYTES_MAX: usize = 64 * 1024;
/// Pages of imported records that one request looks through.
pub const IMPORTED_PAGES: usize = 10;
/// Shares of a Shamir split: x is a non-zero byte.
pub const SHARES_MAX: usize = 255;
/// Most encryptions under one key term that an operator may choose, and what holds where nobody chose: Vault's number,
/// nine tenths of 2^32. Each boot's data key stays below [`BOOT_ENCRYPTIONS_MAX`] in any case.
pub const ROTATE_OPERATIONS_MAX: u64 = 3_865_470_566;
/// Fewest, as Vault has it: a rotation re-wraps everything.
pub const ROTATE_OPERATIONS_MIN: u64 = 1_000_000;
/// Shortest time between rotations by age, for the same reason; Vault's number.
pub const ROTATE_INTERVAL_MIN: Duration = Duration::from_secs(24 * 3_600);
/// How long a ceremony may take from its first request: people in every time zone have had a working day. No longer,
/// because the shares given so far lie, sealed, in the store meanwhile.
pub const CEREMONY_TTL: Duration = Duration::from_secs(24 * 3_600);
/// How long new shares that were told are kept, sealed, for who gave the last old one and heard no answer: time to see
/// an error and try again, by hand.
pub const REKEY_TOLD_TTL: Duration = Duration::from_secs(3_600);
/// Encryptions under one data key before a new boot id is taken; far below GCM's 2^32 (NIST SP 800-38D §8.3).
pub const BOOT_ENCRYPTIONS_MAX: u64 = 1 << 30;
/// Data keys of earlier boots kept scheduled in memory.
pub const DATA_KEYS_CACHED: usize = 4_096;
/// Terms that a keyring holds at once: a rotation a day for ten years without one re-wrap.
pub const TERMS_MAX: usize = 4_096;
/// Ancestors a token may have, and holders.
pub const TOKEN_DEPTH_MAX: usize = 16;
/// Longest life of a batch token: whatever may end one (a revocation by path, an old key term) is remembered so long.
pub const BATCH_TTL_MAX: Duration = LEASE_TTL_MAX;
/// Longest batch token in characters: what every proxy lets through in a header.
pub const BATCH_TOKEN_BYTES_MAX: usize = 6 * 1024;
/// Revocations by path that are remembered for batch tokens once they are swept. Beyond it the oldest of them becomes the
/// age below which every batch token ends.
pub const REVOCATIONS_KEPT_MAX: usize = 256;
/// Passwords that are hashed at a time: each takes [`Argon2Cost`](crate::crypto::Argon2Cost)'s 19 MiB and a processor.
pub const PASSWORD_HASHES: usize = 4;
/// Passwords that are hashed or wait for it: a few seconds' work. Beyond it a caller is told 503 at once.
pub const PASSWORD_QUEUE_MAX: usize = 128;
/// Failed logins in a row that lock a name, unless a mount says otherwise; Vault's number.
pub const LOCKOUT_THRESHOLD: u64 = 5;
/// How long a name is locked; Vault's.
pub const LOCKOUT_DURATION: Duration = Duration::from_secs(15 * 60);
/// How long after the last one failed logins are forgotten; Vault's.
pub const LOCKOUT_RESET: Duration = Duration::from_secs(15 * 60);
/// How long an application's bootstrap token waits to be used (the second seed's figure).
pub const APP_TOKEN_TTL: Duration = Duration::from_secs(3_600);
/// Longest description of an application in bytes: a list shows many.
pub const APP_DESCRIPTION_BYTES_MAX: usize = 4 * 1_024;
/// Applications that one answer shows.
pub const APPS_PAGE_MAX: usize = 1_000;
/// Applications that one request looks at to find those that are asked for; a longer list is paged.
pub const APPS_SCANNED_MAX: usize = 100_000;
/// Longest id of an AppRole's role in bytes.
pub const ROLE_ID_BYTES_MAX: usize = 1_024;
/// Longest SecretID in bytes.
pub const SECRET_ID_BYTES_MAX: usize = 4 * 1_024;
/// Longest request path in bytes.
pub const PATH_BYTES_MAX: usize = 400;
/// Lowest PBKDF2 iteration count that is accepted (the seed's figure).
pub const PBKDF2_ITERATIONS_MIN: u32 = 100_000;
/// PBKDF2-HMAC-SHA-256 iterations for new material (OWASP Password Storage Cheat Sheet, 2025).
pub const PBKDF2_ITERATIONS: u32 = 600_000;
/// Random bytes a generator gives before it takes fresh entropy: one call of the operating system in 87,000 nonces
/// costs nothing, and a leaked state tells the future no further than this.
pub const RNG_RESEED_BYTES: usize = 1024 * 1024;
/// Generators side by side: more than the threads of a busy node, so that a nonce seldom waits for a lock.
pub const RNG_SHARDS: usize = 16;
/// Most memory an Argon2id hash may take in KiB (1 GiB): a stored cost must not be able to exhaust the server.
pub const ARGON2_MEMORY_KIB_MAX: u32 = 1 << 20;
/// Most passes of an Argon2id hash, for the same reason.
pub const ARGON2_PASSES_MAX: u32 = 64;
/// Shortest new passphrase of a vault in characters: NIST SP 800-63B-4 §3.1.1.2 for one that stands alone.
pub const PASSPHRASE_CHARS_MIN: usize = 15;
/// Longest passphrase in bytes: nobody types more.
pub const PASSPHRASE_BYTES_MAX: usize = 1_024;
/// Least memory in KiB that a vault's passphrase is stretched with (OWASP's minimum): a seal that asks for less was
/// weakened by somebody.
pub const PASSPHRASE_MEMORY_KIB_MIN: u32 = 19_456;
/// Most, 256 MiB: a seal is read from the store before it can be believed, and must not take the server's memory.
pub const PASSPHRASE_MEMORY_KIB_MAX: u32 = 1 << 18;
/// Most passes, for the same reason: some seconds of one processor.
pub const PASSPHRASE_PASSES_MAX: u32 = 16;
/// Most lanes, for the same reason.
pub const PASSPHRASE_LANES_MAX: u32 = 16;
/// Wrong passphrases in a row that a node takes as they come: somebody mistypes …
pub const PASSPHRASE_WRONG_MAX: u32 = 5;
/// … and the time between two after them: a guess costs memory and a processor, whoever asks for it.
pub const PASSPHRASE_PAUSE: Duration = Duration::from_secs(5);
/// Client networks that a rate limiter remembers; the rest share one bucket.
pub const NETWORKS_MAX: usize = 16_384;
/// Requests that were turned away leave one record an address in this time.
pub const FLOOD_WINDOW: Duration = Duration::from_secs(10);
/// How long who is turned away by the mounts and quotas of the request before is not compared with the store: a flood must
/// not reach it, and an operator's change of mind must reach the flood.
pub const MOUNTS_BELIEVED: Duration = Duration::from_secs(1);
/// Failed logins of one name from one address …
pub const LOGIN_FAILURES_MAX: usize = 5;
/// … within this time; then that address waits. As the second seed has it, where it counted good ones, too.
pub const LOGIN_FAILURES_WINDOW: Duration = Duration::from_secs(60);
/// Rate limit quotas: every node reads them all when a mount changes.
pub const QUOTAS_MAX: usize = 128;
/// Clients that a quota remembers on a node; the rest share one bucket. With [`QUOTAS_MAX`] of them, all flooded at once,
/// about 100 megabytes.
pub const QUOTA_CLIENTS_MAX: usize = 8_192;
/// Most requests in an interval that a quota may let through: more is no limit.
pub const QUOTA_RATE_MAX: f64 = 1e9;
/// Longest interval of a quota.
pub const QUOTA_INTERVAL_MAX: Duration = Duration::from_secs(30 * 24 * 3_600);
/// Paths that quotas may leave out: each request is compared with all.
pub const QUOTA_EXEMPT_PATHS_MAX: usize = 64;
/// Default lease of tokens and Vault-compatible replies: 32 days.
pub const LEASE_TTL_DEFAULT: Duration = Duration::from_secs(32 * 24 * 3_600);
/// Longest lease unless configured: 32 days.
pub const LEASE_TTL_MAX: Duration = Duration::from_secs(32 * 24 * 3_600);
/// Tokens that one request looks at to list or count leases: about a second's work; a longer list is paged.
pub const LEASES_SCANNED_MAX: usize = 250_000;
/// Revocations by path that may stand at once: every use of a token is compared with each.
pub const REVOCATIONS_MAX: usize = 64;
/// Shortest time that a wrapped reply is kept: times of tokens are whole seconds.
pub const WRAP_TTL_MIN: Duration = Duration::from_secs(1);
/// Mounts of a vault: every node reads them all when one changes.
pub const MOUNTS_MAX: usize = 10_000;
/// Longest path of a mount in bytes: leaves room for what stands below it within [`PATH_BYTES_MAX`].
pub const MOUNT_PATH_BYTES_MAX: usize = 200;
/// Longest document of a mount in bytes: with [`MOUNTS_MAX`] of them a node still reads them in a moment.
pub const MOUNT_BYTES_MAX: usize = 16 * 1024;
/// Written policies of a vault: every node reads them all when it starts, and those that changed later.
pub const POLICIES_MAX: usize = 10_000;
/// Longest text of a policy in bytes: ten thousand paths fit.
pub const POLICY_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of all policies' texts together: compiled they take some times as much of every node's memory.
pub const POLICIES_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Paths of one policy.
pub const POLICY_RULES_MAX: usize = 20_000;
/// Longest name of a policy in bytes: it stands in a key, in tokens and in records.
pub const POLICY_NAME_BYTES_MAX: usize = 128;
/// Longest time that a lease may be configured to live: 100 years, so that no sum of times overflows.
pub const LEASE_TTL_CONFIGURABLE_MAX: Duration = Duration::from_secs(100 * 366 * 24 * 3_600);
/// Names that one listing returns; a longer one is paged with `after`.
pub const LIST_NAMES_MAX: usize = 100_000;
/// Tokens that one activation of the expiry job removes a shard.
pub const EXPIRE_PAGE: usize = 100;
/// Pages that one activation of a sweep takes of one tombstone: others have their turn too.
pub const SWEEP_PAGES: usize = 20;
/// Random bytes that `sys/tools/random` makes at once.
pub const RANDOM_BYTES_MAX: usize = 128 * 1024;
/// Audit records that one activation of the prune job removes a chain.
pub const PRUNE_ROWS: usize = 10_000;
/// Versions of a secret that are kept where nobody says otherwise; Vault's number.
pub const KV_VERSIONS_DEFAULT: u64 = 10;
/// Versions of a secret that may be kept: every write rewrites the list of them.
pub const KV_VERSIONS_MAX: u64 = 10_000;
/// Versions that one request may name or remove: keeps it below [`REQUEST_OPS_MAX`] and [`GET_KEYS_MAX`].
pub const KV_VERSIONS_PER_CALL: usize = 128;
/// Surplus versions that one write prunes; more go with the next writes.
pub const KV_PRUNE_MAX: usize = 64;
/// Names in a secret's custom metadata; Vault's number.
pub const CUSTOM_METADATA_KEYS_MAX: usize = 64;
/// Bytes of a name in custom metadata; Vault's number.
pub const CUSTOM_METADATA_NAME_BYTES_MAX: usize = 128;
/// Bytes of a value in custom metadata; Vault's number.
pub const CUSTOM_METADATA_VALUE_BYTES_MAX: usize = 512;
/// Entries a page of the re-wrap job; each may become a change of one commit.
pub const REWRAP_ENTRIES: usize = 200;
/// Pages that one activation of the re-wrap job takes.
pub const REWRAP_PAGES: usize = 10;
