//! `operator members`: which nodes there are.

use crate::{context::Context, failure::Failure, output};
use serde_json::Value;

/// Shows the nodes that the server tells of.
pub(super) async fn run(context: &Context) -> Result<u8, Failure> {
    let reply = context.client()?.read("sys/ha-status", &[]).await?;
    let data = reply.data();
    context.print(data, data, || {
        let row = |node: &Value| {
            let text = |name: &str| node.get(name).map(output::cell).unwrap_or_default();
            vec![text("hostname"), text("api_address"), text("active_node"), text("version")]
        };
        let nodes = data["nodes"].as_array().into_iter().flatten();
        output::table(&["Host Name", "API Address", "Active Node", "Version"], nodes.map(row).collect())
    })
}
