//! The processor, from `/proc/cpuinfo` and archspec's tables, and its control group's quota.

use std::collections::BTreeSet;
use std::sync::Arc;

use archspec::cpu::Microarchitecture;
use archspec::schema::MicroarchitecturesSchema;

use super::{Found, Scene};
use crate::secrets::clean;
use crate::{Cpu, Failure};

pub(crate) fn cpu(scene: &Scene<'_>, architecture: &str) -> Found<Cpu> {
    let path = "/proc/cpuinfo";
    match scene.tree.text(path) {
        Ok(Some(text)) => match parse_cpuinfo(&text, architecture) {
            Some(cpu) => Found::known(cpu, path),
            None => Found::failed(Failure::Malformed, path),
        },
        Ok(None) => Found::absent(),
        Err(failure) => Found::failed(failure, path),
    }
}

/// Reads the first processor's description and counts all. `None` when there is no processor.
fn parse_cpuinfo(text: &str, architecture: &str) -> Option<Cpu> {
    let fields = || text.lines().filter_map(|line| line.split_once(':'));
    let logical = fields()
        .filter(|(key, _)| key.trim() == "processor")
        .count();
    if logical == 0 {
        return None;
    }
    let first = |name: &str| {
        fields()
            .find(|(key, _)| key.trim() == name)
            .map(|(_, value)| value.trim())
            .filter(|value| !value.is_empty())
    };
    let flags: BTreeSet<&str> = first("flags")
        .or_else(|| first("Features"))
        .unwrap_or_default()
        .split_ascii_whitespace()
        .collect();
    let vendor = first("vendor_id").map(str::to_owned).or_else(|| {
        let implementer = first("CPU implementer")?;
        let vendors = &MicroarchitecturesSchema::schema().conversions.arm_vendors;
        Some(
            vendors
                .get(implementer)
                .cloned()
                .unwrap_or_else(|| implementer.to_owned()),
        )
    });
    let family = Family::new(architecture, vendor.as_deref(), &flags);
    Some(Cpu {
        microarchitecture: family.best(first("CPU part")),
        level: family.generic().map(|target| target.name().to_owned()),
        features: family.known_features(&flags),
        vendor: vendor.as_deref().map(clean),
        model: first("model name").map(clean),
        logical: logical as u64,
    })
}

/// The targets of archspec that the processor can run, with their features.
struct Family {
    compatible: Vec<Arc<Microarchitecture>>,
    features: BTreeSet<String>,
}

impl Family {
    fn new(architecture: &str, vendor: Option<&str>, flags: &BTreeSet<&str>) -> Self {
        let schema = &MicroarchitecturesSchema::schema().microarchitectures;
        // A target's own list is complete; those of its ancestors also hold names Linux never uses.
        let own_features = |name: &str| schema.get(name).map_or(&[][..], |own| &own.features);
        let mut compatible: Vec<_> = schema
            .keys()
            .filter_map(|name| Microarchitecture::known_targets().get(name))
            .filter(|target| target.family().name() == architecture)
            .cloned()
            .collect();
        let features = compatible
            .iter()
            .flat_map(|target| own_features(target.name()).iter().cloned())
            .collect();
        compatible.retain(|target| {
            // archspec cannot tell the versions of the Arm architecture apart.
            let arm_version = target.vendor() == "generic" && target.name() != "aarch64";
            let mut needed = own_features(target.name()).iter();
            !(architecture == "aarch64" && arm_version)
                && (target.vendor() == "generic" || Some(target.vendor()) == vendor)
                && needed.all(|feature| flags.contains(feature.as_str()))
        });
        // The most specific last; the name decides between equals, so that the order is the same
        // everywhere.
        compatible.sort_by_cached_key(|target| {
            let name = target.name();
            (
                target.ancestors().len(),
                own_features(name).len(),
                name.to_owned(),
            )
        });
        Self {
            compatible,
            features,
        }
    }

    fn generic(&self) -> Option<&Arc<Microarchitecture>> {
        self.compatible
            .iter()
            .rfind(|target| target.vendor() == "generic")
    }

    /// The most specific target above the best generic one; a `part` number picks among equals.
    fn best(&self, part: Option<&str>) -> Option<String> {
        let generic = self.generic()?;
        let above: Vec<&Arc<Microarchitecture>> = self
            .compatible
            .iter()
            .filter(|target| target.is_strict_superset(generic))
            .collect();
        let schema = &MicroarchitecturesSchema::schema().microarchitectures;
        let has_part = |target: &&&Arc<Microarchitecture>| {
            part.is_some() && schema.get(target.name()).and_then(|t| t.cpupart.as_deref()) == part
        };
        let best = above.iter().rfind(has_part).or(above.last()).copied();
        Some(best.unwrap_or(generic).name().to_owned())
    }

    /// The flags that are features of some target of the family.
    fn known_features(&self, flags: &BTreeSet<&str>) -> Vec<String> {
        self.features
            .iter()
            .filter(|feature| flags.contains(feature.as_str()))
            .cloned()
            .collect()
    }
}

/// Finds the processor quota of the control group this process is in.
pub(crate) fn quota_milli(scene: &Scene<'_>) -> Found<u64> {
    let membership = scene.tree.text("/proc/self/cgroup").ok().flatten();
    let membership = membership.unwrap_or_default();
    for (path, parse) in candidates(&membership) {
        match scene.tree.text(&path) {
            Ok(Some(text)) => {
                let period_path = path.replace("cfs_quota_us", "cfs_period_us");
                let period = scene
                    .tree
                    .text(period_path)
                    .ok()
                    .flatten()
                    .unwrap_or_default();
                return match parse(&text, &period) {
                    Ok(Some(milli)) => Found::known(milli, path),
                    Ok(None) => Found::absent(),
                    Err(failure) => Found::failed(failure, path),
                };
            }
            Ok(None) => {}
            Err(failure) => return Found::failed(failure, path),
        }
    }
    Found::absent()
}

/// Parses quota and period into thousandths of a processor; `None` means unlimited.
type ParseQuota = fn(&str, &str) -> Result<Option<u64>, Failure>;

/// The files that may hold the quota, the process' own control group first.
fn candidates(membership: &str) -> Vec<(String, ParseQuota)> {
    let mut paths: Vec<(String, ParseQuota)> = Vec::new();
    for line in membership.lines().take(64) {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(group)) = (parts.next(), parts.next()) else {
            continue;
        };
        let group = group.trim_end_matches('/');
        if controllers.is_empty() {
            paths.push((format!("/sys/fs/cgroup{group}/cpu.max"), v2));
        } else if controllers.split(',').any(|controller| controller == "cpu") {
            paths.push((
                format!("/sys/fs/cgroup/{controllers}{group}/cpu.cfs_quota_us"),
                v1,
            ));
            paths.push((format!("/sys/fs/cgroup/cpu{group}/cpu.cfs_quota_us"), v1));
        }
    }
    // Inside a container the own group is mounted as the root.
    paths.push(("/sys/fs/cgroup/cpu.max".into(), v2));
    paths.push(("/sys/fs/cgroup/cpu/cpu.cfs_quota_us".into(), v1));
    paths
}

fn v2(text: &str, _: &str) -> Result<Option<u64>, Failure> {
    match text.split_ascii_whitespace().collect::<Vec<_>>()[..] {
        ["max", _] | ["max"] => Ok(None),
        [quota, period] => milli(quota, period).map(Some),
        _ => Err(Failure::Malformed),
    }
}

fn v1(quota: &str, period: &str) -> Result<Option<u64>, Failure> {
    match quota.trim() {
        "-1" => Ok(None),
        quota => milli(quota, period.trim()).map(Some),
    }
}

fn milli(quota: &str, period: &str) -> Result<u64, Failure> {
    let number = |text: &str| text.parse::<u64>().map_err(|_| Failure::Malformed);
    let (quota, period) = (number(quota)?, number(period)?);
    // The kernel's longest period is a second and its longest quota far below this bound.
    let scaled = quota.checked_mul(1_000).ok_or(Failure::Malformed)?;
    scaled.checked_div(period).ok_or(Failure::Malformed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quotas_of_both_cgroup_versions_are_thousandths_of_a_processor() {
        assert_eq!(v2("150000 100000\n", ""), Ok(Some(1_500)));
        assert_eq!(v2("max 100000\n", ""), Ok(None));
        assert_eq!(v1("50000\n", "100000\n"), Ok(Some(500)));
        assert_eq!(v1("-1\n", "100000\n"), Ok(None));
        for bad in [
            "",
            "1 0",
            "x 1",
            "1 2 3",
            "99999999999999999999 1",
            "18446744073709551615 1",
        ] {
            assert_eq!(v2(bad, ""), Err(Failure::Malformed), "{bad}");
        }
    }

    #[test]
    fn an_arm_processor_is_named_by_implementer_and_part() {
        let features = "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid \
            asimdrdm lrcpc dcpop asimddp";
        let text = format!(
            "processor\t: 0\nFeatures\t: {features}\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n\n\
             processor\t: 1\nFeatures\t: {features}\nCPU implementer\t: 0x41\n"
        );
        let cpu = parse_cpuinfo(&text, "aarch64").unwrap();
        assert_eq!(
            (
                cpu.vendor.as_deref(),
                cpu.microarchitecture.as_deref(),
                cpu.logical
            ),
            (Some("ARM"), Some("neoverse_n1"), 2)
        );
        assert!(cpu.features.iter().any(|feature| feature == "asimddp"));
    }

    proptest! {
        #[test]
        fn any_cpuinfo_and_cgroup_is_read(
            text in "(processor|flags|vendor_id|GenuineIntel|sse2|:|\t|\n| |\\PC){0,40}"
        ) {
            drop(parse_cpuinfo(&text, "x86_64"));
            drop(candidates(&text));
            prop_assert!(v1(&text, &text).is_ok_and(|milli| milli == Some(1_000)) || v1(&text, &text).is_err());
            prop_assert!(v2(&text, "").is_err() || text.split_ascii_whitespace().count() <= 2);
        }
    }
}
