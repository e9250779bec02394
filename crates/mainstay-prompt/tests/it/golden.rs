//! The stored format: what `docs/formats/prompt.md` specifies, held by fixtures.

use std::path::Path;

use mainstay_core::{Digest, canon};
use mainstay_prompt::{Compiled, PromptContent, RenderOptions};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One fixture: a record as stored, its digest, and a rendering.
#[derive(Serialize, Deserialize)]
struct Case {
    record: Value,
    digest: Digest,
    values: Vec<(String, String)>,
    output: Value,
    receipt: Digest,
}

#[test]
fn version_1_is_read_hashed_and_rendered_as_it_was() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/prompt/v1/cases.json");
    let cases: Vec<Case> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert!(cases.len() >= 4);
    for case in cases {
        assert_eq!(canon::digest(&case.record).unwrap(), case.digest);
        assert_eq!(case.record["format"], 1);
        let content = PromptContent::deserialize(&case.record["content"]).unwrap();
        assert_eq!(content.digest().unwrap(), case.digest);
        let prompt = Compiled::new(content).unwrap();
        let rendered = prompt
            .render(case.values, &RenderOptions::default())
            .unwrap();
        assert_eq!(
            serde_json::to_value(rendered.output()).unwrap(),
            case.output
        );
        assert_eq!(rendered.receipt().unwrap(), case.receipt);
    }
}
