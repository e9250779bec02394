//! Contents: files, checks, digests.

use mainstay_core::ErrorKind;
use mainstay_prompt::{
    Body, Compiled, Inference, MAX_CONTENT_BYTES, ParseError, PromptContent, Role, Scalar, Variable,
};
use proptest::prelude::*;

fn json(text: &str) -> Result<PromptContent, mainstay_core::Error> {
    PromptContent::from_file_bytes("p.json", text.as_bytes())
}

#[track_caller]
fn check_refused(content: PromptContent, words: &str) {
    let error = Compiled::new(content).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains(words), "{error}");
}

#[test]
fn a_text_file_is_the_text_byte_for_byte() {
    for name in ["a.txt", "dir.json/a.md", "A.TXT"] {
        let content = PromptContent::from_file_bytes(name, "\u{feff}é {{x}}\r\n".as_bytes());
        assert_eq!(content.unwrap(), PromptContent::text("é {{x}}\r\n"));
    }
}

#[test]
fn a_json_file_holds_the_whole_content() {
    let content = json(
        r#"{"body": {"chat": [{"role": "system", "content": "Be {{tone}}."}]},
            "variables": {"tone": {"description": "how", "default": "kind"}},
            "inference": {"provider": "local", "model": "m1", "seed": 7, "stop": ["\n\n"],
                          "params": {"temperature": 0.5, "max_tokens": 256, "logprobs": false}}}"#,
    )
    .unwrap();
    let expected = PromptContent::chat([(Role::System, "Be {{tone}}.".to_owned())])
        .with_variable(
            "tone",
            Variable::default()
                .with_description("how")
                .with_default("kind"),
        )
        .with_inference(
            Inference::default()
                .with_model("local", "m1")
                .with_seed(7)
                .with_stop(["\n\n".to_owned()]),
        )
        .with_param("temperature", 0.5)
        .and_then(|content| content.with_param("max_tokens", 256_u32))
        .and_then(|content| content.with_param("logprobs", false))
        .unwrap();
    assert_eq!(content, expected);
}

#[test]
fn json_errors_name_line_and_column() {
    for (bad, line) in [
        ("", 1),
        ("{\"body\":\n{\"text\":\"x\"},\n\"extra\":1}", 3),
        (
            "{\"body\":{\"text\":\"x\"},\n\"inference\":{\"params\":{\"t\":1,\"t\":2}}}",
            2,
        ),
        (
            "{\"body\":{\"text\":\"x\"},\n\"inference\":{\"params\":{\"t\":9007199254740992}}}",
            2,
        ),
        (
            "{\"body\":{\"text\":\"x\"},\n\"inference\":{\"params\":{\"t\":[1]}}}",
            2,
        ),
        (
            "{\"body\":{\"text\":\"x\"},\n\"inference\":{\"params\":{\"t\":null}}}",
            2,
        ),
        (
            "{\"body\":{\"chat\":[{\"role\":\"king\",\"content\":\"\"}]}}",
            1,
        ),
        ("{\"body\":{\"text\":\"x\"},\"dialect\":\"jinja\"}", 1),
    ] {
        let error = json(bad).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{bad}");
        let at = error.contexts().find(|(key, _)| *key == "line").unwrap().1;
        assert_eq!(at, line.to_string(), "{bad}");
        assert!(error.to_string().contains("p.json"), "{error}");
    }
}

#[test]
fn files_of_other_kinds_sizes_and_encodings_are_refused() {
    for (name, bytes) in [
        ("p.yaml", &b"x"[..]),
        ("prompt", b"x"),
        ("p.txt", b"\xff"),
        ("p.txt", &vec![b'x'; MAX_CONTENT_BYTES + 1]),
    ] {
        let error = PromptContent::from_file_bytes(name, bytes).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn contents_that_say_nothing_or_too_much_are_refused() {
    check_refused(PromptContent::text(""), "empty");
    check_refused(PromptContent::chat([]), "no messages");
    check_refused(
        PromptContent::text("x".repeat(MAX_CONTENT_BYTES)),
        "larger than 1 MiB",
    );
    let mut content = PromptContent::text("x");
    content
        .inference
        .params
        .insert("t".into(), Scalar::Number(f64::NAN));
    check_refused(content, "finite");
    let seed = PromptContent::text("x").with_inference(Inference::default().with_seed(i64::MAX));
    check_refused(seed, "canonical");
    assert!(
        PromptContent::text("x")
            .with_param("t", f64::INFINITY)
            .is_err()
    );
}

#[test]
fn declared_variables_are_exactly_those_of_the_body() {
    let declared = |text: &str, names: &[&str]| {
        names
            .iter()
            .fold(PromptContent::text(text), |content, name| {
                content.with_variable(*name, Variable::default())
            })
    };
    assert!(Compiled::new(declared("{{a}}{{b}}", &["a", "b"])).is_ok());
    check_refused(declared("{{a}}{{b}}", &["a"]), "not declared (variable: b)");
    check_refused(
        declared("{{a}}", &["a", "b"]),
        "not used in the body (variable: b)",
    );
    check_refused(declared("{{a}}", &["a b"]), "bad variable name");
}

#[test]
fn a_template_error_names_message_line_and_column() {
    let content = PromptContent::chat([
        (Role::System, "fine".to_owned()),
        (Role::User, "line\n  {{oops".to_owned()),
    ]);
    let error = Compiled::new(content).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let source = std::error::Error::source(&error).unwrap();
    let parse = source.downcast_ref::<ParseError>().unwrap();
    assert_eq!((parse.message, parse.line, parse.column), (Some(2), 2, 3));
}

#[test]
fn one_and_one_point_zero_are_the_same_parameter() {
    let with = |number| PromptContent::text("x").with_param("t", number).unwrap();
    let file = |text: &str| {
        json(&format!(
            r#"{{"body":{{"text":"x"}},"inference":{{"params":{{"t":{text}}}}}}}"#
        ))
    };
    for spelling in ["1", "1.0", "1e0", "10e-1"] {
        let content = file(spelling).unwrap();
        assert_eq!(content, with(1.0));
        assert_eq!(content.digest().unwrap(), with(1.0).digest().unwrap());
    }
    assert_ne!(with(1.0).digest().unwrap(), with(1.5).digest().unwrap());
}

proptest! {
    #[test]
    fn any_file_is_read_or_refused(bytes: Vec<u8>, ending in "(txt|md|json)") {
        drop(PromptContent::from_file_bytes(&format!("p.{ending}"), &bytes).and_then(Compiled::new));
    }

    #[test]
    fn any_text_compiles_or_is_refused_as_invalid(text in "(\\PC|[{}\n]){0,64}") {
        if let Err(error) = Compiled::new(PromptContent::text(text)) {
            prop_assert_eq!(error.kind(), ErrorKind::Invalid);
        }
    }

    #[test]
    fn content_survives_json(text in ".{1,16}", number in proptest::num::f64::NORMAL, seed in -1000_i64..1000) {
        let inference = Inference::default().with_seed(seed);
        let content = PromptContent::text(text)
            .with_inference(inference)
            .with_param("x", number)
            .unwrap();
        let bytes = serde_json::to_vec(&content).unwrap();
        let read = PromptContent::from_file_bytes("p.json", &bytes).unwrap();
        prop_assert_eq!(read.digest().unwrap(), content.digest().unwrap());
        prop_assert_eq!(read, content);
    }
}

#[test]
fn the_body_is_text_or_chat_and_nothing_else() {
    assert!(matches!(
        json(r#"{"body":{"text":"x"}}"#).unwrap().body,
        Body::Text(_)
    ));
    for bad in [
        r#"{"body":"x"}"#,
        r#"{"body":{"text":"x","chat":[]}}"#,
        r#"{"body":{}}"#,
        "{}",
    ] {
        assert!(json(bad).is_err(), "{bad}");
    }
}
