//! RFC 7396, JSON merge patch: what a patch names is changed, what it sets to `null` goes, the rest stays.

use serde_json::{Map, Value};

/// Merges `patch` into an object (RFC 7396 §2). Recursion is as deep as the patch, which came through a parser
/// that ends at 128 levels.
pub(super) fn merge(target: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (name, change) in patch {
        match change {
            Value::Null => {
                target.remove(name);
            }
            Value::Object(inner) => {
                let slot = target.entry(name.as_str()).or_insert_with(|| Value::Object(Map::new()));
                if !slot.is_object() {
                    *slot = Value::Object(Map::new());
                }
                if let Value::Object(object) = slot {
                    merge(object, inner);
                }
            }
            other => {
                target.insert(name.clone(), other.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The object rows of RFC 7396 appendix A; data of a secret is always an object.
    #[test]
    fn appendix_a() {
        let check = |target: Value, patch: Value, expect: Value| {
            let (Value::Object(mut object), Value::Object(change)) = (target.clone(), patch.clone()) else {
                panic!("rows are objects")
            };
            merge(&mut object, &change);
            assert_eq!(Value::Object(object), expect, "{target} + {patch}");
        };
        check(json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"}));
        check(json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"}));
        check(json!({"a": "b"}), json!({"a": null}), json!({}));
        check(json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"}));
        check(json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"}));
        check(json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]}));
        check(json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}}));
        check(json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]}));
        check(json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1}));
        check(json!({"a": "foo"}), json!({"a": {"b": "c"}}), json!({"a": {"b": "c"}}));
        check(json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}}));
    }
}
