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
            vec![
                text("hostname"),
                text("api_address"),
                text("active_node"),
                text("version"),
                text("last_echo"),
                state(node).to_owned(),
            ]
        };
        let nodes = data["nodes"].as_array().into_iter().flatten();
        let head = ["Host Name", "API Address", "Active Node", "Version", "Last Echo", "State"];
        output::table(&head, nodes.map(row).collect())
    })
}

/// One word for a node. A Vault says none of this.
fn state(node: &Value) -> &'static str {
    let is = |name: &str| node[name] == true;
    match (is("stale"), is("degraded"), is("is_self")) {
        (true, ..) => "stale",
        (_, true, _) => "clock differs",
        (.., true) => "answers this",
        _ => "ok",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn states() {
        let check = |node: Value, expect: &str| assert_eq!(state(&node), expect, "{node}");
        check(json!({ "stale": true, "degraded": true }), "stale");
        check(json!({ "stale": false, "degraded": true }), "clock differs");
        check(json!({ "stale": false, "degraded": false, "is_self": true }), "answers this");
        check(json!({ "stale": false, "degraded": false, "is_self": false }), "ok");
        check(json!({ "hostname": "a Vault" }), "ok");
    }
}
