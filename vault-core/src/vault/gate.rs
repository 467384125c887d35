//! [`Gate`]: quotas, once a request however often it is run again. Those by address are asked before anything is read;
//! those by token once it is known to be good, since made-up ones would each bring a bucket of their own.

use super::record::Ledger;
use crate::{
    audit::Change,
    cx::Notes,
    error::{Error, ErrorKind},
    limits::REQUEST_DEADLINE,
    rate::{Exceeded, Level},
    request::{Reply, Request},
    system::{Client, GroupBy, MountTable, QuotaConfig, Rule, System},
    token::Identity,
};
use std::sync::Arc;

/// What quotas have said of one request.
#[derive(Default)]
pub(super) struct Gate {
    passed: Option<Arc<Rule>>,
    /// For the reply, where it is to be told.
    level: Option<Level>,
}

impl Gate {
    /// Asks the quota that counts the request, unless it was asked already or needs to know the token.
    pub(super) async fn ask_early(
        &mut self,
        system: &System,
        table: &MountTable,
        request: &Request,
    ) -> Result<(), Error> {
        self.ask(system, table, request, None, true).await
    }

    /// The same by the mounts that stand, and with the token.
    pub(super) async fn ask(
        &mut self,
        system: &System,
        table: &MountTable,
        request: &Request,
        identity: Option<&Identity>,
        early: bool,
    ) -> Result<(), Error> {
        let mount = table.resolve(&request.path).map(|(mount, _)| mount.path.as_str());
        let Some(rule) = table.quotas().rule_of(&request.path, mount) else { return Ok(()) };
        let waits = early && rule.quota.group_by == GroupBy::Token;
        if waits || self.passed.as_ref().is_some_and(|passed| Arc::ptr_eq(passed, rule)) {
            return Ok(());
        }
        let client = client(rule.quota.group_by, request, identity);
        let told = table.quotas().config.response_headers;
        match rule.limiter.admit(client, system.host().monotonic()) {
            Ok(level) => {
                self.level = told.then_some(level);
                self.passed = Some(Arc::clone(rule));
                Ok(())
            }
            Err(exceeded) => {
                self.level = told.then_some(exceeded.level);
                Err(refuse(system, &table.quotas().config, request, identity, rule, exceeded).await)
            }
        }
    }

    /// The answer, with what is to be told of the bucket.
    pub(super) fn tell(&self, answer: Result<Reply, Error>) -> Result<Reply, Error> {
        match (self.level, answer) {
            (None, answer) => answer,
            (level, Ok(reply)) => Ok(Reply { level, ..reply }),
            (Some(level), Err(error)) => Err(error.with_level(level)),
        }
    }
}

fn client(group_by: GroupBy, request: &Request, identity: Option<&Identity>) -> Client {
    let network =
        || request.remote.address.map_or(Client::Anybody, |address| Client::Network(address.into()));
    let token = || identity.filter(|who| who.token.is_some()).map(|who| who.hash.clone());
    match group_by {
        GroupBy::Ip => network(),
        GroupBy::Token => token().map_or_else(network, Client::Token),
        GroupBy::None => Client::Anybody,
    }
}

/// Records it by itself where that is asked for, else together with others of the address.
async fn refuse(
    system: &System,
    config: &QuotaConfig,
    request: &Request,
    identity: Option<&Identity>,
    rule: &Rule,
    exceeded: Exceeded,
) -> Error {
    let refusal = || {
        let kind = ErrorKind::RateLimited { retry_after: exceeded.wait };
        Error::new(kind, "request path exceeds a rate limit quota; wait, then try again")
    };
    let Some(unsealed) = system.unsealed().filter(|_| config.audit_logging) else {
        system.count_turned_away(request.remote.address);
        return refusal();
    };
    let mut ledger = Ledger::new(request, identity, system.host().now());
    ledger.rule(format!("quota {:?}", rule.name));
    let draft = ledger.draft(unsealed.barrier(), request, Notes::default(), &Err(refusal()));
    let received = system.host().monotonic();
    let deadline = Some(received + REQUEST_DEADLINE);
    let change = Change { ops: Vec::new(), draft, received, deadline, urgent: false };
    match unsealed.lane().submit(change).await {
        Ok(()) => refusal(),
        Err(error) => Error::unavailable("the refusal was not recorded; try again").with_source(error),
    }
}
