//! The least store: a run, and the version it made.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

pub(crate) struct Tiny {
    directory: TempDir,
}

impl Tiny {
    pub(crate) fn new() -> Self {
        let tiny = Self {
            directory: TempDir::new().unwrap(),
        };
        for (path, content) in [
            (
                "0/meta.yaml",
                "experiment_id: '0'\nname: e\nlifecycle_stage: active\n",
            ),
            ("0/r1/meta.yaml", &run("r1", 3)),
            ("0/r1/params/rate", "0.1"),
            ("0/r1/metrics/loss", "1000 0.5 0\n1001 nan 1\n"),
            ("0/r1/tags/team", "risk"),
            ("0/r1/artifacts/report.txt", "fine"),
            ("0/r1/artifacts/model/MLmodel", MLMODEL),
            ("0/r1/artifacts/model/model.bin", "weights"),
            ("models/m/meta.yaml", "name: m\ndescription: null\n"),
            ("models/m/aliases/best", "1"),
            (
                "models/m/version-1/meta.yaml",
                &version(1, "runs:/r1/model"),
            ),
        ] {
            tiny.write(path, content);
        }
        tiny
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

const MLMODEL: &str =
    "signature:\n  inputs: '[{\"type\": \"double\", \"name\": \"age\"}]'\n  outputs: null\n";

pub(crate) fn run(id: &str, status: u8) -> String {
    format!(
        "run_id: {id}\nexperiment_id: '0'\nstatus: {status}\nstart_time: 1000\nend_time: 2000\n\
         lifecycle_stage: active\n"
    )
}

pub(crate) fn version(number: u64, source: &str) -> String {
    format!(
        "name: m\nversion: {number}\ncreation_timestamp: 3000\ncurrent_stage: Production\n\
         source: {source}\nrun_id: r1\nstatus: READY\n"
    )
}
