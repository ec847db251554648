//! Whether JSON is what a schema of an OpenAPI document says: the words of JSON Schema that the document uses, and none beside them,
//! so that nothing is passed over. A field that an object's schema does not name is a fault: everything that is sent is described.

use serde_json::{Map, Value};

/// Words that say nothing of what is valid.
const SAID: [&str; 2] = ["description", "default"];

/// Words that are judged below.
const JUDGED: [&str; 13] = [
    "$ref",
    "additionalProperties",
    "anyOf",
    "enum",
    "items",
    "maxLength",
    "maximum",
    "minLength",
    "minimum",
    "pattern",
    "properties",
    "required",
    "type",
];

/// The patterns that the document uses, and what each asks for.
type Shape = fn(&str) -> bool;
const PATTERNS: [(&str, Shape); 6] = [
    ("^[!-~]{1,8}$", |text| (1..=8).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())),
    ("^[A-Za-z0-9._-]{1,32}$", |text| (1..=32).contains(&text.len()) && text.bytes().all(is_of_a_name)),
    ("^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{9}Z$", is_stamp),
    ("^[0-9]+(\\.[0-9]+)?$", |text| {
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        text.split('.').count() <= 2 && text.split('.').all(digits)
    }),
    ("^urn:portcullis:problem:[a-z_]+$", |text| {
        let kind = text.strip_prefix("urn:portcullis:problem:").unwrap_or_default();
        !kind.is_empty() && kind.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
    }),
    ("^\"[0-9a-f]{16}\"$", |text| {
        let tag = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default();
        tag.len() == 16 && tag.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    }),
];

fn is_of_a_name(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-')
}

fn is_stamp(text: &str) -> bool {
    let like = "0000-00-00T00:00:00.000000000Z";
    let same =
        |(found, wanted): (u8, u8)| if wanted == b'0' { found.is_ascii_digit() } else { found == wanted };
    text.len() == like.len() && text.bytes().zip(like.bytes()).all(same)
}

/// Judges `value` by `schema`, a part of `document`.
///
/// # Errors
/// Where it is not so, and why.
pub(crate) fn judge(document: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let schema = schema.as_object().ok_or_else(|| format!("{at}: no schema"))?;
    // Whatever it is.
    if schema.is_empty() {
        return Ok(());
    }
    if let Some(word) =
        schema.keys().find(|word| !JUDGED.contains(&word.as_str()) && !SAID.contains(&word.as_str()))
    {
        return Err(format!("{at}: the schema says {word}, which nobody judges here"));
    }
    let wrong = |what: &str| Err(format!("{at}: {what}: {value}"));
    if let Some(path) = schema.get("$ref").and_then(Value::as_str) {
        let named = path.strip_prefix('#').and_then(|pointer| document.pointer(pointer));
        return judge(document, named.ok_or_else(|| format!("{at}: no {path}"))?, value, at);
    }
    if let Some(any) = schema.get("anyOf").and_then(Value::as_array) {
        let faults: Vec<String> =
            any.iter().filter_map(|one| judge(document, one, value, at).err()).collect();
        return if faults.len() < any.len() { Ok(()) } else { Err(faults.join("; ")) };
    }
    if !schema.get("type").is_none_or(|wanted| is_of(wanted, value)) {
        return wrong("another type");
    }
    if !schema.get("enum").and_then(Value::as_array).is_none_or(|all| all.contains(value)) {
        return wrong("none of the words");
    }
    if let Some(text) = value.as_str() {
        let count = text.chars().count() as u64;
        let bound = |word: &str| schema.get(word).and_then(Value::as_u64);
        if bound("minLength").is_some_and(|min| count < min)
            || bound("maxLength").is_some_and(|max| count > max)
        {
            return wrong("another length");
        }
        if let Some(pattern) = schema.get("pattern").and_then(Value::as_str) {
            let known = PATTERNS.iter().find(|(known, _)| *known == pattern);
            let (_, fits) = known.ok_or_else(|| format!("{at}: nobody judges {pattern} here"))?;
            if !fits(text) {
                return wrong("another form");
            }
        }
    }
    if let Some(number) = value.as_f64() {
        let bound = |word: &str| schema.get(word).and_then(Value::as_f64);
        if bound("minimum").is_some_and(|min| number < min)
            || bound("maximum").is_some_and(|max| number > max)
        {
            return wrong("out of bounds");
        }
    }
    if let (Some(items), Some(values)) = (schema.get("items"), value.as_array()) {
        for (n, value) in values.iter().enumerate() {
            judge(document, items, value, &format!("{at}[{n}]"))?;
        }
    }
    value.as_object().map_or(Ok(()), |fields| judge_fields(document, schema, fields, at))
}

fn judge_fields(
    document: &Value,
    schema: &Map<String, Value>,
    fields: &Map<String, Value>,
    at: &str,
) -> Result<(), String> {
    let required = schema.get("required").and_then(Value::as_array);
    for name in required.into_iter().flatten().filter_map(Value::as_str) {
        if !fields.contains_key(name) {
            return Err(format!("{at}: no {name}"));
        }
    }
    for (name, value) in fields {
        let described = schema.get("properties").and_then(|all| all.get(name));
        let described = described.or_else(|| schema.get("additionalProperties"));
        let described = described.ok_or_else(|| format!("{at}: {name} is not described"))?;
        judge(document, described, value, &format!("{at}.{name}"))?;
    }
    Ok(())
}

fn is_of(wanted: &Value, value: &Value) -> bool {
    let is = |word: &str| match word {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        _ => false,
    };
    match wanted {
        Value::Array(words) => words.iter().filter_map(Value::as_str).any(is),
        word => word.as_str().is_some_and(is),
    }
}

#[test]
fn what_is_not_described_is_found_out() {
    let document =
        serde_json::json!({ "components": { "schemas": { "Name": { "type": "string", "maxLength": 2 } } } });
    let schema = serde_json::json!({
        "type": "object",
        "properties": {
            "name": { "$ref": "#/components/schemas/Name" },
            "rows": { "type": "array", "items": { "anyOf": [{ "type": "integer", "minimum": 0 }, { "type": "null" }] } },
            "tier": { "enum": ["high"] },
        },
        "required": ["name"],
    });
    let judged = |text: &str| judge(&document, &schema, &serde_json::from_str(text).unwrap(), "");
    assert_eq!(judged(r#"{"name":"ab","rows":[1,null],"tier":"high"}"#), Ok(()));
    for (text, part) in [
        ("[]", "another type"),
        ("{}", "no name"),
        (r#"{"name":"abc"}"#, "another length"),
        (r#"{"name":"a","more":1}"#, "more is not described"),
        (r#"{"name":"a","rows":[-1]}"#, "rows[0]"),
        (r#"{"name":"a","tier":"low"}"#, "none of the words"),
    ] {
        let error = judged(text).expect_err(text);
        assert!(error.contains(part), "{error}");
    }
    let unknown = serde_json::json!({ "oneOf": [] });
    assert!(judge(&document, &unknown, &Value::Null, "").unwrap_err().contains("oneOf"));
}
