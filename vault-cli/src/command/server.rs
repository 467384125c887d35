//! `server`: the arguments; [`crate::server`] does the work.

use super::Command;
use crate::{
    config::{Config, Environment, Flags},
    context::Context,
    failure::Failure,
    server::{self, Dev},
};
use clap::{ArgAction, Parser};
use std::path::PathBuf;

/// Run the server
#[derive(Parser, Debug)]
#[command(
    name = "server",
    after_help = "docs/configure.md lists every setting of the file and the environment."
)]
pub(crate) struct Server {
    /// TOML file with settings [env: SECRETHUB_CONFIG]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where secrets rest: sqlite:PATH, postgres://…, mongodb://…, memory:, or file:PATH of a URL [env: SECRETHUB_STORE] [default: SQLite in your data folder]
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// Address to serve; repeatable [env: SECRETHUB_LISTEN] [default: 127.0.0.1:8200]
    #[arg(long, value_name = "ADDR")]
    listen: Vec<String>,
    /// Address or block of a proxy whose X-Forwarded-For is believed; repeatable [env: SECRETHUB_TRUSTED_PROXIES]
    #[arg(long, value_name = "CIDR")]
    trusted_proxy: Vec<String>,
    /// error, warn, info, debug, trace [env: SECRETHUB_LOG_LEVEL] [default: info]
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
    /// text or json, to stderr [env: SECRETHUB_LOG_FORMAT] [default: text]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// Development: in memory, initialised, unsealed, its root token printed. Never for production
    #[arg(long, default_value = "false", default_missing_value = "true", num_args = 0..=1, require_equals = true,
        action = ArgAction::Set, help_heading = "Development")]
    dev: bool,
    /// Root token to use [env: SECRETHUB_DEV_ROOT_TOKEN_ID, VAULT_DEV_ROOT_TOKEN_ID]
    #[arg(long, value_name = "TOKEN", help_heading = "Development")]
    dev_root_token_id: Option<String>,
    /// Address to serve [env: SECRETHUB_DEV_LISTEN_ADDRESS, VAULT_DEV_LISTEN_ADDRESS] [default: 127.0.0.1:8200]
    #[arg(long, value_name = "ADDR", help_heading = "Development")]
    dev_listen_address: Option<String>,
    /// Do not keep the root token in ~/.secrethub/token
    #[arg(long, default_value = "false", default_missing_value = "true", num_args = 0..=1, require_equals = true,
        action = ArgAction::Set, help_heading = "Development")]
    dev_no_store_token: bool,
    /// Serve TLS with a certificate made for the purpose
    #[arg(long, default_value = "false", default_missing_value = "true", num_args = 0..=1, require_equals = true,
        action = ArgAction::Set, help_heading = "Development")]
    dev_tls: bool,
    /// Folder for vault-ca.pem, vault-cert.pem and vault-key.pem [default: a temporary one]
    #[arg(long, value_name = "FOLDER", help_heading = "Development")]
    dev_tls_cert_dir: Option<PathBuf>,
}

impl Command for Server {
    async fn run(self, _context: Context) -> Result<u8, Failure> {
        let environment = Environment::read()?;
        let flags = self.flags();
        let config = Config::load(self.config.as_deref(), &environment, flags)?;
        let dev = self.dev(&environment)?;
        server::run(config, environment, dev).await
    }
}

impl Server {
    fn flags(&self) -> Flags {
        let mut flags = Flags::new();
        let texts = [
            ("store", "--store", &self.store),
            ("log_level", "--log-level", &self.log_level),
            ("log_format", "--log-format", &self.log_format),
        ];
        for (key, flag, text) in texts {
            flags.extend(text.iter().map(|text| (key, flag, text.as_str().into())));
        }
        let lists = [
            ("listen", "--listen", &self.listen),
            ("trusted_proxies", "--trusted-proxy", &self.trusted_proxy),
        ];
        for (key, flag, list) in lists {
            if !list.is_empty() {
                flags.push((key, flag, list.clone().into()));
            }
        }
        flags
    }

    /// Development mode, if it was asked for; `-dev-tls` alone asks for it too, as in Vault.
    fn dev(self, environment: &Environment) -> Result<Option<Dev>, Failure> {
        let variable = |name: &str| {
            let read =
                |prefix: &str| environment.get(&format!("{prefix}_{name}")).filter(|text| !text.is_empty());
            read("SECRETHUB").or_else(|| read("VAULT"))
        };
        if !self.dev && !self.dev_tls {
            let lonely = self.dev_root_token_id.is_some()
                || self.dev_listen_address.is_some()
                || self.dev_tls_cert_dir.is_some()
                || self.dev_no_store_token;
            return match lonely {
                true => Err(Failure::local("an option of development mode without -dev")
                    .hint("add -dev, or leave it out")),
                false => Ok(None),
            };
        }
        Ok(Some(Dev {
            root_token: self.dev_root_token_id.or_else(|| variable("DEV_ROOT_TOKEN_ID")),
            listen: self.dev_listen_address.or_else(|| variable("DEV_LISTEN_ADDRESS")),
            keep_token: !self.dev_no_store_token,
            tls: self.dev_tls,
            tls_folder: self.dev_tls_cert_dir,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::argv;

    fn parse(line: &str, variables: &[(&str, &str)]) -> Result<Option<Dev>, String> {
        let args = argv::rewrite(line.split(' ').map(Into::into));
        let server = Server::try_parse_from(args).map_err(|error| error.to_string())?;
        server.dev(&Environment::of(variables, &[])).map_err(|failure| failure.to_string())
    }

    #[test]
    fn development_flags_as_vault_spells_them() {
        let dev = parse(
            "server -dev -dev-root-token-id=root -dev-listen-address=127.0.0.1:1 -dev-no-store-token",
            &[],
        );
        let dev = dev.unwrap().unwrap();
        assert_eq!((dev.root_token.as_deref(), dev.listen.as_deref()), (Some("root"), Some("127.0.0.1:1")));
        assert!(!dev.keep_token && !dev.tls);
        let dev = parse("server -dev-tls -dev-tls-cert-dir=/x", &[("VAULT_DEV_ROOT_TOKEN_ID", "v")])
            .unwrap()
            .unwrap();
        assert!(dev.tls && dev.keep_token);
        assert_eq!(dev.root_token.as_deref(), Some("v"));
        assert!(parse("server -dev=true", &[]).unwrap().is_some());
        assert!(parse("server -dev=false", &[]).unwrap().is_none());
        assert!(parse("server", &[("VAULT_DEV_ROOT_TOKEN_ID", "v")]).unwrap().is_none());
        for lonely in ["-dev-root-token-id=root", "-dev-no-store-token", "-dev-tls-cert-dir=/x"] {
            assert!(
                parse(&format!("server {lonely}"), &[]).unwrap_err().contains("without -dev"),
                "{lonely}"
            );
        }
    }
}
