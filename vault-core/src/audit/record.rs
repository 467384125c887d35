//! [`AuditRecord`]: what one request leaves behind, its canonical bytes (format 1, or 2 with headers), and the columns that an
//! operator queries with the database's own shell.
//!
//! Values never stand in a record, only keyed hashes. The canonical bytes cover every field: a format byte,
//! then fields in ascending tag order, each `tag (1) ‖ length (4, big-endian) ‖ bytes`; empty fields are left out.
//! `docs/formats.md` has the table.

use crate::{
    id::{BootId, Timestamp},
    limits::AUDIT_TEXT_BYTES_MAX,
    store::Key,
};

/// Did the request get what it asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Status {
    /// Yes.
    #[default]
    Success,
    /// No.
    Failure,
}

impl Status {
    /// The text of the column: the first seed promises exactly these words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
        }
    }

    /// Parses the column.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "success" => Some(Self::Success),
            "failure" => Some(Self::Failure),
            _ => None,
        }
    }
}

/// The part of a record that is stored as plain columns, under these very names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    /// When the request was received.
    pub timestamp: Timestamp,
    /// `read`, `update`, `list`, `create`, `fetch`, `login` …
    pub operation: String,
    /// The secret's id, for the first seed's API and KV.
    pub secret_id: Option<String>,
    /// The client's address.
    pub client_ip: Option<String>,
    /// How it ended.
    pub status: Status,
    /// Display name of who asked.
    pub actor: Option<String>,
    /// Accessor of the token that asked.
    pub accessor: Option<String>,
    /// The request path, without namespace.
    pub path: String,
    /// The mount that answered.
    pub mount: Option<String>,
    /// What the client calls itself.
    pub user_agent: Option<String>,
    /// The rule that allowed or denied it.
    pub rule: Option<String>,
    /// Unique id of the request, as in its reply.
    pub request_id: String,
    /// A lease made or touched.
    pub lease_id: Option<String>,
    /// Kind of failure and its public message.
    pub error: Option<String>,
    /// Microseconds from receipt to the commit's being put together.
    pub elapsed_us: u64,
}

/// The value of a request's header, as an operator has chosen that records tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderValue {
    /// As it came.
    Plain(String),
    /// A keyed hash of it.
    Hashed([u8; 16]),
}

/// A record: its place in a chain, its columns, and what only the canonical bytes hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRecord {
    /// The chain, one a node boot.
    pub chain: BootId,
    /// Its place in the chain, from 1.
    pub seq: u64,
    /// What stands in columns.
    pub columns: Columns,
    /// What was written: key and SHA-256 of the sealed value; `None` where the key was removed.
    pub writes: Vec<(Key, Option<[u8; 32]>)>,
    /// Request fields by name, each as a keyed hash of its value.
    pub fields: Vec<(String, [u8; 16])>,
    /// The headers that an operator has chosen, by name in lower case; a header that came twice stands here twice.
    pub headers: Vec<(String, HeaderValue)>,
}

const FORMAT: u8 = 1;
/// A record that tells of headers, which format 1 does not know.
const FORMAT_WITH_HEADERS: u8 = 2;
/// Room for a usual record.
const CANONICAL_BYTES: usize = 512;

impl AuditRecord {
    /// The bytes that the chain covers.
    pub fn canonical(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(CANONICAL_BYTES);
        out.push(if self.headers.is_empty() { FORMAT } else { FORMAT_WITH_HEADERS });
        let c = &self.columns;
        let mut field = |tag: u8, bytes: &[u8]| {
            if !bytes.is_empty() {
                out.push(tag);
                out.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
                out.extend_from_slice(bytes);
            }
        };
        field(1, &self.chain.0);
        field(2, &self.seq.to_be_bytes());
        field(3, &c.timestamp.0.to_be_bytes());
        field(4, c.operation.as_bytes());
        field(5, text(&c.secret_id));
        field(6, text(&c.client_ip));
        field(7, c.status.as_str().as_bytes());
        field(8, text(&c.actor));
        field(9, text(&c.accessor));
        field(10, c.path.as_bytes());
        field(11, text(&c.mount));
        field(12, text(&c.user_agent));
        field(13, text(&c.rule));
        field(14, c.request_id.as_bytes());
        field(15, text(&c.lease_id));
        field(16, text(&c.error));
        field(17, &c.elapsed_us.to_be_bytes());
        for (key, digest) in &self.writes {
            let mut bytes =
                digest.as_ref().map_or_else(|| vec![0], |digest| [&[1], digest.as_slice()].concat());
            bytes.extend_from_slice(key.as_str().as_bytes());
            field(18, &bytes);
        }
        for (name, digest) in &self.fields {
            field(19, &[digest.as_slice(), name.as_bytes()].concat());
        }
        for (name, value) in &self.headers {
            field(20, &header_bytes(name, value));
        }
        out
    }

    /// Reads canonical bytes back; `None` for anything that [`AuditRecord::canonical`] cannot have written.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (&format, mut rest) = bytes.split_first()?;
        if ![FORMAT, FORMAT_WITH_HEADERS].contains(&format) {
            return None;
        }
        let mut record = Self {
            chain: BootId([0; 16]),
            seq: 0,
            columns: Columns::default(),
            writes: Vec::new(),
            fields: Vec::new(),
            headers: Vec::new(),
        };
        while !rest.is_empty() {
            let (head, tail) = rest.split_at_checked(5)?;
            let length = u32::from_be_bytes(head[1..].try_into().ok()?) as usize;
            let (value, tail) = tail.split_at_checked(length)?;
            record.set(head[0], value)?;
            rest = tail;
        }
        (record.canonical() == bytes).then_some(record)
    }

    fn set(&mut self, tag: u8, value: &[u8]) -> Option<()> {
        let c = &mut self.columns;
        let number = || Some(u64::from_be_bytes(value.try_into().ok()?));
        let text = || Some(std::str::from_utf8(value).ok()?.to_owned());
        match tag {
            1 => self.chain = BootId(value.try_into().ok()?),
            2 => self.seq = number()?,
            3 => c.timestamp = Timestamp(number()?),
            4 => c.operation = text()?,
            5 => c.secret_id = Some(text()?),
            6 => c.client_ip = Some(text()?),
            7 => c.status = Status::parse(&text()?)?,
            8 => c.actor = Some(text()?),
            9 => c.accessor = Some(text()?),
            10 => c.path = text()?,
            11 => c.mount = Some(text()?),
            12 => c.user_agent = Some(text()?),
            13 => c.rule = Some(text()?),
            14 => c.request_id = text()?,
            15 => c.lease_id = Some(text()?),
            16 => c.error = Some(text()?),
            17 => c.elapsed_us = number()?,
            18 => self.writes.push(parse_write(value)?),
            19 => {
                let (digest, name) = value.split_at_checked(16)?;
                self.fields.push((std::str::from_utf8(name).ok()?.to_owned(), digest.try_into().ok()?));
            }
            20 => self.headers.push(parse_header(value)?),
            _ => return None,
        }
        Some(())
    }
}

fn text(value: &Option<String>) -> &[u8] {
    value.as_deref().unwrap_or_default().as_bytes()
}

fn parse_write(value: &[u8]) -> Option<(Key, Option<[u8; 32]>)> {
    let (&kind, rest) = value.split_first()?;
    let (digest, key) = match kind {
        0 => (None, rest),
        1 => {
            let (digest, key) = rest.split_at_checked(32)?;
            (Some(digest.try_into().ok()?), key)
        }
        _ => return None,
    };
    Some((Key::new(std::str::from_utf8(key).ok()?).ok()?, digest))
}

/// Kind (0 = plain, 1 = hashed) ‖ length of the name ‖ name ‖ value. Names are short: whoever configures them is refused
/// longer ones, and what is longer all the same is cut.
fn header_bytes(name: &str, value: &HeaderValue) -> Vec<u8> {
    let name = &name[..name.floor_char_boundary(usize::from(u8::MAX))];
    let (kind, value): (u8, &[u8]) = match value {
        HeaderValue::Plain(text) => (0, text.as_bytes()),
        HeaderValue::Hashed(digest) => (1, digest),
    };
    let length = u8::try_from(name.len()).unwrap_or(u8::MAX);
    [&[kind, length], name.as_bytes(), value].concat()
}

fn parse_header(value: &[u8]) -> Option<(String, HeaderValue)> {
    let (&[kind, length], rest) = value.split_first_chunk()?;
    let (name, value) = rest.split_at_checked(length.into())?;
    let value = match kind {
        0 => HeaderValue::Plain(std::str::from_utf8(value).ok()?.to_owned()),
        1 => HeaderValue::Hashed(value.try_into().ok()?),
        _ => return None,
    };
    Some((std::str::from_utf8(name).ok()?.to_owned(), value))
}

/// Cuts text for a column at a character boundary; a record is never refused for being long. NUL, which no column of
/// PostgreSQL can hold and which a client may send as `%00`, becomes U+FFFD: one request must not stop the lane.
pub fn cut(text: &str) -> String {
    if text.len() <= AUDIT_TEXT_BYTES_MAX && !text.contains('\0') {
        return text.to_owned();
    }
    let text = text.replace('\0', "\u{FFFD}");
    let mut end = text.len().min(AUDIT_TEXT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::vec, option, prelude::*};

    fn text() -> impl Strategy<Value = Option<String>> {
        option::of("\\PC{1,12}")
    }

    fn header_value() -> impl Strategy<Value = HeaderValue> {
        prop_oneof!["\\PC{0,9}".prop_map(HeaderValue::Plain), any::<[u8; 16]>().prop_map(HeaderValue::Hashed)]
    }

    prop_compose! {
        fn columns()(
            (timestamp, elapsed_us) in any::<(u64, u64)>(),
            (operation, path, request_id) in ("\\PC{0,8}", "\\PC{0,8}", "\\PC{0,8}"),
            (secret_id, client_ip, actor, accessor, mount) in (text(), text(), text(), text(), text()),
            (user_agent, rule, lease_id, error) in (text(), text(), text(), text()),
            failed in any::<bool>(),
        ) -> Columns {
            let status = if failed { Status::Failure } else { Status::Success };
            let timestamp = Timestamp(timestamp);
            Columns {
                timestamp, operation, secret_id, client_ip, status, actor, accessor, path, mount, user_agent,
                rule, request_id, lease_id, error, elapsed_us,
            }
        }
    }

    prop_compose! {
        fn record()(
            chain in any::<[u8; 16]>(),
            seq in any::<u64>(),
            columns in columns(),
            writes in vec(("[a-z]{1,9}", option::of(any::<[u8; 32]>())), 0..4),
            fields in vec(("\\PC{0,9}", any::<[u8; 16]>()), 0..4),
            headers in vec(("[a-z-]{1,9}", header_value()), 0..3),
        ) -> AuditRecord {
            let writes = writes.into_iter().map(|(key, digest)| (Key::new(key).unwrap(), digest)).collect();
            AuditRecord { chain: BootId(chain), seq, columns, writes, fields, headers }
        }
    }

    proptest! {
        #[test]
        fn canonical_bytes_round_trip(record in record()) {
            prop_assert_eq!(AuditRecord::parse(&record.canonical()), Some(record));
        }

        /// Whatever is accepted is what `canonical` would have written; nothing panics.
        #[test]
        fn altered_bytes_are_refused_or_another_record(
            record in record(), at in any::<prop::sample::Index>(), to in any::<u8>(), cut in any::<bool>(),
        ) {
            let mut bytes = record.canonical();
            let at = at.index(bytes.len());
            if cut { bytes.truncate(at) } else { bytes[at] = to }
            if let Some(read) = AuditRecord::parse(&bytes) {
                prop_assert_eq!(read.canonical(), bytes);
            }
        }

        #[test]
        fn random_bytes_never_panic(mut bytes in vec(any::<u8>(), 0..80), good in any::<bool>()) {
            if let (true, Some(first)) = (good, bytes.first_mut()) {
                *first = FORMAT_WITH_HEADERS;
            }
            let _ = AuditRecord::parse(&bytes);
        }
    }

    #[test]
    fn golden_record_with_headers() {
        const GOLDEN: &str = "02 01 00000010 01010101010101010101010101010101 02 00000008 0000000000000007 \
            03 00000008 0000000000000001 07 00000007 73756363657373 11 00000008 0000000000000000 \
            14 0000000a 0007 782d7472616365 31 14 00000018 0106 782d75736572 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
        let record = AuditRecord {
            chain: BootId([1; 16]),
            seq: 7,
            columns: Columns { timestamp: Timestamp(1), ..Columns::default() },
            writes: Vec::new(),
            fields: Vec::new(),
            headers: vec![
                ("x-trace".to_owned(), HeaderValue::Plain("1".to_owned())),
                ("x-user".to_owned(), HeaderValue::Hashed([0xAA; 16])),
            ],
        };
        let golden = hex::decode(GOLDEN.replace(' ', "")).unwrap();
        assert_eq!(hex::encode(record.canonical()), hex::encode(&golden));
        assert_eq!(AuditRecord::parse(&golden), Some(record));
        let with = |format: u8| [&[format], &golden[1..]].concat();
        assert_eq!(AuditRecord::parse(&with(1)), None, "format 1 has no headers");
        assert_eq!(AuditRecord::parse(&with(3)), None);
    }

    #[test]
    fn text_is_cut_at_a_character() {
        let check = |length: usize, expect: usize| assert_eq!(cut(&"é".repeat(length)).len(), expect);
        check(0, 0);
        check(512, 1_024);
        check(600, 1_024);
        assert_eq!(cut(&format!("a{}", "é".repeat(600))).len(), 1_023);
    }
}
