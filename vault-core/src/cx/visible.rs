//! What a list shows to who may not list: only names that may be touched, one by one. The same evaluator that enforces
//! decides for each name.

use super::Cx;
use crate::{
    engine::{Mount, engine_of},
    error::Error,
    policy::{Facts, Grants, Policies, Question, Simulation},
    system::MountTable,
    token::Identity,
};

/// A list that is filtered.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    /// The secrets' folder below the mount, with a slash at its end, or empty.
    pub(crate) folder: String,
}

/// The folder that a list of secrets is about; `None` where lists are not filtered.
pub(crate) fn folder_of(mount: &Mount, rest: &str) -> Option<String> {
    let secrets = engine_of(mount)?.secrets?;
    let first = secrets.views.first()?;
    let folder = match rest.strip_prefix(first) {
        Some(folder) => folder.trim_end_matches('/'),
        None if rest == first.trim_end_matches('/') => "",
        None => return None,
    };
    Some(if folder.is_empty() { String::new() } else { format!("{folder}/") })
}

/// May somebody touch anything below a folder of a mount.
pub(crate) fn touches(policies: &Policies, identity: &Identity, mount: &Mount, folder: &str) -> bool {
    let Some(secrets) = engine_of(mount).and_then(|engine| engine.secrets) else { return false };
    let below = Some((mount.path.trim_end_matches('/'), folder));
    secrets.views.iter().any(|view| {
        let path = [mount.path.as_str(), view, folder].concat();
        policies.touches(identity, &path, below)
    })
}

impl Cx {
    /// Is a name of a list shown to who asks. `name` is relative to the folder that is listed.
    pub(crate) fn shows(&self, name: &str) -> bool {
        let Some(filter) = &self.filter else { return true };
        let (Some(table), Some(identity)) = (&self.table, &self.identity) else { return false };
        let (policies, secret) = (table.policies(), [filter.folder.as_str(), name].concat());
        if secret.ends_with('/') {
            return touches(policies, identity, &self.mount, &secret);
        }
        let Some(secrets) = engine_of(&self.mount).and_then(|engine| engine.secrets) else { return false };
        secrets.views.iter().any(|view| {
            let rest = [view, secret.as_str()].concat();
            let path = [self.mount.path.as_str(), rest.as_str()].concat();
            policies
                .rights(identity, &path, &|operation| self.mount.subject(&rest, operation), self.facts)
                .any()
        })
    }

    /// Who may do what.
    pub(crate) fn policies(&self) -> Result<&Policies, Error> {
        self.table.as_deref().map(MountTable::policies).ok_or_else(Error::sealed)
    }

    /// All that somebody may do at a path, asked from where this request comes from.
    pub(crate) fn rights(&self, identity: &Identity, path: &str) -> Result<Grants, Error> {
        let table = self.table.as_deref().ok_or_else(Error::sealed)?;
        let at = table.resolve(path);
        let subject = |operation| at.and_then(|(mount, rest)| mount.subject(rest, operation));
        let facts = Facts { ttl: identity.lifetime(), ..self.facts };
        Ok(table.policies().rights(identity, path, &subject, facts))
    }

    /// What would be decided for somebody, and why.
    pub(crate) fn simulate<'p>(
        &'p self,
        identity: &'p Identity,
        question: Question<'_>,
    ) -> Result<Simulation<'p>, Error> {
        let table = self.table.as_deref().ok_or_else(Error::sealed)?;
        let at = table.resolve(question.path);
        let subject = at.and_then(|(mount, rest)| mount.subject(rest, question.operation));
        Ok(table.policies().simulate(identity, &Question { subject, ..question }))
    }

    /// May somebody do anything at all below a mount.
    pub(crate) fn reaches(&self, identity: &Identity, mount: &Mount) -> Result<bool, Error> {
        let place = Some((mount.path.trim_end_matches('/'), ""));
        Ok(self.policies()?.touches(identity, &mount.path, place))
    }
}
