//! Whole captures of the trees in `tests/fixtures`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mainstay_env::{
    Capture, ContainerVerdict, EnvManifest, Fact, Failure, Libc, Package, Platform, Setting, Source,
};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).into(), (*value).into()))
        .collect()
}

fn tree(name: &str) -> Capture {
    Capture::new()
        .with_root(fixture(name))
        .with_platform(Platform::new("linux", "x86_64"))
}

fn training_host() -> EnvManifest {
    let pairs = [
        ("HOME", "/home/ada"),
        ("LANG", "de_DE.UTF-8"),
        ("OMP_NUM_THREADS", "8"),
        ("SECRET_SAUCE", "unlisted"),
    ];
    tree("training-host")
        .with_variables(variables(&pairs))
        .with_python("/opt/venv")
        .run()
}

fn package<'m>(manifest: &'m EnvManifest, name: &str) -> &'m Package {
    let packages = manifest.identity.packages.known().unwrap();
    packages
        .iter()
        .find(|package| package.name == name)
        .unwrap()
}

#[test]
fn the_system_of_a_host_is_read_from_its_files() {
    let manifest = training_host();
    let identity = &manifest.identity;
    let distribution = identity.distribution.known().unwrap();
    assert_eq!(
        (&*distribution.id, distribution.version.as_deref()),
        ("debian", Some("12"))
    );
    assert_eq!(identity.kernel, Fact::Known("6.1.0-18-amd64".into()));
    let Libc {
        implementation,
        version,
        ..
    } = identity.libc.known().unwrap();
    assert_eq!(
        (&**implementation, version.as_deref()),
        ("glibc", Some("2.36"))
    );
    assert_eq!(identity.cpu_quota_milli, Fact::Known(2_500));
    assert_eq!(identity.time_zone, Fact::Known("Europe/Berlin".into()));
    assert_eq!(identity.locale, Fact::Known("de_DE.UTF-8".into()));
    assert_eq!(manifest.volatile.memory_bytes, Some(32_614_328 * 1_024));
    let rust = identity.rust.known().unwrap();
    assert_eq!(
        (&*rust.toolchain, rust.rustc.as_deref()),
        ("stable", Some("1.95.0"))
    );
}

#[test]
fn the_processor_has_a_level_a_microarchitecture_and_its_features() {
    let manifest = training_host();
    let cpu = manifest.identity.cpu.known().unwrap();
    assert_eq!(cpu.vendor.as_deref(), Some("GenuineIntel"));
    assert_eq!(cpu.level.as_deref(), Some("x86_64_v4"));
    assert_eq!(cpu.microarchitecture.as_deref(), Some("skylake_avx512"));
    assert_eq!(cpu.logical, 4);
    assert!(cpu.features.iter().any(|feature| feature == "avx512f"));
    assert!(cpu.features.is_sorted());
}

#[test]
fn gpus_are_counted_without_their_serial_numbers() {
    let manifest = training_host();
    let gpu = manifest.identity.gpu.known().unwrap();
    assert_eq!(gpu.driver, "535.129.03");
    assert_eq!(gpu.devices, ["NVIDIA A10G", "NVIDIA A10G"]);
    assert!(!serde_json::to_string(&manifest).unwrap().contains("UUID"));
}

#[test]
fn packages_are_read_in_every_form_without_running_python() {
    let manifest = training_host();
    let packages = manifest.identity.packages.known().unwrap();
    let versions: Vec<_> = packages.iter().map(|p| (&*p.name, &*p.version)).collect();
    assert_eq!(
        versions,
        [
            ("churn", "0.1.0"),
            ("flask-login", "0.6.3"),
            ("legacy", "0.9"),
            ("lib-x", "2.0"),
            ("numpy", "1.26.4"),
            ("pytz", "2004d"),
            ("torch", "2.1.0+cu121"),
        ]
    );
    assert_eq!(package(&manifest, "churn").source, Some(Source::Directory));
    assert!(package(&manifest, "churn").editable);
    assert!(matches!(
        &package(&manifest, "lib-x").source,
        Some(Source::Vcs { url: Some(url), .. }) if url == "https://git.example.org/lib-x.git"
    ));
    let installers = &manifest.volatile.installers;
    assert_eq!((installers["pip"], installers["uv"]), (2, 1));
    let python = manifest.identity.python.known().unwrap();
    assert_eq!(
        (&*python.version, python.virtual_environment),
        ("3.11.2", true)
    );
}

#[test]
fn package_content_is_digested_when_asked_for() {
    assert_eq!(package(&training_host(), "numpy").content, None);
    let manifest = tree("training-host")
        .with_python("/opt/venv")
        .with_package_content()
        .run();
    // printf 'numpy/__init__.py,sha256=abc,10\n' | sha256sum
    assert_eq!(
        package(&manifest, "numpy").content.unwrap().to_hex(),
        "e5178e0ecf9234ffdf26baaf0c162bada06a96435a6d559397ad88d2d136e37f"
    );
    assert_eq!(package(&manifest, "legacy").content, None);
}

#[test]
fn every_way_to_name_a_python_finds_the_same_packages() {
    let expected = training_host().identity.packages;
    let site_packages = "/opt/venv/lib/python3.11/site-packages";
    let active = tree("training-host")
        .with_variables(variables(&[("VIRTUAL_ENV", "/opt/venv")]))
        .run();
    assert_eq!(active.identity.packages, expected);
    assert_eq!(active.volatile.site_packages, [site_packages]);
    let direct = tree("training-host").with_python(site_packages).run();
    assert_eq!(direct.identity.packages, expected);
}

#[test]
fn without_a_hint_the_system_python_is_found() {
    let manifest = tree("training-host").run();
    let packages = manifest.identity.packages.known().unwrap();
    assert_eq!((packages.len(), &*packages[0].name), (1, "six"));
    let python = manifest.identity.python.known().unwrap();
    assert_eq!(
        (&*python.version, python.virtual_environment),
        ("3.11.2", false)
    );
}

#[test]
fn a_python_that_was_asked_for_and_is_not_there_is_a_failure() {
    let manifest = tree("training-host").with_python("/nowhere").run();
    assert_eq!(manifest.identity.packages, Fact::Failed(Failure::Malformed));
    assert_eq!(manifest.identity.python, Fact::Failed(Failure::Malformed));
}

#[test]
fn a_container_is_told_by_its_control_group() {
    let manifest = tree("serving-container")
        .with_container_image("ada:pw@registry.example.org/serve:1")
        .run();
    let container = manifest.identity.container.known().unwrap();
    assert_eq!(container.verdict, ContainerVerdict::Container);
    assert_eq!(container.runtime.as_deref(), Some("docker"));
    assert_eq!(
        container.image.as_deref(),
        Some("registry.example.org/serve:1")
    );
    assert_eq!(
        manifest.volatile.container_evidence,
        ["control group of docker", "file /.dockerenv"]
    );
    let identity = &manifest.identity;
    assert_eq!(identity.libc.known().unwrap().implementation, "musl");
    assert_eq!(identity.cpu_quota_milli, Fact::Absent);
    assert_eq!(identity.gpu, Fact::Absent);
    assert_eq!(
        identity.cpu.known().unwrap().level.as_deref(),
        Some("x86_64_v3")
    );
}

#[test]
fn only_allowed_variables_are_recorded_and_secret_looking_values_are_redacted() {
    let manifest = training_host();
    let settings = manifest.identity.variables.known().unwrap();
    assert_eq!(settings["OMP_NUM_THREADS"], Setting::Plain("8".into()));
    assert_eq!(
        settings.keys().collect::<Vec<_>>(),
        ["LANG", "OMP_NUM_THREADS"]
    );

    let pairs = [
        ("MY_TOKEN", "plain"),
        ("MY_FLAG", "on"),
        ("XLA_FLAGS", "--xla_gpu_deterministic_ops=true"),
    ];
    let manifest = tree("training-host")
        .with_variables(variables(&pairs))
        .allow_variable("MY_TOKEN")
        .allow_variable("MY_FLAG")
        .run();
    let settings = manifest.identity.variables.known().unwrap();
    assert!(
        matches!(&settings["MY_TOKEN"], Setting::Redacted { redacted } if redacted.len() == 16)
    );
    assert_eq!(settings["MY_FLAG"], Setting::Plain("on".into()));
    assert_eq!(
        settings["XLA_FLAGS"],
        Setting::Plain("--xla_gpu_deterministic_ops=true".into())
    );
}

#[test]
fn another_tree_has_no_variables_unless_given() {
    let manifest = tree("training-host").run();
    assert_eq!(manifest.identity.variables, Fact::NotCollected);
    assert_eq!(manifest.identity.locale, Fact::NotCollected);
}

#[test]
fn the_digest_depends_on_the_identity_only() {
    let manifest = training_host();
    assert_eq!(manifest, training_host());
    let mut other = manifest.clone();
    other.volatile.memory_bytes = None;
    other.probes.clear();
    assert_eq!(manifest.digest().unwrap(), other.digest().unwrap());
    other.identity.kernel = Fact::Absent;
    assert_ne!(manifest.digest().unwrap(), other.digest().unwrap());
}

#[test]
fn every_fact_of_the_identity_has_a_probe_report() {
    let manifest = training_host();
    let identity = serde_json::to_value(&manifest.identity).unwrap();
    let mut facts: Vec<&str> = identity
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    facts.retain(|fact| *fact != "platform");
    let mut probes: Vec<&str> = manifest.probes.iter().map(|probe| &*probe.probe).collect();
    probes.sort_unstable();
    assert_eq!(probes, facts);
}

#[test]
fn no_path_user_or_host_is_in_the_identity() {
    let identity = serde_json::to_string(&training_host().identity).unwrap();
    for word in ["/opt", "/home", "/usr", "ada", "fixtures"] {
        assert!(!identity.contains(word), "{word} in {identity}");
    }
}

#[test]
fn an_empty_tree_gives_absent_facts() {
    let empty = tempfile::tempdir().unwrap();
    let manifest = Capture::new()
        .with_root(empty.path())
        .with_platform(Platform::new("linux", "x86_64"))
        .run();
    let identity = manifest.identity;
    assert_eq!(identity.kernel, Fact::Absent);
    assert_eq!(identity.packages, Fact::Absent);
    assert_eq!(identity.git, Fact::NotCollected);
    assert_eq!(identity.container, Fact::NotCollected);
}

#[test]
fn system_facts_of_other_systems_are_not_collected() {
    let manifest = tree("training-host")
        .with_platform(Platform::new("macos", "aarch64"))
        .run();
    assert_eq!(manifest.identity.kernel, Fact::NotCollected);
    assert_eq!(manifest.identity.cpu, Fact::NotCollected);
}

#[test]
fn the_running_system_is_captured_the_same_twice() {
    let capture = Capture::new().with_project(env!("CARGO_MANIFEST_DIR"));
    let manifest = capture.run();
    assert_eq!(manifest, capture.run());
    let json = serde_json::to_vec(&manifest).unwrap();
    assert_eq!(
        serde_json::from_slice::<EnvManifest>(&json).unwrap(),
        manifest
    );
}
