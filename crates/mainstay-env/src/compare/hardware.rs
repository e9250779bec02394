//! Platform, processor, GPU, container.

use archspec::cpu::Microarchitecture;

use super::differences::Differences;
use super::rules::RuleId;
use crate::{Container, Cpu, Fact, Gpu, Identity, Setting};

pub(super) fn compare(found: &mut Differences, a: &Identity, b: &Identity) {
    let (here, there) = (&a.platform, &b.platform);
    found.equal(RuleId::Os, "platform.os", Some(&here.os), Some(&there.os));
    found.equal(
        RuleId::Architecture,
        "platform.architecture",
        Some(&here.architecture),
        Some(&there.architecture),
    );
    if let Some((Some(old), Some(new))) = found.established("cpu", &a.cpu, &b.cpu) {
        cpu(found, old, new);
        threads(found, (a, old), (b, new));
    }
    if let Some((old, new)) = found.established("gpu", &a.gpu, &b.gpu) {
        gpu(found, old, new);
    }
    driver_age(found, b);
    if let Some((Some(old), Some(new))) = found.established("container", &a.container, &b.container)
    {
        container(found, old, new);
    }
}

fn cpu(found: &mut Differences, a: &Cpu, b: &Cpu) {
    if let (Some(old), Some(new)) = (&a.level, &b.level)
        && !is_superset(new, old)
    {
        found.equal(RuleId::CpuLevel, "cpu.level", Some(old), Some(new));
    }
    let missing_in = |there: &Cpu, here: &Cpu| -> Vec<String> {
        let features = here.features.iter();
        features
            .filter(|feature| !there.features.contains(feature))
            .cloned()
            .collect()
    };
    let (missing, added) = (missing_in(b, a), missing_in(a, b));
    if !missing.is_empty() {
        found.add(
            RuleId::CpuMissing,
            "cpu.features",
            Some(missing.join(" ")),
            None,
        );
    }
    if !added.is_empty() {
        found.add(
            RuleId::CpuAdded,
            "cpu.features",
            None,
            Some(added.join(" ")),
        );
    }
    if a.vendor == b.vendor {
        let (old, new) = (a.microarchitecture.as_ref(), b.microarchitecture.as_ref());
        found.equal(RuleId::CpuModel, "cpu.microarchitecture", old, new);
    } else {
        found.equal(
            RuleId::CpuVendor,
            "cpu.vendor",
            a.vendor.as_ref(),
            b.vendor.as_ref(),
        );
    }
}

/// Reports whether code for `level` runs on a processor of level `other`.
fn is_superset(other: &str, level: &str) -> bool {
    let targets = Microarchitecture::known_targets();
    match (targets.get(other), targets.get(level)) {
        (Some(other), Some(level)) => {
            other.name() == level.name() || other.is_strict_superset(level)
        }
        _ => other == level,
    }
}

fn threads(found: &mut Differences, (a, old): (&Identity, &Cpu), (b, new): (&Identity, &Cpu)) {
    let Some((old_quota, new_quota)) =
        found.established("cpu_quota_milli", &a.cpu_quota_milli, &b.cpu_quota_milli)
    else {
        return;
    };
    // What a library that sizes its pool by the system sees: whole processors.
    let usable = |cpu: &Cpu, quota: Option<&u64>| {
        let quota = quota.map_or(u64::MAX, |milli| milli.div_ceil(1_000));
        cpu.logical.min(quota)
    };
    let (old, new) = (usable(old, old_quota), usable(new, new_quota));
    if old != new {
        let pinned = omp_threads(a).is_some() && omp_threads(a) == omp_threads(b);
        let rule = if pinned {
            RuleId::CpuThreadsPinned
        } else {
            RuleId::CpuThreads
        };
        found.equal(rule, "cpu.threads", Some(&old), Some(&new));
    }
}

fn omp_threads(identity: &Identity) -> Option<&Setting> {
    identity.variables.known()?.get("OMP_NUM_THREADS")
}

fn gpu(found: &mut Differences, a: Option<&Gpu>, b: Option<&Gpu>) {
    let driver = |gpu: Option<&Gpu>| gpu.map(|gpu| format!("driver {}", gpu.driver));
    match (a, b) {
        (Some(old), Some(new)) => {
            found.equal(
                RuleId::GpuDriver,
                "gpu.driver",
                Some(&old.driver),
                Some(&new.driver),
            );
            let names = |gpu: &Gpu| gpu.devices.join(", ");
            found.equal(
                RuleId::GpuDevices,
                "gpu.devices",
                Some(&names(old)),
                Some(&names(new)),
            );
        }
        (Some(_), None) => found.add(RuleId::GpuLost, "gpu", driver(a), None),
        (None, Some(_)) => found.add(RuleId::GpuGained, "gpu", None, driver(b)),
        (None, None) => {}
    }
}

/// The least driver of each CUDA major version, from NVIDIA's table of minor version compatibility.
const LEAST_DRIVERS: [(u64, u64); 3] = [(11, 450), (12, 525), (13, 580)];

/// Checks the driver against the CUDA runtime among the packages.
fn driver_age(found: &mut Differences, b: &Identity) {
    let (Fact::Known(gpu), Some(cuda)) = (&b.gpu, cuda_major(b)) else {
        return;
    };
    let driver = gpu
        .driver
        .split('.')
        .next()
        .and_then(|major| major.parse::<u64>().ok());
    let least = LEAST_DRIVERS
        .iter()
        .find(|(major, _)| *major == cuda)
        .map(|(_, least)| *least);
    if let (Some(driver), Some(least)) = (driver, least)
        && driver < least
    {
        let needed = Some(format!("at least {least} for CUDA {cuda}"));
        found.add(
            RuleId::GpuDriverTooOld,
            "gpu.driver",
            needed,
            Some(gpu.driver.clone()),
        );
        found.fix(format!("update the NVIDIA driver to {least} or newer"));
    }
}

/// The CUDA major version of the runtime package, or of the local version of torch.
fn cuda_major(identity: &Identity) -> Option<u64> {
    let packages = identity.packages.known()?;
    let major = |text: &str| {
        let digits = text
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len());
        text[..digits].parse::<u64>().ok()
    };
    let runtime = packages.iter().find_map(|package| {
        match package.name.strip_prefix("nvidia-cuda-runtime")? {
            "" => major(&package.version),
            suffix => major(suffix.strip_prefix("-cu")?),
        }
    });
    runtime.or_else(|| {
        let torch = packages.iter().find(|package| package.name == "torch")?;
        // The local version holds major and minor without a dot, as cu121.
        major(torch.version.split_once("+cu")?.1).map(|number| number / 10)
    })
}

fn container(found: &mut Differences, a: &Container, b: &Container) {
    let word = |container: &Container| format!("{:?}", container.verdict).to_lowercase();
    found.equal(
        RuleId::Container,
        "container.verdict",
        Some(&word(a)),
        Some(&word(b)),
    );
    found.equal(
        RuleId::Image,
        "container.image",
        a.image.as_ref(),
        b.image.as_ref(),
    );
    for (image, is_first) in [(&a.image, true), (&b.image, false)] {
        if let Some(image) = image.as_ref().filter(|image| !image.contains("@sha256:")) {
            let (a, b) = if is_first {
                (Some(image), None)
            } else {
                (None, Some(image))
            };
            found.equal(RuleId::ImageUnpinned, "container.image", a, b);
        }
    }
}
