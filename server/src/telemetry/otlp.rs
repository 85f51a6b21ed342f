//! Spans as OTLP has them in JSON (OpenTelemetry Protocol 1.x, "JSON Protobuf Encoding": ids in hex, 64-bit
//! numbers as text). It is one message with a handful of fields; the client libraries for it would bring
//! some forty crates.

use serde_json::{Value, json};

use super::outbox::Ended;

/// `SpanKind`.
const INTERNAL: u8 = 1;
const SERVER: u8 = 2;
/// `Status.code`.
const ERROR: u8 = 2;

/// Who says it.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The node.
    pub node: u64,
    /// Its cluster.
    pub cluster: uuid::Uuid,
}

/// An `ExportTraceServiceRequest`.
pub(super) fn encode(origin: &Origin, spans: &[Ended]) -> String {
    let spans: Vec<Value> = spans.iter().map(span).collect();
    let resource = [
        text("service.name", "usher"),
        text("service.namespace", &origin.cluster.to_string()),
        text("service.instance.id", &format!("node-{}", origin.node)),
        text("service.version", env!("CARGO_PKG_VERSION")),
    ];
    json!({
        "resourceSpans": [{
            "resource": { "attributes": resource },
            "scopeSpans": [{ "scope": { "name": "usher" }, "spans": spans }],
        }],
    })
    .to_string()
}

fn span(span: &Ended) -> Value {
    let begun_us = u128::from(span.begun_ms) * 1_000;
    let ended_us = begun_us + u128::from(span.took_us);
    let mut attributes = Vec::new();
    if span.status > 0 {
        attributes.push(number("http.response.status_code", span.status));
        attributes.push(text("http.route", &span.name));
    }
    if let Some(group) = span.group {
        attributes.push(number("usher.group", group));
        attributes.push(number("usher.term", span.term));
        attributes.push(number("usher.index", span.index));
    }
    json!({
        "traceId": span.trace_id,
        "spanId": span.span_id,
        "parentSpanId": span.parent_id,
        "name": span.name,
        "kind": if span.status > 0 { SERVER } else { INTERNAL },
        "startTimeUnixNano": (begun_us * 1_000).to_string(),
        "endTimeUnixNano": (ended_us * 1_000).to_string(),
        "attributes": attributes,
        "status": if span.failed { json!({ "code": ERROR }) } else { json!({}) },
    })
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

fn number(key: &str, value: u64) -> Value {
    json!({ "key": key, "value": { "intValue": value.to_string() } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_written_as_collectors_read_it() {
        let origin = Origin {
            node: 2,
            cluster: uuid::Uuid::from_u128(7),
        };
        let spans = [Ended {
            trace_id: "4bf92f3577b34da6a3ce929d0e0e4736".to_owned(),
            span_id: "1111111111111111".to_owned(),
            parent_id: "00f067aa0ba902b7".to_owned(),
            name: "commit".to_owned(),
            begun_ms: 1_700_000_000_000,
            took_us: 1_500,
            group: Some(3),
            term: 1,
            index: u64::MAX,
            ..Ended::default()
        }];
        let message: Value = serde_json::from_str(&encode(&origin, &spans)).expect("JSON");
        let of_node = &message["resourceSpans"][0];
        let told = of_node["resource"]["attributes"]
            .as_array()
            .expect("a list");
        assert!(told.contains(&text("service.instance.id", "node-2")));
        let span = &of_node["scopeSpans"][0]["spans"][0];
        assert_eq!(span["traceId"], "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(span["kind"], 1);
        assert_eq!(span["startTimeUnixNano"], "1700000000000000000");
        assert_eq!(span["endTimeUnixNano"], "1700000000001500000");
        let attributes = span["attributes"].as_array().expect("a list");
        assert!(attributes.contains(&number("usher.index", u64::MAX)));
    }
}
