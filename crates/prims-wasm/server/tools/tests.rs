//! What holds for all tools.

use super::*;
use serde_json::Value;

#[test]
fn names_order_and_hints_are_fixed() {
    let tools = all();
    let hints: Vec<_> = tools
        .iter()
        .map(|tool| {
            let of = tool.annotations.as_ref().unwrap();
            let flag = |hint: Option<bool>, letter| if hint.unwrap() { letter } else { '-' };
            let flags: String = [
                flag(of.read_only_hint, 'r'),
                flag(of.destructive_hint, 'd'),
                flag(of.idempotent_hint, 'i'),
                flag(of.open_world_hint, 'o'),
            ]
            .into_iter()
            .collect();
            (tool.name.to_string(), flags)
        })
        .collect();
    let expected = [
        ("run_code", "-d--"),
        ("create_session", "----"),
        ("close_session", "-d--"),
        ("list_sessions", "r-i-"),
        ("fork_session", "----"),
        ("reset_session", "-di-"),
        ("list_dir", "r-i-"),
        ("preview_file", "r-i-"),
        ("read_file", "r-i-"),
        ("write_file", "-d--"),
        ("delete_file", "-d--"),
        ("mount_file", "-dio"),
        ("persist_artifact", "--io"),
    ];
    let expected: Vec<_> = expected
        .iter()
        .map(|(name, flags)| ((*name).to_owned(), (*flags).to_owned()))
        .collect();
    assert_eq!(hints, expected);
}

#[test]
fn every_argument_is_described_and_unknown_ones_are_refused() {
    fn check(tool: &str, schema: &Value) {
        assert_eq!(schema["additionalProperties"], false, "{tool}");
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            assert!(field["description"].is_string(), "{tool}: {name}");
            assert!(!field["type"].is_array(), "{tool}: {name} has several types");
        }
    }
    for tool in all() {
        let schema = Value::Object((*tool.input_schema).clone());
        check(&tool.name, &schema);
        for definition in schema["$defs"].as_object().into_iter().flat_map(|all| all.values()) {
            if definition["type"] == "object" {
                check(&tool.name, definition);
            }
        }
        assert!(!schema.to_string().contains("\"format\""), "{}", tool.name);
    }
}

#[test]
fn every_reply_is_an_object_and_so_is_every_failure() {
    for tool in all() {
        let schema = Value::Object((**tool.output_schema.as_ref().unwrap()).clone());
        assert_eq!(schema["type"], "object", "{}", tool.name);
        assert!(!schema["properties"]["error"].is_null(), "{}", tool.name);
        assert!(!schema.to_string().contains("\"format\""), "{}", tool.name);
    }
}
