//! `mainstay run`

use std::fs;

use serde_json::json;

use crate::support::{Shell, has};

#[test]
fn a_run_is_begun_logged_to_ended_and_read() {
    let shell = Shell::new();
    shell.json("data snapshot penguins penguins.csv");
    let started = shell.json(
        "run start species --input penguins --code 9f31c2a --param depth=6 --seed numpy=7 \
         --tag team=birds --at 2026-01-01T00:00:00Z",
    );
    assert_eq!(started["run"], "run:species@1");
    shell.write(
        "points.jsonl",
        "{\"metric\":\"loss\",\"step\":1,\"value\":0.5}\n\n\
         {\"metric\":\"loss\",\"step\":2,\"value\":\"NaN\",\"time\":\"2026-01-01T00:00:01Z\"}\n",
    );
    shell.json("run log species@1 --metric loss=0.9 --metric auc=0.7 --step 0");
    let logged = shell.json("run log species --points points.jsonl --untag team");
    assert_eq!(logged["points"], 2);
    let series = shell.json("run series species@1 loss --from 1");
    assert_eq!(series["points"][1]["value"], "NaN");
    assert_eq!(series["points"].as_array().unwrap().len(), 2);

    fs::create_dir(shell.path("plots")).unwrap();
    shell.write("plots/loss.svg", "<svg/>");
    shell.json("run log species --file model.bin --file plots");
    assert_eq!(shell.json("run pull species out")["bytes"], 13);
    assert!(shell.path("out/loss.svg").is_file());

    shell.json("model register species model.bin --run species --step 2 --owner birds");
    shell.json("run finish species --status failed");
    let shown = shell.json("run show species");
    has(&shown, &["node", "digest", "record", "metrics", "seq"]);
    assert_eq!(shown["record"]["status"], "failed");
    assert_eq!(shown["record"]["code"]["repository"], "species");
    assert_eq!(shown["record"]["tags"], json!({}));
    assert_eq!(shown["metrics"]["loss"]["points"], 3);
    assert_eq!(
        shown["outputs"],
        json!([{"output": "model:species@1.0.0", "step": 2}])
    );
    assert_eq!(shell.json("model show species")["record"]["owner"], "birds");
    let listed = shell.json("run list species");
    assert_eq!(listed["runs"][0]["node"], "run:species@1");
    let found = shell.json("run search status='FAILED'");
    has(&found, &["results", "next"]);
    assert_eq!(found["results"][0]["node"], "run:species@1");
    assert!(
        shell
            .run("run search run_id='1'")
            .out
            .contains("run:species@1")
    );
    assert_eq!(
        shell.json("run search params.depth<6 --count"),
        json!({"count": 0})
    );
    let up = shell.run("lineage up run:species@1");
    assert!(up.out.contains("data:penguins@1"), "{up:?}");

    shell.failure(4, "run log species@1 --metric loss=0.1");
    shell.failure(3, "run show species@9");
    shell.failure(2, "run start species --id 7");
}

#[test]
fn a_bad_line_of_points_is_named() {
    let shell = Shell::new();
    shell.json("run start species");
    shell.write(
        "points.jsonl",
        "{\"metric\":\"loss\",\"step\":1,\"value\":0.5}\n{}\n",
    );
    let error = shell.failure(2, "run log species --points points.jsonl");
    assert!(error.to_string().contains("\"2\""), "{error}");
}
