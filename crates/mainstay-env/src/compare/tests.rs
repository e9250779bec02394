use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::packages::{Distance, distance};
use super::*;
use crate::{
    Container, ContainerVerdict, Cpu, Distribution, Fact, Failure, Git, Gpu, Identity, Libc,
    Package, Platform, Python, Rust, Setting, Source, Volatile,
};

fn package(name: &str, version: &str) -> Package {
    Package {
        name: name.into(),
        version: version.into(),
        editable: false,
        source: None,
        content: None,
    }
}

/// An environment of which everything is known.
fn complete() -> EnvManifest {
    let some = |text: &str| Some(text.to_owned());
    let features = ["avx", "avx2", "sse2"].map(ToOwned::to_owned).to_vec();
    let digest = mainstay_core::Digest::of(b"lock");
    let variables = [
        ("OMP_NUM_THREADS", "8"),
        ("PYTHONHASHSEED", "0"),
        ("TZ", "UTC"),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), Setting::Plain(value.into())));
    EnvManifest {
        identity: Identity {
            platform: Platform::new("linux", "x86_64"),
            distribution: Fact::Known(Distribution {
                id: "debian".into(),
                version: some("12"),
            }),
            kernel: Fact::Known("6.1.0".into()),
            libc: Fact::Known(Libc {
                implementation: "glibc".into(),
                version: some("2.36"),
            }),
            cpu: Fact::Known(Cpu {
                vendor: some("GenuineIntel"),
                model: some("Xeon"),
                microarchitecture: some("haswell"),
                level: some("x86_64_v3"),
                features,
                logical: 8,
            }),
            cpu_quota_milli: Fact::Absent,
            gpu: Fact::Known(Gpu {
                driver: "535.129.03".into(),
                devices: vec!["NVIDIA A10G".into()],
            }),
            container: Fact::Known(Container {
                verdict: ContainerVerdict::Container,
                runtime: None,
                image: Some(format!("app@{digest}")),
            }),
            python: Fact::Known(Python {
                implementation: "cpython".into(),
                version: "3.11.4".into(),
                virtual_environment: true,
            }),
            packages: Fact::Known(vec![
                package("flask", "3.0.0"),
                package("numpy", "1.26.4"),
                package("torch", "2.1.0+cu121"),
            ]),
            rust: Fact::Known(Rust {
                toolchain: "stable".into(),
                rustc: some("1.95.0"),
            }),
            locks: Fact::Known([("Cargo.lock".to_owned(), digest)].into()),
            git: Fact::Known(Git {
                commit: "a".repeat(40),
                dirty: Fact::Known(false),
            }),
            variables: Fact::Known(variables.into_iter().collect()),
            locale: Fact::Known("C".into()),
            time_zone: Fact::Known("UTC".into()),
        },
        volatile: Volatile::default(),
        probes: Vec::new(),
    }
}

/// Checks which rules a change fires and how they are graded: bitwise, numeric, serve.
#[track_caller]
fn check(change: impl Fn(&mut Identity), expected: &[(&str, &str)]) {
    check_pair(&complete(), change, expected);
}

#[track_caller]
fn check_pair(a: &EnvManifest, change: impl Fn(&mut Identity), expected: &[(&str, &str)]) {
    let mut b = a.clone();
    change(&mut b.identity);
    let graded = |policy| -> BTreeMap<&str, Severity> {
        let findings = compare(a, &b, policy).findings.into_iter();
        findings
            .map(|finding| (finding.rule, finding.severity))
            .collect()
    };
    let [bitwise, numeric, serve] = [Policy::Bitwise, Policy::Numeric, Policy::Serve].map(graded);
    let letter = |severity: Option<&Severity>| match severity {
        None => '-',
        Some(Severity::Info) => 'I',
        Some(Severity::Warning) => 'W',
        Some(Severity::Error) => 'E',
    };
    let rules: BTreeSet<&str> = [&bitwise, &numeric, &serve]
        .into_iter()
        .flat_map(|map| map.keys().copied())
        .collect();
    let found: Vec<(&str, String)> = rules
        .into_iter()
        .map(|rule| {
            (
                rule,
                [&bitwise, &numeric, &serve]
                    .map(|map| letter(map.get(rule)))
                    .iter()
                    .collect(),
            )
        })
        .collect();
    let found: Vec<(&str, &str)> = found
        .iter()
        .map(|(rule, grade)| (*rule, &**grade))
        .collect();
    assert_eq!(found, expected);
}

fn known<T>(fact: &mut Fact<T>) -> &mut T {
    match fact {
        Fact::Known(value) => value,
        _ => panic!("the complete environment knows everything"),
    }
}

fn set(identity: &mut Identity, name: &str, value: Option<&str>) {
    let variables = known(&mut identity.variables);
    match value {
        Some(value) => variables.insert(name.into(), Setting::Plain(value.into())),
        None => variables.remove(name),
    };
}

#[test]
fn a_complete_environment_passes_against_itself_under_every_policy() {
    for policy in [Policy::Bitwise, Policy::Numeric, Policy::Serve] {
        let report = compare(&complete(), &complete(), policy);
        assert_eq!((report.verdict, report.findings), (Verdict::Pass, vec![]));
    }
}

#[test]
fn what_is_not_established_is_unknown_not_equal() {
    let mut a = complete();
    a.identity.kernel = Fact::Failed(Failure::Denied);
    check_pair(&a, |_| {}, &[("unknown", "WII")]);
    check(|b| b.packages = Fact::NotCollected, &[("unknown", "WII")]);
    check(
        |b| known(&mut b.git).dirty = Fact::NotCollected,
        &[("git.dirty_unknown", "I--")],
    );
}

#[test]
fn another_platform_fails_to_serve() {
    check(
        |b| b.platform.os = "macos".into(),
        &[("platform.os", "EWE")],
    );
    check(
        |b| b.platform.architecture = "aarch64".into(),
        &[("platform.architecture", "EWE")],
    );
    check(
        |b| known(&mut b.libc).implementation = "musl".into(),
        &[("libc.implementation", "EWE")],
    );
}

#[test]
fn an_older_c_library_is_worse_than_a_newer_one() {
    check(
        |b| known(&mut b.libc).version = Some("2.9".into()),
        &[("libc.older", "WWW")],
    );
    check(
        |b| known(&mut b.libc).version = Some("2.39".into()),
        &[("libc.newer", "WII")],
    );
    check(
        |b| known(&mut b.libc).version = None,
        &[("libc.newer", "WII")],
    );
}

#[test]
fn a_processor_below_the_level_fails_everywhere_and_one_above_only_bitwise() {
    let below = |b: &mut Identity| {
        let cpu = known(&mut b.cpu);
        cpu.level = Some("x86_64_v2".into());
        cpu.features = vec!["sse2".into()];
        cpu.microarchitecture = Some("ivybridge".into());
    };
    check(
        below,
        &[
            ("cpu.features_missing", "EWW"),
            ("cpu.level", "EEE"),
            ("cpu.microarchitecture", "WII"),
        ],
    );
    let above = |b: &mut Identity| {
        let cpu = known(&mut b.cpu);
        cpu.level = Some("x86_64_v4".into());
        cpu.features.push("avx512f".into());
    };
    check(above, &[("cpu.features_added", "EWI")]);
    check(
        |b| known(&mut b.cpu).vendor = Some("AuthenticAMD".into()),
        &[("cpu.vendor", "EWI")],
    );
}

#[test]
fn fewer_processors_matter_only_when_threads_are_not_pinned() {
    check(
        |b| known(&mut b.cpu).logical = 4,
        &[("cpu.threads_pinned", "II-")],
    );
    check(
        |b| b.cpu_quota_milli = Fact::Known(2_500),
        &[("cpu.threads_pinned", "II-")],
    );
    // Eight whole processors: no difference to the eight there are.
    check(|b| b.cpu_quota_milli = Fact::Known(7_001), &[]);
    let mut unpinned = complete();
    set(&mut unpinned.identity, "OMP_NUM_THREADS", None);
    check_pair(
        &unpinned,
        |b| known(&mut b.cpu).logical = 4,
        &[("cpu.threads", "EWI")],
    );
}

#[test]
fn gpus_and_drivers_are_compared() {
    check(|b| b.gpu = Fact::Absent, &[("gpu.lost", "EWW")]);
    check(
        |b| known(&mut b.gpu).devices.clear(),
        &[("gpu.devices", "EWW")],
    );
    check(
        |b| known(&mut b.gpu).driver = "550.1".into(),
        &[("gpu.driver", "WII")],
    );
    let mut without = complete();
    without.identity.gpu = Fact::Absent;
    let gpu = complete().identity.gpu;
    check_pair(
        &without,
        |b| b.gpu.clone_from(&gpu),
        &[("gpu.gained", "EWI")],
    );
}

#[test]
fn a_driver_too_old_for_the_cuda_runtime_fails_even_if_both_sides_have_it() {
    let mut old = complete();
    known(&mut old.identity.gpu).driver = "515.43".into();
    check_pair(&old, |_| {}, &[("gpu.driver_too_old", "EEE")]);
    let runtimes = [
        ("nvidia-cuda-runtime-cu12", "12.1.105"),
        ("nvidia-cuda-runtime", "13.0.48"),
    ];
    for (name, version) in runtimes {
        *known(&mut old.identity.packages) = vec![package(name, version)];
        check_pair(&old, |_| {}, &[("gpu.driver_too_old", "EEE")]);
    }
    *known(&mut old.identity.packages) = vec![package("nvidia-cuda-runtime-cu11", "11.8.89")];
    check_pair(&old, |_| {}, &[]);
}

#[test]
fn images_are_compared_by_digest() {
    check(
        |b| known(&mut b.container).image = Some("app:1".into()),
        &[("container.image", "WIW"), ("container.unpinned", "WIW")],
    );
    check(
        |b| known(&mut b.container).verdict = ContainerVerdict::Host,
        &[("container.verdict", "WII")],
    );
}

#[test]
fn python_versions_differ_by_minor_or_patch() {
    check(
        |b| known(&mut b.python).version = "3.11.9".into(),
        &[("python.patch", "WII")],
    );
    check(
        |b| known(&mut b.python).version = "3.12.4".into(),
        &[("python.version", "EWW")],
    );
    check(
        |b| known(&mut b.python).implementation = "pypy".into(),
        &[("python.version", "EWW")],
    );
    check(|b| known(&mut b.python).virtual_environment = false, &[]);
}

#[test]
fn packages_are_graded_by_distance_and_by_what_they_compute() {
    let version = |at: usize, version: &'static str| {
        move |b: &mut Identity| known(&mut b.packages)[at].version = version.into()
    };
    check(version(0, "3.0.1"), &[("package.version", "WII")]);
    check(version(0, "3.1.0"), &[("package.version", "WII")]);
    check(version(0, "4.0.0"), &[("package.major", "WWW")]);
    check(version(1, "1.26.5"), &[("package.numeric", "EWW")]);
    check(version(1, "2.0.0"), &[("package.numeric_major", "EEW")]);
    check(version(2, "2.1.0+cpu"), &[("package.build", "EWW")]);
    check(
        |b| drop(known(&mut b.packages).remove(0)),
        &[("package.missing", "EWW")],
    );
    check(
        |b| known(&mut b.packages).push(package("x", "1")),
        &[("package.extra", "WII")],
    );
    check(
        |b| known(&mut b.packages)[0].editable = true,
        &[("package.source", "EWW")],
    );
    check(
        |b| known(&mut b.packages)[0].source = Some(Source::Directory),
        &[("package.source", "EWW")],
    );
}

#[test]
fn the_same_version_with_other_content_is_another_build() {
    let mut a = complete();
    known(&mut a.identity.packages)[0].content = Some(mainstay_core::Digest::of(b"a"));
    let other = |b: &mut Identity| {
        known(&mut b.packages)[0].content = Some(mainstay_core::Digest::of(b"b"));
    };
    check_pair(&a, other, &[("package.build", "EWW")]);
}

#[test]
fn code_locks_and_toolchain_are_compared() {
    check(
        |b| known(&mut b.git).commit = "b".repeat(40),
        &[("git.commit", "EWI")],
    );
    check(
        |b| known(&mut b.git).dirty = Fact::Known(true),
        &[("git.dirty", "EWI")],
    );
    check(|b| known(&mut b.locks).clear(), &[("lock", "EWI")]);
    check(
        |b| known(&mut b.rust).rustc = None,
        &[("rust.toolchain", "WWI")],
    );
}

#[test]
fn variables_are_graded_by_what_they_steer() {
    check(
        |b| set(b, "OMP_NUM_THREADS", Some("4")),
        &[("variable.threads", "EWI")],
    );
    check(
        |b| set(b, "MKL_CBWR", Some("AVX2")),
        &[("variable.determinism", "EWI")],
    );
    check(
        |b| set(b, "PYTHONHASHSEED", None),
        &[("variable.hash_seed", "WI-")],
    );
    check(
        |b| set(b, "TOKENIZERS_PARALLELISM", Some("true")),
        &[("variable.other", "WII")],
    );
    check(|b| set(b, "TZ", Some("CET")), &[]);
    check(
        |b| b.time_zone = Fact::Known("CET".into()),
        &[("time_zone", "WII")],
    );
    check(
        |b| b.locale = Fact::Known("de_DE".into()),
        &[("locale", "WII")],
    );
    // Two unset seeds are two random seeds.
    let mut unset = complete();
    set(&mut unset.identity, "PYTHONHASHSEED", None);
    check_pair(&unset, |_| {}, &[("variable.hash_seed", "WI-")]);
}

#[test]
fn the_fix_names_the_value_to_restore_and_the_gravest_finding_comes_first() {
    let mut b = complete();
    set(&mut b.identity, "OMP_NUM_THREADS", Some("4"));
    known(&mut b.identity.packages)[1].version = "2.0.0".into();
    b.identity.kernel = Fact::Known("6.9.0".into());
    let report = compare(&complete(), &b, Policy::Numeric);
    let fixes: Vec<&str> = report
        .findings
        .iter()
        .map(|finding| &*finding.fix)
        .collect();
    assert_eq!(
        fixes[..2],
        ["install numpy==1.26.4", "set OMP_NUM_THREADS=8"]
    );
    assert_eq!(report.verdict, Verdict::Fail);
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["verdict"], "fail");
    let finding = &json["findings"][0];
    assert_eq!(finding["rule"], "package.numeric_major");
    assert_eq!(
        (&finding["a"], &finding["b"]),
        (&"1.26.4".into(), &"2.0.0".into())
    );
}

#[test]
fn every_rule_has_one_id_and_policies_ask_less_from_bitwise_to_serve() {
    let ids: BTreeSet<&str> = RULES.iter().map(|rule| rule.id).collect();
    assert_eq!(ids.len(), RULES.len());
    for rule in RULES {
        assert!(rule.numeric <= rule.bitwise, "{}", rule.id);
        assert!(!rule.why.is_empty() && !rule.fix.is_empty(), "{}", rule.id);
    }
}

#[test]
fn policies_are_parsed_from_their_names() {
    for policy in [Policy::Bitwise, Policy::Numeric, Policy::Serve] {
        assert_eq!(policy.to_string().parse::<Policy>().unwrap(), policy);
    }
    assert!("strict".parse::<Policy>().is_err());
}

#[test]
fn distances_follow_pep_440() {
    let check = |a, b, expected| {
        assert_eq!(distance(a, b), expected, "{a} {b}");
        assert_eq!(distance(b, a), expected, "{b} {a}");
    };
    check("1.0", "1.0.0", Distance::Same);
    check("1.0+cpu", "1.0+cu121", Distance::Build);
    check("1.0", "1.0.post1", Distance::Patch);
    check("1.0rc1", "1.0", Distance::Patch);
    check("1.0.1", "1.0.2+x", Distance::Patch);
    check("1.0", "1.1", Distance::Minor);
    check("1.9", "2.0", Distance::Major);
    check("1!1.0", "1.0", Distance::Major);
    check("2004d", "2004e", Distance::Major);
}

proptest! {
    #[test]
    fn swapping_the_sides_never_hides_a_difference(
        a in "[0-9]\\.[0-9]\\.[0-9]", b in "[0-9]\\.[0-9]\\.[0-9]", removed: bool
    ) {
        let mut one = complete();
        let mut two = complete();
        known(&mut one.identity.packages)[0].version = a;
        known(&mut two.identity.packages)[0].version = b;
        if removed {
            drop(known(&mut two.identity.packages).remove(0));
        }
        let paths = |x: &EnvManifest, y: &EnvManifest| -> Vec<String> {
            let findings = compare(x, y, Policy::Bitwise).findings;
            findings.into_iter().map(|finding| finding.path).collect()
        };
        prop_assert_eq!(paths(&one, &two), paths(&two, &one));
    }
}

#[test]
fn the_table_of_the_format_page_is_that_of_the_code() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/formats/environment.md"
    );
    let page = std::fs::read_to_string(path).unwrap();
    let letter = |severity: Option<Severity>| match severity {
        None => "–",
        Some(Severity::Info) => "I",
        Some(Severity::Warning) => "W",
        Some(Severity::Error) => "E",
    };
    let table = page.split("## Comparison").nth(1).unwrap();
    for rule in RULES {
        let begin = format!("| `{}` |", rule.id);
        let row = table
            .lines()
            .find(|line| line.starts_with(&begin))
            .unwrap_or(rule.id);
        let [bitwise, numeric, serve] = [rule.bitwise, rule.numeric, rule.serve].map(letter);
        let end = format!("| {bitwise} | {numeric} | {serve} |");
        assert!(row.ends_with(&end), "{row} should end with {end}");
    }
}
