use serde_json::Value;

use super::schema;

/// Each object with keys, with a name for messages.
fn objects(path: &str, value: &Value, visit: &mut impl FnMut(&str, &Value)) {
    if value.get("properties").is_some() {
        visit(path, value);
    }
    let children = value.as_object().into_iter().flatten().map(|(key, child)| (key.clone(), child));
    let items = value.as_array().into_iter().flatten().enumerate().map(|(at, child)| (at.to_string(), child));
    for (key, child) in children.chain(items) {
        objects(&format!("{path}/{key}"), child, visit);
    }
}

fn resolved<'v>(root: &'v Value, value: &'v Value) -> &'v Value {
    let target = value.get("$ref").and_then(Value::as_str).and_then(|name| root.pointer(name.trim_start_matches('#')));
    target.unwrap_or(value)
}

fn may_be(value: &Value, kinds: &[&str]) -> bool {
    let named = match value.get("type") {
        Some(Value::String(kind)) => kinds.contains(&kind.as_str()),
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).any(|kind| kinds.contains(&kind)),
        _ => false,
    };
    let one_of = ["anyOf", "oneOf"].iter().filter_map(|key| value.get(*key)?.as_array()).flatten();
    named || one_of.into_iter().any(|one| may_be(one, kinds))
}

#[test]
fn what_need_not_be_given_has_a_default_or_is_nothing() {
    let root = schema();
    let mut missing = Vec::new();
    objects("", &root, &mut |path, object| {
        let required: Vec<&str> =
            object.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        for (key, value) in object["properties"].as_object().unwrap() {
            let said = required.contains(&key.as_str()) || value.get("default").is_some();
            // No list, no map and no text are what they look like; keys that all policies share and comments too.
            let nothing = may_be(value, &["null", "array", "object", "string"])
                || may_be(resolved(&root, value), &["array", "object"])
                || *value == Value::Bool(true)
                || value.as_object().is_some_and(|value| value.keys().all(|key| key == "description"));
            let shared = path.is_empty() && key == "$schema"
                || path.contains("/$defs/Policies/properties") && value.get("anyOf").is_some();
            // A group without a default is shown as nothing, so no key in it may have one.
            let parts = resolved(&root, value).get("properties").and_then(Value::as_object).into_iter().flatten();
            let given = parts.filter_map(|(_, part)| part.get("default"));
            let given = !may_be(value, &["null"])
                && given
                    .into_iter()
                    .any(|default| !default.is_null() && default.as_array().is_none_or(|of| !of.is_empty()));
            if !said && (!nothing || given) && !shared {
                missing.push(format!("{path}: {key}: {value}"));
            }
        }
    });
    assert!(missing.is_empty(), "{missing:#?}");
}

/// So the reference may send whoever asks for the default of a key to the defaults of the keys below.
#[test]
fn the_default_of_a_group_is_that_of_its_keys() {
    let root = schema();
    let mut seen = 0;
    objects("", &root, &mut |path, object| {
        for (key, value) in object["properties"].as_object().unwrap() {
            let Some(Value::Object(default)) = value.get("default") else { continue };
            let group = resolved(&root, value);
            if group.get("properties").is_none() {
                // A map, whose keys are the user's own.
                continue;
            }
            for (part, given) in default {
                let own = group.pointer(&format!("/properties/{part}/default")).unwrap_or(&Value::Null);
                let none = given.is_null() || given.as_array().is_some_and(Vec::is_empty);
                assert!(own == given || own.is_null() && none, "{path}/{key}: {part} is {given}, and {own} below");
                seen += 1;
            }
        }
    });
    assert!(seen > 20, "{seen}");
}
