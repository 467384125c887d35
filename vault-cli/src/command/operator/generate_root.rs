//! `operator generate-root`: a new root token, made by the holders of the key shares together.

use crate::{
    context::Context,
    failure::{Failure, OK},
    input, output,
};
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use clap::Args;
use secrecy::ExposeSecret;
use secrethub::{TokioHost, core::host::Host as _};
use secrethub_client::Method;
use serde_json::{Value, json};

const ATTEMPT: &str = "sys/generate-root/attempt";
const UPDATE: &str = "sys/generate-root/update";

/// What to do; without a flag: give one share.
#[derive(Args, Debug)]
pub(super) struct GenerateRoot {
    /// Begin; the one-time password that it shows decodes the token in the end
    #[arg(long)]
    init: bool,
    /// Show how far it is
    #[arg(long)]
    status: bool,
    /// Forget the shares given so far
    #[arg(long)]
    cancel: bool,
    /// Print a one-time password for `-init -otp=…`
    #[arg(long)]
    generate_otp: bool,
    /// The one-time password: for `-init` and `-decode`
    #[arg(long, value_name = "OTP")]
    otp: Option<String>,
    /// The encoded token to decode with `-otp`; `-` for stdin
    #[arg(long, value_name = "TOKEN")]
    decode: Option<String>,
    /// Which ceremony is meant, as the one who began it saw it
    #[arg(long, value_name = "NONCE")]
    nonce: Option<String>,
    /// `-` for stdin, `@FILE` for a file; a bare share works too but stays in the shell's history
    #[arg(value_name = "SHARE")]
    share: Option<String>,
}

impl GenerateRoot {
    pub(super) async fn run(self, context: &Context) -> Result<u8, Failure> {
        if let Some(encoded) = &self.decode {
            return decode(context, encoded, self.otp.as_deref());
        }
        let client = context.client()?;
        if self.generate_otp {
            let length = client.read(ATTEMPT, &[]).await?.body()["otp_length"].as_u64().unwrap_or_default();
            return output::say_bare(&make_otp(usize::try_from(length).unwrap_or_default())).map(|()| OK);
        }
        if self.cancel {
            let query: Vec<_> = self.nonce.iter().map(|nonce| ("nonce", nonce.clone())).collect();
            client.call(Method::Delete, ATTEMPT, &query, None).await?;
            return output::say("Success! Root token generation canceled (if it was started)").map(|()| OK);
        }
        if self.init {
            let begun = client.write(ATTEMPT, &json!({ "otp": self.otp })).await?;
            if self.otp.is_none() {
                output::note("The one-time password below decodes the root token in the end: keep it safe.");
            }
            return print(context, begun.body());
        }
        let status = client.read(ATTEMPT, &[]).await?;
        if self.status {
            return print(context, status.body());
        }
        let nonce = super::meant(
            status.body(),
            self.nonce.as_deref(),
            "root generation",
            "operator generate-root -init",
        )?;
        let share = input::secret_by(self.share.as_deref(), "Unseal Key (will be hidden): ")?;
        // EXPOSE: the share goes to the server, which is the purpose of the command.
        let fields = json!({ "key": share.expose_secret(), "nonce": nonce });
        print(context, client.write(UPDATE, &fields).await?.body())
    }
}

fn print(context: &Context, status: &Value) -> Result<u8, Failure> {
    context.print(status, status, || {
        let shown = [
            ("Nonce", "nonce"),
            ("Started", "started"),
            ("Progress", "progress"),
            ("Complete", "complete"),
            ("Encoded Token", "encoded_token"),
            ("OTP", "otp"),
            ("OTP Length", "otp_length"),
        ];
        output::columns(&super::rows(status, &shown))
    })
}

/// Token = decoded text ⊕ password.
fn decode(context: &Context, encoded: &str, otp: Option<&str>) -> Result<u8, Failure> {
    let bad = |what: &str| {
        Failure::local(what.to_owned()).hint("give what generate-root printed: -decode=TOKEN -otp=OTP")
    };
    let otp = otp.ok_or_else(|| bad("-decode needs -otp"))?;
    let encoded = match encoded {
        // EXPOSE: without its password an encoded token is of no use.
        "-" => input::secret("Encoded Token: ")?.expose_secret().to_owned(),
        text => text.trim().to_owned(),
    };
    let bytes =
        STANDARD_NO_PAD.decode(encoded.trim_end_matches('=')).map_err(|_| bad("the token is not base64"))?;
    if bytes.len() != otp.len() {
        return Err(bad("token and one-time password differ in length"));
    }
    let token: Vec<u8> = bytes.iter().zip(otp.bytes()).map(|(a, b)| a ^ b).collect();
    let token = String::from_utf8(token).map_err(|_| bad("this password does not decode this token"))?;
    let fields = json!({ "token": token });
    context.print(&fields, &fields, || token.clone())
}

/// Letters and digits, each as likely as the other.
fn make_otp(length: usize) -> String {
    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let (host, mut otp) = (TokioHost::new(), String::with_capacity(length));
    while otp.len() < length {
        let mut bytes = [0; 32];
        host.fill_random(&mut bytes);
        // 248 = 4 · 62: what is above would favour some characters.
        let fit = bytes.iter().filter(|byte| **byte < 248).take(length - otp.len());
        otp.extend(fit.map(|byte| char::from(ALPHABET[usize::from(byte % 62)])));
    }
    otp
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_what_the_server_encodes() {
        let check = |encoded: &str, otp: Option<&str>, expect: bool| {
            let done = decode(&Context::default(), encoded, otp);
            assert_eq!(done.is_ok(), expect, "{encoded} {otp:?}");
        };
        let otp = "0123456789ABCDEFGHIJKLMNOPQR";
        check("Q1lBHQQEBAQMDHd1e30kJCQsLCwsJCQkJDw8PA", Some(otp), true);
        check("Q1lBHQQEBAQMDHd1e30kJCQsLCwsJCQkJDw8PA==", Some(otp), true);
        check("Q1lBHQQEBAQMDHd1e30kJCQsLCwsJCQkJDw8PA", Some("short"), false);
        check("Q1lBHQQEBAQMDHd1e30kJCQsLCwsJCQkJDw8PA", None, false);
        check("*", Some(otp), false);
    }

    #[tokio::test]
    async fn a_password_has_the_length_that_was_asked() {
        for length in [0, 1, 28, 100] {
            let otp = make_otp(length);
            assert!(otp.len() == length && otp.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        }
        assert_ne!(make_otp(28), make_otp(28));
    }
}
