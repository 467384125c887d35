//! `audit list|enable|disable`: where the server writes its audit log beside the store.

use crate::{
    context::{self, Context},
    failure::Failure,
    input, output,
};
use clap::Args;
use secrethub_client::Table;
use serde_json::{Value, json};

/// Which devices there are.
#[derive(Args, Debug)]
pub(super) struct List {
    /// Show options too
    #[arg(long)]
    detailed: bool,
}

/// One more device.
#[derive(Args, Debug)]
pub(super) struct Enable {
    /// What it is for, for people
    #[arg(long, default_value = "")]
    description: String,
    /// Where; its type unless given
    #[arg(long)]
    path: Option<String>,
    /// Leave it out of replication
    #[arg(long)]
    local: bool,
    /// Type, e.g. file
    #[arg(value_name = "TYPE")]
    kind: String,
    /// Its options, e.g. file_path=/var/log/secrethub/audit.log
    #[arg(value_name = "K=V")]
    options: Vec<String>,
}

impl List {
    pub(super) async fn run(self, context: &Context) -> Result<u8, Failure> {
        let reply = context.client()?.mounts(Table::Audit).await?;
        let devices = reply.data();
        context.print(devices, devices, || self.table(devices))
    }

    fn table(&self, devices: &Value) -> String {
        let devices = devices.as_object().into_iter().flatten();
        let text = |device: &Value, name: &str| output::cell(device.get(name).unwrap_or(&json!("n/a")));
        let short = |device: &Value| vec![text(device, "type"), text(device, "description")];
        let row = |(path, device): (&String, &Value)| {
            let more = self.detailed.then(|| vec![text(device, "local"), text(device, "options")]);
            [vec![path.clone()], short(device), more.unwrap_or_default()].concat()
        };
        let rows: Vec<_> = devices.map(row).collect();
        match (rows.is_empty(), self.detailed) {
            (true, _) => "No audit devices are enabled.".to_owned(),
            (false, false) => output::table(&["Path", "Type", "Description"], rows),
            (false, true) => output::table(&["Path", "Type", "Description", "Local", "Options"], rows),
        }
    }
}

impl Enable {
    pub(super) async fn run(self, context: &Context) -> Result<u8, Failure> {
        let path = self.path.as_deref().unwrap_or(&self.kind).trim_matches('/');
        let fields = json!({
            "type": self.kind,
            "description": self.description,
            "local": self.local,
            "options": input::fields(&self.options)?,
        });
        let reply = context.client()?.enable(Table::Audit, path, &fields).await?;
        context::done(&reply, &format!("Success! Enabled the {} audit device at: {path}/", self.kind))
    }
}

/// Takes a device away.
pub(super) async fn disable(context: &Context, path: &str) -> Result<u8, Failure> {
    let path = path.trim_matches('/');
    let reply = context.client()?.disable(Table::Audit, path).await?;
    context::done(&reply, &format!("Success! Disabled audit device (if it was enabled) at: {path}/"))
}
