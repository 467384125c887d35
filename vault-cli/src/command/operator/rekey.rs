//! `operator rotate-keys` (of old: `rekey`): new unseal or recovery shares, made by the holders of the old ones together.

use crate::{
    context::Context,
    failure::{Failure, OK},
    input, output,
};
use clap::{Args, ValueEnum};
use secrecy::ExposeSecret;
use secrethub_client::Method;
use serde_json::{Value, json};

/// Whose shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Target {
    /// Those who unseal.
    #[value(alias = "root", alias = "unseal")]
    Barrier,
    /// Those beside a vault that unseals itself.
    Recovery,
}

impl Target {
    fn path(self, step: &str) -> String {
        match self {
            Self::Barrier => format!("sys/rekey/{step}"),
            Self::Recovery if step == "backup" => "sys/rekey/recovery-key-backup".to_owned(),
            Self::Recovery => format!("sys/rekey-recovery-key/{step}"),
        }
    }
}

/// What to do; without a flag: give one share.
#[derive(Args, Debug)]
pub(super) struct Rekey {
    /// Begin
    #[arg(long)]
    init: bool,
    /// New shares
    #[arg(long, short = 'n', default_value_t = 5)]
    key_shares: u8,
    /// New shares that suffice
    #[arg(long, short = 't', default_value_t = 3)]
    key_threshold: u8,
    /// With `-init`: new shares count only once they were given; that is so unless it is `false`. Else: of that verification
    #[arg(long, default_missing_value = "true", num_args = 0..=1, require_equals = true)]
    verify: Option<bool>,
    /// Show how far it is
    #[arg(long)]
    status: bool,
    /// Forget the shares given so far; with `-verify` only those given to verify
    #[arg(long)]
    cancel: bool,
    /// Show the shares that were backed up
    #[arg(long)]
    backup_retrieve: bool,
    /// Remove them
    #[arg(long)]
    backup_delete: bool,
    /// Whose shares
    #[arg(long, value_enum, default_value_t = Target::Barrier)]
    target: Target,
    /// Which ceremony is meant, as the one who began it saw it
    #[arg(long, value_name = "NONCE")]
    nonce: Option<String>,
    /// `-` for stdin, `@FILE` for a file; a bare share works too but stays in the shell's history
    #[arg(value_name = "SHARE")]
    share: Option<String>,
}

impl Rekey {
    pub(super) async fn run(self, context: &Context) -> Result<u8, Failure> {
        let client = context.client()?;
        let (init, backup) = (self.target.path("init"), self.target.path("backup"));
        if self.backup_retrieve {
            let kept = client.read(&backup, &[]).await?;
            return context.print(kept.body(), kept.body(), || output::cell(kept.body()));
        }
        if self.backup_delete {
            client.delete(&backup).await?;
            return output::say("Success! Deleted the backup (if there was one)").map(|()| OK);
        }
        if self.init {
            let fields = json!({
                "secret_shares": self.key_shares,
                "secret_threshold": self.key_threshold,
                // Whoever copies a share wrong locks nobody out.
                "require_verification": self.verify.unwrap_or(true),
            });
            let begun = client.write(&init, &fields).await?;
            output::note("The new shares are shown once, to whoever gives the last of the old ones.");
            return print_status(context, begun.body());
        }
        let step = if self.is_verifying() { self.target.path("verify") } else { init };
        if self.cancel {
            let query: Vec<_> = self.nonce.iter().map(|nonce| ("nonce", nonce.clone())).collect();
            client.call(Method::Delete, &step, &query, None).await?;
            return output::say("Success! Canceled rotation (if it was started)").map(|()| OK);
        }
        let status = client.read(&step, &[]).await?;
        if self.status {
            return print_status(context, status.body());
        }
        self.give(context, status.body()).await
    }

    fn is_verifying(&self) -> bool {
        self.verify.unwrap_or(false)
    }

    async fn give(self, context: &Context, status: &Value) -> Result<u8, Failure> {
        let nonce = super::meant(status, self.nonce.as_deref(), "rotation", "operator rotate-keys -init")?;
        let share = input::secret_by(self.share.as_deref(), "Key (will be hidden): ")?;
        let path = self.target.path(if self.is_verifying() { "verify" } else { "update" });
        // EXPOSE: the share goes to the server, which is the purpose of the command.
        let fields = json!({ "key": share.expose_secret(), "nonce": nonce });
        let answer = context.client()?.write(&path, &fields).await?.into_body();
        match (answer["complete"] == true, self.is_verifying()) {
            (false, _) => print_status(context, &answer),
            (true, true) => context.print(&answer, &answer, || {
                "The new shares are verified: they are in force, and the old ones open nothing any more."
                    .to_owned()
            }),
            (true, false) => context.print(&answer, &answer, || told(&answer)),
        }
    }
}

fn print_status(context: &Context, status: &Value) -> Result<u8, Failure> {
    context.print(status, status, || {
        let shown = [
            ("Nonce", "nonce"),
            ("Started", "started"),
            ("Progress", "progress"),
            ("New Shares", "n"),
            ("New Threshold", "t"),
            ("Verification Required", "verification_required"),
            ("Verification Nonce", "verification_nonce"),
        ];
        output::columns(&super::rows(status, &shown))
    })
}

/// The new shares as people read them, and what holds from now on.
fn told(answer: &Value) -> String {
    let keys = answer["keys_base64"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let lines: Vec<_> = keys.enumerate().map(|(index, key)| format!("Key {}: {key}", index + 1)).collect();
    let then = match answer["verification_nonce"].as_str().unwrap_or_default() {
        "" => {
            "They are in force: give each to its holder now. The old shares open nothing any more.".to_owned()
        }
        nonce => format!(
            "Verification Nonce: {nonce}\n\nThey are not in force yet. Give them back once, with: operator rotate-keys \
             -verify\nUntil then the old shares are the ones that count: keep them."
        ),
    };
    format!("{}\n\nOperation nonce: {}\n\n{then}", lines.join("\n"), output::cell(&answer["nonce"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_shares_come_with_what_to_do() {
        let check = |verification: &str, expect: &str| {
            let answer = json!({ "nonce": "n-1", "keys_base64": ["AP8=", "Af4="], "verification_nonce": verification });
            let text = told(&answer);
            assert!(
                text.starts_with("Key 1: AP8=\nKey 2: Af4=\n\nOperation nonce: n-1\n")
                    && text.contains(expect),
                "{text}"
            );
        };
        check("", "old shares open nothing");
        check("v-1", "Verification Nonce: v-1\n");
    }

    #[test]
    fn targets_have_vaults_paths() {
        assert_eq!(Target::Barrier.path("init"), "sys/rekey/init");
        assert_eq!(Target::Recovery.path("update"), "sys/rekey-recovery-key/update");
        assert_eq!(Target::Recovery.path("backup"), "sys/rekey/recovery-key-backup");
    }
}
