//! `operator bootstrap`: what a vault shall have is written in a file, and made where it is missing. A second run
//! changes nothing and says so.

mod keys;
mod mounts;
mod plan;
mod policies;
mod tokens;

use crate::{
    context::Context,
    failure::{Failure, OK},
    output,
};
use clap::Args;
use plan::Plan;
use secrethub_client::Table;
use serde::Serialize;
use serde_json::json;
use std::path::PathBuf;

#[derive(Args, Debug)]
pub(super) struct Bootstrap {
    /// TOML file that says what there shall be; docs/operate.md has an example
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// What came of one thing in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
enum Outcome {
    #[serde(rename = "made")]
    Made,
    #[serde(rename = "there already")]
    There,
}

/// One thing in the file.
#[derive(Debug, Serialize)]
struct Step {
    what: &'static str,
    name: String,
    result: Outcome,
}

impl Step {
    fn new(what: &'static str, name: impl Into<String>, result: Outcome) -> Self {
        Self { what, name: name.into(), result }
    }

    fn row(&self) -> Vec<String> {
        let result = match self.result {
            Outcome::Made => "made",
            Outcome::There => "there already",
        };
        vec![self.what.to_owned(), self.name.clone(), result.to_owned()]
    }
}

impl Bootstrap {
    pub(super) async fn run(self, context: &Context) -> Result<u8, Failure> {
        let plan = Plan::read(&self.file)?;
        let mut steps = Vec::new();
        let outcome = work(context, &plan, &mut steps).await;
        // What was done is told also where the rest failed.
        let changed = steps.iter().any(|step| step.result == Outcome::Made);
        let whole = json!({ "changed": changed, "steps": steps });
        if outcome.is_ok() || changed {
            context.print(&whole, &whole, || {
                output::table(&["What", "Name", "Result"], steps.iter().map(Step::row).collect())
            })?;
        }
        outcome.map(|()| OK)
    }
}

/// Policies stand between mounts and tokens: before the tokens that name them. Everything is compared before anything is made,
/// so that a vault that has something else stays as it is.
async fn work(context: &Context, plan: &Plan, steps: &mut Vec<Step>) -> Result<(), Failure> {
    let token = keys::token(context, plan, steps).await?;
    let client = context.client_with(token)?;
    let secrets = mounts::compare(&client, Table::Secrets, &plan.mounts).await?;
    let auth = mounts::compare(&client, Table::Auth, &plan.auth).await?;
    let policies = policies::compare(&client, &plan.policies).await?;
    let tokens = tokens::compare(context, &plan.tokens).await?;
    mounts::make(&client, Table::Secrets, secrets, steps).await?;
    mounts::make(&client, Table::Auth, auth, steps).await?;
    policies::make(&client, policies, steps).await?;
    tokens::make(&client, tokens, steps).await
}
