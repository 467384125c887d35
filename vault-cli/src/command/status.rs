//! `status`: how the seal stands. Exit code 0 unsealed, 2 sealed, 1 when it cannot be told.

use super::Command;
use crate::{
    context::Context,
    failure::{Failure, LOCAL, OK, REMOTE},
    output,
};
use clap::Parser;
use secrethub_client::SealStatus;
use serde_json::json;

/// Show whether the server is initialised and unsealed
#[derive(Parser, Debug)]
#[command(name = "status", after_help = "Exit codes: 0 unsealed, 1 error, 2 sealed.")]
pub(crate) struct Status {}

impl Command for Status {
    async fn run(self, context: Context) -> Result<u8, Failure> {
        let asked = context.client_with(None)?.seal_status().await;
        let status = asked.map_err(|error| Failure::from(error).code(LOCAL))?;
        print(&context, &status)?;
        Ok(if status.sealed { REMOTE } else { OK })
    }
}

/// Prints a seal status; `operator unseal` does so too.
pub(super) fn print(context: &Context, status: &SealStatus) -> Result<u8, Failure> {
    context.print(status, &json!(status), || table(status))
}

fn table(status: &SealStatus) -> String {
    let mut rows = vec![
        ("Seal Type", status.seal_type.clone()),
        ("Initialized", status.initialized.to_string()),
        ("Sealed", status.sealed.to_string()),
        ("Total Shares", status.n.to_string()),
        ("Threshold", status.t.to_string()),
    ];
    if status.sealed && status.t > 0 {
        rows.push(("Unseal Progress", format!("{}/{}", status.progress, status.t)));
        rows.push(("Unseal Nonce", status.nonce.clone()));
    }
    rows.push(("Version", status.version.clone()));
    let known = [
        ("Build Date", &status.build_date),
        ("Storage Type", &status.storage_type),
        ("Cluster Name", &status.cluster_name),
        ("Cluster ID", &status.cluster_id),
    ];
    rows.extend(
        known.into_iter().filter(|(_, text)| !text.is_empty()).map(|(name, text)| (name, text.clone())),
    );
    output::key_values(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_like_vaults() {
        let status = |text| table(&serde_json::from_str(text).unwrap());
        let sealed = r#"{"type": "shamir", "initialized": true, "sealed": true, "t": 2, "n": 3, "progress": 1,
            "nonce": "5f", "version": "0.1.0", "storage_type": "sqlite"}"#;
        let expect = "\
Key                Value
---                -----
Seal Type          shamir
Initialized        true
Sealed             true
Total Shares       3
Threshold          2
Unseal Progress    1/2
Unseal Nonce       5f
Version            0.1.0
Storage Type       sqlite";
        assert_eq!(status(sealed), expect);
        let open = r#"{"type": "shamir", "initialized": true, "t": 1, "n": 1, "cluster_name": "c"}"#;
        let expect = "\
Key             Value
---             -----
Seal Type       shamir
Initialized     true
Sealed          false
Total Shares    1
Threshold       1
Version
Cluster Name    c";
        assert_eq!(status(open), expect);
    }
}
